package dataset

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// entry is a file of a zip archive to be made.
type entry struct {
	name string
	data []byte
	mode fs.FileMode
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		head := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		if e.mode != 0 {
			head.SetMode(e.mode)
		}
		body, err := w.CreateHeader(head)
		if err == nil {
			_, err = body.Write(e.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// write puts files into a new folder; names that end in "/" are folders.
func write(t testing.TB, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, name), data)
	}
	return dir
}

// tinyBUSI … are the smallest folders of each published layout that can be split.

func tinyBUSI(t testing.TB) map[string][]byte {
	files := map[string][]byte{}
	for label, class := range busiClasses {
		for i := range 3 {
			files[fmt.Sprintf("Dataset_BUSI_with_GT/%s/%s (%d).png", class, class, i+1)] = greyPNG(t, 10*label+i)
			files[fmt.Sprintf("Dataset_BUSI_with_GT/%s/%s (%d)_mask.png", class, class, i+1)] = greyPNG(t, 200)
		}
	}
	return files
}

func tinyCovidCT(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"Images-processed/CT_COVID.zip": zipOf(t, entry{name: "CT_COVID/", mode: fs.ModeDir | 0o755}, entry{name: "CT_COVID/a b-12%0.png", data: greyPNG(t, 1)},
			entry{name: "CT_COVID/c.png", data: greyPNG(t, 2)}, entry{name: "CT_COVID/d.png", data: greyPNG(t, 3)}, entry{name: "__MACOSX/CT_COVID/._c.png", data: []byte("x")}),
		"Images-processed/CT_NonCOVID.zip": zipOf(t, entry{name: "1.jpg", data: greyPNG(t, 4)}, entry{name: "2%1.jpg", data: greyPNG(t, 5)},
			entry{name: "1.png", data: greyPNG(t, 6)}, entry{name: "unlisted.png", data: greyPNG(t, 7)}),
		"Data-split/COVID/trainCT_COVID.txt":       []byte("\ufeffa b-12%0.png\r\n"),
		"Data-split/COVID/valCT_COVID.txt":         []byte("c.png"),
		"Data-split/COVID/testCT_COVID.txt":        []byte("d.png \n\n d.png\n"),
		"Data-split/NonCOVID/trainCT_NonCOVID.txt": []byte("1.jpg\n"),
		"Data-split/NonCOVID/valCT_NonCOVID.txt":   []byte("2%1.jpg\n"),
		"Data-split/NonCOVID/testCT_NonCOVID.txt":  []byte("1.png\n"),
	}
}

func tinyParts(t testing.TB, parts, classes []string) map[string][]byte {
	files := map[string][]byte{}
	for p, part := range parts {
		for c, class := range classes {
			for i := range 3 {
				files[fmt.Sprintf("%s/%s/image(%d).jpg", part, class, i+1)] = greyPNG(t, 100*p+10*c+i)
			}
		}
	}
	return files
}

func tinyBTC(t testing.TB) map[string][]byte {
	return tinyParts(t, []string{"Training", "Testing"}, btcClasses)
}

func tinyISIC(t testing.TB, parts ...string) map[string][]byte {
	files := map[string][]byte{"README.txt": []byte("x")}
	id := 24306
	for _, part := range parts {
		csv := "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n"
		for label := range isicClasses {
			for range 3 {
				hot := slices.Repeat([]string{"0.0"}, len(isicClasses))
				hot[label] = "1.0"
				csv += fmt.Sprintf("ISIC_%07d,%s\n", id, strings.Join(hot, ","))
				files[fmt.Sprintf("ISIC2018_Task3_%s_Input/ISIC_%07d.jpg", part, id)] = greyPNG(t, id)
				id++
			}
		}
		files[fmt.Sprintf("ISIC2018_Task3_%s_GroundTruth/ISIC2018_Task3_%s_GroundTruth.csv", part, part)] = []byte(csv)
		files[fmt.Sprintf("ISIC2018_Task3_%s_Input/LICENSE.txt", part)] = []byte("x")
	}
	return files
}

