package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

func TestRealLayouts(t *testing.T) {
	for _, c := range []struct {
		folder, layout   string
		published        []Split
		train, val, test []int // nil: drawn
		total            int
	}{
		{"covid_ct", "covid-ct", []Split{Train, Val, Test}, []int{191, 234}, []int{60, 58}, []int{97, 105}, 745},
		{"btc", "btc", []Split{Train, Test}, nil, nil, []int{100, 115, 105, 74}, 3264},
		{"isic2018-part", "isic2018", []Split{Train}, nil, nil, nil, 5984},
	} {
		t.Run(c.folder, func(t *testing.T) {
			d := open(t, realData(t, c.folder), Options{Strict: true, SplitSeed: 1})
			if d.Layout != c.layout || !slices.Equal(d.Published, c.published) || len(d.Items) != c.total {
				t.Errorf("layout %s, published %v, %d images", d.Layout, d.Published, len(d.Items))
			}
			for part, want := range map[Split][]int{Train: c.train, Val: c.val, Test: c.test} {
				if got := d.Counts(part); want != nil && !slices.Equal(got, want) {
					t.Errorf("%s: %v, want %v", part, got, want)
				}
			}
		})
	}
}

// What is wrong with the published sets is found without being told.
func TestVerifyRealData(t *testing.T) {
	for folder, check := range map[string]func(*Verification) bool{
		"btc": func(v *Verification) bool { return len(v.Leaks) == 251 },
		"busi": func(v *Verification) bool {
			return len(v.Conflicts) == 1 && v.Conflicts[0].Images[0].Path == "benign/benign (433).png" && v.Conflicts[0].Images[1].Path == "malignant/malignant (145).png"
		},
		"covid_ct": func(v *Verification) bool { return len(v.ListedTwice) == 1 && v.Images == 745 },
	} {
		t.Run(folder, func(t *testing.T) {
			if v := verify(t, realData(t, folder), Options{}); !check(v) {
				t.Errorf("%q", v.Findings())
			}
		})
	}
}
