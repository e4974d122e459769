package phantom

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"rd/rdlib/dataset"
)

// Options say how many images of which size. The same options always give the same files.
type Options struct {
	PerClass int    // images of each class; 0 is 260
	Counts   []int  // images of each class in the order of the class names, in place of PerClass
	Size     int    // side in pixels; 0 is 96
	Seed     uint64 // each image has a stream of its own: more images leave the first ones as they are
}

const (
	defaultPerClass = 260
	defaultSize     = 96
	minSize         = 16
	maxSize         = 1024
)

// generator is one kind of phantom.
type generator struct {
	name       string
	version    int
	classes    []string
	parameters any
	stream     uint64 // keeps generators apart that are given the same seed
	// draw makes an image of a class, and says what it shows where the generator has captions.
	draw func(class, size int, rng *rand.Rand) (image.Image, description)
	// folder names the folder of an image of a class; nil: the class.
	folder func(class string, d description) string
}

// counts resolves the options for a number of classes.
func (o Options) counts(classes []string) ([]int, error) {
	if o.Counts == nil {
		if o.PerClass == 0 {
			o.PerClass = defaultPerClass
		}
		for range classes {
			o.Counts = append(o.Counts, o.PerClass)
		}
	}
	if len(o.Counts) != len(classes) {
		return nil, fmt.Errorf("%d counts are given for the %d classes %v", len(o.Counts), len(classes), classes)
	}
	for i, n := range o.Counts {
		if n < 1 {
			return nil, fmt.Errorf("class %s of a phantom cannot have %d images: give at least 1", classes[i], n)
		}
	}
	return o.Counts, nil
}

// write makes the folder: all of it, or nothing.
func write(dir string, g generator, o Options) error {
	counts, err := o.counts(g.classes)
	if err != nil {
		return err
	}
	if o.Size == 0 {
		o.Size = defaultSize
	}
	if o.Size < minSize || o.Size > maxSize {
		return fmt.Errorf("a phantom of %d pixels is not possible: give %d to %d", o.Size, minSize, maxSize)
	}
	marker, err := g.marker(o, counts)
	if err != nil {
		return err
	}
	if done, err := alreadyThere(dir, marker); done || err != nil {
		return err
	}
	dir = filepath.Clean(dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("phantom: %w", err)
	}
	unfinished, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-")
	if err != nil {
		return fmt.Errorf("phantom: %w", err)
	}
	defer os.RemoveAll(unfinished)
	if err := os.Chmod(unfinished, 0o755); err != nil {
		return fmt.Errorf("phantom: %w", err)
	}
	if err := g.writeImages(unfinished, o, counts); err != nil {
		return fmt.Errorf("phantom: %w", err)
	}
	if err := os.WriteFile(filepath.Join(unfinished, dataset.PhantomFile), marker, 0o644); err != nil {
		return fmt.Errorf("phantom: %w", err)
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty folder makes room
		return fmt.Errorf("phantom: %w", err)
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return fmt.Errorf("phantom: %w", err)
	}
	return nil
}

// marker is the content of PHANTOM.json: everything that decides the images.
func (g generator) marker(o Options, counts []int) ([]byte, error) {
	parameters, err := json.Marshal(struct {
		Size    int      `json:"size"`
		Classes []string `json:"classes"`
		Counts  []int    `json:"counts"`
		Model   any      `json:"model"`
	}{o.Size, g.classes, counts, g.parameters})
	if err != nil {
		return nil, fmt.Errorf("phantom: %w", err)
	}
	data, err := json.MarshalIndent(dataset.Phantom{Generator: g.name, Version: g.version, Seed: o.Seed, Parameters: parameters}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("phantom: %w", err)
	}
	return append(data, '\n'), nil
}

// alreadyThere is whether dir holds these very images. A folder that holds anything else is an error.
func alreadyThere(dir string, marker []byte) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("phantom: %w: give a new folder", err)
	}
	old, err := os.ReadFile(filepath.Join(dir, dataset.PhantomFile))
	if err == nil && bytes.Equal(old, marker) {
		return true, nil
	}
	if err == nil {
		return false, fmt.Errorf("phantom: %s holds another phantom: remove it, or give a new folder", dir)
	}
	return false, fmt.Errorf("phantom: %s is not empty: give a new folder", dir)
}

// writeImages draws on all processors.
func (g generator) writeImages(dir string, o Options, counts []int) error {
	type job struct{ class, index int }
	captions := make([][][]string, len(counts))
	for class, n := range counts {
		captions[class] = make([][]string, n)
	}
	jobs := make(chan job)
	var group sync.WaitGroup
	var once sync.Once
	var failed error
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for j := range jobs {
				row, err := g.writeImage(dir, o, j.class, j.index)
				captions[j.class][j.index] = row
				if err != nil {
					once.Do(func() { failed = err })
				}
			}
		})
	}
	for class := range g.classes {
		for index := range counts[class] {
			jobs <- job{class, index}
		}
	}
	close(jobs)
	group.Wait()
	if failed != nil {
		return failed
	}
	return g.writeCaptions(dir, captions)
}

// writeCaptions writes captions.csv, unless the generator has no captions.
func (g generator) writeCaptions(dir string, captions [][][]string) error {
	rows := [][]string{{"path", "caption"}}
	for _, class := range captions {
		for _, row := range class {
			if row[1] != "" {
				rows = append(rows, row)
			}
		}
	}
	if len(rows) == 1 {
		return nil
	}
	var encoded bytes.Buffer
	if err := csv.NewWriter(&encoded).WriteAll(rows); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, dataset.CaptionsFile), encoded.Bytes(), 0o644)
}

// writeImage writes an image and returns its row of the captions.
func (g generator) writeImage(dir string, o Options, class, index int) ([]string, error) {
	img, shows := g.image(o, class, index)
	folder, name := g.classes[class], fmt.Sprintf("phantom_%04d.png", index+1)
	if g.folder != nil {
		folder, name = g.folder(folder, shows), folder+"_"+name
	}
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
		return nil, err
	}
	var encoded bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := encoder.Encode(&encoded, img); err != nil {
		return nil, err
	}
	return []string{folder + "/" + name, shows.caption}, os.WriteFile(filepath.Join(dir, folder, name), encoded.Bytes(), 0o644)
}

// image draws one image from its own stream.
func (g generator) image(o Options, class, index int) (image.Image, description) {
	return g.draw(class, o.Size, rand.New(rand.NewPCG(o.Seed, g.stream^(uint64(class)<<32|uint64(index)))))
}
