package main

import (
	"strings"
	"testing"

	"rd/rdlib/backend/ortlib"
	"rd/rdlib/deploy"
	"rd/rdlib/model"
	"rd/tools/peer"
)

func TestTable(t *testing.T) {
	ms := func(medians ...float64) (rounds []deploy.Latency) {
		for _, m := range medians {
			rounds = append(rounds, deploy.Latency{Median: m, Runs: 9})
		}
		return rounds
	}
	r := Record{Command: "the command", Runtime: "ONNX Runtime 1", Threads: 1, Models: []Measurement{
		{Student: "resnet18", Size: 64, Parameters: 5, Checker: "ONNX 1.2", Exporter: "PyTorch 3", RD: ms(3, 1, 2), PyTorch: ms(2, 2, 4)},
	}}
	var out strings.Builder
	r.write(&out)
	for _, want := range []string{"| resnet18 | 64 | 5 | 2.00 | 2.00 | 1.000 | 0.50–1.50 |", "exported by PyTorch 3", "checker of ONNX 1.2 passes", "`the command`"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	r.Models[0].PyTorch, r.Models[0].Exporter, r.Models[0].Checker = nil, "", ""
	out.Reset()
	r.write(&out)
	if text := out.String(); !strings.Contains(text, "| 2.00 | not measured |") || !strings.Contains(text, "not installed") || !strings.Contains(text, "not at hand") {
		t.Error(text)
	}
}

// Both sides are run, and in turn.
func TestRounds(t *testing.T) {
	if _, err := ortlib.Find(); err != nil {
		t.Skip(err)
	}
	ours, parameters, err := exported("shufflenet", 32)
	if err != nil || parameters != 1255654 {
		t.Fatal(parameters, err)
	}
	s := settings{threads: 1, runs: 3}
	m := Measurement{Student: "shufflenet", Size: 32}
	for round := range 2 {
		if err := s.round(&m, ours, ours, round == 1); err != nil {
			t.Fatal(err)
		}
	}
	if len(m.RD) != 2 || len(m.PyTorch) != 2 || m.RD[0].Runs != 3 || !(median(m.RD) > 0) {
		t.Errorf("%+v", m)
	}
	if err := s.round(&m, ours, []byte("no model"), true); err == nil {
		t.Error("a file that is no model is run")
	}
}

func TestBadSettings(t *testing.T) {
	for _, s := range []settings{{0, 1, 3, ""}, {1, 0, 3, ""}, {1, 1, 2, ""}} {
		if err := run("shufflenet", "32", "no such python", "", s); err == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
	good := settings{threads: 1, rounds: 1, runs: 3}
	for _, wrong := range [][2]string{{"shufelnet", "32"}, {"shufflenet", "small"}, {"shufflenet", "1"}} {
		if err := run(wrong[0], wrong[1], "no such python", "", good); err == nil {
			t.Errorf("%v is accepted", wrong)
		}
	}
}

// PyTorch's networks are those of rd, and the checker passes rd's files. Run from the repository's root by the tool itself.
func TestPeer(t *testing.T) {
	t.Chdir("../..")
	python, err := peer.Torch("")
	if err != nil {
		t.Skip(err)
	}
	s := settings{python: python}
	for _, student := range model.Students() {
		ours, parameters, err := exported(student, 64)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.check(ours); err != nil {
			t.Errorf("%s: %v", student, err)
		}
		if theirs, exporter, err := s.peer(student, 64, parameters); err != nil || len(theirs) == 0 || !strings.HasPrefix(exporter, "PyTorch ") {
			t.Errorf("%s: %q, %v", student, exporter, err)
		}
		if _, _, err := s.peer(student, 64, parameters+1); err == nil {
			t.Errorf("%s: networks that are not the same are compared", student)
		}
	}
	if version, err := s.check([]byte("no model")); version == "" && err == nil {
		t.Skip("ONNX's checker is not at hand")
	} else if err == nil {
		t.Error("the checker passes what is no model")
	}
}
