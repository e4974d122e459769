package experiments

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/rdlib"
	"rd/rdlib/deploy"
)

func TestTable6(t *testing.T) {
	c := &CostRecord{Size: 224, Classes: 2, CPU: "a processor", Cores: 2, Runtime: "ONNX Runtime 1", Models: []rdlib.ModelCost{
		{Model: "resnet18", Parameters: 11_177_538, MACs: 1, PaperParams: 5.33, PaperFLOPs: 6.7777, ONNXBytes: 9, Latency: map[string]deploy.Latency{"batch1": {Median: 2, Low: 1, High: 3}}},
		{Model: rdlib.LVMMed, PaperParams: 41.26, PaperFLOPs: 65.34},
	}}
	dir := t.TempDir()
	if c, err := ReadCost(dir); c != nil || err != nil {
		t.Errorf("nothing is there: %v, %v", c, err)
	}
	if err := c.Write(dir); err != nil {
		t.Fatal(err)
	}
	read, err := ReadCost(dir)
	if err != nil {
		t.Fatal(err)
	}
	table := read.Table()
	if v := table.value("ResNet18", table.Columns[1]); v.Paper != 6.77 || !v.SameAs || v.paper() != "6.77 (+0.01)" {
		t.Errorf("%+v", v)
	}
	if v := table.value("LVM-Med", table.Columns[0]); v.Paper != 41.26 || v.paper() != "41.26 (+0.00)" {
		t.Errorf("%+v", v)
	}
	if v := table.value("ResNet18", "batch 1, ms"); v.Mean != 2 || v.paper() != "3.13†" || len(v.Records) != 1 {
		t.Errorf("%+v", v)
	}
	if v := table.value("ResNet18", "parameters"); v.plain() != "11177538" {
		t.Errorf("%+v", v)
	}
	if v := table.value("LVM-Med", "batch 1, ms"); v.State != NotRun {
		t.Errorf("%+v", v)
	}
	text, err := os.ReadFile(filepath.Join(dir, "table6.md"))
	if err != nil || !strings.Contains(string(text), "2.00 (1.00–3.00) [1](cost.json)<br>paper 3.13†") {
		t.Errorf("%v\n%s", err, text)
	}
	if text := strings.Join(c.Table().Notes, "\n"); !strings.Contains(text, "a processor") {
		t.Error(text)
	}
	c.Size = 64
	if v := c.Table().value("ResNet18", table.Columns[0]); v.SameAs {
		t.Error("at 64 pixels the paper's numbers are compared")
	}
	// What is only counted says nothing of the machine, so that it is the same everywhere.
	c.Models[0].Latency = nil
	if text := c.Table().markdown(); !strings.Contains(text, "not measured here") || strings.Contains(text, "a processor") {
		t.Error(text)
	}
	if err := os.WriteFile(filepath.Join(dir, costFile), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadCost(dir); rdlib.ExitCode(err) != rdlib.ExitInput {
		t.Errorf("a damaged record: %v", err)
	}
}
