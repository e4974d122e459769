package experiments

import (
	"strings"
	"testing"
)

func TestBoundaryCells(t *testing.T) {
	p, err := tinyMatrix(t).Plan(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	cells := p.BoundaryCells()
	var methods []string
	for _, c := range cells {
		if c.Dataset != cells[0].Dataset || c.Student != cells[0].Student || c.Seed != 1 || c.Teacher != "" && c.Teacher != cells[0].Teacher {
			t.Errorf("%s stands beside %s", c, cells[0])
		}
		methods = append(methods, c.Method)
	}
	if got := strings.Join(methods, " "); !strings.HasPrefix(got, "rd kd scratch") || len(cells) > boundaryModels {
		t.Errorf("the methods are %s", got)
	}
	without, err := tinyMatrix(t).Plan(Selection{Methods: []string{"scratch"}})
	if err != nil {
		t.Fatal(err)
	}
	if cells := without.BoundaryCells(); len(cells) != 0 {
		t.Errorf("without RD there are %v", cells)
	}
}

func TestBoundarySize(t *testing.T) {
	for line, want := range map[string]string{
		"boundaries: {resolution: 1}":            "tiny.yaml:29: resolution 1",
		"boundaries: {agreement_resolution: -3}": "tiny.yaml:29: resolution -3",
		"boundaries: {triplets: -1}":             "tiny.yaml:29: triplets -1",
		"boundaries: {rows: -1}":                 "tiny.yaml:29: ",
		"boundaries: {resolutoin: 5}":            `did you mean "resolution"?`,
	} {
		_, err := parseMatrix("tiny.yaml", []byte(tiny+line+"\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: want %q, got %v", line, want, err)
		}
	}
	if o := (BoundarySize{}).options(); o.Rows != 3 || o.Check() != nil {
		t.Errorf("the default is %+v", o)
	}
}
