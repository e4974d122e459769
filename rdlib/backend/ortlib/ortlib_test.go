package ortlib

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// project makes an empty project folder the working directory and hides every other library.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	write(t, filepath.Join(root, "go.mod"), "module rd\n\ngo 1.26\n")
	t.Chdir(root)
	t.Setenv(PathEnv, "")
	t.Setenv("LD_LIBRARY_PATH", "")
	t.Setenv("PATH", t.TempDir()) // no npm
	return root
}

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func onLinux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the file names are Linux's")
	}
}

func wheel(t *testing.T, root, version string) string {
	return write(t, filepath.Join(root, ".venv", "lib", "python3.13", "site-packages", "onnxruntime", "capi", "libonnxruntime.so."+version), "")
}

func node(t *testing.T, root, version string) string {
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	folder := filepath.Join(root, "node_modules", "onnxruntime-node")
	write(t, filepath.Join(folder, "package.json"), `{"name": "onnxruntime-node", "version": "`+version+`"}`)
	return write(t, filepath.Join(folder, "bin", "napi-v6", "linux", arch, "libonnxruntime.so.1"), "")
}

func TestFindPrefers(t *testing.T) {
	onLinux(t)
	root := project(t)
	check := func(want Library) {
		t.Helper()
		got, err := Find()
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("found %+v, want %+v", got, want)
		}
	}
	system := write(t, filepath.Join(t.TempDir(), "libonnxruntime.so.1.27.0"), "")
	t.Setenv("LD_LIBRARY_PATH", filepath.Dir(system))
	check(Library{system, "1.27.0", "system"})
	check(Library{node(t, root, "1.30.0"), "1.30.0", "onnxruntime-node"})
	wheel(t, root, "1.28.1")
	check(Library{wheel(t, root, "1.32.0"), "1.32.0", ".venv"})
	named := write(t, filepath.Join(t.TempDir(), "libonnxruntime.so.1.31.0"), "")
	t.Setenv(PathEnv, named)
	check(Library{named, "1.31.0", PathEnv})
}

func TestNPMsGlobalPackages(t *testing.T) {
	onLinux(t)
	project(t)
	global := t.TempDir()
	library := node(t, global, "1.29.0")
	npm := write(t, filepath.Join(t.TempDir(), "npm"), "#!/bin/sh\necho "+filepath.Join(global, "node_modules")+"\n")
	if err := os.Chmod(npm, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", filepath.Dir(npm)+":/bin:/usr/bin")
	got, err := Find()
	if err != nil || got != (Library{library, "1.29.0", "onnxruntime-node"}) {
		t.Errorf("found %+v, %v", got, err)
	}
}

func TestNothingFoundTellsTheRemedy(t *testing.T) {
	project(t)
	for _, folder := range systemFolders() {
		if newest(filepath.Join(folder, libraryGlob())) != "" {
			t.Skip("this system has an ONNX Runtime of its own")
		}
	}
	if _, err := Find(); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "make setup") {
		t.Errorf("%v", err)
	}
}

func TestTooOldIsRefused(t *testing.T) {
	onLinux(t)
	root := project(t)
	old := wheel(t, root, "1.25.2")
	node(t, root, "1.30.0") // further down the list: no reason to go on
	_, err := Find()
	if !errors.Is(err, ErrTooOld) {
		t.Fatalf("%v", err)
	}
	for _, part := range []string{old, "1.25.2", "1.26", "make setup"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q lacks %q", err, part)
		}
	}
}

func TestMissingFileInTheEnvironment(t *testing.T) {
	project(t)
	for _, path := range []string{filepath.Join(t.TempDir(), "nowhere.so"), t.TempDir()} {
		t.Setenv(PathEnv, path)
		if _, err := Find(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), PathEnv) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestVersionOfAWheelWithoutOneInTheName(t *testing.T) {
	onLinux(t)
	root := project(t)
	packages := filepath.Join(root, ".venv", "lib", "python3.13", "site-packages")
	write(t, filepath.Join(packages, "onnxruntime", "capi", "libonnxruntime.so"), "")
	write(t, filepath.Join(packages, "onnxruntime-1.30.2.dist-info", "METADATA"), "")
	if got, err := Find(); err != nil || got.Version != "1.30.2" {
		t.Errorf("found %+v, %v", got, err)
	}
}

func TestProjectRoot(t *testing.T) {
	root := project(t)
	deep := filepath.Join(root, "a", "b")
	write(t, filepath.Join(deep, "file"), "")
	// A module of another name on the way does not count.
	write(t, filepath.Join(root, "a", "go.mod"), "module rdx\n")
	t.Chdir(deep)
	if got, err := ProjectRoot(); err != nil || got != root {
		t.Errorf("root %s, %v, want %s", got, err, root)
	}
}

func TestProjectRootFromTheExecutable(t *testing.T) {
	root := project(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	copied := write(t, filepath.Join(root, "bin", "test"), string(binary))
	if err := os.Chmod(copied, 0o755); err != nil {
		t.Fatal(err)
	}
	command := exec.Command(copied, "-test.run=^TestPrintProjectRoot$", "-test.v")
	command.Dir = t.TempDir()
	command.Env = append(os.Environ(), printEnv+"=1")
	out, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "root="+root+"\n") {
		t.Errorf("%v:\n%s", err, out)
	}
}

// printEnv turns the tests below, which are run in processes of their own, on.
const printEnv = "RD_TEST_PRINT"

func TestPrintProjectRoot(t *testing.T) {
	if os.Getenv(printEnv) == "" {
		t.Skip("run by TestProjectRootFromTheExecutable")
	}
	root, err := ProjectRoot()
	t.Logf("root=%s\n%v", root, err)
	os.Stdout.WriteString("root=" + root + "\n")
}

func TestPrintInit(t *testing.T) {
	if os.Getenv(printEnv) == "" {
		t.Skip("run by TestGarbageLibraryIsAClearError")
	}
	for range 2 {
		if err := Init(); err != nil {
			os.Stdout.WriteString("error=" + err.Error() + "\n")
		}
	}
	if _, err := SessionOptions(1); err == nil {
		t.Error("session options without a library")
	}
}

func TestGarbageLibraryIsAClearError(t *testing.T) {
	garbage := write(t, filepath.Join(t.TempDir(), "libonnxruntime.so"), "garbage")
	command := exec.Command(os.Args[0], "-test.run=^TestPrintInit$", "-test.v")
	command.Env = append(os.Environ(), printEnv+"=1", PathEnv+"="+garbage)
	out, err := command.CombinedOutput()
	text := string(out)
	if err != nil || strings.Count(text, "error=open ONNX Runtime "+garbage) != 2 || !strings.Contains(text, "make setup") {
		t.Errorf("%v:\n%s", err, text)
	}
}

func TestSessionOptions(t *testing.T) {
	if _, err := Find(); err != nil {
		t.Skip(err)
	}
	options, err := SessionOptions(0)
	if err != nil {
		t.Fatal(err)
	}
	defer options.Destroy()
	if spin, err := options.GetSessionConfigEntry("session.intra_op.allow_spinning"); err != nil || spin != "0" {
		t.Errorf("allow_spinning is %q, %v", spin, err)
	}
}
