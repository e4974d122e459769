package phantom

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"rd/rdlib/dataset"
)

// files reads a folder into memory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		all[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func generate(t *testing.T, write func(string, Options) error, o Options) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "phantom")
	if err := write(dir, o); err != nil {
		t.Fatal(err)
	}
	return dir
}

// coloured are the kinds whose images have three channels.
var coloured = map[string]bool{"isic2018": true, "skin corpus": true}

// writable is a generator and what writes its folder.
type writable struct {
	write     func(string, Options) error
	generator generator
}

// kinds are all that can be written: the downstream phantoms by their data set, the corpora by their modality.
var kinds = func() map[string]writable {
	all := map[string]writable{"ultrasound corpus": {Corpora()[0].Write, pretrainGenerator}}
	for _, k := range Kinds() {
		all[k.Name] = writable{k.Write, k.generator}
	}
	for i, f := range fields {
		all[f.name+" corpus"] = writable{Corpora()[i+1].Write, f.generator()}
	}
	return all
}()

// The classes are named as the folders of the published sets are.
func TestClassesAsPublished(t *testing.T) {
	want := map[string][]string{
		"busi":      {"benign", "malignant", "normal"},
		"covid_ct":  {"CT_COVID", "CT_NonCOVID"},
		"btc":       {"glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor"},
		"isic2018":  {"AKIEC", "BCC", "BKL", "DF", "MEL", "NV", "VASC"},
		"chestxray": {"COVID19", "NORMAL", "PNEUMONIA", "TURBERCULOSIS"},
	}
	for _, k := range Kinds() {
		if !slices.Equal(k.Classes(), want[k.Name]) {
			t.Errorf("%s: %v", k.Name, k.Classes())
		}
		delete(want, k.Name)
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}

func TestFolderIsMarkedAndOpens(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			dir := generate(t, kind.write, Options{PerClass: 3, Size: 40, Seed: 11})
			d, err := dataset.Open(context.Background(), dir, dataset.Options{Strict: true})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(d.Classes, kind.generator.classes) || len(d.Items) != 3*len(d.Classes) {
				t.Errorf("%v, %d items", d.Classes, len(d.Items))
			}
			if d.Phantom == nil || d.Phantom.Generator != kind.generator.name || d.Phantom.Seed != 11 || d.Phantom.Version != kind.generator.version {
				t.Fatalf("marker %+v", d.Phantom)
			}
			var parameters struct {
				Size   int
				Counts []int
				Model  json.RawMessage
			}
			if err := json.Unmarshal(d.Phantom.Parameters, &parameters); err != nil || parameters.Size != 40 || len(parameters.Counts) != len(d.Classes) || len(parameters.Model) < 100 {
				t.Errorf("parameters %s (%v)", d.Phantom.Parameters, err)
			}
			if !strings.Contains(d.Summary(), "phantom") {
				t.Error(d.Summary())
			}
			img, err := dataset.Decode(d.Path(0), dataset.DecodeLimits{})
			if err != nil {
				t.Fatal(err)
			}
			if _, grey := img.(*image.Gray); grey == coloured[name] || img.Bounds().Size() != image.Pt(40, 40) {
				t.Errorf("%T of %v", img, img.Bounds())
			}
			if _, err := dataset.ContactSheet(d, 2, 32); err != nil {
				t.Error(err)
			}
		})
	}
}

// The files depend on the options alone: not on the run, nor on the number of processors.
func TestFilesAreReproducible(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			o := Options{PerClass: 3, Size: 32, Seed: 5}
			first := files(t, generate(t, kind.write, o))
			old := runtime.GOMAXPROCS(1)
			again := files(t, generate(t, kind.write, o))
			runtime.GOMAXPROCS(old)
			captions := first[dataset.CaptionsFile]
			delete(first, dataset.CaptionsFile)
			if len(first) != 1+3*len(kind.generator.classes) {
				t.Errorf("%d files", len(first))
			}
			for path, data := range first {
				if again[path] != data {
					t.Errorf("%s differs", path)
				}
			}
			if again[dataset.CaptionsFile] != captions {
				t.Error("the captions differ")
			}
			o.PerClass = 5
			more := files(t, generate(t, kind.write, o))
			for _, line := range strings.Split(captions, "\n") {
				if !strings.Contains(more[dataset.CaptionsFile], line) {
					t.Errorf("a caption changed when more images were asked for: %s", line)
				}
			}
			for path, data := range more {
				if old, ok := first[path]; ok && old != data && path != dataset.PhantomFile {
					t.Errorf("%s changed when more images were asked for", path)
				}
			}
			o.Seed = 6
			seen := map[string]string{}
			for path, data := range files(t, generate(t, kind.write, o)) {
				if first[path] == data {
					t.Errorf("%s is the same under another seed", path)
				}
				if other, ok := seen[data]; ok {
					t.Errorf("%s and %s are the same image", path, other)
				}
				seen[data] = path
			}
		})
	}
}

