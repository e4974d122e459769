package dataset

import "slices"

// Leaks tells, for each test item by its index, whether the training or validation part holds the same pixels: accuracy on
// those says little. Items whose pixels are not known, of a manifest of version 1, are compared by their bytes.
func (d *Dataset) Leaks() map[int]bool {
	identity := func(i Item) string {
		if i.Pixels == "" {
			return i.SHA256
		}
		return i.Pixels
	}
	seen := map[string]bool{}
	for _, item := range d.Items {
		if item.Split != Test {
			seen[identity(item)] = true
		}
	}
	leaks := map[int]bool{}
	for i, item := range d.Items {
		if item.Split == Test && seen[identity(item)] {
			leaks[i] = true
		}
	}
	return leaks
}

// dropLeaks takes the leaking items out of the test part and returns how many they were.
func (d *Dataset) dropLeaks() int {
	leaks := d.Leaks()
	kept := slices.Clone(d.Items[:0])
	for i, item := range d.Items {
		if !leaks[i] {
			kept = append(kept, item)
		}
	}
	d.Items = kept
	return len(leaks)
}
