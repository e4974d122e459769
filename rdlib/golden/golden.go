// Package golden reads the golden vector files that tests compare with: inputs, parameters, outputs and gradients of
// reference implementations, one JSON file per case. It says which package's tests read which file, decodes the files,
// runs one subtest per file and compares. Only tests import it.
//
// The files are those of the folder in the environment variable RD_GOLDEN_DIR, relative to the project's root; without
// the variable those of the testing package's own testdata folder. Sizes and hyper-parameters stand in the files, never
// in the tests, so any folder of files of these families can be tested against.
package golden

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rd/rdlib/backend/ortlib"
)

// DirVariable names the environment variable with the folder of the vector files.
const DirVariable = "RD_GOLDEN_DIR"

// indexName is the base name of the list of files that lies beside them; it is no vector file.
const indexName = "index"

// Test compares a package with one vector file.
type Test func(t *testing.T, v *Vector)

// Run runs one subtest, named after the file, for every vector file that falls to the package named owner (see
// families). tests holds the package's tests by family. A file of a family without a test is skipped with a reason that
// begins with "pending:", and so is every file of no known family, which falls to the owner Rest.
//
// In the package's own testdata every family with a test must have a file.
func Run(t *testing.T, owner string, tests map[string]Test) {
	t.Helper()
	for name := range tests {
		if !slices.ContainsFunc(families, func(f family) bool { return f.name == name && f.owner == owner }) {
			t.Errorf("the family %s of golden vectors is not listed as one that package %s reads", name, owner)
		}
	}
	dir, given, err := folder()
	if err != nil {
		t.Fatal(err)
	}
	files, err := list(dir)
	if err != nil && !(owner == Rest && !given) { // no package's testdata holds the files that fall to no package
		t.Fatal(err)
	}
	met := map[string]bool{}
	for _, file := range files {
		name := baseName(file)
		f := familyOf(name)
		if f.owner != owner {
			continue
		}
		met[f.name] = true
		t.Run(name, func(t *testing.T) {
			test, ok := tests[f.name]
			if !ok {
				Pending(t, "%s", f.missing())
			}
			v, err := Open(file)
			if err != nil {
				t.Fatal(err)
			}
			test(t, v)
		})
	}
	for name := range tests {
		switch {
		case met[name]:
		case given:
			t.Logf("no vectors of %s in %s", name, dir)
		default:
			t.Errorf("no vectors of %s in %s", name, dir)
		}
	}
}

// Pending skips the rest of the test because what it is about is not built yet.
func Pending(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Skip("pending: " + fmt.Sprintf(format, args...))
}

// folder returns the absolute folder of the vector files, and whether DirVariable gave it.
func folder() (dir string, given bool, err error) {
	dir = os.Getenv(DirVariable)
	switch {
	case dir == "":
		dir, err = filepath.Abs("testdata")
		return dir, false, err
	case filepath.IsAbs(dir):
		return dir, true, nil
	}
	root, err := ortlib.ProjectRoot() // tests run in their package's folder
	if err != nil {
		return "", true, fmt.Errorf("%s=%s is relative to the project's root: %w", DirVariable, dir, err)
	}
	return filepath.Join(root, dir), true, nil
}

// list returns the vector files of a folder, sorted by name; it is an error to find none.
func list(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of golden vectors: %w", err)
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && filepath.Ext(e.Name()) == ".json" && baseName(e.Name()) != indexName {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, errors.New("no golden vectors (*.json) in " + dir)
	}
	return files, nil
}

func baseName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".json") }
