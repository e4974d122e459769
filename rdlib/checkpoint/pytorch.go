package checkpoint

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/nlpodyssey/gopickle/types"

	"rd/rdlib/model"
)

// readPyTorch reads the file at f.Path.
func (f *File) readPyTorch(key string) error {
	file, err := os.Open(f.Path)
	if err != nil {
		return fmt.Errorf("read weights: %w", err)
	}
	defer file.Close()
	open := openLegacy
	if f.Format == PyTorch {
		open = openZip
	}
	root, source, err := open(file, f.Bytes)
	if err == nil {
		var tensors map[string]*tensor
		if tensors, err = f.find(root, key); err == nil {
			f.Weights, err = materialise(tensors, source)
		}
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrCode), errors.Is(err, errKey):
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return fmt.Errorf("%w: %s: %w; download or save it again", ErrFormat, f.Path, err)
}

// storages returns the bytes of a storage.
type storages func(s *storage) ([]byte, error)

// openZip reads what torch.save writes since PyTorch 1.6: a zip archive with a pickle and one entry for each storage.
func openZip(file *os.File, size int64) (any, storages, error) {
	archive, err := zip.NewReader(file, size)
	if err != nil {
		return nil, nil, fmt.Errorf("its zip archive is cut short or damaged (%w)", err)
	}
	entries := map[string]*zip.File{}
	folder := ""
	for _, entry := range archive.File {
		entries[entry.Name] = entry
		switch path.Base(entry.Name) {
		case "data.pkl":
			folder = path.Dir(entry.Name)
		case "constants.pkl":
			return nil, nil, fmt.Errorf("%w: it is a TorchScript program; save the state_dict of its module instead", ErrCode)
		}
	}
	if folder == "" {
		return nil, nil, errors.New("its zip archive holds no data.pkl, so torch.save did not write it")
	}
	read := func(name string, want int64) ([]byte, error) {
		entry := entries[path.Join(folder, name)]
		if entry == nil {
			return nil, fmt.Errorf("its zip archive has no entry %s", name)
		}
		return readEntry(entry, want, size)
	}
	if entries[path.Join(folder, "byteorder")] != nil {
		if order, err := read("byteorder", -1); err != nil || string(order) != "little" {
			return nil, nil, fmt.Errorf("its numbers are written in the order %q (%v): only little is read", order, err)
		}
	}
	data, err := read("data.pkl", -1)
	if err != nil {
		return nil, nil, err
	}
	root, _, err := unpickle(data, readStorage)
	return root, func(s *storage) ([]byte, error) {
		return read("data/"+s.key, int64(s.elements)*int64(s.dtype.bytes))
	}, err
}

// readEntry reads a whole entry and checks its sum; want is its length, -1 for any. An entry that claims to be larger
// than its compressed bytes can be is not believed.
func readEntry(entry *zip.File, want, archive int64) ([]byte, error) {
	const ratio = 1100 // deflate's limit is 1032
	length := int64(entry.UncompressedSize64)
	switch {
	case length < 0 || int64(entry.CompressedSize64) < 0 || int64(entry.CompressedSize64) > archive || length > ratio*int64(entry.CompressedSize64):
		return nil, fmt.Errorf("its entry %s claims %d bytes: the archive is damaged", entry.Name, entry.UncompressedSize64)
	case want >= 0 && length != want:
		return nil, fmt.Errorf("its entry %s has %d bytes, and the tensors in it need %d", entry.Name, length, want)
	}
	r, err := entry.Open()
	if err != nil {
		return nil, fmt.Errorf("its entry %s cannot be read: %w", entry.Name, err)
	}
	defer r.Close()
	data := make([]byte, length)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("its entry %s is cut short: %w", entry.Name, err)
	}
	if _, err := r.Read(make([]byte, 1)); err != io.EOF { // the sum is compared at the end
		return nil, fmt.Errorf("its entry %s is damaged: %v", entry.Name, err)
	}
	return data, nil
}

// legacyMagic is the number that files of torch.save begin with, in base 16.
const legacyMagic = "1950a86a20f9469cfc6c"

