package foundation

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tinyCache builds a cache and deletes its teacher.
func tinyCache(t testing.TB, o BuildOptions) *Cache {
	t.Helper()
	folder := t.TempDir()
	teacher := open(t, withSideCar(t, tiny{}, `{"name": "net", "pretraining": {"phantom": true}}`), Options{Height: 8, Width: 12})
	cache := mustBuild(t, filepath.Join(folder, "c.features"), teacher, images(), o)
	teacher.Close()
	if err := os.Remove(teacher.Info().File); err != nil {
		t.Fatal(err)
	}
	return cache
}

func TestCacheOutlivesTheTeacher(t *testing.T) {
	built := tinyCache(t, everything())
	found, err := FindCaches(filepath.Dir(built.Path()))
	if err != nil || len(found) != 1 {
		t.Fatalf("%+v, %v", found, err)
	}
	meta := found[0].Meta
	if meta.Name != "net" || meta.File != "tiny.onnx" || !meta.Phantom() || meta.Key.Hash() != built.Key().Hash() || !slices.Equal(meta.Stages, []string{"stage1", FeatureMap}) {
		t.Errorf("%+v", meta)
	}
	for _, options := range [][]OpenOption{nil, {VerifyLater()}, {Expect(built.Key())}} {
		cache, err := OpenCache(found[0].Path, options...)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(cache.Shape(FeatureMap), []int{tinyMap, 2, 3}) || cache.Shape("none") != nil || len(cache.Shapes()) != 3 || cache.Len() != cachedImages {
			t.Errorf("%+v", cache.Meta())
		}
		a, _ := cache.Checksum()
		if b, err := built.Checksum(); err != nil || a != b {
			t.Errorf("checksums %s and %s, %v", a, b, err)
		}
		cache.Close()
	}
}

func TestReadingDoesNotChangeTheFile(t *testing.T) {
	cache := tinyCache(t, everything())
	before := contents(t, cache.Path())
	var readers sync.WaitGroup
	for r := range 4 {
		readers.Go(func() {
			dst := make([]float32, elements(cache.Shape(FeatureMap)))
			for k := range 200 {
				if err := cache.Read((k*7+r)%cachedImages, k%2, FeatureMap, dst); err != nil {
					t.Error(err)
				}
				clear(dst) // the caller's copy is the caller's
			}
		})
	}
	readers.Wait()
	if contents(t, cache.Path()) != before {
		t.Error("reading has changed the file")
	}
}

func TestReadBatch(t *testing.T) {
	cache := tinyCache(t, everything())
	size := elements(cache.Shape("stage1"))
	items, views := []int{20, 0, 3, 3}, []int{1, 0, 0, 1}
	batch := make([]float32, len(items)*size)
	if err := cache.ReadBatch(items, views, "stage1", batch); err != nil {
		t.Fatal(err)
	}
	one := make([]float32, size)
	for k := range items {
		if err := cache.Read(items[k], views[k], "stage1", one); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(one, batch[k*size:(k+1)*size]) {
			t.Errorf("row %d differs", k)
		}
	}
	for _, err := range []error{
		cache.ReadBatch(items, views[:2], "stage1", batch), cache.ReadBatch(items, views, "stage1", batch[1:]),
		cache.ReadBatch([]int{99}, []int{0}, "stage1", one), cache.ReadBatch(items, views, "none", nil),
	} {
		if err == nil {
			t.Error("a batch without meaning was read")
		}
	}
}

func TestReadsWithoutMeaning(t *testing.T) {
	cache := tinyCache(t, everything())
	dst := make([]float32, tinyMap)
	for name, err := range map[string]error{
		"output": cache.Read(0, 0, "none", dst), "item": cache.Read(cachedImages, 0, Pooled, dst), "negative item": cache.Read(-1, 0, Pooled, dst),
		"view": cache.Read(0, 2, Pooled, dst), "negative view": cache.Read(0, -1, Pooled, dst), "short": cache.Read(0, 0, Pooled, dst[1:]), "none": cache.Read(0, 0, Pooled, nil),
	} {
		if err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestCacheAfterClose(t *testing.T) {
	cache := tinyCache(t, everything())
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			dst := make([]float32, tinyMap)
			for range 10000 {
				if err := cache.Read(5, 1, Pooled, dst); err != nil && !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
			}
		})
	}
	if err := cache.Close(); err != nil {
		t.Error(err)
	}
	readers.Wait()
	if err := cache.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	_, sum := cache.Checksum()
	for _, err := range []error{cache.Read(0, 0, Pooled, make([]float32, tinyMap)), cache.Verify(), sum,
		cache.ReadBatch([]int{0}, []int{0}, Pooled, make([]float32, tinyMap))} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	}
}

