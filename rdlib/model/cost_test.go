package model

import "testing"

// TestTable6 meets the students' six numbers behind Table 6 exactly, and the figures the paper prints.
func TestTable6(t *testing.T) {
	for _, row := range []struct {
		student       string
		parameters, f int64
		params, flops string
	}{
		{"resnet18", 11_177_538, 1_818_554_880, "5.33", "6.77"},
		{"shufflenet", 1_255_654, 147_786_440, "0.60", "0.55"},
		{"mobilenet", 2_226_434, 312_915_776, "1.06", "1.17"},
	} {
		net, err := New(row.student, Config{Classes: 2})
		if err != nil {
			t.Fatal(err)
		}
		c, err := net.Cost(3, 224, 224)
		if err != nil {
			t.Fatal(err)
		}
		if c.Parameters != row.parameters || c.F() != row.f {
			t.Errorf("%s: %d parameters, F %d (%+v); Table 6 follows from %d and %d", row.student, c.Parameters, c.F(), c, row.parameters, row.f)
		}
	}
}
