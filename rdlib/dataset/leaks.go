package dataset

// Leaks are the test items whose pixels are in the training or validation part too, in order: accuracy on them says little.
// Items whose pixels are not known, of a manifest of version 1, are compared by their bytes.
func (d *Dataset) Leaks() []int {
	identity := func(i Item) string {
		if i.Pixels == "" {
			return i.SHA256
		}
		return i.Pixels
	}
	learnt := map[string]bool{}
	for _, item := range d.Items {
		if item.Split == Train || item.Split == Val {
			learnt[identity(item)] = true
		}
	}
	var leaks []int
	for i, item := range d.Items {
		if item.Split == Test && learnt[identity(item)] {
			leaks = append(leaks, i)
		}
	}
	return leaks
}
