package dataset

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// ManifestVersion is the version of the manifest's layout. Version 1, which is still read, has neither groups nor hashes of
// the pixels.
const ManifestVersion = 2

// Manifest is a data set without its pixels: enough to check and to repeat a split on another machine.
type Manifest struct {
	Version      int       `json:"version"`
	Name         string    `json:"name"`
	Layout       string    `json:"layout"`
	Phantom      *Phantom  `json:"phantom,omitempty"`
	Classes      []string  `json:"classes"`
	Published    []Split   `json:"published"`
	SplitSeed    uint64    `json:"split_seed"`
	TestFraction float64   `json:"test_fraction"`
	ValFraction  float64   `json:"val_fraction"`
	TrainShare   float64   `json:"train_share,omitempty"`
	Items        []Item    `json:"items"`
	Skipped      []Skipped `json:"skipped,omitempty"`
	Ignored      Ignored   `json:"ignored"`
	Notes        []string  `json:"notes,omitempty"`
	ListedTwice  []string  `json:"listed_twice,omitempty"`
	SHA256       string    `json:"sha256"` // Hash of the data set
}

// Hash is the sha256 of what the images are and how they are split: class names, and each image's path, bytes, label,
// part and group. It does not depend on where the folder lies, nor on how the split was found.
func (d *Dataset) Hash() string {
	type hashed struct {
		Path   string `json:"path"`
		SHA256 string `json:"sha256"`
		Label  int    `json:"label"`
		Split  Split  `json:"split"`
		Group  string `json:"group,omitempty"`
	}
	items := make([]hashed, len(d.Items))
	for i, item := range d.Items {
		items[i] = hashed{item.Path, item.SHA256, item.Label, item.Split, item.Group}
	}
	canonical, err := json.Marshal(struct {
		Version int      `json:"version"` // of what is hashed, which all records' keys rest on
		Phantom bool     `json:"phantom"`
		Classes []string `json:"classes"`
		Items   []hashed `json:"items"`
	}{1, d.Phantom != nil, d.Classes, items})
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// Manifest describes the data set.
func (d *Dataset) Manifest() *Manifest {
	return &Manifest{
		Version: ManifestVersion, Name: d.Name, Layout: d.Layout, Phantom: d.Phantom, Classes: d.Classes, Published: d.Published,
		SplitSeed: d.SplitSeed, TestFraction: d.TestFraction, ValFraction: d.ValFraction, TrainShare: d.TrainShare, Items: d.Items,
		Skipped: d.Skipped, Ignored: d.Ignored, Notes: d.Notes, ListedTwice: d.ListedTwice, SHA256: d.Hash(),
	}
}

// WriteManifest writes the manifest, whole or not at all.
func (d *Dataset) WriteManifest(path string) error {
	data, err := json.MarshalIndent(d.Manifest(), "", " ")
	if err != nil {
		return fmt.Errorf("encode manifest %s: %w", path, err)
	}
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write manifest %s: %w", path, err)
	}
	return nil
}

// ReadManifest reads and checks a manifest.
func ReadManifest(path string) (*Manifest, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, badDataset("read manifest: %w", err)
	}
	m := &Manifest{}
	if err := json.Unmarshal(data, m); err != nil {
		return nil, badDataset("%s is no manifest, or was cut short (%w): write it again", path, err)
	}
	if err := m.validate(); err != nil {
		return nil, badDataset("manifest %s: %w: write it again", path, err)
	}
	return m, nil
}

func (m *Manifest) validate() error {
	if m.Version < 1 || m.Version > ManifestVersion {
		return fmt.Errorf("version %d is none of 1 to %d", m.Version, ManifestVersion)
	}
	if len(m.Classes) < 2 {
		return fmt.Errorf("it names %d classes", len(m.Classes))
	}
	seen := map[string]bool{}
	for _, item := range m.Items {
		switch {
		case !filepath.IsLocal(filepath.FromSlash(item.Path)):
			return fmt.Errorf("path %q leads out of the folder", item.Path)
		case seen[item.Path]:
			return fmt.Errorf("%s is listed twice", item.Path)
		case item.Label < 0 || item.Label >= len(m.Classes):
			return fmt.Errorf("%s has label %d of %d classes", item.Path, item.Label, len(m.Classes))
		case !slices.Contains([]Split{Train, Val, Test, Dropped, Unused}, item.Split):
			return fmt.Errorf("%s is in part %q, which is none of %s, %s, %s, %s, %s", item.Path, item.Split, Train, Val, Test, Dropped, Unused)
		}
		seen[item.Path] = true
	}
	if d := m.dataset(); d.Hash() != m.SHA256 {
		return errors.New("its content does not fit its checksum: it was changed by hand")
	}
	return nil
}

func (m *Manifest) dataset() *Dataset {
	return &Dataset{
		Name: m.Name, Layout: m.Layout, Phantom: m.Phantom, Classes: m.Classes, Published: m.Published, SplitSeed: m.SplitSeed,
		TestFraction: m.TestFraction, ValFraction: m.ValFraction, TrainShare: m.TrainShare, Items: m.Items, Skipped: m.Skipped,
		Ignored: m.Ignored, Notes: m.Notes, ListedTwice: m.ListedTwice,
	}
}

// OpenManifest opens a folder with the split of an existing manifest. A file that is missing or is no longer the same is
// an error that names it; files the manifest does not list are left alone. Of the options only Limits, Workers and
// Progress matter.
func OpenManifest(ctx context.Context, dir, manifest string, o Options) (*Dataset, error) {
	m, err := ReadManifest(manifest)
	if err != nil {
		return nil, err
	}
	d := m.dataset()
	if d.Root, err = manifestRoot(dir, m.Items); err != nil {
		return nil, err
	}
	d.source = newSource(d.Root, o.Limits)
	phantom, err := readPhantom(d.Root)
	if err != nil {
		return nil, err
	}
	if phantom != nil && d.Phantom == nil {
		return nil, badDataset("%s holds phantom images, and manifest %s is not of a phantom", d.Root, manifest)
	}
	paths := make([]string, len(d.Items))
	for i, item := range d.Items {
		paths[i] = item.Path
	}
	results, err := checkImages(ctx, d.source, paths, o)
	if err != nil {
		return nil, err
	}
	var differ []string
	for i, result := range results {
		switch {
		case result.err != nil:
			differ = append(differ, result.err.Error())
		case result.sha256 != d.Items[i].SHA256:
			differ = append(differ, fmt.Sprintf("%s is not the file the manifest lists: restore it, or write a new manifest", paths[i]))
		default:
			d.Items[i].Pixels = result.pixels
		}
	}
	if len(differ) > 0 {
		shown := differ[:min(len(differ), 10)]
		return nil, badDataset("%d of the %d images of manifest %s differ in %s:\n%s", len(differ), len(paths), manifest, d.Root, strings.Join(shown, "\n"))
	}
	return d, nil
}

// manifestRoot finds the folder the paths are relative to: dir, or the one it wraps.
func manifestRoot(dir string, items []Item) (string, error) {
	root := dir
	for range maxWrapping + 1 {
		top, err := readFolder(root)
		if errors.Is(err, fs.ErrNotExist) {
			return "", badDataset("%s does not exist: give the folder the manifest was made of", dir)
		}
		if err != nil {
			return "", err
		}
		for _, item := range items {
			first, _ := splitZip(item.Path)
			if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(first))); err == nil {
				return root, nil
			}
		}
		if len(top.dirs) != 1 {
			break
		}
		root = filepath.Join(root, top.dirs[0])
	}
	return dir, nil // nothing is there: let the check name what is missing
}
