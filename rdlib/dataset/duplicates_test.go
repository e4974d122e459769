package dataset

import (
	"slices"
	"strings"
	"testing"
)

func TestDuplicates(t *testing.T) {
	d := &Dataset{Classes: []string{"a", "b"}, Items: []Item{
		{Path: "a/1.png", SHA256: "x", Pixels: "X", Label: 0, Split: Train},
		{Path: "a/2.png", SHA256: "y", Pixels: "Y", Label: 0, Split: Train},
		{Path: "a/3.png", SHA256: "v", Pixels: "Y", Label: 0, Split: Train},
		{Path: "a/4.png", SHA256: "w", Pixels: "W", Label: 0, Split: Val},
		{Path: "b/1.png", SHA256: "x", Pixels: "X", Label: 1, Split: Test},
		{Path: "b/2.png", SHA256: "z", Pixels: "Z", Label: 1, Split: Test},
		{Path: "b/3.png", SHA256: "z", Pixels: "Z", Label: 1, Split: Test},
		{Path: "b/10.png", SHA256: "u", Pixels: "W", Label: 1, Split: Test},
	}}
	var got []string
	for _, dup := range d.Duplicates() {
		var flags []string
		if dup.AcrossClasses {
			flags = append(flags, "classes")
		}
		if dup.AcrossParts {
			flags = append(flags, "parts")
		}
		got = append(got, strings.Join(append([]string{dup.Images[0].Path, dup.Images[1].Path, dup.SHA256}, flags...), " "))
	}
	want := []string{"a/1.png b/1.png x classes parts", "a/2.png a/3.png ", "a/4.png b/10.png  classes parts", "b/2.png b/3.png z"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	leaks := leaksOf(d.Duplicates())
	if marked := d.Leaks(); !slices.Equal(marked, []int{4, 7}) {
		t.Errorf("%v", marked)
	}
	if len(leaks) != 2 || leaks[0].Test.Path != "b/1.png" || !leaks[0].SameBytes || leaks[1].Test.Path != "b/10.png" || leaks[1].SameBytes || leaks[1].Learnt[0].Path != "a/4.png" {
		t.Errorf("%+v", leaks)
	}
	notes := d.duplicateNotes()
	if len(notes) != 2 || !strings.Contains(notes[0], "2 pictures have several labels, such as a/1.png (a) and b/1.png (b)") || !strings.Contains(notes[1], "2 test images have the pixels") {
		t.Errorf("notes %q", notes)
	}
	for i := range d.Items {
		d.Items[i].Pixels = d.Items[i].Path
	}
	if notes := d.duplicateNotes(); len(notes) != 0 {
		t.Errorf("without duplicates: %q", notes)
	}
}
