package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// CaptionsFile holds the captions of a folder's images: a CSV file with the columns path (below the folder, with forward
// slashes) and caption.
const CaptionsFile = "captions.csv"

// ReadCaptions reads a folder's captions by path. A missing file, a missing column, a path named twice, one that leads out
// of the folder and an empty caption are errors that wrap ErrDataset and name the line.
func ReadCaptions(dir string) (map[string]string, error) {
	path := filepath.Join(dir, CaptionsFile)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, badDataset("%s has no captions: it needs a file %s with the columns path and caption", dir, CaptionsFile)
	}
	if err != nil {
		return nil, badDataset("captions: %w", err)
	}
	defer file.Close()
	reader := csv.NewReader(file)
	header, err := reader.Read()
	if err != nil {
		return nil, badDataset("%s: %w: its first line must name the columns path and caption", path, err)
	}
	column := map[string]int{}
	for i, name := range header {
		column[strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff")))] = i
	}
	for _, name := range []string{"path", "caption"} {
		if _, ok := column[name]; !ok {
			return nil, badDataset("%s has no column %q, but %s", path, name, strings.Join(header, ", "))
		}
	}
	captions := map[string]string{}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, badDataset("%s: %w", path, err)
		}
		line, _ := reader.FieldPos(0)
		image, caption := strings.TrimSpace(row[column["path"]]), strings.TrimSpace(row[column["caption"]])
		problem := ""
		switch {
		case !filepath.IsLocal(filepath.FromSlash(image)):
			problem = fmt.Sprintf("%q is no path below the folder", image)
		case captions[image] != "":
			problem = fmt.Sprintf("%s is named twice", image)
		case caption == "":
			problem = fmt.Sprintf("%s has no caption", image)
		}
		if problem != "" {
			return nil, badDataset("%s, line %d: %s", path, line, problem)
		}
		captions[image] = caption
	}
	return captions, nil
}
