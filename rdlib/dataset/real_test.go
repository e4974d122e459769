package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"rd/rdlib/record"
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

// The keys of all records rest on the hash of the manifest: BUSI's must stay what its records say.
func TestBUSIHasTheManifestOfItsRecords(t *testing.T) {
	dir := realData(t, "busi")
	for seed := uint64(1); seed <= 3; seed++ {
		r, err := record.Read(filepath.Join("..", "..", "results", "busi", "records", fmt.Sprintf("resnet18-rd-densenet121_96_mri-%d.json", seed)))
		if err != nil {
			t.Fatal(err)
		}
		d := open(t, dir, Options{SplitSeed: seed})
		if d.Layout != "busi" || filepath.Base(d.Root) != "Dataset_BUSI_with_GT" || d.Hash() != r.Result.Config.Dataset.Manifest {
			t.Errorf("seed %d: layout %s, root %s, manifest %s, recorded %s", seed, d.Layout, d.Root, d.Hash(), r.Result.Config.Dataset.Manifest)
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
