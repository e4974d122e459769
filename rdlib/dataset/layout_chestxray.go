package dataset

import (
	"path/filepath"
	"slices"
)

// chestXray is the public chest X-ray set of four classes, 7135 images, one of whose folders is misspelt in the
// publication.
var chestXray = layout{
	name:  "chestxray",
	about: "{train,val,test}/{COVID19,NORMAL,PNEUMONIA,TURBERCULOSIS}",
	looks: func(root string, top folder) bool {
		for _, part := range chestParts {
			f, err := readFolder(filepath.Join(root, part))
			if err == nil && slices.Contains(f.dirs, "COVID19") && (slices.Contains(f.dirs, chestTuberculosis) || slices.Contains(f.dirs, chestMisspelt)) {
				return true
			}
		}
		return false
	},
	read: func(root string, o Options) (*listing, error) {
		return readNamedParts(root, chestParts, chestClasses, map[string]string{chestTuberculosis: chestMisspelt}, o)
	},
	published: map[Split]map[string]int{
		Train: {"COVID19": 460, "NORMAL": 1341, "PNEUMONIA": 3875, "TUBERCULOSIS": 650},
		Val:   {"COVID19": 10, "NORMAL": 8, "PNEUMONIA": 8, "TUBERCULOSIS": 12},
		Test:  {"COVID19": 106, "NORMAL": 234, "PNEUMONIA": 390, "TUBERCULOSIS": 41},
	},
}

const (
	chestTuberculosis = "TUBERCULOSIS"
	chestMisspelt     = "TURBERCULOSIS"
)

var (
	chestClasses = []string{"COVID19", "NORMAL", "PNEUMONIA", chestTuberculosis}
	chestParts   = map[Split]string{Train: "train", Val: "val", Test: "test"}
)
