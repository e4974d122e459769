package dataset

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// greyPNG is a small image that differs with n.
func greyPNG(t testing.TB, n int) []byte {
	img := image.NewGray(image.Rect(0, 0, 6, 5))
	for i := range img.Pix {
		img.Pix[i] = uint8(n >> (8 * (i % 2)))
	}
	return encoded(t, func(w io.Writer) error { return png.Encode(w, img) })
}

// folderOf makes a folder with n images in each of the sub-folders.
func folderOf(t testing.TB, n map[string]int) string {
	dir := t.TempDir()
	id := 0
	for _, sub := range sortedKeys(n) {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
		for k := range n[sub] {
			id++
			writeFile(t, filepath.Join(dir, sub, fmt.Sprintf("%s (%d).png", filepath.Base(sub), k+1)), greyPNG(t, id))
		}
	}
	return dir
}

func sortedKeys(m map[string]int) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func open(t testing.TB, dir string, o Options) *Dataset {
	t.Helper()
	d, err := Open(context.Background(), dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestCompareNatural(t *testing.T) {
	want := []string{"", "2", "10", "a", "A", "a1", "a02", "a2", "a10", "a10b", "a010c", "b", "benign (2).png", "benign (10).png", "benign (100).png", "benign.png", "é"}
	want = slices.SortedFunc(slices.Values(want), CompareNatural)
	for _, pair := range [][2]string{{"benign (2).png", "benign (10).png"}, {"a02", "a10"}, {"a10b", "a010c"}, {"2", "10"}, {"10", "a"}} {
		if slices.Index(want, pair[0]) > slices.Index(want, pair[1]) {
			t.Errorf("%q comes after %q", pair[0], pair[1])
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		got := slices.Clone(want)
		rng.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		slices.SortFunc(got, CompareNatural)
		if !slices.Equal(got, want) {
			t.Fatalf("not a total order: %q and %q", got, want)
		}
	}
}

func TestOpenClassFolders(t *testing.T) {
	dir := folderOf(t, map[string]int{"benign": 12, "malignant": 7, "normal": 5})
	d := open(t, dir, Options{})
	if !slices.Equal(d.Classes, []string{"benign", "malignant", "normal"}) || len(d.Items) != 24 {
		t.Fatalf("%v, %d items", d.Classes, len(d.Items))
	}
	if d.Items[1].Path != "benign/benign (2).png" || d.Items[9].Path != "benign/benign (10).png" {
		t.Errorf("not in natural order: %v", d.Items[:10])
	}
	if len(d.Published) != 0 || d.Phantom != nil {
		t.Errorf("published %v, phantom %v", d.Published, d.Phantom)
	}
	if got := d.Counts(Test); !slices.Equal(got, []int{2, 1, 1}) {
		t.Errorf("test images %v", got)
	}
	if got := d.Counts(Val); !slices.Equal(got, []int{1, 1, 1}) { // 10 % of 10, 6 and 4, less than a whole image each
		t.Errorf("validation images %v", got)
	}
}

// The number of test images of the paper's BUSI, 154 of 780, comes from the rounding rule.
func TestShareGivesThePapersBUSI(t *testing.T) {
	if got := share(437, 0.2) + share(210, 0.2) + share(133, 0.2); got != 154 {
		t.Errorf("%d test images", got)
	}
	for n, want := range map[int]int{0: 0, 1: 0, 2: 1, 3: 1, 5: 1, 6: 1, 10: 1, 11: 2, 100: 19, 101: 20} {
		if got := share(n, 0.2); got != want {
			t.Errorf("share(%d) = %d, want %d", n, got, want)
		}
	}
	for n := 2; n < 3000; n++ {
		for _, f := range []float64{0.1, 0.2, 0.5, 0.9} {
			if s := share(n, f); s < 1 || s >= n || s > 1 && float64(s) >= f*float64(n)+1e-9 {
				t.Fatalf("share(%d, %v) = %d", n, f, s)
			}
		}
	}
}

func TestOpenWrappedFolder(t *testing.T) {
	inner := map[string]int{"busi/Dataset/benign": 6, "busi/Dataset/malignant": 6}
	dir := folderOf(t, inner)
	writeFile(t, filepath.Join(dir, "busi", "README.txt"), []byte("x"))
	outer, direct := open(t, dir, Options{}), open(t, filepath.Join(dir, "busi", "Dataset"), Options{})
	if outer.Hash() != direct.Hash() || outer.Root != direct.Root || outer.Name != "Dataset" {
		t.Errorf("%s %s, %s %s", outer.Root, outer.Hash(), direct.Root, direct.Hash())
	}
}

func TestOpenPublishedParts(t *testing.T) {
	for _, names := range [][3]string{{"train", "val", "test"}, {"Training", "validation", "Testing"}, {"TRAIN", "valid", "Test"}} {
		dir := folderOf(t, map[string]int{
			names[0] + "/a": 8, names[0] + "/b": 6, names[1] + "/a": 2, names[1] + "/b": 1, names[2] + "/a": 3, names[2] + "/b": 2,
		})
		d := open(t, dir, Options{})
		if !slices.Equal(d.Published, []Split{Train, Val, Test}) {
			t.Fatalf("published %v", d.Published)
		}
		if !slices.Equal(d.Counts(Train), []int{8, 6}) || !slices.Equal(d.Counts(Val), []int{2, 1}) || !slices.Equal(d.Counts(Test), []int{3, 2}) {
			t.Errorf("%v: %v %v %v", names, d.Counts(Train), d.Counts(Val), d.Counts(Test))
		}
		for _, item := range d.Items {
			if part := splitFolders[strings.ToLower(strings.Split(item.Path, "/")[0])]; part != item.Split {
				t.Errorf("%s is in part %s", item.Path, item.Split)
			}
		}
	}
	t.Run("no validation", func(t *testing.T) {
		d := open(t, folderOf(t, map[string]int{"Training/a": 30, "Training/b": 21, "Testing/a": 3, "Testing/b": 2}), Options{})
		if !slices.Equal(d.Counts(Val), []int{2, 2}) || !slices.Equal(d.Counts(Test), []int{3, 2}) {
			t.Errorf("%v %v", d.Counts(Val), d.Counts(Test))
		}
	})
	t.Run("training only", func(t *testing.T) {
		d := open(t, folderOf(t, map[string]int{"train/a": 11, "train/b": 11}), Options{})
		if !slices.Equal(d.Counts(Test), []int{2, 2}) || !slices.Equal(d.Published, []Split{Train}) {
			t.Errorf("%v, published %v", d.Counts(Test), d.Published)
		}
	})
	t.Run("a class without test images", func(t *testing.T) {
		d := open(t, folderOf(t, map[string]int{"train/a": 5, "train/b": 5, "test/a": 2}), Options{})
		if len(d.Notes) != 1 || !strings.Contains(d.Notes[0], `"b"`) {
			t.Errorf("notes %v", d.Notes)
		}
	})
}

// A class may be called train, or test, as long as the folder does not look like a part.
func TestOpenClassNamedLikeAPart(t *testing.T) {
	for _, name := range []string{"train", "test"} {
		d := open(t, folderOf(t, map[string]int{name: 5, "plane": 5}), Options{})
		if !slices.Equal(d.Classes, []string{"plane", name}) {
			t.Errorf("%v", d.Classes)
		}
	}
}

func TestOpenLeavesOutMasksAndOthers(t *testing.T) {
	dir := folderOf(t, map[string]int{"benign": 6, "normal": 6, ".cache": 2, "__MACOSX": 1})
	for _, name := range []string{"benign/benign (1)_mask.png", "benign/benign (1)_mask_1.png", "normal/normal (2)_MASK.PNG"} {
		writeFile(t, filepath.Join(dir, name), greyPNG(t, 999))
	}
	writeFile(t, filepath.Join(dir, "benign/.DS_Store"), []byte("x"))
	writeFile(t, filepath.Join(dir, "benign/Thumbs.db"), []byte("x"))
	writeFile(t, filepath.Join(dir, "captions.csv"), []byte("x"))
	writeFile(t, filepath.Join(dir, "benign/deeper/x.png"), greyPNG(t, 1000))
	d := open(t, dir, Options{Strict: true})
	want := Ignored{Masks: 3, Hidden: 3, Other: 3, Examples: []string{"benign/Thumbs.db", "benign/deeper/", "captions.csv"}}
	if len(d.Items) != 12 || !reflect.DeepEqual(d.Ignored, want) {
		t.Errorf("%d items, %+v", len(d.Items), d.Ignored)
	}
}

func TestOpenSkipsUnreadable(t *testing.T) {
	dir := folderOf(t, map[string]int{"a": 8, "b": 8})
	writeFile(t, filepath.Join(dir, "a", "a (3).png"), greyPNG(t, 3)[:30])
	writeFile(t, filepath.Join(dir, "b", "empty.png"), nil)
	if err := os.Symlink("nowhere", filepath.Join(dir, "b", "link.png")); err != nil {
		t.Fatal(err)
	}
	var calls []int
	d := open(t, dir, Options{Workers: 3, Progress: func(done, total int) {
		if total != 18 {
			t.Errorf("total %d", total)
		}
		calls = append(calls, done)
	}})
	if len(d.Items) != 15 || len(d.Skipped) != 3 || len(calls) != 18 || calls[17] != 18 {
		t.Fatalf("%d items, skipped %v, progress %v", len(d.Items), d.Skipped, calls)
	}
	for i, want := range []string{"a/a (3).png is cut short", "b/empty.png is empty", "b/link.png is missing"} {
		if !strings.HasPrefix(d.Skipped[i].String(), want) || strings.Contains(d.Skipped[i].String(), dir) {
			t.Errorf("skipped %q, want %q", d.Skipped[i], want)
		}
	}
	_, err := Open(context.Background(), dir, Options{Strict: true})
	var image *ImageError
	if !errors.Is(err, ErrDataset) || !errors.As(err, &image) || !strings.Contains(err.Error(), "b/empty.png") {
		t.Errorf("strict: %v", err)
	}
}

func TestOpenBadFolders(t *testing.T) {
	for name, c := range map[string]struct {
		folders map[string]int
		prepare func(dir string)
		dir     string
		want    []string
	}{
		"missing":                {dir: "nothing", want: []string{"does not exist", "give the folder"}},
		"file":                   {prepare: func(dir string) { writeFile(t, filepath.Join(dir, "x"), nil) }, dir: "x", want: []string{"is a file"}},
		"empty":                  {want: []string{"no class folders", "CLASS"}},
		"no classes":             {prepare: func(dir string) { writeFile(t, filepath.Join(dir, "x.png"), greyPNG(t, 1)) }, want: []string{"lie in no class folders"}},
		"one class":              {folders: map[string]int{"a": 5}, want: []string{`only the class "a"`, "second class"}},
		"one image":              {folders: map[string]int{"a": 5, "b": 1}, want: []string{`class "b"`, "single readable image", "add images"}},
		"empty class":            {folders: map[string]int{"a": 5, "b": 0}, want: []string{`"b"`, "holds no images", "remove it"}},
		"several data sets":      {folders: map[string]int{"one/a": 2, "one/b": 2, "two/a": 2}, want: []string{"no class folders", "one may"}},
		"test class not trained": {folders: map[string]int{"train/a": 3, "train/b": 3, "test/a": 2, "test/c": 2}, want: []string{`class "c"`, "is not in"}},
		"no training part":       {folders: map[string]int{"val/a": 3, "test/a": 3}, want: []string{"no training part", "named train"}},
		"doubled part":           {folders: map[string]int{"train/a": 3, "Training/a": 3}, want: []string{"both", "keep one"}},
		"nothing readable": {folders: map[string]int{"a": 5, "b": 0}, prepare: func(dir string) {
			writeFile(t, filepath.Join(dir, "b", "x.png"), []byte("text"))
			writeFile(t, filepath.Join(dir, "b", "y.png"), []byte("text"))
		}, want: []string{`class "b"`, "no readable training image", "b/x.png is not an image"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folderOf(t, c.folders)
			if c.prepare != nil {
				c.prepare(dir)
			}
			_, err := Open(context.Background(), filepath.Join(dir, c.dir), Options{})
			if !errors.Is(err, ErrDataset) {
				t.Fatalf("error %v", err)
			}
			for _, want := range append(c.want, dir) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}

func TestOpenSurvivesLinkLoops(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(".", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), dir, Options{}); !errors.Is(err, ErrDataset) {
		t.Errorf("error %v", err)
	}
	dir = folderOf(t, map[string]int{"a": 5, "b": 5})
	if err := os.Symlink("..", filepath.Join(dir, "a", "up")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", filepath.Join(dir, "c")); err != nil {
		t.Fatal(err)
	}
	if d := open(t, dir, Options{}); len(d.Classes) != 3 || len(d.Items) != 15 { // a linked class folder is a class folder
		t.Errorf("%v, %d items", d.Classes, len(d.Items))
	}
}

func TestOpenStopsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Open(ctx, folderOf(t, map[string]int{"a": 5, "b": 5}), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestOpenRefusesFractions(t *testing.T) {
	dir := folderOf(t, map[string]int{"a": 5, "b": 5})
	for _, o := range []Options{{TestFraction: 1}, {TestFraction: -0.1}, {ValFraction: 1}} {
		if _, err := Open(context.Background(), dir, o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
	if d := open(t, dir, Options{ValFraction: -1}); len(d.Indices(Val)) != 0 {
		t.Errorf("%d validation images", len(d.Indices(Val)))
	}
}

func TestSplitIsSeededAndStratified(t *testing.T) {
	dir := folderOf(t, map[string]int{"a": 50, "b": 31, "c": 20})
	first := open(t, dir, Options{SplitSeed: 1})
	if again := open(t, dir, Options{SplitSeed: 1, Workers: 1}); again.Hash() != first.Hash() {
		t.Error("the same seed gives another split")
	}
	if other := open(t, dir, Options{SplitSeed: 2}); other.Hash() == first.Hash() {
		t.Error("another seed gives the same split")
	}
	for label, n := range []int{50, 31, 20} {
		test, val, train := first.Counts(Test)[label], first.Counts(Val)[label], first.Counts(Train)[label]
		if test != share(n, 0.2) || val != share(n-test, 0.1) || train+val+test != n {
			t.Errorf("class %d: %d+%d+%d of %d", label, train, val, test, n)
		}
	}
	// Images added to one class leave the other classes' split alone.
	writeFile(t, filepath.Join(dir, "c", "new.png"), greyPNG(t, 5000))
	grown := open(t, dir, Options{SplitSeed: 1})
	for i, item := range first.Items[:81] {
		if grown.Items[i] != item {
			t.Fatalf("%v became %v", item, grown.Items[i])
		}
	}
}

func TestPhantomIsMarked(t *testing.T) {
	dir := folderOf(t, map[string]int{"x/a": 5, "x/b": 5})
	plain := open(t, dir, Options{})
	for _, place := range []string{PhantomFile, "x/" + PhantomFile} {
		path := writeFile(t, filepath.Join(dir, place), []byte(`{"generator":"g","version":1,"seed":3,"parameters":{}}`))
		d := open(t, dir, Options{})
		if d.Phantom == nil || d.Phantom.Generator != "g" || d.Phantom.Seed != 3 || !strings.Contains(d.Summary(), "(phantom)") {
			t.Errorf("%s: %+v", place, d.Phantom)
		}
		if d.Hash() == plain.Hash() {
			t.Error("a phantom has the hash of real images")
		}
		writeFile(t, path, []byte("{"))
		if _, err := Open(context.Background(), dir, Options{}); !errors.Is(err, ErrDataset) {
			t.Errorf("damaged marker: %v", err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}
