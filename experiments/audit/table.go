package audit

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Table is a table as it was published, every cell a text.
type Table struct {
	Name   string
	Header []string
	Rows   [][]string // as many cells as the header has
}

// Read reads a table from CSV with a line of headings. The name is the one that findings and errors give it. A file that is
// empty, that has no row, a heading twice, or lines of different lengths, is an error with the line.
func Read(name string, r io.Reader) (*Table, error) {
	lines, err := csv.NewReader(r).ReadAll()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(lines) == 0:
		return nil, fmt.Errorf("%s: the file is empty: a line of headings and rows below it are needed", name)
	case len(lines) == 1:
		return nil, fmt.Errorf("%s: there is no row below the headings", name)
	}
	lines[0][0] = strings.TrimPrefix(lines[0][0], "\ufeff")
	for _, line := range lines {
		for k := range line {
			line[k] = strings.TrimSpace(line[k])
		}
	}
	seen := map[string]bool{}
	for k, heading := range lines[0] {
		if heading == "" {
			lines[0][k] = fmt.Sprintf("column %d", k+1)
		} else if seen[strings.ToLower(heading)] {
			return nil, fmt.Errorf("%s: two columns are headed %q", name, heading)
		}
		seen[strings.ToLower(heading)] = true
	}
	return &Table{Name: name, Header: lines[0], Rows: lines[1:]}, nil
}

// ErrOptions is wrapped by errors about what was asked for, not about a table.
var ErrOptions = errors.New("wrong option")

// plainName is a heading or label in small letters and digits alone, so that foundation_model and "Foundation model" are the same.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}
