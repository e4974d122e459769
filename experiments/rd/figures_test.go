package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rd/experiments"
	"rd/rdlib"
	"rd/rdlib/backend/ortlib"
	"rd/rdlib/boundary"
	"rd/rdlib/record"
)

const drawnProfile = `about: figures of a matrix
data: phantom
training: {size: 32, batch: 8, steps: 6, width: 0.25, views: 1, learning_rate: 5e-3, weight_decay: 0.01, schedule: cosine, plain_kd: 0, report: last, threads: 1}
miniatures: {per_class: 6, share: 0.01}
datasets:
  - {name: BUSI, folders: [busi], phantom: busi, per_class: 20}
teachers:
  - {name: mini-raddensenet, paper: RadDenseNet, miniature: true}
students: [shufflenet]
methods: [{name: scratch}, {name: hint}, {name: rd}, {name: finetune}]
adaptation: {steps: 4, learning_rate: 1e-3, weight_decay: 0.01, schedule: cosine, student: {name: kd, options: {teacher-logits: given}, source: any}}
seeds: 2
boundaries: {triplets: 2, rows: 1, resolution: 8, agreement_resolution: 5}
run:
  - {}
  - {methods: [scratch, rd, finetune], seeds: 1, shares: [50]}
`

func TestFiguresOfMatrix(t *testing.T) {
	if _, err := ortlib.Find(); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	profile := filepath.Join(dir, "drawn.yaml")
	if err := os.WriteFile(profile, []byte(drawnProfile), 0o644); err != nil {
		t.Fatal(err)
	}
	results := filepath.Join(dir, "results")
	reproduce := func(more ...string) (stdout, stderr string) {
		t.Helper()
		stdout, stderr, code := run(t, append([]string{"reproduce", "--profile", profile, "--out", results, "--work", filepath.Join(dir, "work"),
			"--cache", filepath.Join(dir, "cache"), "--backend", "onnx"}, more...)...)
		if code != 0 {
			t.Fatalf("reproduce %q: exit code %d\n%s", more, code, stderr)
		}
		return stdout, stderr
	}
	there := func(name string) bool {
		found := 0
		for _, ext := range []string{".pdf", ".svg", ".png"} {
			if _, err := os.Stat(filepath.Join(results, "figures", name+ext)); err == nil {
				found++
			}
		}
		return found == 3
	}
	records := func() []string {
		t.Helper()
		found, err := filepath.Glob(filepath.Join(results, "records", "*", "*.json"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}

	// The overview needs no cell, Figure 2 those of its students and of the fine-tuned teacher alone.
	reproduce("--figure", "1")
	if !there("overview") || there("curves") || len(records()) > 0 {
		t.Errorf("--figure 1: %v", records())
	}
	out, _ := reproduce("--figure", "2")
	if !there("boundaries") || len(records()) != 4 || !strings.Contains(out, "reference: mini-raddensenet, fine-tuned") {
		t.Errorf("--figure 2: %d records\n%s", len(records()), out)
	}
	var study boundary.Study
	data, err := os.ReadFile(filepath.Join(results, "figures", "boundaries.json"))
	if err == nil {
		err = json.Unmarshal(data, &study)
	}
	if err != nil || study.Triplets != 2 || len(study.Models) != 4 || study.Models[1].Name != "RD" || study.Coarse != 5 {
		t.Errorf("%v, %s", err, data)
	}
	before := map[string]string{}
	for _, path := range records() {
		before[path] = hashOf(t, path)
	}

	// All: what is there is not computed again. The page has all tables, five of the paper and three others, and figures.
	out, errs := reproduce()
	page := filepath.Join(results, "index.html")
	if data, err := os.ReadFile(page); err != nil || !strings.Contains(out, "page: "+page) || strings.Count(string(data), "<figure>") != 8 || strings.Count(string(data), "<h3>") != 8 {
		t.Errorf("%v\n%s", err, out)
	}
	var tables []string
	for _, name := range []string{"table1", "table3", "table4", "table5", "table6", "tests3", "metrics", "training-size"} {
		if _, err := os.Stat(filepath.Join(results, name+".csv")); err != nil {
			t.Error(err)
		}
		tables = append(tables, filepath.Join(results, name+".csv"))
	}
	must(t, append([]string{"audit", "--strict"}, tables[:4]...)...) // Table 6 has no accuracies
	for _, name := range []string{"overview", "boundaries", "curves", "cka", "parameters", "confusion", "ranks", "training-size"} {
		if !there(name) {
			t.Errorf("%s is not drawn", name)
		}
	}
	if len(records()) != 11 || strings.Count(errs, "done before") != 4 || strings.Contains(errs, "trained again") {
		t.Errorf("%d records\n%s", len(records()), errs)
	}
	for _, name := range []string{"shufflenet-rd", "teacher-finetune"} {
		half := filepath.Join(results, "records", "busi-phantom", name+"-mini-raddensenet-1-share50.json")
		if r, err := record.Read(half); err != nil || r.Result.Config.Dataset.TrainShare != 0.5 || r.Result.Counts.Train != 24 || r.Result.Counts.Unused != 24 {
			t.Errorf("%s: %v, %+v", name, err, r)
		}
	}
	table, err := os.ReadFile(filepath.Join(results, "training-size.md"))
	if err != nil || !strings.Contains(string(table), "| BUSI | ShuffleNet | mini-raddensenet (for RadDenseNet) | 50 % | 24 | ") || !strings.Contains(string(table), "| 100 % | 48 | ") || strings.Contains(string(table), "NOT THE SAME") {
		t.Errorf("%v\n%s", err, table)
	}
	if _, errs := reproduce("--dry-run"); errs != "" || strings.Contains(errs, "another configuration") {
		t.Error(errs)
	}

	// Students that are lost are trained again, and are the same.
	if err := os.RemoveAll(filepath.Join(dir, "work", "drawn", "students")); err != nil {
		t.Fatal(err)
	}
	_, errs = reproduce("--figure", "boundaries")
	if strings.Contains(errs, "trained again") {
		t.Errorf("a student is not the one of its record:\n%s", errs)
	}
	for path, hash := range before {
		if hashOf(t, path) != hash {
			t.Errorf("%s has changed", path)
		}
	}
}

func TestFiguresThatCannotBeDrawn(t *testing.T) {
	profile := filepath.Join(t.TempDir(), "drawn.yaml")
	if err := os.WriteFile(profile, []byte(strings.Split(drawnProfile, "run:")[0]), 0o644); err != nil {
		t.Fatal(err)
	}
	m, err := experiments.LoadMatrix(profile)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := m.Plan(experiments.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := wantedFigures(nil, nil, plan, t.TempDir()); err != nil || len(all.drawn) == 0 || slices.ContainsFunc(all.drawn, func(f figure) bool { return f.name == experiments.TrainingSize }) {
		t.Errorf("%+v, %v", all, err)
	}
	out := filepath.Join(t.TempDir(), "results")
	_, errs, code := run(t, "reproduce", "--profile", profile, "--out", out, "--figure", "training-size")
	if code != rdlib.ExitUsage || !strings.Contains(errs, "shares: [10, 25, 50]") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	_, errs, code = run(t, "reproduce", "--profile", profile, "--out", out, "--figure", "latency")
	if code != rdlib.ExitInput || !strings.Contains(errs, "measure it by bin/rd cost --models shufflenet --size 32 --width 0.25") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("it began before it saw that")
	}
}

func hashOf(t *testing.T, path string) string {
	t.Helper()
	r, err := record.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return r.ResultSHA256
}
