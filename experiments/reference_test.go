package experiments

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rd/rdlib/dataset/phantom"
	"rd/rdlib/model"
	"rd/rdlib/train"
)

// profileSections are the headings of the reference of profiles, and what each is about.
var profileSections = map[string]any{
	"The file": Matrix{}, "`training`": Training{}, "`miniatures`": MiniatureSize{}, "`datasets`": MatrixDataset{}, "`teachers`": MatrixTeacher{},
	"`methods`": MatrixMethod{}, "`adaptation`": Adaptation{}, "`boundaries`": BoundarySize{}, "`run`": Block{},
}

func profileReference(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// kindOf is what the reference calls a field's type.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Int:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Bool:
		return "yes or no"
	case reflect.Slice:
		return "list of " + kindOf(t.Elem()) + "s"
	case reflect.Map:
		return "map of " + kindOf(t.Elem()) + "s"
	}
	return "part"
}

// TestReferenceOfProfiles compares the reference with the types: every field of every part stands in it, in their order, with its
// kind, a default, and nothing else does.
func TestReferenceOfProfiles(t *testing.T) {
	if len(profileSections) != len(parts) {
		t.Errorf("%d sections of %d parts", len(profileSections), len(parts))
	}
	documented := map[string][][]string{}
	heading := ""
	for _, line := range strings.Split(profileReference(t), "\n") {
		if strings.HasPrefix(line, "## ") {
			heading = strings.TrimPrefix(line, "## ")
		}
		if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") {
			if len(cells) != 4 {
				t.Errorf("%s: %q has %d columns", heading, line, len(cells))
				continue
			}
			documented[heading] = append(documented[heading], cells)
		}
	}
	for heading, part := range profileSections {
		var want, got []string
		kind := reflect.TypeOf(part)
		for i := range kind.NumField() {
			if tag := kind.Field(i).Tag.Get("yaml"); tag != "" && tag != "-" {
				want = append(want, tag+": "+kindOf(kind.Field(i).Type))
			}
		}
		for _, cells := range documented[heading] {
			got = append(got, strings.Trim(cells[0], "| `")+": "+cells[1])
			if strings.TrimSpace(cells[2]) == "" {
				t.Errorf("%s: no default in %v", heading, cells)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("section %s has %v, and the fields are %v", heading, got, want)
		}
		delete(documented, heading)
	}
	if len(documented) > 0 {
		t.Errorf("sections of nothing: %v", documented)
	}
}

// TestReferenceNamesTheWords has every word that a field takes in the reference.
func TestReferenceNamesTheWords(t *testing.T) {
	text := profileReference(t)
	words := slices.Concat(model.Students(), train.Schedules, []string{Phantom, Real, "last", "best"})
	for _, k := range phantom.Kinds() {
		words = append(words, k.Name)
	}
	for _, m := range Miniatures(tinyMatrix(t)) {
		words = append(words, m.Name)
	}
	for _, word := range words {
		if !strings.Contains(text, "`"+word+"`") {
			t.Errorf("`%s` is not in the reference", word)
		}
	}
	for _, teacher := range paperTeachers {
		if !strings.Contains(text, teacher) {
			t.Errorf("%s is not in the reference", teacher)
		}
	}
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

// TestExamplesOfTheReference loads the examples and plans them. Without any field that is called needed in them, or with it at its
// zero, the first is refused.
func TestExamplesOfTheReference(t *testing.T) {
	blocks := yamlBlock.FindAllStringSubmatch(profileReference(t), -1)
	if len(blocks) != 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	m, err := parseMatrix("example.yaml", []byte(blocks[0][1]))
	if err != nil {
		t.Fatal(err)
	}
	// Scratch, hint and RD of two students with two seeds, and a variant of one with one.
	if p, err := m.Plan(Selection{}); err != nil || len(p.Cells) != 3*2*2+1 {
		t.Errorf("%v, %v", p, err)
	}
	if own, err := parseMatrix("example.yaml", []byte(blocks[1][1])); err != nil || own.Data != Real {
		t.Errorf("%v", err)
	}
	for _, line := range strings.Split(blocks[0][1], "\n") {
		field, _, _ := strings.Cut(strings.TrimSpace(line), ":")
		needed := slices.Contains([]string{"data", "size", "batch", "steps", "learning_rate", "schedule", "report", "threads", "miniatures", "students", "seeds"}, field)
		if !needed && !slices.Contains([]string{"about", "width", "weight_decay"}, field) {
			continue
		}
		if _, err := parseMatrix("example.yaml", []byte(strings.Replace(blocks[0][1], line+"\n", "", 1))); (err != nil) != needed {
			t.Errorf("without %s: %v", field, err)
		}
	}
}
