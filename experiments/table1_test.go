package experiments

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/experiments/audit"
	"rd/rdlib"
)

func TestTable1(t *testing.T) {
	p, err := tinyMatrix(t).Plan(Selection{Tables: []int{1}, Work: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Cells) != 0 {
		t.Errorf("it needs %v", p.Cells)
	}
	s := newStore(t)
	if v := results(t, p, s).Table1().value("BUSI", "images"); v.State != NotRun || v.paper() != "626†" {
		t.Errorf("%+v", v)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	run := Reproduction{Plan: p, Store: s, Tables: []int{1}}
	if err := run.Datasets(t.Context(), &rdlib.Session{Log: log}, []string{"BUSI"}, false); err != nil {
		t.Fatal(err)
	}
	table := results(t, p, s).Table1()
	d, _ := named(p.Matrix.Datasets, MatrixDataset.name, "BUSI")
	row := table.Rows[0]
	if row.Labels[1] != "Breast cancer" || row.Labels[2] != "Ultrasound (phantom)" {
		t.Error(row.Labels)
	}
	if v := table.value("BUSI", "images"); v.number() != fmt.Sprintf("%d", 3*d.PerClass) || v.paper() != "626†" {
		t.Errorf("%+v", v)
	}
	sum := 0.0
	for _, part := range []string{"training", "validation", "test"} {
		sum += table.value("BUSI", part).Mean
	}
	if sum != float64(3*d.PerClass) || table.value("BUSI", "parts").Text != "drawn, seed 1" {
		t.Errorf("%v images in all parts: %s", sum, table.markdown())
	}
	if text := table.markdown(); !strings.Contains(text, "datasets/busi-phantom.json") || !strings.Contains(text, "malignant") {
		t.Error(text)
	}
	if err := table.Write(s.dir); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(s.dir, "table1.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	csv, err := audit.Read("table1", file)
	if err != nil {
		t.Fatal(err)
	}
	report, err := audit.Run([]*audit.Table{csv}, audit.Options{})
	if err != nil || len(report.Findings) > 0 {
		t.Errorf("counts are taken for accuracies: %+v, %v", report, err)
	}
	if err := os.WriteFile(s.datasetPath("busi-phantom"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	damaged := results(t, p, s).Table1()
	if v := damaged.value("BUSI", "images"); v.State != NotRun || !strings.Contains(damaged.markdown(), "is damaged") {
		t.Errorf("%+v", v)
	}
	// What is damaged is looked at anew, and what is not only where that is asked for.
	for _, test := range []struct {
		text string
		anew bool
		want string
	}{{"{", false, fmt.Sprint(3 * d.PerClass)}, {`{"version": 1, "images": 7}`, false, "7"}, {`{"version": 1, "images": 7}`, true, fmt.Sprint(3 * d.PerClass)}} {
		if err := os.WriteFile(s.datasetPath("busi-phantom"), []byte(test.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := run.Datasets(t.Context(), &rdlib.Session{Log: log}, []string{"BUSI"}, test.anew); err != nil {
			t.Fatal(err)
		}
		if v := results(t, p, s).Table1().value("BUSI", "images"); v.number() != test.want {
			t.Errorf("%s, anew %v: %s images, want %s", test.text, test.anew, v.number(), test.want)
		}
	}
}

func TestADataSetThatCannotBeReadHoldsUpNoOther(t *testing.T) {
	m := tinyMatrix(t)
	phantoms, err := m.Plan(Selection{Tables: []int{1}, Work: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	session := &rdlib.Session{Log: log}
	good, err := newPreparation(Reproduction{Plan: phantoms, Store: newStore(t)}).data(t.Context(), session, "busi-phantom")
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	p := &Plan{Matrix: m, Data: Real, folders: map[string]string{"busi": t.TempDir(), "btc": good}}
	err = Reproduction{Plan: p, Store: s}.Datasets(t.Context(), session, nil, false)
	if rdlib.ExitCode(err) != rdlib.ExitInput || !strings.Contains(err.Error(), "data set BUSI: ") {
		t.Error(err)
	}
	if _, err := s.dataset("btc"); err != nil {
		t.Errorf("the other has no record: %v", err)
	}
}
