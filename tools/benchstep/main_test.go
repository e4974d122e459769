package main

import (
	"strings"
	"testing"
)

func TestTable(t *testing.T) {
	run := func(seconds ...float64) Timing {
		return Timing{Student: "resnet18", Backend: "b", Size: 64, Batch: 32, Threads: 2, SecondsPerStep: seconds[0], All: seconds}
	}
	var out strings.Builder
	writeTable(&out, []Comparison{{Student: "resnet18", RD: []Timing{run(3, 1), run(2, 4)}, PyTorch: []Timing{run(2), run(2)}}})
	if !strings.Contains(out.String(), "| resnet18 | 2.500 | 2.000 | 1.25 | 1.50, 1.00 |") {
		t.Error(out.String())
	}
	out.Reset()
	writeTable(&out, []Comparison{{Student: "resnet18", RD: []Timing{run(3)}}})
	if !strings.Contains(out.String(), "| resnet18 | 3.000 |\n") || !strings.Contains(out.String(), "not measured") {
		t.Error(out.String())
	}
}

func TestRunNeedsATiming(t *testing.T) {
	if _, err := run("echo", "hello"); err == nil || !strings.Contains(err.Error(), "echo hello printed no timing") {
		t.Error(err)
	}
	if _, err := run("false"); err == nil {
		t.Error("a failing program is accepted")
	}
}
