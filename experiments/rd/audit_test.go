package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/rdlib"
)

func TestAudit(t *testing.T) {
	type finding struct {
		Table, Row, Column, Kind, Detail string
		Value                            any
	}
	read := func(args ...string) []finding {
		t.Helper()
		var out struct{ Findings []finding }
		if err := json.Unmarshal([]byte(must(t, append([]string{"audit", "--json"}, args...)...)), &out); err != nil || out.Findings == nil {
			t.Fatalf("%v, %v", out, err)
		}
		return out.Findings
	}
	paper := read()
	kinds := map[string]int{}
	for _, f := range paper {
		kinds[f.Kind]++
		if f.Column == "LPT" && (f.Table != "table4" || f.Row != "COVID, MobileNet" || f.Value != 75.85) {
			t.Errorf("%+v", f)
		}
	}
	for _, kind := range []string{"granularity", "truncated", "average", "gain", "repeated", "claim", "undetermined"} {
		if kinds[kind] == 0 {
			t.Errorf("nothing of kind %s in the paper", kind)
		}
	}
	files, err := filepath.Glob("../paper/*.csv")
	if err != nil || len(read(files...)) != len(paper) {
		t.Errorf("%v: not the same in the files", err)
	}
	if text := must(t, "audit"); !strings.Contains(text, "BUSI: 154 test images (found)") || !strings.Contains(text, "24 of 27 rows") {
		t.Error(text)
	}

	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right := write("a/table1.csv", "dataset,n,A,B\nx,8,12.50,37.50\n")
	wrong := write("b/table1.csv", "dataset,n,A,B\nx,8,12.50,30.00\n")
	empty := write("empty.csv", "")
	if text := must(t, "audit", "--strict", right); !strings.Contains(text, "nothing was found") {
		t.Error(text)
	}
	if found := read(right); len(found) != 0 {
		t.Error(found)
	}
	// Files of two folders are two publications.
	if found := read(right, wrong); len(found) != 1 || !strings.HasSuffix(found[0].Table, "b/table1") || found[0].Value != 30. {
		t.Error(found)
	}
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{rdlib.ExitInput, "audit: 1", []string{"--strict", wrong}},
		{rdlib.ExitInput, "empty.csv", []string{empty}},
		{rdlib.ExitInput, "nowhere.csv", []string{filepath.Join(dir, "nowhere.csv")}},
		{rdlib.ExitInput, "the name table1", []string{right, right}},
		{rdlib.ExitUsage, `"y"`, []string{"--images", "y=3", right}},
		{rdlib.ExitUsage, "images", []string{"--images", "y", right}},
	} {
		if _, errs, code := run(t, append([]string{"audit"}, c.args...)...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%v: exit code %d, %s", c.args, code, errs)
		}
	}
}
