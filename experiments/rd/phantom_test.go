package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rd/rdlib/dataset"
	"rd/rdlib/dataset/phantom"
)

func TestPhantomKinds(t *testing.T) {
	help := must(t, "phantom", "--help")
	dir := t.TempDir()
	must(t, "phantom", "--kind", "all", "--out", filepath.Join(dir, "data"), "--size", "16", "--per-class", "2")
	must(t, "phantom", "--kind", "all", "--pretraining", "--out", filepath.Join(dir, "corpora"), "--size", "16", "--per-class", "2")
	for _, k := range phantom.Kinds() {
		d, err := dataset.Open(context.Background(), filepath.Join(dir, "data", k.Name), dataset.Options{Strict: true})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(d.Classes, k.Classes()) || d.Phantom == nil || !strings.Contains(help, k.Name+" ") || !strings.Contains(help, k.Classes()[0]) {
			t.Errorf("%s: classes %v, marker %v, help:\n%s", k.Name, d.Classes, d.Phantom, help)
		}
	}
	for _, c := range phantom.Corpora() {
		if captions, err := dataset.ReadCaptions(filepath.Join(dir, "corpora", c.Name)); err != nil || len(captions) < 2*14 || !strings.Contains(help, c.Name+" ") {
			t.Errorf("%s: %d captions, %v", c.Name, len(captions), err)
		}
	}
}
