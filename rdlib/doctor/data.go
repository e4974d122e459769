package doctor

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rd/rdlib/dataset"
)

// DataFolder is one data set in the data folder. Images are counted by their extension: nothing is opened.
type DataFolder struct {
	Path    string   `json:"path"`
	Images  int      `json:"images"`
	Folders []string `json:"folders"` // names of the folders that hold the images, sorted: the classes of a folder of classes
	Problem string   `json:"problem,omitempty"`
}

// maxDataEntries bounds the walk, so that a data folder pointing at a whole disk does not hold the report up.
const maxDataEntries = 500_000

var imageExtensions = []string{".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}

// dataFolders lists the data sets in a folder: the folder itself when it holds class folders, else each folder in it.
func dataFolders(folder string) ([]DataFolder, string) {
	const remedy = "pass --data DIR; for synthetic images: rd phantom --out DIR"
	if folder == "" {
		return []DataFolder{}, remedy
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return []DataFolder{{Path: folder, Folders: []string{}, Problem: "cannot be read: " + err.Error()}}, remedy
	}
	whole := survey(folder)
	if 2*whole.inClassFolders > whole.Images {
		return []DataFolder{whole.DataFolder}, ""
	}
	found := []DataFolder{}
	for _, entry := range entries {
		path := filepath.Join(folder, entry.Name())
		if info, err := os.Stat(path); err != nil || !info.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if set := survey(path); set.Images > 0 || set.Problem != "" {
			found = append(found, set.DataFolder)
		}
	}
	if len(found) == 0 {
		return []DataFolder{{Path: folder, Folders: []string{}, Problem: "holds no images"}}, remedy
	}
	return found, ""
}

// surveyed is a folder and how many of its images lie in folders directly in it, or below its train, val and test folders.
type surveyed struct {
	DataFolder
	inClassFolders int
}

func survey(folder string) surveyed {
	s := surveyed{DataFolder: DataFolder{Path: folder, Folders: []string{}}}
	entries := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entries++; entries > maxDataEntries {
			s.Problem = "more entries than are counted here"
			return filepath.SkipAll
		}
		if entry.IsDir() {
			if path != folder && strings.HasPrefix(entry.Name(), ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if !slices.Contains(imageExtensions, strings.ToLower(filepath.Ext(path))) {
			return nil
		}
		s.Images++
		class := filepath.Dir(path)
		if name := filepath.Base(class); class != folder && !slices.Contains(s.Folders, name) {
			s.Folders = append(s.Folders, name)
		}
		if parent := filepath.Dir(class); class != folder && (parent == folder || isSplit(filepath.Base(parent)) && filepath.Dir(parent) == folder) {
			s.inClassFolders++
		}
		return nil
	})
	if err != nil {
		s.Problem = "cannot be read: " + err.Error()
	}
	if s.Images == 0 && s.Problem == "" { // they may lie in zip files
		if _, classes, images, err := dataset.Look(folder); err == nil {
			s.Images, s.inClassFolders, s.Folders = images, images, classes
		}
	}
	slices.Sort(s.Folders)
	return s
}

func isSplit(name string) bool {
	return slices.Contains([]string{"train", "training", "val", "valid", "validation", "test", "testing"}, strings.ToLower(name))
}
