package audit

// granularity checks that every accuracy is a share of its test images.
func (a *audit) granularity() {
	for _, c := range a.cells {
		images := c.images
		if images == 0 {
			images = a.images[c.dataset]
		}
		if c.noImages || images == 0 {
			continue
		}
		c.n = images * c.seeds
		c.k, c.how = c.accuracy.of(c.n)
		share := func(k int64) string { return c.accuracy.share(k, c.n) }
		switch c.how {
		case noFit:
			other := c.k + 1 // on the other side of the number
			if c.accuracy.whole()*c.k > c.accuracy.scaled*c.n {
				other = c.k - 1
			}
			text := share(c.k)
			if other >= 0 && other <= c.n {
				text += " and " + share(other)
			}
			a.findings = append(a.findings, c.finding(Granularity, c.row, c.column, "%s: %s is not k/%d: the nearest are %s", c.where(), c.accuracy, c.n, text))
		case truncatedFit:
			a.findings = append(a.findings, c.finding(Truncated, c.row, c.column, "%s: %s fits k/%d only when truncated: %s, rounded %.*f",
				c.where(), c.accuracy, c.n, share(c.k), c.accuracy.decimals, c.exact()))
		}
	}
	told := map[string]bool{}
	for _, c := range a.cells {
		if dataset := c.label(c.row, c.layout.dataset); c.noImages && !told[c.Name+"\x00"+dataset] {
			told[c.Name+"\x00"+dataset] = true
			f := c.finding(Undetermined, -1, -1, "%s: the number of test images differs between the runs of some means, which are therefore not checked", names(dataset, c.Name))
			f.Row = dataset
			a.findings = append(a.findings, f)
		}
	}
}
