package checkpoint

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"rd/rdlib/foundation"
)

// Report is what `rd teacher inspect` shows of a file of weights.
type Report struct {
	*File
	Tensors     int     `json:"tensors"`
	Parameters  int     `json:"parameters"` // values of all tensors, running statistics included
	Match       *Match  `json:"match,omitempty"`
	Publication string  `json:"publication,omitempty"` // one of PublicationNames, guessed
	Origin      *Origin `json:"origin,omitempty"`      // of weights that were written here
	Unknown     string  `json:"unknown,omitempty"`     // why no architecture was recognised
}

// Inspect reads a file of weights and says what architecture they belong to and what does not fit. An architecture that is
// not recognised, or does not fit, is in the report, not an error.
func Inspect(path, key string, w Wanted, o Options) (*Report, error) {
	f, err := Read(path, key)
	if err != nil {
		return nil, err
	}
	r := &Report{File: f, Tensors: len(f.Weights), Parameters: f.Parameters()}
	r.Match, err = f.Recognise(w, o)
	switch {
	case errors.Is(err, ErrUnknown):
		r.Unknown = err.Error()
		return r, nil
	case err != nil:
		return nil, err
	}
	if r.Origin, err = f.Origin(); err != nil {
		return nil, err
	}
	if r.Origin == nil {
		r.Publication = r.Match.Publication().Name
	}
	return r, nil
}

// Err is nil where the weights are all of an architecture, and else says how many tensors are not.
func (r *Report) Err() error {
	switch {
	case r.Match == nil:
		return errors.New(r.Unknown)
	case len(r.Match.Problems) > 0:
		return fmt.Errorf("%s: %d tensors do not fit %s", r.Path, len(r.Match.Problems), r.Match.Architecture)
	}
	return nil
}

// Write prints the report for people.
func (r *Report) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("weights", "%s, %s, %s", r.Path, r.Format, foundation.BytesText(r.Bytes))
	if r.Wrapper != "" {
		row("in", "entry %s", r.Wrapper)
	}
	row("tensors", "%d", r.Tensors)
	row("parameters", "%d, batch-norm statistics included", r.Parameters)
	if len(r.Other) > 0 {
		row("not read", "%s", strings.Join(r.Other, ", "))
	}
	m := r.Match
	if m == nil {
		row("architecture", "not recognised")
		return table.Flush()
	}
	row("architecture", "%s", m)
	if m.Loaded.Prefix != "" {
		row("names", "without %q", m.Loaded.Prefix)
	}
	if r.Origin != nil {
		row("origin", "%s", r.Origin)
	} else {
		row("published", "as %s (a guess by names and sizes)", r.Publication)
	}
	for _, note := range append(m.Notes, m.Loaded.Notes...) {
		row("note", "%s", note)
	}
	for _, name := range m.Loaded.LeftOut {
		row("left out", "%s", name)
	}
	for _, problem := range m.Problems {
		row("problem", "%s", problem)
	}
	if len(m.Problems) == 0 {
		row("fits", "all %d tensors", m.Loaded.Used)
	}
	return table.Flush()
}

// String names the architecture and its choices.
func (m *Match) String() string {
	parts := []string{m.Architecture}
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	c, t := m.Config, m.Config.Transformer
	if c.Width != 0 && c.Width != 1 {
		add("width %g", c.Width)
	}
	if len(c.Blocks) > 0 {
		add("blocks %v", c.Blocks)
	}
	if t.Dim > 0 {
		add("patch %d", t.Patch)
		add("dim %d", t.Dim)
		add("depth %d", t.Depth)
		add("heads %d", t.Heads)
	}
	if c.Windows.Side > 0 {
		add("windows of %d", c.Windows.Side)
		add("positions for %d pixels", c.Windows.Table)
	}
	if t.Height > 0 {
		add("images %d×%d", t.Height, t.Width)
	}
	if n := m.Network.Classes(); n > 0 {
		add("%d classes", n)
	}
	return strings.Join(parts, ", ")
}
