package experiments

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"rd/rdlib"
)

// ownerFile, in a folder of results or of work, names the profile file whose folder it is, as seen from there. Folders of the
// profiles that come with rd have none.
const ownerFile = "profile.txt"

// CheckFolders refuses a folder of results, and the folder of work, where they are of another profile file, be it of the same
// name: their numbers would mix.
func (p *Plan) CheckFolders(results string) error {
	return errors.Join(p.Matrix.checkOwner(results, "--out"), p.Matrix.checkOwner(p.workFolder(), "--work"))
}

// OpenStore opens a folder of results, see OpenStore, and notes that it is the plan's profile's.
func (p *Plan) OpenStore(results string) (*Store, error) {
	store, err := OpenStore(results)
	if err != nil {
		return nil, err
	}
	return store, p.Matrix.own(results)
}

// workFolder is where what is made on the way lies.
func (p *Plan) workFolder() string { return filepath.Join(p.work, p.Matrix.Name) }

func (m *Matrix) checkOwner(dir, flag string) error {
	note := filepath.Join(dir, ownerFile)
	owner, err := os.ReadFile(note)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("whose folder %s is: %w", dir, err)
	}
	own, err := m.seenFrom(dir)
	if err != nil {
		return err
	}
	if theirs := string(bytes.TrimSpace(owner)); theirs != own {
		return &rdlib.UsageError{Err: fmt.Errorf("%s is the folder of another profile, %s: rename the profile file, or give another %s; if it is this profile, moved, delete %s",
			dir, filepath.Join(dir, theirs), flag, note)}
	}
	return nil
}

// own notes in a folder that is there whose it is.
func (m *Matrix) own(dir string) error {
	owner, err := m.seenFrom(dir)
	if err != nil || owner == "" {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, ownerFile), []byte(owner+"\n"), 0o644); err != nil {
		return fmt.Errorf("note whose folder %s is: %w", dir, err)
	}
	return nil
}

// seenFrom is the path of the profile's file as seen from a folder, so that both may be moved together; "" of a profile that comes
// with rd.
func (m *Matrix) seenFrom(dir string) (string, error) {
	if m.file == "" {
		return "", nil
	}
	from, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	file, err := filepath.Abs(m.file)
	if err != nil {
		return "", err
	}
	if relative, err := filepath.Rel(from, file); err == nil {
		file = relative
	}
	return filepath.ToSlash(file), nil
}
