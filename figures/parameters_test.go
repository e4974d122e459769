package figures

import (
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot"

	"rd/experiments"
	"rd/rdlib"
	"rd/rdlib/deploy"
)

// costs measured of two students whose times are close to one another, and far from the third's.
func measured(t *testing.T, size int, width float64) *experiments.CostRecord {
	t.Helper()
	c := &experiments.CostRecord{Size: size, Width: width, Classes: 2, Threads: 1, Runtime: "ONNX Runtime 1", CPU: "a processor"}
	for name, ms := range map[string]float64{"resnet18": 7.1, "shufflenet": 0.77, "mobilenet": 0.92} {
		c.Models = append(c.Models, rdlib.ModelCost{Model: name, Latency: map[string]deploy.Latency{"batch1": {Median: ms}}})
	}
	return c
}

func TestLatency(t *testing.T) {
	for what, share := range map[string]int{"no record": 0, "some": 3, "all": 1} {
		base := filepath.Join(t.TempDir(), "latency")
		if err := Latency(awkwardResults(t, share), measured(t, 32, 0.25), base); err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		rendered(t, base)
	}
	// Of students that were not measured nothing is drawn.
	base := filepath.Join(t.TempDir(), "latency")
	if err := Latency(awkwardResults(t, 1), &experiments.CostRecord{}, base); err != nil {
		t.Error(err)
	}
	rendered(t, base)
}

func TestCostsOfTheStudents(t *testing.T) {
	r := awkwardResults(t, 1)
	var input *rdlib.InputError
	if _, err := r.Costs(); !errors.As(err, &input) || !strings.Contains(err.Error(), "bin/rd cost --models resnet18,shufflenet --size 32 --width 0.25 --out ") {
		t.Fatal(err)
	}
	_, missing := r.Costs()
	_, beside, _ := strings.Cut(missing.Error(), "--out ")
	for _, other := range []*experiments.CostRecord{measured(t, 64, 0.25), measured(t, 32, 0)} {
		if err := other.Write(beside); err != nil {
			t.Fatal(err)
		}
		if c, err := r.Costs(); err == nil {
			t.Errorf("%d pixels, width %g are taken", c.Size, c.Width)
		}
	}
	if err := measured(t, 32, 0.25).Write(beside); err != nil {
		t.Fatal(err)
	}
	c, err := r.Costs()
	if err != nil {
		t.Fatal(err)
	}
	if ms, ok := c.Latency("ResNet18"); ms != 7.1 || !ok {
		t.Error(ms, ok)
	}
	if _, ok := c.Latency("another"); ok {
		t.Error("a network that was not measured")
	}
	if text, err := json.Marshal(c); err != nil || !strings.Contains(string(text), `"width":0.25`) {
		t.Error(string(text), err)
	}
}

func TestTicksThatAreClose(t *testing.T) {
	ticks := []plot.Tick{{Value: 7.1, Label: "ResNet18"}, {Value: 0.92, Label: "MobileNet"}, {Value: 0.77, Label: "ShuffleNet"}}
	least, most := arrange(ticks)
	if ticks[0].Label != "ShuffleNet" || ticks[1].Label != "\n\nMobileNet" || ticks[2].Label != "ResNet18" || math.Abs(least-0.77/1.6) > 1e-9 || math.Abs(most-7.1*1.6) > 1e-9 {
		t.Errorf("%+v, %v, %v", ticks, least, most)
	}
	if got := spread(ticks); !(got > 1 && got < 0.92/0.77) {
		t.Errorf("methods lie %v apart, students %v", got, 0.92/0.77)
	}
	if got := spread(ticks[:1]); got != 1.5 {
		t.Error(got)
	}
}
