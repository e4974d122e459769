package phantom

import (
	"bytes"
	"context"
	"crypto/sha256"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rd/rdlib/dataset"
)

func TestCorporaHaveCaptions(t *testing.T) {
	for _, c := range Corpora() {
		t.Run(c.Name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), c.Name)
			o := Options{PerClass: 3, Size: 32, Seed: 5}
			if err := c.Write(dir, o); err != nil {
				t.Fatal(err)
			}
			d, err := dataset.Open(context.Background(), dir, dataset.Options{})
			if err != nil {
				t.Fatal(err)
			}
			captions, err := dataset.ReadCaptions(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(captions) != len(d.Items) || d.Phantom == nil {
				t.Errorf("%d captions of %d images, marked %v", len(captions), len(d.Items), d.Phantom != nil)
			}
			for path, text := range captions {
				if !strings.HasSuffix(text, c.Article) || strings.Contains(text, "  ") {
					t.Errorf("%s: %q", path, text)
				}
			}
			for _, item := range d.Items {
				if class := d.Classes[item.Label]; c.Name != "ultrasound" && class != "none" {
					shape, texture, _ := strings.Cut(class, "_")
					if text := captions[item.Path]; !strings.Contains(text, shape) || !strings.Contains(text, texture) || !strings.HasSuffix(text, c.Article) {
						t.Errorf("%s: %q", item.Path, text)
					}
				}
			}
			again := filepath.Join(t.TempDir(), c.Name)
			if err := c.Write(again, o); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{dataset.CaptionsFile, d.Items[7].Path} {
				a, errA := os.ReadFile(filepath.Join(dir, name))
				b, errB := os.ReadFile(filepath.Join(again, name))
				if errA != nil || errB != nil || !bytes.Equal(a, b) {
					t.Errorf("%s differs when it is made again: %v, %v", name, errA, errB)
				}
			}
		})
	}
}

// An object changes what the background would be: no class is empty but "none".
func TestObjectsShow(t *testing.T) {
	none := 0
	for objectClasses[none] != "none" {
		none++
	}
	for _, f := range fields {
		seen := map[[32]byte]bool{}
		for class, name := range objectClasses {
			img, shows := f.generator().image(Options{Size: 64, Seed: 2}, class, 1)
			if (name == "none") != strings.HasPrefix(shows.caption, "nothing") {
				t.Errorf("%s/%s: caption %q", f.name, name, shows.caption)
			}
			var pix []uint8
			switch img := img.(type) {
			case *image.Gray:
				pix = img.Pix
			case *image.RGBA:
				pix = img.Pix
			}
			low, high := uint8(255), uint8(0)
			for i, v := range pix {
				if len(pix) == 64*64 || i%4 != 3 {
					low, high = min(low, v), max(high, v)
				}
			}
			if high-low < 40 {
				t.Errorf("%s/%s: values from %d to %d", f.name, name, low, high)
			}
			sum := sha256.Sum256(pix)
			if seen[sum] {
				t.Errorf("%s/%s looks like another class", f.name, name)
			}
			seen[sum] = true
		}
	}
}

// The folders of a task answer it, as the captions do, and no image is in two tasks.
func TestTasksAskForWhatIsSaid(t *testing.T) {
	for _, c := range Corpora() {
		seen := map[[32]byte]string{}
		for _, task := range Tasks {
			dir := filepath.Join(t.TempDir(), string(task))
			if err := c.WriteTask(dir, task, Options{PerClass: 3, Size: 32, Seed: 5}); err != nil {
				t.Fatal(err)
			}
			captions, err := dataset.ReadCaptions(dir)
			if err != nil {
				t.Fatal(err)
			}
			classes := map[string]bool{}
			for path, text := range captions {
				folder, name := filepath.Split(path)
				answer, of := strings.CutPrefix(filepath.Clean(folder), c.Name+"_")
				classes[answer] = true
				empty := strings.HasPrefix(text, "nothing")
				if words := strings.ReplaceAll(answer, "_", " "); !of || empty != (answer == "none") || task != Shapes && !empty && !strings.Contains(text, " "+words+" ") {
					t.Errorf("%s %s: %s is %q", c.Name, task, path, text)
				}
				pixels, err := os.ReadFile(filepath.Join(dir, path))
				if err != nil {
					t.Fatal(err)
				}
				if other := seen[sha256.Sum256(pixels)]; other != "" {
					t.Errorf("%s %s: %s is %s", c.Name, task, name, other)
				}
				seen[sha256.Sum256(pixels)] = path
			}
			if least := map[Task]int{Shapes: 14, Looks: 3, Places: 5}[task]; len(classes) < least || c.Colour && task == Looks && len(classes) != 9 {
				t.Errorf("%s %s: classes %v", c.Name, task, classes)
			}
		}
	}
	if err := Corpora()[0].WriteTask(t.TempDir(), "shade", Options{}); err == nil || !strings.Contains(err.Error(), "shape look place") {
		t.Errorf("a task that does not exist: %v", err)
	}
}

func TestSkinIsColoured(t *testing.T) {
	img, _ := fields[3].generator().image(Options{Size: 32, Seed: 1}, 0, 0)
	if _, ok := img.(*image.RGBA); !ok {
		t.Errorf("skin is %T", img)
	}
}
