package rdlib

import (
	"fmt"
	"testing"
	"time"
)

// The eight numbers that the paper's Table 6 prints follow from the descriptions.
func TestCostsAreTheTablesOfThePaper(t *testing.T) {
	if testing.Short() {
		t.Skip("exports a ViT-B")
	}
	all, err := Costs(CostOptions{Models: []string{LVMMed, "resnet18", "shufflenet", "mobilenet"}, Size: 224, Classes: 2, Runs: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{LVMMed: "41.26 65.34 86525184", "resnet18": "5.33 6.77 11177538", "shufflenet": "0.60 0.55 1255654", "mobilenet": "1.06 1.17 2226434"}
	for _, m := range all {
		if got := fmt.Sprintf("%.2f %.2f %d", m.PaperParams, m.PaperFLOPs, m.Parameters); got != want[m.Model] {
			t.Errorf("%s: %s, the paper %s", m.Model, got, want[m.Model])
		}
		if m.ONNXBytes < int(2*m.Parameters) {
			t.Errorf("%s: %d bytes", m.Model, m.ONNXBytes)
		}
	}
}

// A network of half the width has other numbers, and latency is measured.
func TestCostsOfAnotherWidth(t *testing.T) {
	o := CostOptions{Models: []string{"shufflenet"}, Size: 32, Classes: 2, Batches: []int{1, 2}, Runs: 4, Limit: time.Second, Threads: 1}
	whole, err := Costs(o)
	if err != nil {
		t.Fatal(err)
	}
	o.Width = 0.5
	half, err := Costs(o)
	if err != nil {
		t.Fatal(err)
	}
	a, b := whole[0], half[0]
	if b.Parameters >= a.Parameters || b.MACs >= a.MACs || b.PaperParams >= a.PaperParams || b.PaperFLOPs >= a.PaperFLOPs || b.ONNXBytes >= a.ONNXBytes {
		t.Errorf("%+v, at half the width %+v", a, b)
	}
	for _, batch := range []string{"batch1", "batch2"} {
		l := a.Latency[batch]
		if l.Runs < 3 || !(l.Median > 0) || l.Low > l.Median || l.High < l.Median {
			t.Errorf("%s: %+v", batch, l)
		}
	}
	for _, wrong := range []CostOptions{{Models: []string{"shuffelnet"}, Size: 32, Classes: 2, Runs: 1}, {Size: 4, Classes: 2, Runs: 1}} {
		if _, err := Costs(wrong); ExitCode(err) != ExitUsage {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
}
