package foundation

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
	"github.com/edsrzf/mmap-go"
	"github.com/gomlx/compute/dtypes/float16"
)

// Meta describes a cache. It says all of the teacher that a record needs, so that the model file can be gone.
type Meta struct {
	Key     CacheKey       `json:"key"`
	Name    string         `json:"teacher"`             // Info.Name
	File    string         `json:"teacher_file"`        // base name
	SHA256  string         `json:"teacher_file_sha256"` // of the file alone; see Key.Teacher
	SideCar *SideCar       `json:"side_car,omitempty"`
	Outputs []CachedOutput `json:"outputs"`
	Stages  []string       `json:"stages"` // names of the cached maps, from early to late
	Block   int            `json:"block"`  // items per checksum
}

// Phantom tells whether the teacher was pre-trained on synthetic images, as far as its side-car says.
func (m Meta) Phantom() bool {
	return m.SideCar != nil && m.SideCar.Pretraining != nil && m.SideCar.Pretraining.Phantom
}

// CachedOutput is one kind of feature in a cache.
type CachedOutput struct {
	Name  string `json:"name"`
	Graph string `json:"graph"`
	Shape []int  `json:"shape"` // [channels, height, width] or [channels]
	How   string `json:"how,omitempty"`
}

// Cache is a read-only feature cache, mapped into memory. Its methods may be called from several goroutines. It must be
// closed: there is no finalizer that would.
type Cache struct {
	path   string
	meta   Meta
	layout layout
	origin Origin

	mu       sync.RWMutex // held for writing by Close only
	data     mmap.MMap    // the whole file; nil after Close
	verified []atomic.Bool
}

// OpenOption changes how OpenCache opens.
type OpenOption func(*openSettings)

type openSettings struct {
	want  *CacheKey
	later bool
}

// Expect makes a cache of any other key an error wrapping ErrMismatch.
func Expect(key CacheKey) OpenOption { return func(s *openSettings) { s.want = &key } }

// VerifyLater verifies each block when it is first read, instead of all of them on opening.
func VerifyLater() OpenOption { return func(s *openSettings) { s.later = true } }

// OpenCache opens a cache; the teacher is not needed. Unless told otherwise it reads the whole file once and verifies
// its checksums (xxhash64, faster than any disk: the cost is that of reading the file, and afterwards it is in the
// system's page cache). Errors wrap fs.ErrNotExist, ErrCorrupt or ErrMismatch.
func OpenCache(path string, options ...OpenOption) (*Cache, error) {
	var settings openSettings
	for _, set := range options {
		set(&settings)
	}
	c, err := mapCache(path)
	if err != nil {
		return nil, err
	}
	if settings.want != nil {
		if difference := c.meta.Key.differs(*settings.want); difference != "" {
			c.Close()
			return nil, fmt.Errorf("%w: %s: %s; compute it again", ErrMismatch, path, difference)
		}
	}
	if !settings.later {
		if err := c.Verify(); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

// mapCache maps the file and checks everything but the data.
func mapCache(path string) (*Cache, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open feature cache: %w", err)
	}
	defer file.Close() // the mapping stays
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("open feature cache %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, corrupt(path, errors.New("it is not a file"))
	}
	if info.Size() < headerSize || info.Size() > math.MaxInt {
		return nil, corrupt(path, fmt.Errorf("it has only %d bytes: cut short", info.Size()))
	}
	data, err := mmap.Map(file, mmap.RDONLY, 0)
	if err != nil {
		return nil, fmt.Errorf("map feature cache %s into memory: %w", path, err)
	}
	c := &Cache{path: path, data: data}
	var sum uint64
	if c.meta, c.layout, sum, err = parseHeader(data, info.Size()); err == nil && xxhash.Sum64(data[headerSize:c.layout.data]) != sum {
		err = errors.New("its checksums were changed")
	}
	if err != nil {
		c.Close()
		return nil, corrupt(path, err)
	}
	c.verified = make([]atomic.Bool, c.layout.blocks)
	return c, nil
}

func corrupt(path string, cause error) error {
	return fmt.Errorf("%w: %s: %w; compute it again", ErrCorrupt, path, cause)
}

func (c *Cache) checksums() []byte {
	return c.data[c.layout.checksums : c.layout.checksums+8*int64(c.layout.blocks)]
}

// Verify compares every block that was not read yet with its checksum.
func (c *Cache) Verify() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.data == nil {
		return c.closed()
	}
	for b := range c.layout.blocks {
		if err := c.verify(b); err != nil {
			return err
		}
	}
	return nil
}

// verify needs the lock.
func (c *Cache) verify(block int) error {
	if c.verified[block].Load() {
		return nil
	}
	start, end := c.layout.block(block)
	if checksum(c.data[start:end]) != binary.LittleEndian.Uint64(c.checksums()[8*block:]) {
		return corrupt(c.path, fmt.Errorf("bytes %d to %d were changed", start, end-1))
	}
	c.verified[block].Store(true)
	return nil
}

func (c *Cache) closed() error { return fmt.Errorf("feature cache %s: %w", c.path, ErrClosed) }

// Path of the file.
func (c *Cache) Path() string { return c.path }

// Meta describes the cache.
func (c *Cache) Meta() Meta { return c.meta }

// Key of the cache.
func (c *Cache) Key() CacheKey { return c.meta.Key }

// Len is the number of images.
func (c *Cache) Len() int { return c.meta.Key.Items }

// Views is the number of views of each image.
func (c *Cache) Views() int { return c.meta.Key.Views }

// Bytes is the size of the file.
func (c *Cache) Bytes() int64 { return c.layout.size }

