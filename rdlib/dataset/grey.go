package dataset

import "context"

// greySample is how many images Grey looks at.
const greySample = 64

// Grey is whether the images have no colour, judged by up to 64 of them spread evenly over the data set.
func (d *Dataset) Grey(ctx context.Context) (bool, error) {
	p := DefaultPreprocess(32, 32)
	n := min(greySample, len(d.Items))
	for k := range n {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		img, err := d.Image(k * len(d.Items) / n)
		if err != nil {
			return false, err
		}
		if !p.Pixels(img).Grey() {
			return false, nil
		}
	}
	return true, nil
}
