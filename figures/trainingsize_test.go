package figures

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/experiments"
)

// sizeResults are those of the awkward profile with shares of the training images, with the records of cells that are wanted.
func sizeResults(t *testing.T, wanted func(experiments.Cell) bool) *experiments.Results {
	t.Helper()
	dir := t.TempDir()
	profile := filepath.Join(dir, "test.yaml")
	text := strings.Replace(awkwardProfile, "seeds: 2\n", "seeds: 3\nrun:\n  - {}\n  - {methods: [scratch, rd], shares: [10, 25, 50]}\n", 1)
	if err := os.WriteFile(profile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := experiments.LoadMatrix(profile)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Plan(experiments.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	store, err := experiments.OpenStore(filepath.Join(dir, "results"))
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range p.Cells {
		if !wanted(c) {
			continue
		}
		r := awkwardRecord(t, c, i)
		r.Result.Config.Dataset.TrainShare = float64(c.Share) / 100
		share := cmp.Or(c.Share, 100)
		r.Result.Counts.Train = 560 * share / 100
		r.Result.Last.TestAccuracy = 0.5 + 0.003*float64(share)
		if c.Method == "rd" { // a gain that falls with the number of images, and differs from seed to seed
			r.Result.Last.TestAccuracy += 0.1 - 0.001*float64(share) + 0.01*float64(i*i%7)
		}
		if err := store.Finish(c, r); err != nil {
			t.Fatal(err)
		}
	}
	r, err := p.Results(store)
	if err != nil || len(r.Strange) > 0 {
		t.Fatal(err, r.Strange)
	}
	return r
}

func TestTrainingSize(t *testing.T) {
	for what, wanted := range map[string]func(experiments.Cell) bool{
		"no record":       func(experiments.Cell) bool { return false },
		"one seed":        func(c experiments.Cell) bool { return c.Seed == 1 },
		"one share":       func(c experiments.Cell) bool { return c.Share == 25 },
		"without scratch": func(c experiments.Cell) bool { return c.Method == "rd" },
		"one line": func(c experiments.Cell) bool {
			return strings.HasPrefix(c.Dataset, "a-&") && c.Student == "resnet18" && c.Teacher != "mini-lvm-med"
		},
		"all": func(experiments.Cell) bool { return true },
	} {
		base := filepath.Join(t.TempDir(), "figures", experiments.TrainingSize)
		if err := TrainingSize(sizeResults(t, wanted), base); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		rendered(t, base)
	}
}

// Where groups stay whole, and some seeds are missing, numbers of images differ between lines; a share has one tick.
func TestSizeTicks(t *testing.T) {
	point := func(share int, images ...int) experiments.SizePoint {
		return experiments.SizePoint{Share: share, Images: images}
	}
	ticks := sizeTicks([]experiments.SizeCurve{
		{Points: []experiments.SizePoint{point(10, 56, 58), point(100, 560)}},
		{Points: []experiments.SizePoint{point(10, 59), point(50, 280)}},
	})
	var labels []string
	for _, tick := range ticks {
		labels = append(labels, tick.Label)
	}
	if got := strings.Join(labels, "; "); got != "58\n10 %; 280\n50 %; 560\n100 %" || ticks[0].Value != 58 {
		t.Errorf("%q", got)
	}
}
