package audit

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
)

// Every share is found again from what is printed of it, and nothing else is.
func TestShares(t *testing.T) {
	for _, n := range []int64{1, 3, 7, 8, 16, 61, 154, 203, 394, 771} {
		for _, decimals := range []int{1, 2, 4} {
			whole := int64(math.Pow10(decimals + 2))
			want := map[int64]fit{} // by the printed number
			for k := range n + 1 {
				low := whole * k / n
				if _, ok := want[low]; !ok {
					want[low] = truncatedFit
				}
				switch rest := 2 * (whole*k - low*n); {
				case rest < n:
					want[low] = roundedFit
				case rest > n:
					want[low+1] = roundedFit
				default: // a half, which is rounded either way
					want[low], want[low+1] = roundedFit, roundedFit
				}
			}
			for printed := range whole + 1 {
				if decimals == 4 && printed%7 > 0 {
					continue // enough of them
				}
				v := number{printed, decimals}
				k, how := v.of(n)
				if how != want[printed] || k < 0 || k > n {
					t.Fatalf("%s of %d: %d, %d, want %d", v, n, k, how, want[printed])
				}
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]number{"80.20": {8020, 2}, "80.2": {802, 1}, "100": {100, 0}, "-1.5": {-15, 1}, "+2.00": {200, 2}, "33.33333333333": {333333333, 7}} {
		if got, ok := parseNumber(text); !ok || got != want {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-", ".5", "5.", "1e3", "0x10", "1_0", "NaN", "Inf", "1,5", "12345678", " 1", "٣"} {
		if got, ok := parseNumber(text); ok {
			t.Errorf("%q is the number %v", text, got)
		}
	}
	if v := (number{802, 1}).withDecimals(2); v.String() != "80.20" {
		t.Error(v)
	}
}

func TestValuesInJSON(t *testing.T) {
	for value, want := range map[Value]string{"80.20": "80.20", "-1": "-1", "": `""`, "080": `"080"`, "+1": `"+1"`, "1.": `"1."`, "24 of 27": `"24 of 27"`, "NaN": `"NaN"`, `a"b`: `"a\"b"`} {
		data, err := json.Marshal(Finding{Value: value})
		if err != nil || !json.Valid(data) {
			t.Fatal(string(data), err)
		}
		var f struct{ Value json.RawMessage }
		if json.Unmarshal(data, &f); string(f.Value) != want {
			t.Errorf("%q is written %s", value, fmt.Sprint(string(f.Value)))
		}
	}
}
