package dataset

import (
	"os"
	"path/filepath"
	"testing"
)

// realData is a published data set outside the repository: in RD_DATA, else in the folder shared beside it.
func realData(t *testing.T, name string) string {
	dir := filepath.Join("..", "..", "..", "shared", "data", name)
	if base := os.Getenv("RD_DATA"); base != "" {
		dir = filepath.Join(base, name)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("%s is not there", dir)
	}
	return dir
}

// The keys of all records rest on the hash of the manifest: BUSI's must stay what the first records say.
func TestBUSIHasTheManifestOfItsRecords(t *testing.T) {
	dir := realData(t, "busi")
	for seed, recorded := range map[uint64]string{
		1: "3f0b7a2c4382476b7cc6ac3c5d1124f400c5387b280c6ec0916a7f6fd6299d92",
		2: "75e174a680ec6049a5937539875dfdc3d8cce7fb8866f0c9a6b49222a3d879d9",
		3: "ce2270fa8a3d6707aed33ba76ae0124151c92287acad8340baf1205f51a7a474",
	} {
		d := open(t, dir, Options{SplitSeed: seed})
		if d.Layout != "busi" || filepath.Base(d.Root) != "Dataset_BUSI_with_GT" || d.Hash() != recorded {
			t.Errorf("seed %d: layout %s, root %s, manifest %s, recorded %s", seed, d.Layout, d.Root, d.Hash(), recorded)
		}
	}
}

// What is wrong with the published sets is found without being told.
func TestVerifyRealData(t *testing.T) {
	for folder, check := range map[string]func(*Verification) bool{
		"btc": func(v *Verification) bool { return v.Layout == "btc" && len(v.Leaks) == 251 && differing(v) == 0 },
		"busi": func(v *Verification) bool {
			return v.Layout == "busi" && differing(v) == 0 && len(v.Conflicts) == 1 && v.Conflicts[0].Images[0].Path == "benign/benign (433).png" && v.Conflicts[0].Images[1].Path == "malignant/malignant (145).png"
		},
		"covid_ct": func(v *Verification) bool { // one test image of COVID, so one in all
			return v.Layout == "covid-ct" && len(v.ListedTwice) == 1 && v.Images == 745 && differing(v) == 2
		},
		"isic2018-part": func(v *Verification) bool {
			return v.Layout == "isic2018" && v.Images == 5984 && len(v.Unreadable) == 0
		},
	} {
		t.Run(folder, func(t *testing.T) {
			if v := verify(t, realData(t, folder), Options{}); !check(v) {
				t.Errorf("%q", v.Findings())
			}
		})
	}
}

// differing is how many counts are not as published.
func differing(v *Verification) int {
	n := 0
	for _, c := range v.Counts {
		if c.Differs() {
			n++
		}
	}
	return n
}
