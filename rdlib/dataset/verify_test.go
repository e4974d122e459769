package dataset

import (
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func verify(t testing.TB, dir string, o Options) *Verification {
	t.Helper()
	v, err := Verify(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// colourPNG has the pixels of greyPNG in a file of three channels.
func colourPNG(t testing.TB, n int) []byte {
	img := image.NewNRGBA(image.Rect(0, 0, 6, 5))
	for i := range 30 {
		v := uint8(n >> (8 * (i % 2)))
		img.SetNRGBA(i%6, i/6, color.NRGBA{v, v, v, 255})
	}
	return encoded(t, func(w io.Writer) error { return png.Encode(w, img) })
}

func TestVerifyFindsLeaks(t *testing.T) {
	files := tinyBTC(t)
	files["Training/no_tumor/image(1).jpg"] = greyPNG(t, 201)
	files["Testing/no_tumor/image(2).jpg"] = greyPNG(t, 201)  // the same bytes
	files["Testing/no_tumor/image(3).jpg"] = colourPNG(t, 21) // the pixels of Training/no_tumor/image(2).jpg
	files["Testing/glioma_tumor/image(1).jpg"] = greyPNG(t, 102)
	files["Testing/glioma_tumor/image(3).jpg"] = []byte("no image")
	files["Training/.DS_Store"] = []byte("x")
	v := verify(t, write(t, files), Options{})
	if v.Layout != "btc" || v.Images != 23 || v.Unusable != "" {
		t.Errorf("layout %s, %d images, %s", v.Layout, v.Images, v.Unusable)
	}
	var leaks []string
	for _, leak := range v.Leaks {
		leaks = append(leaks, leak.Test.Path+" "+leak.Learnt[0].Path)
		if leak.SameBytes != strings.HasSuffix(leak.Test.Path, "image(2).jpg") {
			t.Errorf("%+v", leak)
		}
	}
	if want := []string{"Testing/no_tumor/image(2).jpg Training/no_tumor/image(1).jpg", "Testing/no_tumor/image(3).jpg Training/no_tumor/image(2).jpg"}; !slices.Equal(leaks, want) {
		t.Errorf("%q", leaks)
	}
	if v.ByPixels != (Copies{Pictures: 2, Images: 4, AcrossParts: 2}) || v.ByBytes != (Copies{Pictures: 1, Images: 2, AcrossParts: 1}) {
		t.Errorf("by pixels %+v, by bytes %+v", v.ByPixels, v.ByBytes)
	}
	if len(v.Unreadable) != 1 || !strings.Contains(v.Unreadable[0].Reason, "image(3).jpg") || v.Ignored.Hidden != 1 {
		t.Errorf("unreadable %v, left out %+v", v.Unreadable, v.Ignored)
	}
	if i := slices.IndexFunc(v.Counts, func(c Count) bool { return c.Split == Test && c.Class == "glioma_tumor" }); v.Counts[i].Images != 2 || *v.Counts[i].Published != 100 || !v.Counts[i].Differs() {
		t.Errorf("counts %+v", v.Counts)
	}
	if i := slices.IndexFunc(v.Counts, func(c Count) bool { return c.Split == Train && c.Class == "" }); v.Counts[i].Images != 12 || *v.Counts[i].Published != 2870 {
		t.Errorf("counts %+v", v.Counts)
	}
	want := []string{"10 counts are not as published", "1 file cannot be read", "2 pictures are there more than once", "2 test images are in training"}
	if got := v.Findings(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestVerifyFindsLabelConflicts(t *testing.T) {
	files := tinyBUSI(t)
	files["Dataset_BUSI_with_GT/malignant/malignant (3).png"] = greyPNG(t, 1) // benign (2)
	files["Dataset_BUSI_with_GT/normal/normal (1).png"] = files["Dataset_BUSI_with_GT/normal/normal (2).png"]
	v := verify(t, write(t, files), Options{})
	if len(v.Conflicts) != 1 || v.Conflicts[0].Images[0].Path != "benign/benign (2).png" || v.Conflicts[0].Images[1].Class != "malignant" {
		t.Errorf("%+v", v.Conflicts)
	}
	if v.ByPixels != (Copies{Pictures: 2, Images: 4, Within: 1, AcrossClasses: 1}) || len(v.Leaks) != 0 {
		t.Errorf("%+v, leaks %v", v.ByPixels, v.Leaks)
	}
	if len(v.Counts) != 4 || v.Counts[3].Split != "" || *v.Counts[3].Published != 780 {
		t.Errorf("%+v", v.Counts)
	}
}

func TestVerifyFindsNamesListedTwice(t *testing.T) {
	v := verify(t, write(t, tinyCovidCT(t)), Options{})
	if want := []string{"Images-processed/CT_COVID.zip/CT_COVID/d.png"}; !slices.Equal(v.ListedTwice, want) {
		t.Errorf("%q", v.ListedTwice)
	}
	data, err := json.Marshal(v)
	if err != nil || strings.Contains(string(data), "null") {
		t.Errorf("%s, %v", data, err)
	}
}

// A group on both sides is found, and Open refuses the split. Images may lie in a zip file beside the table.
func TestVerifyFindsSplitGroups(t *testing.T) {
	files := map[string][]byte{
		"images.zip": zipOf(t, entry{name: "1.png", data: greyPNG(t, 1)}, entry{name: "2.png", data: greyPNG(t, 2)}, entry{name: "3.png", data: greyPNG(t, 3)}),
		"set.csv":    []byte("path,label,split,group\nimages.zip/1.png,a,train,p1\nimages.zip/2.png,b,train,p2\nimages.zip/3.png,b,test,p1\n"),
	}
	dir := write(t, files)
	v := verify(t, filepath.Join(dir, "set.csv"), Options{})
	if v.Layout != "csv" || v.Name != "set" || v.Images != 3 || !slices.Equal(v.SplitGroups, []string{"p1"}) || !strings.Contains(v.Unusable, `group "p1"`) {
		t.Errorf("%+v", v)
	}
	files["set.csv"] = append(files["set.csv"], "images.zip/4.png,b,test,p3\n"...)
	if _, err := Verify(context.Background(), write(t, files), Options{}); !errors.Is(err, ErrDataset) || !strings.Contains(err.Error(), "line 5 of") || !strings.Contains(err.Error(), "images.zip/4.png does not exist") {
		t.Errorf("error %v", err)
	}
}

func TestVerifySaysWhatTheSetLacks(t *testing.T) {
	if v := verify(t, write(t, tinyISIC(t, "Training")), Options{}); !slices.ContainsFunc(v.Counts, func(c Count) bool { return c.Split == Test && c.Images == 0 && *c.Published == 1512 }) {
		t.Errorf("%+v", v.Counts)
	}
	files := tinyBUSI(t)
	files[PhantomFile] = []byte(`{"generator":"g","version":1,"seed":1,"parameters":{}}`)
	if v := verify(t, write(t, files), Options{}); !v.Phantom || len(v.Findings()) != 0 {
		t.Errorf("a phantom is compared with the publication: %q", v.Findings())
	}
	for i := range 3 {
		files["Dataset_BUSI_with_GT/normal/normal ("+string(rune('1'+i))+").png"] = []byte("x")
	}
	if v := verify(t, write(t, files), Options{}); !strings.Contains(v.Unusable, `class "normal"`) || len(v.Unreadable) != 3 {
		t.Errorf("unusable: %q", v.Unusable)
	}
	if _, err := Verify(context.Background(), t.TempDir(), Options{}); !errors.Is(err, ErrDataset) {
		t.Errorf("an empty folder: %v", err)
	}
}