// openLegacy reads what torch.save wrote before PyTorch 1.6: five pickles (a magic number, a version, facts of the machine,
// the object, the storages' keys), and the storages one after another, each with its number of elements before it.
func openLegacy(file *os.File, _ int64) (any, storages, error) {
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, nil, err
	}
	known := map[string]*storage{}
	var parts [5]any
	rest := data
	for i := range parts {
		var length int
		parts[i], length, err = unpickle(rest, func(id []any) (any, error) {
			s, err := readStorage(id)
			if s, ok := s.(*storage); ok {
				known[s.key] = s
			}
			return s, err
		})
		if err != nil {
			return nil, nil, err
		}
		if n, ok := parts[0].(*big.Int); !ok || n.Text(16) != legacyMagic {
			return nil, nil, errors.New("it is a pickle, but not one of torch.save")
		}
		rest = rest[length:]
	}
	keys, ok := parts[4].(*types.List)
	if !ok {
		return nil, nil, errors.New("it has no list of storages")
	}
	raw := map[string][]byte{}
	for _, key := range *keys {
		s := known[fmt.Sprint(key)]
		if s == nil {
			return nil, nil, fmt.Errorf("it has a storage %v that no tensor uses", key)
		}
		if len(rest) < 8 {
			return nil, nil, fmt.Errorf("it ends before storage %s: it is cut short", s.key)
		}
		count := little.Uint64(rest)
		rest = rest[8:]
		if count > uint64(len(rest)/s.dtype.bytes) {
			return nil, nil, fmt.Errorf("it ends within storage %s of %d elements: it is cut short", s.key, count)
		}
		bytes := int(count) * s.dtype.bytes
		raw[s.key], rest = rest[:bytes], rest[bytes:]
	}
	if len(rest) > 0 {
		return nil, nil, fmt.Errorf("%d bytes follow the last storage", len(rest))
	}
	return parts[3], func(s *storage) ([]byte, error) {
		data, ok := raw[s.key]
		if !ok || len(data) != s.elements*s.dtype.bytes {
			return nil, fmt.Errorf("storage %s has %d bytes, and %d elements of %s were announced", s.key, len(data), s.elements, s.dtype.storage)
		}
		return data, nil
	}, nil
}

// viewOf reads where a part of a storage begins: a triple of key, offset and size.
func viewOf(value any) (first int, ok bool) {
	var triple []any
	switch v := value.(type) {
	case *types.Tuple:
		triple = *v
	case *types.List:
		triple = *v
	}
	if len(triple) != 3 {
		return 0, false
	}
	first, ok = triple[1].(int)
	return first, ok && first >= 0
}

// maxShare bounds how many elements tensors may have together, in elements of the storages they are cut from: tied weights
// share theirs, but not among hundreds.
const maxShare = 4

// materialise reads the tensors' values, one storage after another.
func materialise(tensors map[string]*tensor, read storages) (model.Weights, error) {
	type part struct {
		name   string
		tensor *tensor
	}
	users := map[string][]part{}
	wanted, there := 0, 0
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		t := tensors[name]
		if err := t.check(name); err != nil {
			return nil, err
		}
		if users[t.storage.key] == nil {
			there += t.storage.elements
		}
		count, _ := elementsOf(t.size)
		wanted += count
		users[t.storage.key] = append(users[t.storage.key], part{name, t})
	}
	if wanted > maxShare*there {
		return nil, fmt.Errorf("its tensors have %d elements, cut from %d: that are no weights", wanted, there)
	}
	weights := model.Weights{}
	for _, key := range slices.Sorted(maps.Keys(users)) {
		var raw []byte
		for i, p := range users[key] {
			s := p.tensor.storage
			if first := users[key][0].tensor.storage; s.dtype.storage != first.dtype.storage || s.elements != first.elements {
				return nil, fmt.Errorf("storage %s is said to be of two types or sizes", key)
			}
			if i == 0 {
				var err error
				if raw, err = read(s); err != nil {
					return nil, err
				}
			}
			weights[p.name] = p.tensor.values(raw)
		}
	}
	return weights, nil
}

