// Package ortlib finds the ONNX Runtime shared library of this project and opens it once per process,
// for the three things that run on it: the training engine, the teachers and the exported students.
package ortlib

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// PathEnv names the environment variable that overrides the search.
const PathEnv = "ONNXRUNTIME_SHARED_LIBRARY_PATH"

// MinMinor is the oldest accepted release, 1.MinMinor: older ones lack the API version GoMLX's ONNX backend asks for.
const MinMinor = 26

// Library is a libonnxruntime that was found.
type Library struct {
	Path    string // absolute path of the shared library
	Version string // "1.32.0", from the file name or the package's own metadata; "" when neither tells
	Source  string // what named it: the environment variable, ".venv", "onnxruntime-node" or "system"
}

// ErrNotFound is returned by Find when no libonnxruntime is at hand.
var ErrNotFound = errors.New("no ONNX Runtime library found: run `make setup`, or set " + PathEnv + " to a libonnxruntime of version 1." + strconv.Itoa(MinMinor) + " or newer")

// ErrTooOld is wrapped by Find and Init for a library older than 1.MinMinor.
var ErrTooOld = errors.New("ONNX Runtime is too old")

// Find looks for libonnxruntime in this order: the environment variable, the project's .venv, the npm package
// onnxruntime-node, the system's library folders. The first one found decides: a library that is too old is an
// error that names it, not a reason to go on searching.
func Find() (Library, error) {
	if path := os.Getenv(PathEnv); path != "" {
		if info, err := os.Stat(path); err != nil || info.IsDir() {
			return Library{}, fmt.Errorf("%s=%s is not a file: unset it or point it to libonnxruntime", PathEnv, path)
		}
		return check(Library{Path: path, Source: PathEnv})
	}
	if root, err := ProjectRoot(); err == nil {
		if path := newest(filepath.Join(root, ".venv", "lib", "python*", "site-packages", "onnxruntime", "capi", libraryGlob())); path != "" {
			return check(Library{Path: path, Source: ".venv"})
		}
		if path := newest(nodeGlob(filepath.Join(root, "node_modules"))); path != "" {
			return check(Library{Path: path, Source: "onnxruntime-node"})
		}
	}
	if global := npmGlobalRoot(); global != "" {
		if path := newest(nodeGlob(global)); path != "" {
			return check(Library{Path: path, Source: "onnxruntime-node"})
		}
	}
	for _, folder := range systemFolders() {
		if path := newest(filepath.Join(folder, libraryGlob())); path != "" {
			return check(Library{Path: path, Source: "system"})
		}
	}
	return Library{}, ErrNotFound
}

// ProjectRoot returns the folder of the go.mod of module rd, searched upwards from the working directory (tests run in
// package folders), then from the executable (bin/rd; notebook cells run in temporary folders).
func ProjectRoot() (string, error) {
	var starts []string
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		starts = append(starts, filepath.Dir(exe))
	}
	for _, start := range starts {
		for folder := start; ; folder = filepath.Dir(folder) {
			if data, err := os.ReadFile(filepath.Join(folder, "go.mod")); err == nil && moduleLine.Match(data) {
				return folder, nil
			}
			if folder == filepath.Dir(folder) {
				break
			}
		}
	}
	return "", errors.New("the go.mod of module rd is neither above the working directory nor above the executable")
}

var (
	moduleLine  = regexp.MustCompile(`(?m)^module rd\s*$`)
	versionPart = regexp.MustCompile(`\b1\.(\d+)\.\d+\b`)
)

// check fills in the version and refuses a library that is too old. A library whose version no name tells is let
// through: Init asks the library itself.
func check(lib Library) (Library, error) {
	if path, err := filepath.Abs(lib.Path); err == nil {
		lib.Path = path
	}
	lib.Version = versionOf(lib.Path)
	return lib, checkVersion(lib.Path, lib.Version)
}

