package distill

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rd/rdlib/model"
)

func TestNewRefuses(t *testing.T) {
	cases := []struct {
		method  string
		options map[string]string
		says    []string
	}{
		{"rdx", nil, []string{`"rdx"`, `did you mean "rd"`, "scratch"}},
		{"", nil, []string{`unknown method ""`}},
		{"rd", map[string]string{"alhpa": "1"}, []string{"method rd", `"alhpa"`, `did you mean "alpha"`}},
		{"rd", map[string]string{"phi_depth": "1"}, []string{`did you mean "phi-depth"`}},
		{"scratch", map[string]string{"alpha": "1"}, []string{"method scratch", "there are none"}},
		{"rd", map[string]string{"alpha": "-1"}, []string{"alpha=-1", "a number from 0"}},
		{"rd", map[string]string{"alpha": "NaN"}, []string{"alpha=NaN"}},
		{"rd", map[string]string{"alpha": "Inf"}, []string{"alpha=Inf"}},
		{"rd", map[string]string{"alpha": "one"}, []string{"alpha=one"}},
		{"rd", map[string]string{"decay-end": "1.5"}, []string{"decay-end=1.5", "from 0 to 1"}},
		{"rd", map[string]string{"temperature": "0"}, []string{"temperature=0"}},
		{"rd", map[string]string{"decay": "never"}, []string{"decay=never", "step|epoch"}},
		{"rd", map[string]string{"kd": "maybe"}, []string{"kd=maybe", "on|off"}},
		{"direct", map[string]string{"phi-depth": "-1"}, []string{"phi-depth=-1", "from 0 to"}},
		{"direct", map[string]string{"phi-depth": "1.5"}, []string{"phi-depth=1.5", "whole number"}},
	}
	for _, c := range cases {
		method, err := New(c.method, c.options)
		if err == nil || method != nil {
			t.Errorf("%s %v is accepted", c.method, c.options)
			continue
		}
		for _, part := range c.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s %v: %q does not say %q", c.method, c.options, err, part)
			}
		}
	}
}

// What Options reports is what Describe promises: the same names, with the defaults until they are set.
func TestOptionsAreRecorded(t *testing.T) {
	recorded := func(method Method) map[string]string {
		data, err := json.Marshal(method.Options())
		if err != nil {
			t.Fatal(err)
		}
		raw := map[string]any{}
		if err := json.Unmarshal(data, &raw); err != nil {
			t.Fatal(err)
		}
		text := map[string]string{}
		for name, v := range raw {
			switch v := v.(type) {
			case bool:
				text[name] = map[bool]string{true: "on", false: "off"}[v]
			case float64:
				text[name] = strconv.FormatFloat(v, 'g', -1, 64)
			default:
				text[name] = fmt.Sprint(v)
			}
		}
		return text
	}
	for _, d := range Describe() {
		got := recorded(mustNew(t, d.Name, nil))
		if len(got) != len(d.Options) {
			t.Errorf("%s records %v and describes %v", d.Name, got, d.Options)
		}
		for _, o := range d.Options {
			if got[o.Name] != o.Default {
				t.Errorf("%s records %s=%q, the default is %q", d.Name, o.Name, got[o.Name], o.Default)
			}
			if o.Values == "" || o.Meaning == "" || o.Source == "" {
				t.Errorf("%s: option %s is not described", d.Name, o.Name)
			}
			// Every default can be given by name, and the recorded form is one New takes.
			again := mustNew(t, d.Name, map[string]string{o.Name: o.Default})
			if recorded(again)[o.Name] != o.Default {
				t.Errorf("%s: %s=%s is recorded as %s", d.Name, o.Name, o.Default, recorded(again)[o.Name])
			}
		}
	}
	set := map[string]string{
		"alpha": "0.5", "beta": "2", "decay": "epoch", "decay-end": "0.1", "kd": "off", "cka": "off", "temperature": "4",
		"detach-teacher": "both", "cotrain": "off", "phi-input": "pooled", "phi-depth": "3", "phi-width": "64",
	}
	method := mustNew(t, "rd", set)
	for name, value := range recorded(method) {
		if set[name] != value {
			t.Errorf("rd: %s=%q is recorded, %q was asked for", name, value, set[name])
		}
	}
	if n := method.Needs(); n.Maps || !n.Pooled || n.Logits || !n.EpochProgress {
		t.Errorf("rd needs %+v", n)
	}
	// Options of one method do not leak into the next.
	if got := recorded(mustNew(t, "rd", nil)); got["alpha"] != "1" {
		t.Errorf("alpha is %s after another method was made", got["alpha"])
	}
}

