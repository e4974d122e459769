package dataset

import (
	"strings"
	"testing"
)

func TestDuplicateNotes(t *testing.T) {
	d := &Dataset{Classes: []string{"a", "b"}, Items: []Item{
		{Path: "a/1.png", SHA256: "x", Label: 0, Split: Train},
		{Path: "a/2.png", SHA256: "y", Label: 0, Split: Train},
		{Path: "b/1.png", SHA256: "x", Label: 1, Split: Test},
		{Path: "b/2.png", SHA256: "z", Label: 1, Split: Test},
	}}
	notes := d.duplicateNotes()
	if len(notes) != 2 || !strings.Contains(notes[0], "a/1.png and b/1.png") || !strings.Contains(notes[1], "1 test images") {
		t.Errorf("notes %q", notes)
	}
	d.Items[2].SHA256 = "w"
	if notes := d.duplicateNotes(); len(notes) != 0 {
		t.Errorf("without duplicates: %q", notes)
	}
}
