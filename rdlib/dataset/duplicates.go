package dataset

import "fmt"

// duplicateNotes says, in a sentence each, that images with the same bytes bear different labels, and that test images
// are in the training or validation part too. Neither is mended: a reader of the results should know.
func (d *Dataset) duplicateNotes() []string {
	first := map[string]int{} // sha256 → item
	var labels, leaks []string
	inTraining := map[string]int{}
	for i, item := range d.Items {
		if item.Split != Test {
			inTraining[item.SHA256] = i
		}
	}
	for i, item := range d.Items {
		if before, seen := first[item.SHA256]; !seen {
			first[item.SHA256] = i
		} else if d.Items[before].Label != item.Label {
			labels = append(labels, fmt.Sprintf("%s and %s", d.Items[before].Path, item.Path))
		}
		if other, seen := inTraining[item.SHA256]; seen && item.Split == Test {
			leaks = append(leaks, fmt.Sprintf("%s, which is %s", item.Path, d.Items[other].Path))
		}
	}
	var notes []string
	if len(labels) > 0 {
		notes = append(notes, fmt.Sprintf("%d images have the bytes of another and a different label, such as %s", len(labels), labels[0]))
	}
	if len(leaks) > 0 {
		notes = append(notes, fmt.Sprintf("%d test images have the bytes of a training or validation image, such as %s: accuracy on them says little", len(leaks), leaks[0]))
	}
	return notes
}