// Origin says how BuildCache came by the cache.
func (c *Cache) Origin() Origin { return c.origin }

// Checksum names the content: two caches have the same exactly when their description and all their features are equal.
func (c *Cache) Checksum() (string, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.data == nil {
		return "", c.closed()
	}
	sum := xxhash.New()
	sum.Write(c.layout.meta)
	sum.Write(c.checksums())
	return fmt.Sprintf("%016x", sum.Sum64()), nil
}

// Shape is an output's shape for one image, [channels, height, width] or [channels]; nil where there is no such output.
func (c *Cache) Shape(output string) []int {
	for _, o := range c.meta.Outputs {
		if o.Name == output {
			return slices.Clone(o.Shape)
		}
	}
	return nil
}

// Shapes are all outputs' shapes.
func (c *Cache) Shapes() map[string][]int {
	shapes := map[string][]int{}
	for _, o := range c.meta.Outputs {
		shapes[o.Name] = slices.Clone(o.Shape)
	}
	return shapes
}

// Read copies the feature of one image under one view into dst, which must have as many values as the output's shape.
func (c *Cache) Read(item, view int, output string, dst []float32) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.read(item, view, output, dst)
}

// ReadBatch copies the features of several images, each under its view, one after the other:
// [len(items), channels, height, width] or [len(items), channels].
func (c *Cache) ReadBatch(items, views []int, output string, dst []float32) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	size := elements(c.Shape(output))
	if len(views) != len(items) || len(dst) != len(items)*size {
		return fmt.Errorf("feature cache %s: %d images of %s, %d views and room for %d values do not fit", c.path, len(items), output, len(views), len(dst))
	}
	for k, item := range items {
		if err := c.read(item, views[k], output, dst[k*size:(k+1)*size]); err != nil {
			return err
		}
	}
	return nil
}

// read needs the lock.
func (c *Cache) read(item, view int, output string, dst []float32) error {
	if c.data == nil {
		return c.closed()
	}
	offset, known := c.layout.offsets[output]
	switch {
	case !known:
		return fmt.Errorf("feature cache %s has no output %q; it has %s", c.path, output, strings.Join(c.meta.Key.Outputs, ", "))
	case item < 0 || item >= c.meta.Key.Items || view < 0 || view >= c.meta.Key.Views:
		return fmt.Errorf("feature cache %s has %d images and %d views; image %d under view %d was asked for", c.path, c.meta.Key.Items, c.meta.Key.Views, item, view)
	case len(dst) != elements(c.Shape(output)):
		return fmt.Errorf("feature cache %s: %s has the shape %v, and there is room for %d values", c.path, output, c.Shape(output), len(dst))
	}
	if err := c.verify(item / c.meta.Block); err != nil {
		return err
	}
	start := c.layout.data + int64(item)*c.layout.itemBytes + int64(view)*c.layout.recordBytes + offset
	decode(c.data[start:start+int64(len(dst))*c.layout.valueBytes], dst, c.meta.Key.Half)
	return nil
}

// decode reads little-endian values, float16 or float32.
func decode(src []byte, dst []float32, half bool) {
	if half {
		single := halfToSingle()
		for i := range dst {
			dst[i] = single[binary.LittleEndian.Uint16(src[2*i:])]
		}
		return
	}
	for i := range dst {
		dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
	}
}

// halfToSingle is every float16 as a float32: looking up is several times faster than converting.
var halfToSingle = sync.OnceValue(func() *[1 << 16]float32 {
	table := new([1 << 16]float32)
	for bits := range table {
		table[bits] = float16.FromBits(uint16(bits)).Float32()
	}
	return table
})

// Close ends the mapping. It waits for reads under way; later ones fail. A second call does nothing.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.data == nil {
		return nil
	}
	err := c.data.Unmap()
	c.data = nil
	if err != nil {
		return fmt.Errorf("unmap feature cache %s: %w", c.path, err)
	}
	return nil
}

// FoundCache is a cache file and its description.
type FoundCache struct {
	Path    string
	Bytes   int64
	Meta    Meta
	Damaged error // not nil: the description cannot be read
}

// FindCaches lists the caches in a folder by their headers alone; their data are not verified. It is how a run finds its
// features when the teacher's file is gone, or those that were computed for another run. A folder that does not exist
// holds none; computations that were interrupted are left out.
func FindCaches(folder string) ([]FoundCache, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for feature caches: %w", err)
	}
	var found []FoundCache
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		meta, size, err := readMeta(path)
		if err != nil && (filepath.Ext(path) != CacheExtension || errors.Is(err, fs.ErrNotExist)) {
			continue // something else, or gone meanwhile
		}
		if err != nil {
			err = corrupt(path, err)
		}
		found = append(found, FoundCache{path, size, meta, err})
	}
	return found, nil
}

// maxMeta bounds how much of a file is read in search of a description.
const maxMeta = 4 << 20

func readMeta(path string) (Meta, int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return Meta{}, 0, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return Meta{}, 0, errors.Join(err, errors.New("it is not a file"))
	}
	head := make([]byte, headerSize)
	n, err := io.ReadFull(file, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Meta{}, info.Size(), fmt.Errorf("it has only %d bytes: cut short", n)
	}
	if err != nil {
		return Meta{}, info.Size(), err
	}
	if length := binary.LittleEndian.Uint32(head[12:]); length <= maxMeta {
		text := make([]byte, length)
		n, _ := io.ReadFull(file, text) // parseHeader says what is missing
		head = append(head, text[:n]...)
	}
	meta, _, _, err := parseHeader(head, info.Size())
	return meta, info.Size(), err
}
