package dataset

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Item is one image.
type Item struct {
	Path   string `json:"path"` // below Root, with forward slashes; an entry of a zip file as if that were a folder
	SHA256 string `json:"sha256"`
	Label  int    `json:"label"` // index into Classes
	Split  Split  `json:"split"`
	Pixels string `json:"pixels,omitempty"` // PixelHash; "" when read from a manifest of version 1
	Group  string `json:"group,omitempty"`  // of images that must stay in one part, such as a patient's; "" is none
}

// Skipped is an image that was left out because it cannot be used.
type Skipped struct {
	Path   string `json:"path"`
	Reason string `json:"reason"` // and the remedy
}

func (s Skipped) String() string { return s.Reason }

// Dataset is a folder of images with labels and a split. It is not changed after Open.
type Dataset struct {
	Root    string   // the folder the paths are relative to: the one given, or the one it wraps
	Name    string   // of Root's folder
	Layout  string   // how it is published
	Phantom *Phantom // not nil: the images are synthetic
	Classes []string // in the published order, else in natural order of their names
	Items   []Item   // in natural order of their paths
	Skipped []Skipped
	Ignored Ignored

	Published    []Split // parts that came with the data set; the others were drawn
	SplitSeed    uint64
	TestFraction float64
	ValFraction  float64
	TrainShare   float64 // of the training images that are used, see Reduced; 0: all
	// Notes say what a reader of the results should know, such as a class that the test part lacks.
	Notes []string
	// ListedTwice are images that a published list names more than once; each is used once.
	ListedTwice []string

	source *source
}

// Options of Open. The zero value is a good start.
type Options struct {
	Layout       string  // one of LayoutNames; "" recognises it
	Strict       bool    // unreadable images are an error
	DropLeaks    bool    // test images whose pixels are in the training or validation part are put into the part Dropped
	SplitSeed    uint64  // of parts that are not published
	TestFraction float64 // of all images, where no test part is published; 0 is 1/5 (train:test 4:1)
	ValFraction  float64 // of the training part, where no validation part is published; 0 is 1/10, below 0 none
	Limits       DecodeLimits
	Workers      int                   // goroutines that decode; 0: one per processor
	Progress     func(done, total int) // called as images are checked, one call at a time
}

func (o Options) resolve() (Options, error) {
	if o.TestFraction == 0 {
		o.TestFraction = 0.2
	}
	if o.ValFraction == 0 {
		o.ValFraction = 0.1
	}
	if o.ValFraction < 0 {
		o.ValFraction = -1
	}
	if !(o.TestFraction > 0 && o.TestFraction < 1) {
		return o, fmt.Errorf("test fraction %v is not between 0 and 1", o.TestFraction)
	}
	if math.IsNaN(o.ValFraction) || o.ValFraction >= 1 {
		return o, fmt.Errorf("validation fraction %v is not below 1", o.ValFraction)
	}
	return o, nil
}

// PhantomFile marks a folder of synthetic images.
const PhantomFile = "PHANTOM.json"

// Phantom says how synthetic images were made. Everything made from them must say "phantom".
type Phantom struct {
	Generator  string          `json:"generator"`
	Version    int             `json:"version"`
	Seed       uint64          `json:"seed"`
	Parameters json.RawMessage `json:"parameters"`
}

// Open recognises the layout of a folder, decodes every image once and splits the readable ones. Published parts are
// respected. An error wraps ErrDataset, one or more *ImageError under Strict, or is the context's.
func Open(ctx context.Context, dir string, o Options) (*Dataset, error) {
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	found, err := recognise(dir, o)
	if err != nil {
		return nil, err
	}
	d, err := newDataset(dir, found, o)
	if err != nil {
		return nil, err
	}
	if err := checkGroups(d.Root, found.files); err != nil {
		return nil, err
	}
	if err := d.keepReadable(ctx, found, o); err != nil {
		return nil, err
	}
	if d.Published, err = assignSplits(d.Items, d.Classes, o); err != nil {
		return nil, fmt.Errorf("%s: %w", d.Root, err)
	}
	if o.DropLeaks {
		for _, i := range d.Leaks() {
			d.Items[i].Split = Dropped
		}
	}
	if err := d.checkParts(); err != nil {
		return nil, err
	}
	d.Notes = append(d.Notes, d.duplicateNotes()...)
	return d, nil
}