func TestDamagedCaches(t *testing.T) {
	good := []byte(contents(t, tinyCache(t, everything()).Path()))
	path := filepath.Join(t.TempDir(), "c.features")
	refused := func(what string, data []byte) {
		t.Helper()
		writeFile(t, path, data)
		cache, err := OpenCache(path)
		if err == nil {
			cache.Close()
			t.Errorf("%s: it opened", what)
		} else if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for at := 1; at < len(good); at += 997 {
		refused("cut short", good[:at])
	}
	for at := 0; at < len(good); at++ {
		if at >= 128 && at%97 != 0 {
			continue
		}
		flipped := slices.Clone(good)
		flipped[at] ^= 1 << (at % 8)
		refused("flipped bit at byte "+itoa(at), flipped)
	}
	meta, l, _, err := parseHeader(good, int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	refused("extended", append(slices.Clone(good), 0))
	refused("line ends", []byte(strings.Replace(string(good), "\r\n", "\n", 1)))
	refused("partial", append(l.header(partialMagic, 0), good[headerSize:]...))
	refused("another version", func() []byte {
		changed := slices.Clone(good)
		changed[8] = 9
		return changed
	}())
	lying := meta
	lying.Key.Items = 1 << 40
	if text, err := lying.plan(); err == nil {
		refused("more items than bytes", append(text.header(cacheMagic, 0), text.meta...))
	}
	refused("empty", nil)
	if _, err := OpenCache(t.TempDir()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := OpenCache(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("none: %v", err)
	}
}

func TestVerifyLaterFindsDamageWhenRead(t *testing.T) {
	built := tinyCache(t, everything())
	data := []byte(contents(t, built.Path()))
	data[len(data)-1] ^= 1
	path := filepath.Join(t.TempDir(), "c.features")
	writeFile(t, path, data)
	cache, err := OpenCache(path, VerifyLater())
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	dst := make([]float32, tinyMap)
	if err := cache.Read(0, 0, Pooled, dst); err != nil {
		t.Error(err)
	}
	if err := cache.Read(cachedImages-1, 0, Pooled, dst); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
	if err := cache.Verify(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

func TestMismatchesAreNamed(t *testing.T) {
	cache := tinyCache(t, everything())
	for says, change := range map[string]func(*CacheKey){
		"teacher":          func(k *CacheKey) { k.Teacher = strings.Repeat("0", 64) },
		"manifest":         func(k *CacheKey) { k.Manifest = "other" },
		"number of images": func(k *CacheKey) { k.Items++ },
		"size is 8×12":     func(k *CacheKey) { k.Preprocess.Height = 64 },
		"preprocessing":    func(k *CacheKey) { k.Preprocess.Mean[1] = 0 },
		"number of views":  func(k *CacheKey) { k.Views = 1 },
		"float16":          func(k *CacheKey) { k.Half = true },
		"no output layer4": func(k *CacheKey) { k.Outputs = []string{"layer4"} },
	} {
		want := cache.Key()
		change(&want)
		if c, err := OpenCache(cache.Path(), Expect(want)); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, %v", says, c, err)
		}
		if want.Hash() == cache.Key().Hash() || want.FileName("a/b") == cache.Key().FileName("a/b") {
			t.Errorf("%s does not change the key's hash", says)
		}
	}
	if name := cache.Key().FileName("a/b c"); !strings.HasPrefix(name, "a_b_c-") || filepath.Base(name) != name {
		t.Errorf("file name %q", name)
	}
}

func TestFindCachesPassesOverOtherFiles(t *testing.T) {
	cache := tinyCache(t, everything())
	folder := filepath.Dir(cache.Path())
	data := contents(t, cache.Path())
	writeFile(t, filepath.Join(folder, "short"), []byte(data[:100]))
	writeFile(t, filepath.Join(folder, "half"), []byte(data[:len(data)/2]))
	writeFile(t, filepath.Join(folder, "text"), []byte(strings.Repeat("text ", 100)))
	if err := os.Mkdir(filepath.Join(folder, "folder"), 0o777); err != nil {
		t.Fatal(err)
	}
	if found, err := FindCaches(folder); err != nil || len(found) != 1 || found[0].Path != cache.Path() || found[0].Bytes != cache.Bytes() {
		t.Errorf("%+v, %v", found, err)
	}
	for name, damage := range map[string]string{"empty": "", "short": data[:100], "half": data[:len(data)/2], "flipped": data[:100] + "\x00" + data[101:]} {
		damaged := filepath.Join(folder, "z"+CacheExtension)
		writeFile(t, damaged, []byte(damage))
		if found, err := FindCaches(folder); err != nil || len(found) != 2 || !errors.Is(found[1].Damaged, ErrCorrupt) || !strings.Contains(found[1].Damaged.Error(), damaged) {
			t.Errorf("%s: %+v, %v", name, found, err)
		}
	}
	if found, err := FindCaches(filepath.Join(folder, "none")); err != nil || len(found) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
}
