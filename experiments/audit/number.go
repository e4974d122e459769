package audit

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// number is a decimal number as printed: scaled / 10^decimals.
type number struct {
	scaled   int64
	decimals int
}

// maxDecimals is up to how many decimals are looked at; more of them are rounded.
const maxDecimals = 7

var decimal = regexp.MustCompile(`^[+-]?[0-9]{1,6}(\.[0-9]+)?$`)

// parseNumber reads a number that is written with digits, sign and point alone.
func parseNumber(text string) (number, bool) {
	if !decimal.MatchString(text) {
		return number{}, false
	}
	whole, fraction, _ := strings.Cut(text, ".")
	if len(fraction) > maxDecimals {
		value, _ := strconv.ParseFloat(text, 64)
		return number{int64(math.Round(value * math.Pow10(maxDecimals))), maxDecimals}, true
	}
	scaled, err := strconv.ParseInt(whole+fraction, 10, 64)
	return number{scaled, len(fraction)}, err == nil
}

// withDecimals is the same number with at least so many decimals: a spreadsheet writes 80.20 as 80.2.
func (v number) withDecimals(decimals int) number {
	for v.decimals < decimals {
		v.scaled *= 10
		v.decimals++
	}
	return v
}

func (v number) float() float64 { return float64(v.scaled) / math.Pow10(v.decimals) }

func (v number) String() string { return strconv.FormatFloat(v.float(), 'f', v.decimals, 64) }

// whole is 100 %, in units of the last digit.
func (v number) whole() int64 { return int64(math.Pow10(v.decimals + 2)) }

// fit is how an accuracy in per cent comes from a number of right images.
type fit int

const (
	noFit fit = iota
	roundedFit
	truncatedFit
)

// of says whether 100·k/n, for any whole k, is the number when rounded to its decimals (a half either way), or else when
// truncated, and which k it is. Without a fit k is the nearest.
func (v number) of(n int64) (k int64, how fit) {
	whole := v.whole()
	k = (2*v.scaled*n + whole) / (2 * whole) // the nearest
	if distance := 2 * (whole*k - v.scaled*n); distance <= n && -distance <= n {
		return k, roundedFit
	}
	up := (v.scaled*n + whole - 1) / whole // the first with 100·k/n at or above the number
	if whole*up < (v.scaled+1)*n {
		return up, truncatedFit
	}
	return k, noFit
}

// share writes k of n as an equation, with two decimals more than the number has.
func (v number) share(k, n int64) string {
	return fmt.Sprintf("%d/%d = %.*f", k, n, v.decimals+2, 100*float64(k)/float64(n))
}