func newDataset(dir string, found *listing, o Options) (*Dataset, error) {
	d := &Dataset{
		Root: found.source.root, Layout: found.layout, Classes: slices.Clone(found.classes), Ignored: found.ignored, Notes: found.notes,
		ListedTwice: found.listedTwice, SplitSeed: o.SplitSeed, TestFraction: o.TestFraction, ValFraction: o.ValFraction, source: found.source,
	}
	absolute, err := filepath.Abs(d.Root)
	if err != nil {
		return nil, badDataset("%w", err)
	}
	d.Name = cmp.Or(found.name, filepath.Base(absolute))
	for _, place := range append([]string{dir}, foldersOf(d.source, found.files)...) {
		if d.Phantom == nil {
			if d.Phantom, err = readPhantom(place); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

// foldersOf are the folders that files lie in and those around them, up to the root.
func foldersOf(s *source, files []Item) []string {
	seen := map[string]bool{".": true}
	places := []string{s.root}
	for _, f := range files {
		for folder := path.Dir(f.Path); !seen[folder]; folder = path.Dir(folder) {
			seen[folder] = true
			places = append(places, s.place(folder))
		}
	}
	return places
}

// readPhantom reads the mark of synthetic images; nil where there is none.
func readPhantom(dir string) (*Phantom, error) {
	path := filepath.Join(dir, PhantomFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // a zip or CSV file
		return nil, nil
	}
	if err != nil {
		return nil, badDataset("read %s: %w", path, err)
	}
	p := &Phantom{}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, badDataset("%s: %w: generate the phantom again", path, err)
	}
	return p, nil
}

// keepReadable checks the files and keeps those that decode.
func (d *Dataset) keepReadable(ctx context.Context, found *listing, o Options) error {
	paths := make([]string, len(found.files))
	for i, f := range found.files {
		paths[i] = f.Path
	}
	results, err := checkImages(ctx, d.source, paths, o)
	if err != nil {
		return err
	}
	d.Skipped = found.refused
	for i, result := range results {
		if result.err != nil {
			d.Skipped = append(d.Skipped, Skipped{Path: paths[i], Reason: result.err.Error()})
			continue
		}
		item := found.files[i]
		item.SHA256, item.Pixels = result.sha256, result.pixels
		d.Items = append(d.Items, item)
	}
	if !o.Strict || len(d.Skipped) == 0 {
		return nil
	}
	bad := make([]error, 0, len(d.Skipped))
	for _, skipped := range found.refused {
		bad = append(bad, errors.New(skipped.Reason))
	}
	for _, result := range results {
		if result.err != nil {
			bad = append(bad, result.err)
		}
	}
	return badDataset("%d of the %d images of %s cannot be used:\n%w", len(bad), len(paths)+len(found.refused), d.Root, errors.Join(bad...))
}

// checkParts refuses a data set whose classes cannot be learnt, and notes those that cannot be tested.
func (d *Dataset) checkParts() error {
	for label, class := range d.Classes {
		count := map[Split]int{}
		for _, item := range d.Items {
			if item.Label == label {
				count[item.Split]++
			}
		}
		if count[Train] == 0 {
			return badDataset("class %q of %s has no readable training image: %s", class, d.Root, d.skippedText())
		}
		if count[Test] == 0 {
			d.Notes = append(d.Notes, fmt.Sprintf("class %q has no test image", class))
		}
	}
	for _, part := range []Split{Train, Test} {
		if len(d.Indices(part)) == 0 {
			return badDataset("%s has no readable %s image: %s", d.Root, part, d.skippedText())
		}
	}
	return nil
}

// skippedText says which images were left out, to explain why too few are left.
func (d *Dataset) skippedText() string {
	if len(d.Skipped) == 0 {
		return "add some"
	}
	lines := make([]string, min(len(d.Skipped), 3))
	for i := range lines {
		lines[i] = d.Skipped[i].Reason
	}
	return fmt.Sprintf("%d images cannot be used, such as %s", len(d.Skipped), strings.Join(lines, "; "))
}

// Indices lists the items of a part, in order.
func (d *Dataset) Indices(part Split) []int {
	var indices []int
	for i, item := range d.Items {
		if item.Split == part {
			indices = append(indices, i)
		}
	}
	return indices
}

// Counts is the number of images of each class in a part.
func (d *Dataset) Counts(part Split) []int {
	counts := make([]int, len(d.Classes))
	for _, item := range d.Items {
		if item.Split == part {
			counts[item.Label]++
		}
	}
	return counts
}

// Path is where an item lies on this machine, for people to read: it may lie in a zip file.
func (d *Dataset) Path(item int) string { return d.source.place(d.Items[item].Path) }

// Image decodes an item. A file that was changed after Open is an error.
func (d *Dataset) Image(item int) (image.Image, error) {
	img, sha, err := d.source.decode(d.Items[item].Path)
	var failed *ImageError
	if errors.As(err, &failed) {
		failed.Path = d.Path(item)
	}
	if err == nil && sha != d.Items[item].SHA256 {
		err = fmt.Errorf("%s was changed since the data set was opened: start again", d.Path(item))
	}
	if err != nil {
		return nil, err
	}
	return img, nil
}

// Summary is one line a person can read: the data set, its parts and what was left out.
func (d *Dataset) Summary() string {
	kind := ""
	if d.Phantom != nil {
		kind = " (phantom)"
	}
	text := fmt.Sprintf("%s%s: %d classes, %d train + %d val + %d test images", d.Name, kind, len(d.Classes), len(d.Indices(Train)), len(d.Indices(Val)), len(d.Indices(Test)))
	if slices.Contains(d.Published, Test) {
		text += ", published test part"
	} else {
		text += fmt.Sprintf(", split seed %d", d.SplitSeed)
	}
	if n := len(d.Indices(Unused)); d.TrainShare > 0 {
		text += fmt.Sprintf(", a share of %g of the training images, %d are not used", d.TrainShare, n)
	}
	if n := len(d.Skipped); n > 0 {
		text += fmt.Sprintf(", %d unreadable left out", n)
	}
	if n := len(d.Indices(Dropped)); n > 0 {
		text += fmt.Sprintf(", %s left out for pixels that are in another part", countOf(n, "test image"))
	}
	if n := d.Ignored.Masks; n > 0 {
		text += fmt.Sprintf(", %d masks left out", n)
	}
	return text
}
