// Package option binds options that users set by name and text to the fields that hold their values, with defaults,
// meanings and where the defaults come from.
package option

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"rd/rdlib/spelling"
)

// Option describes one option.
type Option struct {
	Name    string
	Default string
	Values  string // what it takes, such as "step|epoch" or "number ≥ 0"
	Meaning string
	Source  string // where the default comes from
}

// Set binds option names to the fields that hold their values. A field's value when it is bound is the default.
type Set struct {
	options []Option
	parse   map[string]func(string) error
}

func (s *Set) add(o Option, parse func(string) error) {
	if s.parse == nil {
		s.parse = map[string]func(string) error{}
	}
	s.options = append(s.options, o)
	s.parse[o.Name] = func(text string) error {
		if err := parse(text); err != nil {
			return fmt.Errorf("option %s=%s: it takes %s", o.Name, text, o.Values)
		}
		return nil
	}
}

var errValue = fmt.Errorf("not one of the values")

// Number binds a finite number in [low, high].
func (s *Set) Number(field *float64, name string, low, high float64, meaning, source string) {
	values := fmt.Sprintf("a number from %g to %g", low, high)
	if math.IsInf(high, 1) {
		values = fmt.Sprintf("a number from %g", low)
	}
	s.add(Option{name, strconv.FormatFloat(*field, 'g', -1, 64), values, meaning, source}, func(text string) error {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(v, 0) || !(v >= low && v <= high) {
			return errValue
		}
		*field = v
		return nil
	})
}

// Integer binds a whole number in [low, high].
func (s *Set) Integer(field *int, name string, low, high int, meaning, source string) {
	values := fmt.Sprintf("a whole number from %d to %d", low, high)
	s.add(Option{name, strconv.Itoa(*field), values, meaning, source}, func(text string) error {
		v, err := strconv.Atoi(text)
		if err != nil || v < low || v > high {
			return errValue
		}
		*field = v
		return nil
	})
}

// Choice binds one of a few words.
func (s *Set) Choice(field *string, name string, words []string, meaning, source string) {
	s.add(Option{name, *field, strings.Join(words, "|"), meaning, source}, func(text string) error {
		if !slices.Contains(words, text) {
			return errValue
		}
		*field = text
		return nil
	})
}

// Toggle binds a switch; YAML's and JSON's true and false are accepted too.
func (s *Set) Toggle(field *bool, name, meaning, source string) {
	words := map[string]bool{"on": true, "off": false, "true": true, "false": false}
	initial := "off"
	if *field {
		initial = "on"
	}
	s.add(Option{name, initial, "on|off", meaning, source}, func(text string) error {
		v, ok := words[text]
		if !ok {
			return errValue
		}
		*field = v
		return nil
	})
}

// Apply gives the named options the given values. The first mistake, in the order of the names, is returned.
func (s *Set) Apply(values map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		parse, ok := s.parse[name]
		if !ok {
			return s.unknown(name)
		}
		if err := parse(values[name]); err != nil {
			return err
		}
	}
	return nil
}

// Options lists what is bound, in the order of binding.
func (s *Set) Options() []Option { return slices.Clone(s.options) }

func (s *Set) unknown(name string) error {
	if len(s.options) == 0 {
		return fmt.Errorf("unknown option %q: there are none", name)
	}
	names := make([]string, len(s.options))
	for i, o := range s.options {
		names[i] = o.Name
	}
	return fmt.Errorf("unknown option %q: did you mean %q? (options: %s)", name, spelling.Nearest(name, names), strings.Join(names, ", "))
}
