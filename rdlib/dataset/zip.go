package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// archive is a zip file that is read in place: nothing of it is ever written. Entries whose names lead out of it, links,
// and names that stand in it twice are refused.
type archive struct {
	entries map[string]*zip.File // the usable files, by cleaned name
	names   []string             // of entries, in natural order
	refused []Skipped            // Path is the entry's name
	hidden  int                  // names that begin with a dot, and __MACOSX
}

// maxExpansion is how many times its own size an archive may declare to hold, beside one file of the largest size: images
// are compressed already, and packing them again gains little.
const maxExpansion = 100

// openArchive reads the directory of a zip file. The file is closed when nothing refers to the archive any more.
func openArchive(name string, limits DecodeLimits) (*archive, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, badDataset("%w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, badDataset("%s is no plain file", name)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, badDataset("%w", err)
	}
	reader, err := zip.NewReader(file, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // such names are refused one by one below
		file.Close()
		return nil, badDataset("%s is no zip file, or is cut short (%w): copy or download it again", name, err)
	}
	a := &archive{entries: map[string]*zip.File{}}
	var declared uint64
	for _, entry := range reader.File {
		declared = min(declared+min(entry.UncompressedSize64, 1<<50), 1<<50) // the sum must not overflow
		a.add(entry)
	}
	if declared/maxExpansion > uint64(info.Size())+uint64(limits.Bytes)/maxExpansion {
		file.Close()
		return nil, badDataset("%s declares to hold %d bytes in %d, as a zip bomb does: it is not opened", name, declared, info.Size())
	}
	slices.SortFunc(a.names, CompareNatural)
	return a, nil
}

func (a *archive) add(entry *zip.File) {
	refuse := func(format string, args ...any) {
		a.refused = append(a.refused, Skipped{entry.Name, fmt.Sprintf("zip entry %q ", entry.Name) + fmt.Sprintf(format, args...)})
	}
	name := path.Clean(entry.Name)
	switch mode := entry.Mode(); {
	case leadsOut(entry.Name):
		refuse("has a name that leads out of the archive: it is not read; pack the images again")
	case mode.IsDir():
	case !mode.IsRegular():
		refuse("is no plain file but a link or a device: it is not read; pack the image itself")
	case isHidden(name):
		a.hidden++
	case a.entries[name] != nil:
		refuse("is in the archive twice: the first is used")
	default:
		a.entries[name] = entry
		a.names = append(a.names, name)
	}
}

var driveName = regexp.MustCompile(`^[A-Za-z]:`)

// leadsOut is whether a name, were it unpacked on any system, could land outside the folder.
func leadsOut(name string) bool {
	return name == "" || strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\\\x00") || driveName.MatchString(name) ||
		slices.Contains(strings.Split(name, "/"), "..")
}

// isHidden is whether one of a path's elements is hidden.
func isHidden(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "/"), isHiddenName)
}

// read returns an entry's bytes. p is its path in the data set, for errors, which are all *ImageError.
func (a *archive) read(p, entry string, limits DecodeLimits) ([]byte, error) {
	file := a.entries[entry]
	if file == nil {
		return nil, &ImageError{p, ErrMissing, nil}
	}
	if file.UncompressedSize64 > uint64(limits.Bytes) {
		return nil, &ImageError{p, ErrTooLarge, fmt.Errorf("%d bytes, the limit is %d", file.UncompressedSize64, limits.Bytes)}
	}
	if file.Flags&1 != 0 {
		return nil, &ImageError{p, ErrUnreadable, errors.New("it is encrypted")}
	}
	body, err := file.Open()
	if err != nil {
		return nil, &ImageError{p, ErrUnreadable, err}
	}
	defer body.Close()
	data, err := io.ReadAll(body) // fails as soon as there is more than declared
	if err != nil {
		return nil, &ImageError{p, ErrDamaged, err}
	}
	if len(data) == 0 {
		return nil, &ImageError{p, ErrEmpty, nil}
	}
	return data, nil
}
