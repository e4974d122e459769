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
	return slices.MinFunc(known, func(a, b string) int { return distance(name, a) - distance(name, b) })
}

// Misspelt returns the known name that name was most likely meant to be: the nearest, if no more than two in five of name's
// letters are other ones; "" where name is known or like none.
func Misspelt(name string, known []string) string {
	nearest := Nearest(name, known)
	if d := distance(name, nearest); d == 0 || 5*d > 2*len(name) {
		return ""
	}
	return nearest
}

// distance is Levenshtein's, cases apart.
func distance(a, b string) int {
	return levenshtein.Distance(strings.ToLower(a), strings.ToLower(b), nil)
}