func checkVersion(path, version string) error {
	match := versionPart.FindStringSubmatch(version)
	if match == nil {
		return nil
	}
	if minor, _ := strconv.Atoi(match[1]); minor < MinMinor {
		return fmt.Errorf("%w: %s is version %s, but 1.%d or newer is needed; run `make setup`, or set %s to a newer one",
			ErrTooOld, path, version, MinMinor, PathEnv)
	}
	return nil
}

// versionOf reads the version off the file name behind the links, the wheel's dist-info folder, or the npm package.json.
func versionOf(path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		real = path
	}
	if v := versionPart.FindString(filepath.Base(real)); v != "" {
		return v
	}
	for folder, depth := filepath.Dir(real), 0; depth < 6; folder, depth = filepath.Dir(folder), depth+1 {
		if infos, _ := filepath.Glob(filepath.Join(folder, "onnxruntime*-*.dist-info")); len(infos) > 0 {
			return versionPart.FindString(filepath.Base(infos[0]))
		}
		if data, err := os.ReadFile(filepath.Join(folder, "package.json")); err == nil {
			if m := packageVersion.FindSubmatch(data); m != nil {
				return string(m[1])
			}
		}
	}
	return ""
}

var packageVersion = regexp.MustCompile(`"version"\s*:\s*"(\d+\.\d+\.\d+)`)

// libraryGlob is the library's file name, with any version behind it.
func libraryGlob() string {
	switch runtime.GOOS {
	case "darwin":
		return "libonnxruntime*.dylib"
	case "windows":
		return "onnxruntime.dll"
	}
	return "libonnxruntime.so*"
}

func nodeGlob(modules string) string {
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return filepath.Join(modules, "onnxruntime-node", "bin", "napi-v*", runtime.GOOS, arch, libraryGlob())
}

func npmGlobalRoot() string {
	out, err := exec.Command("npm", "root", "--global").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func systemFolders() []string {
	folders := filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))
	return append(folders, "/usr/local/lib", "/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/opt/homebrew/lib")
}

// newest returns the last match of the glob in name order, or "".
func newest(glob string) string {
	matches, _ := filepath.Glob(glob)
	matches = slices.DeleteFunc(matches, func(m string) bool {
		info, err := os.Stat(m)
		return err != nil || info.IsDir()
	})
	if len(matches) == 0 {
		return ""
	}
	slices.Sort(matches)
	return matches[len(matches)-1]
}

var initOnce = sync.OnceValue(func() error {
	lib, err := Find()
	if err != nil {
		return err
	}
	// GoMLX's ONNX backend opens the same file through this variable, and must never download another one.
	os.Setenv(PathEnv, lib.Path)
	os.Setenv("GOMLX_NO_AUTO_INSTALL", "1")
	ort.SetSharedLibraryPath(lib.Path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return fmt.Errorf("open ONNX Runtime %s: %w; run `make setup`, or set %s to another one", lib.Path, err, PathEnv)
	}
	return checkVersion(lib.Path, ort.GetVersion())
})

// Init opens the library Find finds, once per process; every later call returns the first one's result.
func Init() error { return initOnce() }

// SessionOptions returns options for a session of the given number of intra-operator threads (0: one per processor),
// one inter-operator thread, and threads that sleep rather than spin while they wait. The caller destroys them.
func SessionOptions(threads int) (*ort.SessionOptions, error) {
	if err := Init(); err != nil {
		return nil, err
	}
	if threads <= 0 {
		threads = runtime.NumCPU()
	}
	options, err := ort.NewSessionOptions()
	if err != nil {
		return nil, fmt.Errorf("create ONNX Runtime session options: %w", err)
	}
	for _, set := range []error{
		options.SetIntraOpNumThreads(threads),
		options.SetInterOpNumThreads(1),
		options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
	} {
		if set != nil {
			options.Destroy()
			return nil, fmt.Errorf("set ONNX Runtime session options: %w", set)
		}
	}
	return options, nil
}
