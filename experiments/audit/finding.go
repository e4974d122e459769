package audit

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Kind is what a finding is about.
type Kind string

const (
	Granularity  Kind = "granularity"  // no number of right images gives the accuracy
	Truncated    Kind = "truncated"    // one does when the digits are cut off, not rounded
	Average      Kind = "average"      // a printed average is not that of its cells, or rests on repeated ones
	Gain         Kind = "gain"         // a printed gain is not that of the accuracies
	Repeated     Kind = "repeated"     // the same column twice, for two methods or two data sets
	Claim        Kind = "claim"        // something that is said, or meant, and does not hold
	Undetermined Kind = "undetermined" // something that could not be checked, and why
)

// Finding is one thing that is wrong with a table, or that could not be checked.
type Finding struct {
	Table  string `json:"table"`
	Row    string `json:"row"`    // its labels; "" where the finding is about a column or the table
	Column string `json:"column"` // its heading; "" where the finding is about rows or the table
	Value  Value  `json:"value"`  // as printed
	Kind   Kind   `json:"kind"`
	Detail string `json:"detail"`

	place [3]int // table, row, column: the order in which findings are told
}

// Value is a cell's text. In JSON it is a number with the digits as printed where it is one, else a text.
type Value string

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) {
	if jsonNumber.MatchString(string(v)) {
		return []byte(v), nil
	}
	return json.Marshal(string(v))
}

// sortFindings puts findings into the order of tables, rows and columns.
func sortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int { return slices.Compare(a.place[:], b.place[:]) })
}

// names joins what is not empty with commas.
func names(parts ...string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(parts), func(s string) bool { return s == "" }), ", ")
}
