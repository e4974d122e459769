package figures

import (
	"fmt"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"rd/experiments"
	"rd/rdlib/record"
)

// CKA draws how alike the features of student and reprogrammed teacher are while RD trains, a panel for each data set, a
// line for each student and teacher. The similarity is that of the loss, CKA on a step's images, in [0, 1].
func CKA(r *experiments.Results, base string) error {
	groups, err := r.Groups()
	if err != nil {
		return fmt.Errorf("figure %s: %w", base, err)
	}
	fig := sheet{title: "CKA of student and reprogrammed teacher while RD trains, " + r.Title(), columns: 3, height: 1.9 * vg.Inch}
	fig.notes = []string{"Mean over an epoch's steps, and over seeds; bands: one standard deviation to both sides, where there are several seeds."}
	inks := map[string]int{} // by student and teacher
	dataset := ""
	var p *plot.Plot
	for _, g := range groups {
		for _, s := range g.Series {
			if s.Method != "rd" {
				continue
			}
			if p == nil || g.Dataset != dataset {
				p = newPanel(g.Dataset, "", "epoch", "CKA")
				p.X.Tick.Marker = roundTicks{whole: true}
			}
			name := short(g.Student+", "+g.Teacher, 60)
			index, known := inks[name]
			if !known {
				index = len(inks)
			}
			ink := classColor(index)
			added, err := addCurve(p, s.Records, similarity, 1, ink)
			if err != nil {
				return fmt.Errorf("figure %s: %w", base, err)
			}
			if !added {
				continue
			}
			if !known {
				inks[name] = index
				fig.legend = append(fig.legend, mark{name, ink})
			}
			p.Y.Min, p.Y.Max = 0, 1
			if g.Dataset != dataset {
				dataset = g.Dataset
				fig.plots = append(fig.plots, p)
			}
		}
	}
	return fig.save(base)
}

// similarity is the CKA that an epoch's loss held with the opposite sign; NaN where it held none.
func similarity(e record.Epoch) float64 {
	if v, ok := e.Parts["cka"]; ok {
		return -v
	}
	return math.NaN()
}