func TestDescribe(t *testing.T) {
	text := Describe().String()
	for _, name := range Names() {
		if !strings.Contains(text, name+": ") {
			t.Errorf("method %s is not described", name)
		}
	}
	for _, part := range []string{"phi-depth=2", "detach-teacher=none", "Eq. 3"} {
		if !strings.Contains(text, part) {
			t.Errorf("the description lacks %q", part)
		}
	}
}

func TestSuit(t *testing.T) {
	pooledOnly := Context{StudentDim: 16, Classes: 2, TeacherPooled: 32}
	for _, name := range []string{"rd", "direct"} {
		if got, err := Suit(name, pooledOnly); err != nil || got["phi-input"] != "pooled" {
			t.Errorf("%s for a teacher without a map: %v, %v", name, got, err)
		}
		withMap := pooledOnly
		withMap.TeacherMaps = [][]int{{32, 2, 2}}
		if got, err := Suit(name, withMap); err != nil || len(got) != 0 {
			t.Errorf("%s for a teacher with a map: %v, %v", name, got, err)
		}
		_, err := mustNew(t, name, nil).Modules(pooledOnly)
		if err == nil || !strings.Contains(err.Error(), "phi-input=pooled") {
			t.Errorf("%s with phi-input=feature-map and no map: %v", name, err)
		}
		_, err = mustNew(t, name, map[string]string{"phi-input": "pooled"}).Modules(Context{StudentDim: 16, TeacherMaps: withMap.TeacherMaps})
		if err == nil || !strings.Contains(err.Error(), "phi-input=feature-map") {
			t.Errorf("%s with phi-input=pooled and none: %v", name, err)
		}
	}
	if got, err := Suit("scratch", pooledOnly); err != nil || got != nil {
		t.Errorf("scratch: %v, %v", got, err)
	}
	if _, err := Suit("nothing", pooledOnly); err == nil {
		t.Error("an unknown method is suited")
	}
}

func TestModulesRefuse(t *testing.T) {
	method := mustNew(t, "rd", nil)
	for name, c := range map[string]Context{
		"no student feature": {TeacherMaps: [][]int{{8, 2, 2}}},
		"a map of two axes":  {StudentDim: 8, TeacherMaps: [][]int{{8, 2}}},
		"an empty map":       {StudentDim: 8, TeacherMaps: [][]int{{0, 2, 2}}},
		"no teacher":         {StudentDim: 8},
	} {
		if modules, err := method.Modules(c); err == nil {
			t.Errorf("%s: %v is accepted", name, modules)
		}
	}
}

// φ ends at the student's feature width for every student and teacher, and costs less than a ResNet18 at 64 pixels.
func TestPhi(t *testing.T) {
	for _, dim := range []int{512, 1024, 1280, 16, 3} {
		for _, teacher := range [][]int{{1024, 2, 2}, {1024, 3, 3}, {768, 14, 14}, {512, 1, 1}, {dim, 2, 5}} {
			c := Context{StudentDim: dim, Classes: 2, TeacherMaps: [][]int{{64, 8, 8}, teacher}, TeacherPooled: teacher[0]}
			for _, input := range phiInputs {
				modules, err := mustNew(t, "rd", map[string]string{"phi-input": input}).Modules(c)
				if err != nil {
					t.Errorf("%s %v to %d: %v", input, teacher, dim, err)
					continue
				}
				phi := modules[phiModule]
				if phi.FeatureDim() != dim {
					t.Errorf("%s %v: φ ends at %d, not %d", input, teacher, phi.FeatureDim(), dim)
				}
				cost, err := phi.Cost(phi.InputShape()...)
				if err != nil {
					t.Fatal(err)
				}
				if teacher[1] <= 3 && cost.MACs > 150e6 {
					t.Errorf("%s %v to %d costs %d MACs an image", input, teacher, dim, cost.MACs)
				}
				stem := slices.ContainsFunc(phi.Parameters(), func(p model.Parameter) bool { return p.Name == "stem.conv.weight" })
				if stem != (teacher[0] != dim) {
					t.Errorf("%s %v to %d: stem %v", input, teacher, dim, stem)
				}
			}
		}
	}
}