// usualKeys are the entries under which training programs keep a model's weights.
var usualKeys = []string{"state_dict", "model_state_dict", "model", "net", "network"}

// errKey says that it is open which entry of a file is meant.
var errKey = errors.New("several entries hold weights")

// entry is one of a dictionary's.
type entry struct {
	key   string
	value any
}

// entriesOf lists a dictionary's entries; nil for anything else.
func entriesOf(value any) []entry {
	var list []entry
	switch d := value.(type) {
	case *types.Dict:
		for _, e := range *d {
			list = append(list, entry{keyText(e.Key), e.Value})
		}
	case *types.OrderedDict:
		for e := d.List.Front(); e != nil; e = e.Next() {
			if pair, ok := e.Value.(*types.OrderedDictEntry); ok {
				list = append(list, entry{keyText(pair.Key), pair.Value})
			}
		}
	}
	return list
}

// keyText is a key's text; keys are strings, and numbers in what optimizers keep.
func keyText(key any) string {
	switch k := key.(type) {
	case string:
		return k
	case int:
		return fmt.Sprint(k)
	}
	return fmt.Sprintf("(%T)", key)
}

// find returns the tensors of the entry that holds the weights, and notes the rest in f.Other.
func (f *File) find(root any, key string) (map[string]*tensor, error) {
	found := map[string]map[string]*tensor{}
	if !isDictionary(root) {
		return nil, fmt.Errorf("it holds a %T and no state_dict", root)
	}
	search("", root, 0, found, map[any]bool{})
	if len(found) == 0 {
		return nil, errors.New("it holds no tensors by name")
	}
	if key == "" {
		var err error
		if key, err = usual(found); err != nil {
			return nil, err
		}
	}
	tensors, ok := found[key]
	if !ok {
		return nil, fmt.Errorf("%w, but none under %q: there are %s", errKey, key, quoted(found))
	}
	f.Wrapper = key
	for _, e := range entriesOf(root) {
		if _, isTensor := e.value.(*tensor); !(isTensor && key == "") && e.key != key && !strings.HasPrefix(key, e.key+".") {
			f.Other = append(f.Other, e.key)
		}
	}
	slices.Sort(f.Other)
	return tensors, nil
}

// maxDepth bounds how deep weights are looked for.
const maxDepth = 3

// search collects the dictionaries that hold tensors, by their path. A dictionary may hold itself, so each is looked into
// once. What optimizers keep is passed over.
func search(at string, dictionary any, depth int, found map[string]map[string]*tensor, seen map[any]bool) {
	seen[dictionary] = true
	for _, e := range entriesOf(dictionary) {
		if t, ok := e.value.(*tensor); ok {
			if found[at] == nil {
				found[at] = map[string]*tensor{}
			}
			if !strings.HasSuffix("."+e.key, ".num_batches_tracked") {
				found[at][e.key] = t
			}
			continue
		}
		if isDictionary(e.value) && !seen[e.value] && depth < maxDepth && !strings.HasPrefix(e.key, "optim") {
			search(strings.TrimPrefix(at+"."+e.key, "."), e.value, depth+1, found, seen)
		}
	}
}

func isDictionary(value any) bool {
	switch value.(type) {
	case *types.Dict, *types.OrderedDict:
		return true
	}
	return false
}

// usual chooses the entry that is meant: the only one, the file itself, or the one usual key.
func usual(found map[string]map[string]*tensor) (string, error) {
	if len(found) == 1 {
		return slices.Collect(maps.Keys(found))[0], nil
	}
	if len(found[""]) > 0 {
		return "", nil
	}
	var usual []string
	for key := range found {
		if slices.Contains(usualKeys, key) {
			usual = append(usual, key)
		}
	}
	if len(usual) == 1 {
		return usual[0], nil
	}
	return "", fmt.Errorf("%w: %s; say which is meant", errKey, quoted(found))
}

func quoted(found map[string]map[string]*tensor) string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(found)) {
		list = append(list, fmt.Sprintf("%q (%d tensors)", key, len(found[key])))
	}
	return strings.Join(list, ", ")
}
