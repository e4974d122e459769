package boundary

import (
	"context"
	"fmt"
	"image"

	"rd/rdlib/stat"
)

// Model is one of the classifiers that are compared.
type Model struct {
	Name     string
	Tensor   func(image.Image) []float32 // an image in the form that Classify takes
	Classify Classify
}

// Image is one of a triplet's.
type Image struct {
	Name  string                      `json:"name"`
	Label int                         `json:"label"`
	Open  func() (image.Image, error) `json:"-"`
}

// Options of Compare. Of the zero value's fields, each takes its default.
type Options struct {
	Rows       int // triplets, the first ones, whose regions are kept to be drawn
	Resolution int // of the regions that are kept; 0 is Resolution
	Coarse     int // resolution at which agreement is measured, on every triplet; 0 is Coarse, or Resolution where that is less
	Progress   func(done, total int)
}

// Coarse is the resolution at which agreement is measured when nothing else is asked for: with many triplets, a share of an
// area is known well enough from 2500 points of each.
const Coarse = 50

func (o Options) resolve() Options {
	if o.Resolution == 0 {
		o.Resolution = Resolution
	}
	if o.Coarse == 0 {
		o.Coarse = min(Coarse, o.Resolution)
	}
	return o
}

// Check says what of the options makes no sense.
func (o Options) Check() error {
	o = o.resolve()
	if o.Rows < 0 {
		return fmt.Errorf("%d triplets to draw: 0 or more are possible", o.Rows)
	}
	for _, resolution := range []int{o.Resolution, o.Coarse} {
		if err := checkResolution(resolution); err != nil {
			return err
		}
	}
	return nil
}

// Study is what Compare finds.
type Study struct {
	Dataset    string    `json:"dataset"`
	Phantom    bool      `json:"phantom"`
	Classes    []string  `json:"classes"`
	Triplets   int       `json:"triplets"`
	Resolution int       `json:"resolution"`           // of the regions that are drawn
	Coarse     int       `json:"agreement_resolution"` // of those that are measured
	Margin     float64   `json:"margin"`
	Models     []Outcome `json:"models"` // the reference first
	Rows       []Row     `json:"rows"`
}

// Outcome is how far one classifier agrees with the reference.
type Outcome struct {
	Name      string `json:"model"`
	File      string `json:"file,omitempty"`
	Reference bool   `json:"reference"`
	Agreement Share  `json:"agreement"` // of points, Agreement
	IoU       Share  `json:"iou"`       // of regions, IoU
}

// Share is the mean over triplets of a number in [0, 1], with its 95 % interval by Student's t, in which triplets count as
// independent draws. What of the interval lies outside [0, 1] is cut off. Of one triplet there is no interval: nil.
type Share struct {
	Mean     float64     `json:"mean"`
	Interval *[2]float64 `json:"interval_95"`
	Each     []float64   `json:"each"` // triplet by triplet
}

func share(each []float64) Share {
	mean, half := stat.MeanInterval(each)
	s := Share{Mean: mean, Each: each}
	if len(each) > 1 {
		s.Interval = &[2]float64{max(0, mean-half), min(1, mean+half)}
	}
	return s
}

// String is the share in per cent, with its interval where there is one.
func (s Share) String() string {
	if s.Interval == nil {
		return fmt.Sprintf("%.1f %%", 100*s.Mean)
	}
	return fmt.Sprintf("%.1f %% [%.1f, %.1f]", 100*s.Mean, 100*s.Interval[0], 100*s.Interval[1])
}

// Row is one triplet with the regions of every model on its plane.
type Row struct {
	Images   [3]Image       `json:"images"`
	Corners  [3]Point       `json:"corners"`
	Pictures [3]image.Image `json:"-"`
	Regions  []*Regions     `json:"-"` // of each model
}

// Compare decides the regions of all models on the planes of all triplets, and measures how far each agrees with the first,
// the reference. The plane is laid in the form in which the first model takes its images; the others see the same points
// in theirs (Plane.With).
func Compare(ctx context.Context, models []Model, triplets [][3]Image, o Options) (*Study, error) {
	o = o.resolve()
	if err := o.Check(); err != nil {
		return nil, err
	}
	if len(models) == 0 || len(triplets) == 0 {
		return nil, fmt.Errorf("%d models on %d triplets: at least one of each is needed", len(models), len(triplets))
	}
	s := &Study{Triplets: len(triplets), Resolution: o.Resolution, Coarse: o.Coarse, Margin: Margin}
	agreement, iou := make([][]float64, len(models)), make([][]float64, len(models))
	rows := min(o.Rows, len(triplets))
	total := len(triplets) * len(models) * o.Coarse * o.Coarse
	if o.Resolution != o.Coarse {
		total += rows * len(models) * o.Resolution * o.Resolution
	}
	finished := 0
	decide := func(p *Plane, resolution int, m Model) (*Regions, error) {
		g, err := p.Grid(resolution, Margin)
		if err != nil {
			return nil, err
		}
		r, err := Decide(ctx, p, g, m.Classify, func(done, _ int) {
			if o.Progress != nil {
				o.Progress(finished+done, total)
			}
		})
		finished += g.Points()
		return r, err
	}
	for t, triplet := range triplets {
		row := Row{Images: triplet}
		for k, img := range triplet {
			var err error
			if row.Pictures[k], err = img.Open(); err != nil {
				return nil, err
			}
		}
		var base *Plane
		var reference *Regions
		for m, model := range models {
			p, err := row.plane(base, model)
			if err != nil {
				return nil, err
			}
			if base == nil {
				base = p
			}
			coarse, err := decide(p, o.Coarse, model)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", model.Name, err)
			}
			if m == 0 {
				reference = coarse
			}
			same, err := Agreement(reference, coarse)
			if err != nil {
				return nil, err
			}
			overlap, err := IoU(reference, coarse)
			if err != nil {
				return nil, err
			}
			agreement[m], iou[m] = append(agreement[m], same), append(iou[m], overlap)
			if t >= rows {
				continue
			}
			fine := coarse
			if o.Resolution != o.Coarse {
				if fine, err = decide(p, o.Resolution, model); err != nil {
					return nil, fmt.Errorf("%s: %w", model.Name, err)
				}
			}
			row.Regions = append(row.Regions, fine)
		}
		if t < rows {
			row.Corners = base.Corners
			s.Rows = append(s.Rows, row)
		}
	}
	for m, model := range models {
		s.Models = append(s.Models, Outcome{Name: model.Name, Reference: m == 0, Agreement: share(agreement[m]), IoU: share(iou[m])})
	}
	return s, nil
}

// plane is the triplet's, as a model sees it; base is the reference's, or nil for that itself.
func (r *Row) plane(base *Plane, m Model) (p *Plane, err error) {
	a, b, c := m.Tensor(r.Pictures[0]), m.Tensor(r.Pictures[1]), m.Tensor(r.Pictures[2])
	if base == nil {
		p, err = NewPlane(a, b, c)
	} else {
		p, err = base.With(a, b, c)
	}
	if err != nil {
		return nil, fmt.Errorf("%s, %s, %s, as %s takes them: %w", r.Images[0].Name, r.Images[1].Name, r.Images[2].Name, m.Name, err)
	}
	return p, nil
}
