package dataset

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is a CSV file with a header, in whose names small and capital letters are the same.
type table struct {
	file   string
	header []string
	column map[string]int // by columnName
	rows   [][]string
	lines  []int // where each row begins, from 1
}

// readTable reads a CSV file: RFC 4180, a header of distinct names, blanks around values left out. A missing file gives
// nil.
func readTable(file string) (*table, error) {
	data, err := readPlainFile(file, DecodeLimits{Bytes: maxListBytes})
	switch {
	case errors.Is(err, ErrMissing):
		return nil, nil
	case errors.Is(err, ErrEmpty):
		return nil, badDataset("%s is empty: it must begin with a header", file)
	case err != nil:
		return nil, badDataset("%w", err)
	}
	return parseTable(file, data)
}

func parseTable(file string, data []byte) (*table, error) {
	if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
		return nil, badDataset("%s is no text in UTF-8: save it as CSV again", file)
	}
	reader := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff"))))
	t := &table{file: file, column: map[string]int{}}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			if t.header == nil {
				return nil, badDataset("%s has no header", file)
			}
			if len(t.rows) == 0 {
				return nil, badDataset("%s has a header and no line below it", file)
			}
			return t, nil
		}
		if err != nil {
			return nil, badDataset("%s: %w", file, err)
		}
		for k, value := range row {
			row[k] = strings.TrimSpace(value)
		}
		if t.header != nil {
			line, _ := reader.FieldPos(0)
			t.rows, t.lines = append(t.rows, row), append(t.lines, line)
			continue
		}
		t.header = row
		for k := range row {
			name := columnName(row[k])
			if _, twice := t.column[name]; twice {
				return nil, badDataset("%s has two columns called %q: keep one", file, name)
			}
			t.column[name] = k
		}
	}
}

// columnName is a header's name as names are compared.
func columnName(name string) string {
	return strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))
}

// columns refuses a table that lacks a needed column, or has one that is neither needed nor optional.
func (t *table) columns(needed, optional []string) error {
	var missing, unknown []string
	for _, name := range needed {
		if _, ok := t.column[columnName(name)]; !ok {
			missing = append(missing, fmt.Sprintf("%q", name))
		}
	}
	for _, name := range t.header {
		if !slices.ContainsFunc(slices.Concat(needed, optional), func(known string) bool { return columnName(known) == columnName(name) }) {
			unknown = append(unknown, fmt.Sprintf("%q", name))
		}
	}
	known := "it must have the columns " + strings.Join(needed, ", ")
	if len(optional) > 0 {
		known += ", and may have " + strings.Join(optional, ", ")
	}
	switch {
	case len(missing) > 0:
		return badDataset("%s has no column %s in its header: %s", t.file, strings.Join(missing, ", "), known)
	case len(unknown) > 0:
		return badDataset("%s has the unknown column %s: %s; rename or remove it", t.file, strings.Join(unknown, ", "), known)
	}
	return nil
}

// get is a value, or "" where there is no such column.
func (t *table) get(row int, column string) string {
	if k, ok := t.column[columnName(column)]; ok {
		return t.rows[row][k]
	}
	return ""
}

func (t *table) errorf(row int, format string, args ...any) error {
	return badDataset("line %d of %s: %s", t.lines[row], t.file, fmt.Sprintf(format, args...))
}
