package dataset

import "path/filepath"

// CaptionsFile holds the captions of a folder's images: a CSV file with the columns path (below the folder, with forward
// slashes) and caption.
const CaptionsFile = "captions.csv"

// ReadCaptions reads a folder's captions by path. A missing file, a missing column, a path named twice, one that leads out
// of the folder and an empty caption are errors that wrap ErrDataset and name the line.
func ReadCaptions(dir string) (map[string]string, error) {
	t, err := readTable(filepath.Join(dir, CaptionsFile))
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, badDataset("%s has no captions: it needs a file %s with the columns path and caption", dir, CaptionsFile)
	}
	if err := t.columns([]string{"path", "caption"}, t.header); err != nil {
		return nil, err
	}
	captions := map[string]string{}
	for i := range t.rows {
		image, caption := t.get(i, "path"), t.get(i, "caption")
		switch {
		case image == "" || leadsOut(image):
			return nil, t.errorf(i, "%q is no path below the folder", image)
		case captions[image] != "":
			return nil, t.errorf(i, "%s is named twice", image)
		case caption == "":
			return nil, t.errorf(i, "%s has no caption", image)
		}
		captions[image] = caption
	}
	return captions, nil
}
