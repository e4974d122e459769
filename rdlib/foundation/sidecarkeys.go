package foundation

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"rd/rdlib/spelling"
)

// checkKeys refuses keys of a side-car that would be read as nothing: in its sections every one that is not theirs, outside
// them those that are spelt like one it knows. Cases do not count, as in encoding/json. Text that is no object is left to that.
func checkKeys(data []byte) error {
	var all map[string]json.RawMessage
	if json.Unmarshal(data, &all) != nil {
		return nil
	}
	top := keysOf(SideCar{})
	sections := map[string][]string{
		"input": keysOf(SideCarInput{}), "outputs": keysOf(SideCarOutputs{}), "pretraining": keysOf(Pretraining{}), "adapted": keysOf(Adapted{}),
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if meant := spelling.Misspelt(key, top); meant != "" {
			return fmt.Errorf("unknown key %q: did you mean %q?", key, meant)
		}
		known, is := sections[strings.ToLower(key)]
		var section map[string]json.RawMessage
		if !is || json.Unmarshal(all[key], &section) != nil {
			continue
		}
		for _, inner := range slices.Sorted(maps.Keys(section)) {
			if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, inner) }) {
				return fmt.Errorf("unknown key %q in %q: did you mean %q? (keys: %s)", inner, key, spelling.Nearest(inner, known), strings.Join(known, ", "))
			}
		}
	}
	return nil
}

// keysOf are the names of a struct's fields in JSON.
func keysOf(section any) []string {
	var keys []string
	for _, field := range reflect.VisibleFields(reflect.TypeOf(section)) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		keys = append(keys, name)
	}
	return keys
}