// pixels of an image, of the three channels of a coloured one.
func pixels(g generator, o Options, class, index int) []uint8 {
	img, _ := g.image(o, class, index)
	if grey, ok := img.(*image.Gray); ok {
		return grey.Pix
	}
	var pix []uint8
	for i, v := range img.(*image.RGBA).Pix {
		if i%4 != 3 {
			pix = append(pix, v)
		}
	}
	return pix
}

// The teacher's images and the student's have no stream in common, even under one seed.
func TestGeneratorsAreApart(t *testing.T) {
	o := Options{Size: 32, Seed: 1}
	none := slices.Index(pretrainClasses, "none")
	for i := range 20 {
		if bytes.Equal(pixels(breastGenerator, o, 2, i), pixels(pretrainGenerator, o, none, i)) {
			t.Errorf("image %d is the same", i)
		}
	}
}

func TestCountsAndFolders(t *testing.T) {
	dir := generate(t, BreastUltrasound, Options{Counts: []int{4, 3, 2}, Size: 32})
	d, err := dataset.Open(context.Background(), dir, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]int, 3)
	for _, item := range d.Items {
		got[item.Label]++
	}
	if !slices.Equal(got, []int{4, 3, 2}) {
		t.Errorf("%v", got)
	}
	before := files(t, dir)
	if err := BreastUltrasound(dir, Options{Counts: []int{4, 3, 2}, Size: 32}); err != nil {
		t.Errorf("the same phantom again: %v", err)
	}
	if after := files(t, dir); len(after) != len(before) {
		t.Errorf("%d files, %d before", len(after), len(before))
	}
	for name, write := range map[string]func() error{
		"another phantom": func() error { return BreastUltrasound(dir, Options{Counts: []int{4, 3, 2}, Size: 32, Seed: 1}) },
		"not empty":       func() error { return BreastUltrasound(filepath.Join(dir, "benign"), Options{PerClass: 2}) },
	} {
		if err := write(); err == nil || !strings.Contains(err.Error(), "new folder") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if leftovers, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); len(leftovers) > 0 {
		t.Errorf("left behind: %v", leftovers)
	}
	empty := t.TempDir()
	if err := BreastUltrasound(empty, Options{PerClass: 2, Size: 32}); err != nil {
		t.Errorf("into an empty folder: %v", err)
	}
}

func TestOptionsRefused(t *testing.T) {
	for name, kind := range kinds {
		classes := len(kind.generator.classes)
		zero := slices.Repeat([]int{1}, classes)
		zero[classes-1] = 0
		for _, o := range []Options{{PerClass: -1}, {Size: 8}, {Size: 5000}, {Counts: make([]int, classes+1)}, {Counts: zero}} {
			dir := filepath.Join(t.TempDir(), "x")
			if err := kind.write(dir, o); err == nil {
				t.Errorf("%s: %+v was taken", name, o)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Errorf("%s: %+v left a folder", name, o)
			}
		}
	}
}

// Images are neither black nor white nor flat, in every class and at every size, so that a scanner setting gone wrong shows.
func TestImagesHaveContrast(t *testing.T) {
	for name, kind := range kinds {
		for class, className := range kind.generator.classes {
			for _, size := range []int{32, 64, 128} {
				sum, squares, n := 0.0, 0.0, 0.0
				for i := range 6 {
					for _, v := range pixels(kind.generator, Options{Size: size, Seed: 1}, class, i) {
						sum += float64(v)
						squares += float64(v) * float64(v)
						n++
					}
				}
				mean := sum / n
				variance := squares/n - mean*mean
				if mean < 35 || mean > 200 || variance < 15*15 || variance > 110*110 { // CT has black air and white tissue, MRI is dark
					t.Errorf("%s/%s at %d pixels: mean %.0f, variance %.0f", name, className, size, mean, variance)
				}
			}
		}
	}
}

// Lesions are darker than the tissue around them unless they are faint, and lie where they can be seen.
func TestLesionsAreDark(t *testing.T) {
	b := DefaultBreast
	b.Faint, b.Atypical = 0, 0
	for _, l := range []Lesion{b.Benign, b.Malignant} {
		for seed := range uint64(20) {
			s := newScene(64, b.Tissue, rand.New(rand.NewPCG(seed, 1)))
			before := slices.Clone(s.v)
			b.lesion(s, l)
			darker := 0
			for i := range before {
				if s.v[i] < before[i]-3 {
					darker++
				}
			}
			if darker < 20 {
				t.Errorf("seed %d: %d pixels are darker", seed, darker)
			}
		}
	}
}

// BenchmarkImage draws one image of each kind on one goroutine.
func BenchmarkImage(b *testing.B) {
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		for _, size := range []int{64, 96} {
			b.Run(fmt.Sprintf("%s/%d", strings.ReplaceAll(name, " ", "_"), size), func(b *testing.B) {
				g, o := kinds[name].generator, Options{Size: size, Seed: 1}
				for i := 0; b.Loop(); i++ {
					g.image(o, i%len(g.classes), i)
				}
			})
		}
	}
}
