package main

import (
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/rdlib"
	"rd/rdlib/dataset"
)

func TestDataCommands(t *testing.T) {
	dir := t.TempDir()
	images := filepath.Join(dir, "images")
	must(t, "phantom", "--out", images, "--size", "32", "--per-class", "6")
	if out := must(t, "data", "verify", images, "--strict"); !strings.Contains(out, "nothing was found") || !strings.Contains(out, "phantom") {
		t.Errorf("a clean phantom: %s", out)
	}

	classes, err := filepath.Glob(filepath.Join(images, "*", "*.png"))
	if err != nil || len(classes) != 18 {
		t.Fatal(err, classes)
	}
	first, last := classes[0], classes[len(classes)-1]
	data, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(last, data, 0o644); err != nil {
		t.Fatal(err)
	}
	var v dataset.Verification
	if err := json.Unmarshal([]byte(must(t, "data", "verify", images, "--json")), &v); err != nil || v.Images != 18 || len(v.Conflicts) != 1 || filepath.Base(v.Conflicts[0].Images[0].Path) != filepath.Base(first) {
		t.Errorf("%v, %+v", err, v)
	}
	if out := must(t, "data", "verify", images); !strings.Contains(out, "pictures with several labels: 1\n") {
		t.Error(out)
	}

	sheet := filepath.Join(dir, "new", "sheet.png")
	if out := must(t, "data", "sheet", images, "--out", sheet, "--per-class", "2", "--size", "20"); !strings.Contains(out, sheet) {
		t.Error(out)
	}
	file, err := os.Open(sheet)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if img, err := png.Decode(file); err != nil || img.Bounds().Dy() != 20+3*24 {
		t.Errorf("sheet %v, %v", img.Bounds(), err)
	}

	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"data", "verify", images, "--strict"}, rdlib.ExitInput, "1 picture has several labels"},
		{[]string{"data", "verify", filepath.Join(dir, "nowhere")}, rdlib.ExitInput, "does not exist"},
		{[]string{"data", "verify", images, "--layout", "covid-ct"}, rdlib.ExitInput, "lacks"},
		{[]string{"data", "verify", images, "--layout", "covid"}, rdlib.ExitUsage, "covid-ct"},
		{[]string{"data", "verify"}, rdlib.ExitUsage, "one folder"},
		{[]string{"data", "sheet", images}, rdlib.ExitUsage, "--out"},
		{[]string{"data", "sheet", images, "--out", sheet, "--per-class", "0"}, rdlib.ExitUsage, "--per-class 0"},
		{[]string{"data", "sheet", dir, "--out", sheet, "--layout", "btc"}, rdlib.ExitInput, "lacks Training"},
		{[]string{"data", "show"}, rdlib.ExitUsage, "unknown command"},
	} {
		if _, errs, code := run(t, c.args...); code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("rd %v: exit code %d, want %d: %s", c.args, code, c.code, errs)
		}
	}

	normal, err := filepath.Glob(filepath.Join(images, "normal", "*.png"))
	if err != nil || len(normal) != 6 {
		t.Fatal(err, normal)
	}
	for _, path := range normal {
		if err := os.WriteFile(path, []byte("no image"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out, errs, code := run(t, "data", "verify", images)
	if code != rdlib.ExitInput || !strings.Contains(out, "unreadable files: 6\n") || !strings.Contains(out, "cannot be used") || !strings.Contains(errs, `class "normal"`) {
		t.Errorf("exit code %d: %s\n%s", code, out, errs)
	}
}