func tinyChestXray(t testing.TB) map[string][]byte {
	return tinyParts(t, []string{"train", "val", "test"}, []string{"COVID19", "NORMAL", "PNEUMONIA", "TURBERCULOSIS"})
}

// tinyCSV has two classes, parts, and groups of two images.
func tinyCSV(t testing.TB) map[string][]byte {
	files := map[string][]byte{}
	csv := "\ufeffgroup, split,Label,path\r\n"
	for i := range 12 {
		name := fmt.Sprintf("images/no %d, 1.png", i)
		files[name] = greyPNG(t, i)
		csv += fmt.Sprintf("patient %d,%s,%s,\"%s\"\r\n", i/2, []string{"train", "Train", "training", "VAL", "test", "Testing"}[i/2], []string{"sick", "well"}[i%2], name)
	}
	files["labels.csv"] = []byte(csv)
	return files
}

func TestPublishedLayoutsAreRecognised(t *testing.T) {
	for _, c := range []struct {
		name      string
		files     map[string][]byte
		layout    string
		classes   []string
		published []Split
		counts    [3][]int
	}{
		{"busi", tinyBUSI(t), "busi", busiClasses, nil, [3][]int{{1, 1, 1}, {1, 1, 1}, {1, 1, 1}}},
		{"covid-ct", tinyCovidCT(t), "covid-ct", []string{"COVID", "NonCOVID"}, []Split{Train, Val, Test}, [3][]int{{1, 1}, {1, 1}, {1, 1}}},
		{"btc", tinyBTC(t), "btc", btcClasses, []Split{Train, Test}, [3][]int{{2, 2, 2, 2}, {1, 1, 1, 1}, {3, 3, 3, 3}}},
		{"isic training", tinyISIC(t, "Training"), "isic2018", isicClasses, []Split{Train}, [3][]int{{1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1}}},
		{"isic", tinyISIC(t, "Training", "Validation", "Test"), "isic2018", isicClasses, []Split{Train, Val, Test}, [3][]int{{3, 3, 3, 3, 3, 3, 3}, {3, 3, 3, 3, 3, 3, 3}, {3, 3, 3, 3, 3, 3, 3}}},
		{"chestxray", tinyChestXray(t), "chestxray", chestClasses, []Split{Train, Val, Test}, [3][]int{{3, 3, 3, 3}, {3, 3, 3, 3}, {3, 3, 3, 3}}},
		{"csv", tinyCSV(t), "csv", []string{"sick", "well"}, []Split{Train, Val, Test}, [3][]int{{3, 3}, {1, 1}, {2, 2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := write(t, c.files)
			d := open(t, dir, Options{Strict: true})
			if d.Layout != c.layout || !slices.Equal(d.Classes, c.classes) || !slices.Equal(d.Published, c.published) {
				t.Fatalf("layout %s, classes %v, published %v", d.Layout, d.Classes, d.Published)
			}
			for i, part := range []Split{Train, Val, Test} {
				if got := d.Counts(part); !slices.Equal(got, c.counts[i]) {
					t.Errorf("%s: %v, want %v", part, got, c.counts[i])
				}
			}
			if named := open(t, dir, Options{Layout: c.layout}); named.Hash() != d.Hash() {
				t.Error("named, the layout gives other images")
			}
			for i := range d.Items {
				if _, err := d.Image(i); err != nil {
					t.Error(err)
				}
			}
			manifest := filepath.Join(t.TempDir(), "manifest.json")
			if err := d.WriteManifest(manifest); err != nil {
				t.Fatal(err)
			}
			if again, err := OpenManifest(context.Background(), dir, manifest, Options{}); err != nil || again.Hash() != d.Hash() {
				t.Errorf("by its manifest: %v", err)
			}
		})
	}
}

func TestATableThatNamesFewOfTheImages(t *testing.T) {
	files := tinyCSV(t)
	if d := open(t, write(t, files), Options{}); len(d.Notes) > 0 {
		t.Errorf("every image is named: %v", d.Notes)
	}
	files["images/other/unnamed.png"] = greyPNG(t, 99)
	dir := write(t, files)
	if d := open(t, dir, Options{}); len(d.Notes) != 1 || !strings.Contains(d.Notes[0], "1 image in the folder, not named in labels.csv") {
		t.Errorf("%v", d.Notes)
	}
	if d := open(t, filepath.Join(dir, "labels.csv"), Options{}); len(d.Notes) > 0 {
		t.Errorf("a table that was given itself: %v", d.Notes)
	}
}

func TestBUSIIsAsItsClassFolders(t *testing.T) {
	dir := write(t, tinyBUSI(t))
	busi, folders := open(t, dir, Options{SplitSeed: 3}), open(t, dir, Options{SplitSeed: 3, Layout: "class-folders"})
	if busi.Layout != "busi" || folders.Layout != "class-folders" || busi.Hash() != folders.Hash() || busi.Root != folders.Root {
		t.Errorf("%s %s, %s %s", busi.Root, busi.Hash(), folders.Root, folders.Hash())
	}
	if busi.Ignored.Masks != 9 {
		t.Errorf("%+v", busi.Ignored)
	}
}

// A part alone is no wrapping around a data set: it stays a published part.
func TestAPartIsNoBUSI(t *testing.T) {
	d := open(t, folderOf(t, map[string]int{"train/benign": 5, "train/malignant": 5, "train/normal": 5}), Options{})
	if d.Layout != "class-folders" || !slices.Equal(d.Published, []Split{Train}) || !strings.HasPrefix(d.Items[0].Path, "train/") {
		t.Errorf("%s, published %v, %s", d.Layout, d.Published, d.Items[0].Path)
	}
}

func TestCovidCTReadsItsListsAndZips(t *testing.T) {
	dir := write(t, tinyCovidCT(t))
	d := open(t, dir, Options{Strict: true})
	var paths []string
	for _, item := range d.Items {
		paths = append(paths, item.Path)
	}
	want := []string{"Images-processed/CT_COVID.zip/CT_COVID/a b-12%0.png", "Images-processed/CT_COVID.zip/CT_COVID/c.png", "Images-processed/CT_COVID.zip/CT_COVID/d.png",
		"Images-processed/CT_NonCOVID.zip/1.jpg", "Images-processed/CT_NonCOVID.zip/1.png", "Images-processed/CT_NonCOVID.zip/2%1.jpg"}
	if !slices.Equal(paths, want) {
		t.Errorf("%q", paths)
	}
	if !slices.Equal(d.ListedTwice, want[2:3]) || len(d.Notes) != 2 || !strings.Contains(d.Notes[0], "d.png twice") || !strings.Contains(d.Notes[1], "1 image of NonCOVID in no split list") {
		t.Errorf("twice %q, notes %q", d.ListedTwice, d.Notes)
	}
	if d.Ignored.Hidden != 1 {
		t.Errorf("%+v", d.Ignored)
	}
	entries, err := os.ReadDir(filepath.Join(dir, "Images-processed"))
	if err != nil || len(entries) != 2 {
		t.Errorf("something was unpacked: %v %v", entries, err)
	}

	files := tinyCovidCT(t) // the same images, unpacked
	delete(files, "Images-processed/CT_NonCOVID.zip")
	for i, name := range []string{"1.jpg", "2%1.jpg", "1.png"} {
		files["Images-processed/CT_NonCOVID/"+name] = greyPNG(t, 4+i)
	}
	unpacked := open(t, write(t, files), Options{Strict: true})
	if len(unpacked.Items) != 6 || unpacked.Items[3].SHA256 != d.Items[3].SHA256 || unpacked.Items[3].Path != "Images-processed/CT_NonCOVID/1.jpg" {
		t.Errorf("unpacked: %+v", unpacked.Items)
	}
}

func TestLayoutsNameWhatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		files  map[string][]byte
		change func(files map[string][]byte)
		layout string
		want   []string
	}{
		"unknown layout":         {tinyBUSI(t), nil, "busy", []string{`"busy"`, "covid-ct"}},
		"busi without a class":   {tinyBUSI(t), func(f map[string][]byte) { drop(f, "Dataset_BUSI_with_GT/normal/") }, "", []string{"lacks normal", "busi", "--layout"}},
		"named, of another kind": {tinyBUSI(t), nil, "covid-ct", []string{"lacks", "Images-processed/CT_COVID.zip", "Images-processed/CT_NonCOVID.zip", "Data-split/NonCOVID/testCT_NonCOVID.txt"}},
		"covid without a zip":    {tinyCovidCT(t), func(f map[string][]byte) { drop(f, "Images-processed/CT_NonCOVID.zip") }, "", []string{"lacks Images-processed/CT_NonCOVID.zip of"}},
		"covid without lists":    {tinyCovidCT(t), func(f map[string][]byte) { drop(f, "Data-split/COVID/val"); drop(f, "Data-split/NonCOVID") }, "", []string{"lacks Data-split/COVID/valCT_COVID.txt, Data-split/NonCOVID/trainCT_NonCOVID.txt"}},
		"covid: damaged zip": {tinyCovidCT(t), func(f map[string][]byte) {
			f["Images-processed/CT_COVID.zip"] = f["Images-processed/CT_COVID.zip"][:100]
		}, "", []string{"CT_COVID.zip is no zip file, or is cut short"}},
		"covid: two parts":    {tinyCovidCT(t), func(f map[string][]byte) { f["Data-split/COVID/testCT_COVID.txt"] = []byte("d.png\nc.png") }, "", []string{"c.png", "both val and test"}},
		"covid: empty list":   {tinyCovidCT(t), func(f map[string][]byte) { f["Data-split/COVID/testCT_COVID.txt"] = nil }, "", []string{"testCT_COVID.txt is empty"}},
		"covid: blank list":   {tinyCovidCT(t), func(f map[string][]byte) { f["Data-split/COVID/testCT_COVID.txt"] = []byte(" \r\n") }, "", []string{"testCT_COVID.txt names no file"}},
		"covid: binary list":  {tinyCovidCT(t), func(f map[string][]byte) { f["Data-split/COVID/testCT_COVID.txt"] = greyPNG(t, 1) }, "", []string{"testCT_COVID.txt is no text"}},
		"covid: path in list": {tinyCovidCT(t), func(f map[string][]byte) { f["Data-split/COVID/testCT_COVID.txt"] = []byte("d.png\n../../x.png") }, "", []string{"line 2", "testCT_COVID.txt", "no file name"}},
		"covid: lists name files that do not exist": {tinyCovidCT(t), func(f map[string][]byte) { f["Data-split/COVID/trainCT_COVID.txt"] = []byte("x.png\ny.png\n") }, "",
			[]string{"no readable training image", "CT_COVID/x.png is missing", "take it off the list"}},
		"btc without testing":   {tinyBTC(t), func(f map[string][]byte) { drop(f, "Testing") }, "", []string{"lacks Testing of", "btc"}},
		"btc without a class":   {tinyBTC(t), func(f map[string][]byte) { drop(f, "Testing/no_tumor"); drop(f, "Training/glioma_tumor") }, "", []string{"lacks Training/glioma_tumor, Testing/no_tumor"}},
		"isic without training": {tinyISIC(t, "Test"), nil, "", []string{"lacks ISIC2018_Task3_Training_Input, ISIC2018_Task3_Training_GroundTruth"}},
		"isic without truth":    {tinyISIC(t, "Training", "Test"), func(f map[string][]byte) { drop(f, "ISIC2018_Task3_Test_GroundTruth") }, "", []string{"lacks ISIC2018_Task3_Test_GroundTruth of"}},
		"isic without CSV": {tinyISIC(t, "Training"), func(f map[string][]byte) {
			drop(f, "ISIC2018_Task3_Training_GroundTruth")
			f["ISIC2018_Task3_Training_GroundTruth/"] = nil
		}, "", []string{"lacks ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv"}},
		"isic: two classes": {isicLine(t, "ISIC_1,1,1,0,0,0,0,0"), nil, "", []string{"line 2", "MEL and NV are both 1"}},
		"isic: no class":    {isicLine(t, "ISIC_1,0,0,0,0,0,0,0"), nil, "", []string{"line 2", "label is missing"}},
		"isic: no number":   {isicLine(t, "ISIC_1,0,x,0,0,0,0,0"), nil, "", []string{"line 2", `NV is "x"`}},
		"isic: short line":  {isicLine(t, "ISIC_1,0"), nil, "", []string{"GroundTruth.csv", "line 2"}},
		"isic: a path":      {isicLine(t, "../ISIC_1,0,1,0,0,0,0,0"), nil, "", []string{"line 2", "no file name"}},
		"isic: two labels":  {isicLine(t, "ISIC_1,0,1,0,0,0,0,0\nISIC_1,1,0,0,0,0,0,0"), nil, "", []string{"line 3", "ISIC_1 is MEL here and NV before"}},
		"isic: unknown column": {isicLine(t, ""), func(f map[string][]byte) {
			f[isicTruth] = []byte("image,MEL,NV,BCC,AKIEC,BKL,DF,VASC,UNK\nISIC_1,0,1,0,0,0,0,0,0\n")
		}, "", []string{`unknown column "UNK"`, "image, MEL"}},
		"isic: missing column":      {isicLine(t, ""), func(f map[string][]byte) { f[isicTruth] = []byte("image,MEL,NV\nISIC_1,0,1\n") }, "", []string{`no column "BCC", "AKIEC"`}},
		"chestxray without a part":  {tinyChestXray(t), func(f map[string][]byte) { drop(f, "val") }, "", []string{"lacks val of", "chestxray"}},
		"chestxray without a class": {tinyChestXray(t), func(f map[string][]byte) { drop(f, "test/TURBERCULOSIS") }, "", []string{"lacks test/TUBERCULOSIS"}},
		"csv: nothing named":        {tinyBUSI(t), nil, "csv", []string{"lacks a CSV file whose first line names path and label"}},
		"csv: two tables":           {tinyCSV(t), func(f map[string][]byte) { f["more.csv"] = f["labels.csv"] }, "", []string{"labels.csv, more.csv", "give one"}},
		"csv: unknown column":       {csvOf("path,label,patient\nx.png,a,1\n"), nil, "", []string{`unknown column "patient"`, "may have split, group"}},
		"csv: two columns":          {csvOf("path,label,Path\nx.png,a,x\n"), nil, "", []string{`two columns called "path"`}},
		"csv: header alone":         {csvOf("path,label\n"), nil, "", []string{"no line below"}},
		"csv: ragged":               {csvOf("path,label\nx.png,a\ny.png\n"), nil, "", []string{"line 3", "wrong number of fields"}},
		"csv: open quote":           {csvOf("path,label\n\"x.png,a\n"), nil, "", []string{"labels.csv", "quote"}},
		"csv: no text":              {csvOf("path,label\nx\xff.png,a\n"), nil, "", []string{"no text in UTF-8"}},
		"csv: no path":              {csvOf("path,label\nx.png,a\n,b\n"), nil, "", []string{"line 3", "path is missing"}},
		"csv: no label":             {csvOf("path,label\nx.png,a\ny.png, \n"), nil, "", []string{"line 3", "y.png has no label"}},
		"csv: doubled path":         {csvOf("path,label\nx.png,a\n./x.png,b\n"), nil, "", []string{"line 3", "x.png is listed before, in line 2"}},
		"csv: path outside":         {csvOf("path,label\nx.png,a\n../y.png,b\n"), nil, "", []string{"line 3", "leads out"}},
		"csv: absolute path":        {csvOf("path,label\nx.png,a\n/etc/y.png,b\n"), nil, "", []string{"line 3", "leads out"}},
		"csv: Windows path":         {csvOf("path,label\nx.png,a\nb\\y.png,b\n"), nil, "", []string{"line 3", "forward slashes"}},
		"csv: unknown split":        {csvOf("path,label,split\nx.png,a,train\ny.png,b,exam\n"), nil, "", []string{"line 3", `"exam"`, "train, val and test"}},
		"csv: half a split":         {csvOf("path,label,split\nx.png,a,train\ny.png,b,\n"), nil, "", []string{"line 3", "all or none"}},
		"csv: one class":            {csvOf("path,label\nx.png,a\ny.png,a\n"), nil, "", []string{`only the class "a"`}},
		"csv: untrained class":      {csvOf("path,label,split\nx.png,a,train\ny.png,b,test\n"), nil, "", []string{`class "b"`, "to train on"}},
		"csv: a group on both sides": {csvOf("path,label,split,group\nx.png,a,train,p1\ny.png,b,train,p2\nz.png,b,test,p1\n", "x.png", "y.png", "z.png"), nil, "",
			[]string{`group "p1"`, "both sides", "x.png is in train and z.png in test"}},
		"csv: files that do not exist": {csvOf("path,label\nz.png,a\nx.png,a\ny.png,b\nu.png,b\n", "z.png", "y.png"), nil, "",
			[]string{"line 3 of", "labels.csv: x.png does not exist (nor does the file of 1 line below)"}},
		"csv: a group too large": {csvOf("path,label,group\nx.png,a,p\ny.png,a,p\nz.png,b,q\nu.png,b,r\n", "x.png", "y.png", "z.png", "u.png"), nil, "", []string{`class "a" has too few groups`}},
		"isic: no line":          {isicLine(t, ""), nil, "", []string{"no line below"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change != nil {
				c.change(c.files)
			}
			dir := write(t, c.files)
			_, err := Open(context.Background(), dir, Options{Layout: c.layout})
			if !errors.Is(err, ErrDataset) {
				t.Fatalf("error %v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}

// csvOf is a table, and small images.
func csvOf(table string, images ...string) map[string][]byte {
	files := map[string][]byte{"labels.csv": []byte(table)}
	for i, name := range images {
		img := image.NewGray(image.Rect(0, 0, 3, 2))
		img.Pix[0] = uint8(i)
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			panic(err)
		}
		files[name] = b.Bytes()
	}
	return files
}

const isicTruth = "ISIC2018_Task3_Training_GroundTruth/ISIC2018_Task3_Training_GroundTruth.csv"

func isicLine(t testing.TB, lines string) map[string][]byte {
	files := tinyISIC(t, "Training")
	files[isicTruth] = []byte("image,MEL,NV,BCC,AKIEC,BKL,DF,VASC\n" + lines + "\n")
	return files
}

// drop removes the files whose names begin so.
func drop(files map[string][]byte, prefix string) {
	for name := range files {
		if strings.HasPrefix(name, prefix) {
			delete(files, name)
		}
	}
}

// A name that a list holds and the archive does not is left out, said so, and an error where images must be complete.
func TestListedFilesThatDoNotExist(t *testing.T) {
	files := tinyCovidCT(t)
	files["Data-split/COVID/trainCT_COVID.txt"] = []byte("gone.png\na b-12%0.png\n")
	dir := write(t, files)
	d := open(t, dir, Options{})
	if len(d.Items) != 6 || len(d.Skipped) != 1 || !strings.Contains(d.Skipped[0].Reason, "gone.png is missing") {
		t.Errorf("%d images, skipped %v", len(d.Items), d.Skipped)
	}
	if _, err := Open(context.Background(), dir, Options{Strict: true}); !errors.Is(err, ErrMissing) {
		t.Errorf("strict: %v", err)
	}
}

func TestZipsThatMeanHarm(t *testing.T) {
	files := tinyCovidCT(t)
	good := []entry{{name: "a b-12%0.png", data: greyPNG(t, 1)}, {name: "c.png", data: greyPNG(t, 2)}, {name: "d.png", data: greyPNG(t, 3)}}
	bad := []entry{
		{name: "../outside.png", data: greyPNG(t, 8)}, {name: "x/../../outside.png", data: greyPNG(t, 8)}, {name: "/abs.png", data: greyPNG(t, 8)},
		{name: `C:\abs.png`, data: greyPNG(t, 8)}, {name: `..\back.png`, data: greyPNG(t, 8)},
		{name: "link.png", data: []byte("/etc/passwd"), mode: fs.ModeSymlink | 0o777}, {name: "c.png", data: greyPNG(t, 9)},
	}
	files["Images-processed/CT_COVID.zip"] = zipOf(t, append(slices.Clone(good), bad...)...)
	dir := write(t, files)
	d := open(t, dir, Options{})
	if len(d.Items) != 6 || len(d.Skipped) != len(bad) {
		t.Fatalf("%d images, skipped %q", len(d.Items), d.Skipped)
	}
	for i, says := range []string{"leads out", "leads out", "leads out", "leads out", "leads out", "a link", "twice"} {
		if text := d.Skipped[i].Reason; !strings.Contains(text, says) || !strings.Contains(text, "CT_COVID.zip") || !strings.Contains(text, fmt.Sprintf("%q", bad[i].name)) {
			t.Errorf("%q, want %q", text, says)
		}
	}
	if _, err := Open(context.Background(), dir, Options{Strict: true}); !errors.Is(err, ErrDataset) {
		t.Errorf("strict: %v", err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(dir), "outside.png")); err == nil {
		t.Error("an entry was written")
	}

	t.Run("an entry that is too large", func(t *testing.T) {
		files["Images-processed/CT_COVID.zip"] = zipOf(t, good[0], entry{name: "c.png", data: make([]byte, 5000)}, good[2])
		d := open(t, write(t, files), Options{Limits: DecodeLimits{Bytes: 4000}})
		if len(d.Skipped) != 1 || !strings.Contains(d.Skipped[0].Reason, "c.png is too large (5000 bytes") {
			t.Errorf("skipped %q", d.Skipped)
		}
	})
	t.Run("an entry that holds more than it declares", func(t *testing.T) {
		data := zipOf(t, good[0], entry{name: "c.png", data: make([]byte, 5000)}, good[2])
		declared := []byte{5000 & 255, 5000 >> 8, 0, 0}
		at := bytes.LastIndex(data, declared) // in the directory
		copy(data[at:], []byte{100, 0, 0, 0})
		files["Images-processed/CT_COVID.zip"] = data
		d := open(t, write(t, files), Options{})
		if len(d.Skipped) != 1 || !strings.Contains(d.Skipped[0].Reason, "c.png is damaged") {
			t.Errorf("skipped %q", d.Skipped)
		}
	})
	t.Run("a bomb", func(t *testing.T) {
		files["Images-processed/CT_COVID.zip"] = zipOf(t, append(slices.Clone(good), entry{name: "bomb.png", data: make([]byte, 1<<20)})...)
		_, err := Open(context.Background(), write(t, files), Options{Limits: DecodeLimits{Bytes: 4000}})
		if !errors.Is(err, ErrDataset) || !strings.Contains(err.Error(), "zip bomb") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("entries that cannot be unpacked, devices and archives", func(t *testing.T) {
		data := zipOf(t, append(slices.Clone(good), entry{name: "pipe.png", mode: fs.ModeNamedPipe | 0o644}, entry{name: "more.zip", data: zipOf(t, good...)})...)
		at := bytes.LastIndex(data, []byte("c.png")) - 46       // its header in the directory
		data[at+8] |= 1                                         // encrypted
		data[bytes.LastIndex(data, []byte("d.png"))-46+10] = 99 // an unknown compression
		files["Images-processed/CT_COVID.zip"] = data
		dir := write(t, files)
		v := verify(t, dir, Options{})
		var reasons []string
		for _, s := range v.Unreadable {
			reasons = append(reasons, s.Reason)
		}
		for i, says := range []string{"a link or a device", "c.png cannot be read (it is encrypted)", "d.png cannot be read (zip: unsupported compression algorithm)"} {
			if i >= len(reasons) || !strings.Contains(reasons[i], says) {
				t.Errorf("%q, want %q", reasons, says)
			}
		}
		if len(reasons) != 3 || v.Ignored.Other != 1 || !strings.HasSuffix(v.Ignored.Examples[0], "more.zip") {
			t.Errorf("%q, left out %+v", reasons, v.Ignored)
		}
	})
	t.Run("sizes that overflow their sum", func(t *testing.T) {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		for i := range 1 << 14 { // 2⁵⁰ bytes each, 2⁶⁴ together
			if _, err := w.CreateRaw(&zip.FileHeader{Name: fmt.Sprintf("%d.png", i), UncompressedSize64: 1 << 50}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		files["Images-processed/CT_COVID.zip"] = b.Bytes()
		if _, err := Open(context.Background(), write(t, files), Options{}); !errors.Is(err, ErrDataset) || !strings.Contains(err.Error(), "zip bomb") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a flipped bit", func(t *testing.T) {
		data := zipOf(t, good...)
		data[bytes.Index(data, []byte("c.png"))+20] ^= 1
		files["Images-processed/CT_COVID.zip"] = data
		d := open(t, write(t, files), Options{})
		if len(d.Skipped) != 1 || !strings.Contains(d.Skipped[0].Reason, "c.png is damaged") {
			t.Errorf("skipped %q", d.Skipped)
		}
	})
}

func TestChestXrayTakesBothSpellings(t *testing.T) {
	files := tinyChestXray(t)
	for name, data := range files {
		if strings.HasPrefix(name, "test/TURBERCULOSIS") {
			delete(files, name)
			files[strings.Replace(name, "TURBERCULOSIS", "TUBERCULOSIS", 1)] = data
		}
	}
	d := open(t, write(t, files), Options{Strict: true})
	if d.Layout != "chestxray" || !slices.Equal(d.Classes, chestClasses) || !slices.Equal(d.Counts(Test), []int{3, 3, 3, 3}) || !slices.Equal(d.Counts(Train), []int{3, 3, 3, 3}) {
		t.Errorf("%s %v %v %v", d.Layout, d.Classes, d.Counts(Train), d.Counts(Test))
	}
}

func TestCSVMayBeAFileAmongOthers(t *testing.T) {
	files := tinyCSV(t)
	files["other.csv"] = []byte("path,label\n\"images/no 0, 1.png\",x\n\"images/no 1, 1.png\",y\n\"images/no 2, 1.png\",x\n\"images/no 3, 1.png\",y\n")
	files["images/PHANTOM.json"] = []byte(`{"generator":"g","version":1,"seed":3,"parameters":{}}`)
	dir := write(t, files)
	one, other := open(t, filepath.Join(dir, "labels.csv"), Options{}), open(t, filepath.Join(dir, "other.csv"), Options{})
	if one.Name != "labels" || len(one.Items) != 12 || one.Items[3].Group != "patient 1" || one.Root != dir {
		t.Errorf("%s: %+v", one.Name, one.Items)
	}
	if other.Name != "other" || len(other.Items) != 4 || !slices.Equal(other.Classes, []string{"x", "y"}) {
		t.Errorf("%s: %+v", other.Name, other.Items)
	}
	if one.Phantom == nil || other.Phantom == nil {
		t.Error("phantoms named by a table are not marked")
	}
	if _, err := Open(context.Background(), filepath.Join(dir, "labels.csv"), Options{Layout: "busi"}); !errors.Is(err, ErrDataset) || !strings.Contains(err.Error(), "cannot be read as busi") {
		t.Errorf("named busi: %v", err)
	}
	if _, err := Open(context.Background(), filepath.Join(dir, "gone.csv"), Options{}); !errors.Is(err, ErrDataset) {
		t.Errorf("missing: %v", err)
	}
}

// FuzzLists: whatever a table or a list holds, it is read or refused, and no path leads out of the folder.
func FuzzLists(f *testing.F) {
	for _, seed := range []string{"path,label\na.png,b\n", "\ufeffpath,label,split,group\r\n\"a, b.png\",x,train,1\r\n", "a%0.png\r\n\r\n b c.jpg \n", "\"", ",,\n,,", "path,label\n../x,y", "../x\n"} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		file := writeFile(t, filepath.Join(dir, "x.csv"), data)
		names, err := readNameList(file)
		if err != nil && !errors.Is(err, ErrDataset) {
			t.Errorf("a list: %v", err)
		}
		for _, name := range names {
			if !filepath.IsLocal(name) {
				t.Errorf("a list gives %q", name)
			}
		}
		l, err := readCSV(file, Options{})
		if err != nil && !errors.Is(err, ErrDataset) {
			t.Errorf("a table: %v", err)
		}
		if err != nil {
			return
		}
		for _, item := range l.files {
			if !filepath.IsLocal(item.Path) || item.Label < 0 || item.Label >= len(l.classes) || l.classes[item.Label] == "" {
				t.Errorf("a table gives %+v", item)
			}
		}
	})
}
