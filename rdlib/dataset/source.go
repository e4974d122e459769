package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// source reads the files of a data set by their paths below its root. A zip file is read in place, as if it were a folder:
// "CT_COVID.zip/CT_COVID/1.png" is an entry of it. It is safe for concurrent use.
type source struct {
	root   string
	limits DecodeLimits

	lock sync.Mutex
	zips map[string]*archive // by path below root; nil for a folder whose name ends in .zip
}

func newSource(root string, limits DecodeLimits) *source {
	return &source{root: root, limits: limits.withDefaults(), zips: map[string]*archive{}}
}

// place is where a path lies on this machine.
func (s *source) place(path string) string { return filepath.Join(s.root, filepath.FromSlash(path)) }

// archive opens a zip file once. It stays open for as long as the source is in use. A folder of that name gives nil.
func (s *source) archive(path string) (*archive, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if a, seen := s.zips[path]; seen {
		return a, nil
	}
	var a *archive
	if info, err := os.Stat(s.place(path)); err != nil || !info.IsDir() {
		if a, err = openArchive(s.place(path), s.limits); err != nil {
			return nil, err
		}
	}
	s.zips[path] = a
	return a, nil
}

// splitZip cuts a path behind its first folder whose name ends in .zip; entry is "" where there is none.
func splitZip(path string) (zip, entry string) {
	const extension = ".zip"
	if at := strings.Index(strings.ToLower(path), extension+"/"); at > 0 {
		return path[:at+len(extension)], path[at+len(extension)+1:]
	}
	return path, ""
}

// missing is whether there is no file of that path, nor, in a zip file, an entry.
func (s *source) missing(path string) bool {
	if zip, entry := splitZip(path); entry != "" {
		a, err := s.archive(zip)
		switch {
		case a != nil:
			return a.entries[entry] == nil
		case err != nil:
			return errors.Is(err, fs.ErrNotExist)
		}
	}
	_, err := os.Stat(s.place(path))
	return errors.Is(err, fs.ErrNotExist)
}

// read returns the bytes of a non-empty file that is not over the limit. Every error is an *ImageError with the path.
func (s *source) read(path string) ([]byte, error) {
	if zip, entry := splitZip(path); entry != "" {
		a, err := s.archive(zip)
		if err != nil {
			return nil, &ImageError{path, ErrUnreadable, err}
		}
		if a != nil {
			return a.read(path, entry, s.limits)
		}
	}
	data, err := readPlainFile(s.place(path), s.limits)
	var failed *ImageError
	if errors.As(err, &failed) {
		failed.Path = path
		var where *fs.PathError // names the file again, with its absolute path
		if errors.As(failed.Cause, &where) {
			failed.Cause = where.Err
		}
	}
	return data, err
}

// decode reads and decodes an image and returns the sha256 of its bytes too, which is known even if decoding fails.
func (s *source) decode(path string) (img image.Image, hash string, err error) {
	data, err := s.read(path)
	if err != nil {
		return nil, "", err
	}
	sum := sha256.Sum256(data)
	img, err = decodeBytes(path, data, s.limits)
	return img, hex.EncodeToString(sum[:]), err
}

// readPlainFile reads a plain, non-empty file that is not over the limit.
func readPlainFile(path string, limits DecodeLimits) ([]byte, error) {
	info, err := os.Stat(path) // before opening: opening a pipe would wait for ever
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &ImageError{path, ErrMissing, nil}
	}
	if err != nil {
		return nil, &ImageError{path, ErrUnreadable, err}
	}
	if !info.Mode().IsRegular() {
		what := fmt.Sprint(info.Mode().Type())
		if info.IsDir() {
			what = "a folder: give its images, as in FOLDER/*.png"
		}
		return nil, &ImageError{path, ErrUnreadable, fmt.Errorf("it is no plain file but %s", what)}
	}
	if info.Size() > limits.Bytes {
		return nil, &ImageError{path, ErrTooLarge, fmt.Errorf("%d bytes, the limit is %d", info.Size(), limits.Bytes)}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, &ImageError{path, ErrUnreadable, err}
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limits.Bytes))
	if err != nil {
		return nil, &ImageError{path, ErrUnreadable, err}
	}
	if len(data) == 0 {
		return nil, &ImageError{path, ErrEmpty, nil}
	}
	return data, nil
}
