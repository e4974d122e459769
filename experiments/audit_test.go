package experiments

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"rd/experiments/audit"
)

// auditTables audits CSV files as a table's Write leaves them.
func auditTables(t *testing.T, files map[string]string) []audit.Finding {
	t.Helper()
	var tables []*audit.Table
	for name, text := range files {
		table, err := audit.Read(name, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		tables = append(tables, table)
	}
	report, err := audit.Run(tables, audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report.Findings
}

// Our own tables, written from records, pass the audit, and one that was changed by hand does not.
func TestOurTablesPassTheAudit(t *testing.T) {
	m := adaptedMatrix(t, "  - {name: scratch}\n", "  - {name: scratch}\n  - {name: direct}\n"+variants)
	p, err := m.Plan(Selection{})
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	put := func(dataset, student, method string, total int, right ...int) {
		for i, k := range right {
			c := Cell{Dataset: dataset, Student: student, Method: method, Seed: uint64(i + 1)}
			if method != "scratch" {
				c.Teacher = "mini-lvm-med"
			}
			r := recordOf(t, m, c, 0)
			r.Result.Last.TestCorrect, r.Result.Last.TestTotal = k, total
			r.Result.Last.TestAccuracy = float64(k) / float64(total)
			if method == "melo" {
				r.Result.Config.Method, r.Result.Config.Options = "sp", map[string]any{"beta": 1.0}
			}
			if err := s.Finish(c, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	put("busi-phantom", "shufflenet", "scratch", 61, 31, 36)
	put("busi-phantom", "shufflenet", "rd", 61, 40, 41)
	put("busi-phantom", "shufflenet", "melo", 61, 44, 35)
	put("busi-phantom", "mobilenet", "scratch", 61, 29, 44)
	put("busi-phantom", "mobilenet", "rd", 61, 45, 38)
	put("busi-phantom", "mobilenet", "melo", 61, 50)
	put("busi-phantom", "shufflenet", "direct", 61, 33, 38)
	put("busi-phantom", "shufflenet", "co-training", 61, 39, 41)
	put("busi-phantom", "shufflenet", "co-training+kd", 61, 37, 41)
	put("busi-phantom", "shufflenet", "phi-depth-1", 61, 40, 44)
	put("btc-phantom", "mobilenet", "scratch", 97, 56, 58)
	put("btc-phantom", "mobilenet", "rd", 97, 61, 72)
	put("btc-phantom", "mobilenet", "hint", 97, 71, 72)
	if err := p.Render(s, nil); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, n := range []int{2, 3, 4, 5} {
		name := "table" + strconv.Itoa(n)
		text, err := os.ReadFile(filepath.Join(s.dir, name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = string(text)
	}
	for _, f := range auditTables(t, files) {
		t.Errorf("%+v", f)
	}
	for _, c := range []struct{ file, old, changed, kind, row, column string }{
		{"table3", "BUSI,ShuffleNet,mini-lvm-med (for LVM-Med),54.92", "BUSI,ShuffleNet,mini-lvm-med (for LVM-Med),54.95", "granularity", "BUSI, ShuffleNet", "student scratch"},
		{"table4", "BUSI,MobileNet,mini-lvm-med (for LVM-Med),81.97,68.03", "BUSI,MobileNet,mini-lvm-med (for LVM-Med),81.97,68.06", "granularity", "BUSI, MobileNet", "RD"},
		{"table4", "of 2 complete rows,,73.36,67.21", "of 2 complete rows,,73.36,67.31", "average", "Average", "RD"},
		{"table2", "co-training,0,1,0,0,direct,65.57,7.38", "co-training,0,1,0,0,direct,65.58,7.38", "granularity", "BUSI, ShuffleNet", "accuracy"},
		{"table2", "co-training,0,1,0,0,direct,65.57,7.38", "co-training,0,1,0,0,direct,65.57,7.48", "gain", "BUSI, ShuffleNet", "gain"},
		{"table2", "co-training,0,1,0,0,direct,65.57,7.38", "co-training,0,1,0,0,drect,65.57,7.38", "undetermined", "BUSI, ShuffleNet", "gain"},
		{"table5", "mini-lvm-med (for LVM-Med),9.84", "mini-lvm-med (for LVM-Med),9.94", "gain", "mini-lvm-med", "BUSI"},
	} {
		changed := map[string]string{}
		for name, text := range files {
			changed[name] = text
		}
		changed[c.file] = strings.Replace(files[c.file], c.old, c.changed, 1)
		if changed[c.file] == files[c.file] {
			t.Errorf("%s has no %s:\n%s", c.file, c.old, files[c.file])
			continue
		}
		found := false
		for _, f := range auditTables(t, changed) {
			found = found || f.Table == c.file && string(f.Kind) == c.kind && strings.HasPrefix(f.Row, c.row) && f.Column == c.column
		}
		if !found {
			t.Errorf("%s changed to %s is not found", c.old, c.changed)
		}
	}
}
