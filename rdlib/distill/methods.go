package distill

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"rd/rdlib/option"
	"rd/rdlib/spelling"
)

// A recipe is a method before its options are set.
type recipe struct {
	name, title, source string
	// begin returns the options to fill in and what makes the method of them afterwards.
	begin func() (*option.Set, func() (Method, error))
	// suit returns the options that a student and teacher ask for where the default cannot be used; nil: none.
	suit func(Context) map[string]string
}

// recipes lists every method in the order of the paper's tables.
var recipes = []recipe{scratchRecipe, kdRecipe, hintRecipe, atRecipe, spRecipe, vidRecipe, rkdRecipe, crdRecipe, semckdRecipe, mgdRecipe, normRecipe, directRecipe, rdRecipe}

// Names returns the names of all methods.
func Names() []string {
	names := make([]string, len(recipes))
	for i, r := range recipes {
		names[i] = r.name
	}
	return names
}

// New returns the named method with the given options; those not given have their defaults. An unknown method or option
// gives an error that suggests the nearest name; a value that does not fit gives one that says what would.
func New(name string, options map[string]string) (Method, error) {
	r, err := find(name)
	if err != nil {
		return nil, err
	}
	set, build := r.begin()
	if err := set.Apply(options); err != nil {
		return nil, fmt.Errorf("method %s: %w", r.name, err)
	}
	method, err := build()
	if err != nil {
		return nil, fmt.Errorf("method %s: %w", r.name, err)
	}
	return method, nil
}

// Suit returns the options that the student and teacher ask for where a method's default cannot be used with them, such
// as phi-input=pooled for a teacher without a feature map. What the user asked for goes before it.
func Suit(name string, c Context) (map[string]string, error) {
	r, err := find(name)
	if err != nil || r.suit == nil {
		return nil, err
	}
	return r.suit(c), nil
}

func find(name string) (recipe, error) {
	for _, r := range recipes {
		if r.name == strings.ToLower(name) {
			return r, nil
		}
	}
	return recipe{}, fmt.Errorf("unknown method %q: did you mean %q? (methods: %s)", name, spelling.Nearest(name, Names()), strings.Join(Names(), ", "))
}

// A Description says what a method is and which options it has.
type Description struct {
	Name    string
	Title   string
	Source  string
	Options []option.Option
}

// Descriptions print as a text for people.
type Descriptions []Description

// Describe returns every method with its options, their defaults and where these come from.
func Describe() Descriptions {
	all := make(Descriptions, len(recipes))
	for i, r := range recipes {
		set, _ := r.begin()
		all[i] = Description{r.name, r.title, r.source, set.Options()}
	}
	return all
}

func (all Descriptions) String() string {
	var text strings.Builder
	for i, d := range all {
		if i > 0 {
			text.WriteByte('\n')
		}
		fmt.Fprintf(&text, "%s: %s\n  source: %s\n", d.Name, d.Title, d.Source)
		table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		for _, o := range d.Options {
			fmt.Fprintf(table, "  %s=%s\t%s\t%s\t[%s]\n", o.Name, o.Default, o.Values, o.Meaning, o.Source)
		}
		table.Flush()
	}
	return text.String()
}

// Compared reports whether a method is one of the shared recipe γ·CE + α·KL + β·L with an L of its own.
func Compared(name string) bool {
	m, err := New(name, nil)
	_, ok := m.(compared)
	return err == nil && ok && name != "kd"
}
