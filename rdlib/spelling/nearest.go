// Package spelling finds what a misspelt name was meant to be.
package spelling

import (
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest returns the known name that is spelt most like name, the first of several, cases apart; "" where none is known.
func Nearest(name string, known []string) string {
	if len(known) == 0 {
		return ""
	}
	distance := func(k string) int {
		return levenshtein.Distance(strings.ToLower(name), strings.ToLower(k), nil)
	}
	return slices.MinFunc(known, func(a, b string) int { return distance(a) - distance(b) })
}
