package experiments

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"rd/rdlib"
	"rd/rdlib/dataset"
	"rd/rdlib/progress"
)

// DatasetRecord is what was found of a data set on disk; Table 1 is made of it. It names no image: `rd data verify` does.
type DatasetRecord struct {
	Version    int             `json:"version"`
	Name       string          `json:"name"`
	Layout     string          `json:"layout"`
	Phantom    bool            `json:"phantom"`
	Classes    []string        `json:"classes"`
	Images     int             `json:"images"` // that can be read
	Counts     []dataset.Count `json:"counts"` // of published parts and classes, beside the publication's
	Unreadable int             `json:"unreadable"`
	ByBytes    dataset.Copies  `json:"by_bytes"`
	ByPixels   dataset.Copies  `json:"by_pixels"`
	Conflicts  int             `json:"label_conflicts"`
	Findings   []string        `json:"findings"`
	Notes      []string        `json:"notes"`
	Unusable   string          `json:"unusable,omitempty"`
	// Parts are those that students are trained and tested on, with seed 1; nil where the data set is unusable.
	Parts *DatasetParts `json:"parts,omitempty"`
}

// DatasetParts are a data set's parts with one seed.
type DatasetParts struct {
	Seed       uint64          `json:"seed"`
	Manifest   string          `json:"manifest_sha256"`
	Published  []dataset.Split `json:"published"` // the others were drawn
	Train      int             `json:"train"`
	Validation int             `json:"validation"`
	Test       int             `json:"test"`
	Leaks      int             `json:"leaks"` // test images whose pixels are in another part
	Dropped    int             `json:"dropped"`
}

const datasetVersion = 1

func (s *Store) datasetPath(name string) string {
	return filepath.Join(s.dir, "datasets", name+".json")
}

// dataset reads the record of a data set, as cells name it; fs.ErrNotExist where there is none.
func (s *Store) dataset(name string) (*DatasetRecord, error) {
	path := s.datasetPath(name)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &DatasetRecord{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if r.Version != datasetVersion {
		return nil, fmt.Errorf("%s is of version %d, not %d", path, r.Version, datasetVersion)
	}
	return r, nil
}

// Datasets looks at the plan's data sets on disk, all or those named, and records what is found. Phantoms are made where they are missing.
// A data set that is not there has no record. One that has a record is looked at anew only if that is asked for. One that cannot be
// looked at does not hold up the others; the error then names all that could not.
func (r Reproduction) Datasets(ctx context.Context, session *rdlib.Session, only []string, anew bool) error {
	prepared := newPreparation(r)
	var failed []error
	for _, d := range r.Plan.Matrix.Datasets {
		name := folderOf(d.Name, r.Plan.Data)
		if !among(only, d.Name) || r.Plan.Data == Phantom && d.Phantom == "" || r.Plan.Data == Real && r.Plan.folders[name] == "" {
			continue
		}
		if _, err := r.Store.dataset(name); err == nil && !anew {
			continue
		}
		if err := r.keepDataset(ctx, session, prepared, name); err != nil {
			failed = append(failed, fmt.Errorf("data set %s: %w", d.Name, err))
			if rdlib.ExitCode(err) == rdlib.ExitInterrupted {
				break
			}
		}
	}
	return errors.Join(failed...)
}

// keepDataset looks at one data set and keeps its record.
func (r Reproduction) keepDataset(ctx context.Context, session *rdlib.Session, prepared *preparation, name string) error {
	dir, err := prepared.data(ctx, session, name)
	if err != nil {
		return err
	}
	found, err := r.Plan.lookAt(ctx, session, dir, name)
	if errors.Is(err, dataset.ErrDataset) {
		err = &rdlib.InputError{Err: err}
	}
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(found, "", " ")
	if err != nil {
		return err
	}
	path := r.Store.datasetPath(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// lookAt verifies a folder and opens it as cells do.
func (p *Plan) lookAt(ctx context.Context, session *rdlib.Session, dir, name string) (*DatasetRecord, error) {
	o := dataset.Options{SplitSeed: 1, DropLeaks: p.Matrix.Training.DropLeaks, Progress: progress.Callback(session.Log, "checking "+name, "images")}
	v, err := dataset.Verify(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	r := &DatasetRecord{
		Version: datasetVersion, Name: name, Layout: v.Layout, Phantom: v.Phantom, Classes: v.Classes, Images: v.Images, Counts: v.Counts, Unreadable: len(v.Unreadable),
		ByBytes: v.ByBytes, ByPixels: v.ByPixels, Conflicts: len(v.Conflicts), Findings: v.Findings(), Notes: v.Notes, Unusable: v.Unusable,
	}
	if v.Unusable != "" {
		return r, nil
	}
	d, err := dataset.Open(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	r.Parts = &DatasetParts{
		Seed: o.SplitSeed, Manifest: d.Hash(), Published: d.Published, Train: len(d.Indices(dataset.Train)), Validation: len(d.Indices(dataset.Val)),
		Test: len(d.Indices(dataset.Test)), Leaks: len(d.Leaks()), Dropped: len(d.Indices(dataset.Dropped)),
	}
	return r, nil
}

// datasetRecord is a data set's record; nil where there is none, and then, or where it is damaged, why.
func (r *Results) datasetRecord(name string) (found *DatasetRecord, why string) {
	found, err := r.store.dataset(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ""
	case err != nil:
		return nil, err.Error()
	}
	return found, ""
}
