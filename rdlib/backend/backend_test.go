package backend

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"rd/rdlib/backend/ortlib"
)

// addition runs a small graph on what Open returned.
func addition(t *testing.T, o Options) string {
	t.Helper()
	b, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	exec, err := graph.NewExec(b, func(x *graph.Node) *graph.Node { return graph.AddScalar(x, 1) })
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Exec1([]float32{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	if got := tensors.MustCopyFlatData[float32](out); !slices.Equal(got, []float32{2, 3}) {
		t.Errorf("[1 2] + 1 = %v", got)
	}
	if VersionOf(b) == "" && NameOf(b) != Go { // a test binary does not know the versions of its modules
		t.Errorf("%s has no version", NameOf(b))
	}
	if o.Threads > 0 && ThreadsOf(b) != o.Threads {
		t.Errorf("%s has %d threads, want %d", NameOf(b), ThreadsOf(b), o.Threads)
	}
	return NameOf(b)
}

// emptyMachine hides every plugin and library.
func emptyMachine(t *testing.T) {
	t.Helper()
	for _, name := range []string{PluginPathEnv, "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", Env} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("PATH", t.TempDir())
}

func TestOpenByName(t *testing.T) {
	t.Setenv(Env, "nonsense")
	if got := addition(t, Options{Name: Go}); got != Go {
		t.Errorf("opened %s, want %s", got, Go)
	}
	if got := addition(t, Options{Name: Go, Threads: 1}); got != Go {
		t.Errorf("opened %s, want %s", got, Go)
	}
	if _, err := ortlib.Find(); err != nil {
		t.Skip(err)
	}
	if got := addition(t, Options{Name: ONNX, Threads: 2}); got != ONNX {
		t.Errorf("opened %s, want %s", got, ONNX)
	}
}

func TestEnvironmentOverrides(t *testing.T) {
	t.Setenv(Env, Go)
	if got := addition(t, Options{}); got != Go {
		t.Errorf("%s=%s opened %s", Env, Go, got)
	}
}

func TestUnknownBackendIsAnErrorThatNamesTheNearest(t *testing.T) {
	for name, nearest := range map[string]string{"onx": ONNX, "xlacuda": CUDA, "g": Go, "tensorflow": ""} {
		t.Setenv(Env, name)
		_, err := Open(Options{})
		if err == nil || !strings.Contains(err.Error(), Env+"="+name) || !strings.Contains(err.Error(), `"`+nearest) {
			t.Errorf("%s=%s: %v", Env, name, err)
		}
	}
}

func TestOptionsABackendLacksAreErrors(t *testing.T) {
	for _, o := range []Options{{Name: Go, Profile: "p"}, {Name: Go, Threads: -1}, {Name: "go:fast"}, {Name: "onnx:cuda"}} {
		if b, err := Open(o); err == nil {
			b.Finalize()
			t.Errorf("%+v: no error", o)
		}
	}
}

func TestDetectOnAnEmptyMachine(t *testing.T) {
	emptyMachine(t)
	t.Setenv(ortlib.PathEnv, filepath.Join(t.TempDir(), "libonnxruntime.so"))
	infos := Detect()
	var names []string
	for _, info := range infos {
		names = append(names, info.Name)
		if info.Detail == "" || (!info.Available && info.Remedy == "") {
			t.Errorf("%+v says too little", info)
		}
		if info.Name == ONNX && info.Available {
			t.Errorf("%+v", info)
		}
	}
	if want := []string{CUDA, XLACPU, ONNX, Go}; !slices.Equal(names, want) {
		t.Errorf("backends %v, want %v", names, want)
	}
	if last := infos[len(infos)-1]; !last.Available {
		t.Errorf("Go is not available: %+v", last)
	}
}

// sharedLibrary is the smallest ELF file with a dynamic symbol table of one exported name.
func sharedLibrary(symbol string) []byte {
	var names bytes.Buffer
	name := func(s string) uint32 {
		at := names.Len()
		names.WriteString(s + "\x00")
		return uint32(at)
	}
	name("")
	symbolName := name(symbol)
	const header, sectionSize = 64, 64
	type section struct {
		Name, Type             uint32
		Flags, Addr, Off, Size uint64
		Link, Info             uint32
		Align, EntrySize       uint64
	}
	dynsym, dynstr := name(".dynsym"), name(".dynstr")
	symbols := make([]byte, 48)
	binary.LittleEndian.PutUint32(symbols[24:], symbolName)
	symbols[28] = 0x12                             // global function
	binary.LittleEndian.PutUint16(symbols[30:], 1) // defined in section 1
	sections := []section{{}, {Name: dynsym, Type: 11, Off: header, Size: 48, Link: 2, Info: 1, Align: 8, EntrySize: 24},
		{Name: dynstr, Type: 3, Off: header + 48, Size: uint64(names.Len()), Align: 1}}
	var file bytes.Buffer
	file.Write([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, field := range []any{uint16(3), uint16(62), uint32(1), uint64(0), uint64(0), uint64(header + 48 + names.Len()), uint32(0),
		uint16(header), uint16(0), uint16(0), uint16(sectionSize), uint16(len(sections)), uint16(2)} {
		binary.Write(&file, binary.LittleEndian, field)
	}
	file.Write(symbols)
	file.Write(names.Bytes())
	for _, s := range sections {
		binary.Write(&file, binary.LittleEndian, s)
	}
	return file.Bytes()
}

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPluginsAreFound(t *testing.T) {
	emptyMachine(t)
	folder, python := t.TempDir(), t.TempDir()
	plugin := sharedLibrary("GetPjrtApi")
	cpu := write(t, filepath.Join(folder, "pjrt_c_api_cpu_v0.83.1_plugin.so"), plugin)
	jax := write(t, filepath.Join(python, "lib", "python3.13", "site-packages", "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so"), plugin)
	write(t, filepath.Join(folder, "libother.so"), plugin)
	t.Setenv(PluginPathEnv, folder)
	t.Setenv("VIRTUAL_ENV", python)
	found := PJRTPlugins()
	if want := []Plugin{{"cuda", jax}, {"cpu", cpu}}; !slices.Equal(found, want) {
		t.Errorf("plugins %v, want %v", found, want)
	}
	infos := Detect()
	if infos[0].Available != hasNVIDIADevice() || !infos[1].Available || infos[1].Detail != cpu {
		t.Errorf("%+v", infos[:2])
	}
	// The interpreter on PATH leads to its packages as well.
	t.Setenv("VIRTUAL_ENV", "")
	t.Setenv("PATH", filepath.Dir(write(t, filepath.Join(python, "bin", "python3"), nil)))
	if found := PJRTPlugins(); !slices.Contains(found, Plugin{"cuda", jax}) {
		t.Errorf("plugins %v lack that of the python3 on PATH", found)
	}
}

func TestPluginNames(t *testing.T) {
	for file, want := range map[string]string{
		"pjrt_c_api_cpu_plugin.so": "cpu", "pjrt_c_api_cpu_v0.83.1_plugin.so": "cpu", "pjrt-plugin-tpu.so": "tpu",
		"xla_cuda_plugin.so": "cuda", "xla_cuda12_plugin.so": "cuda", "pjrt_c_api_cuda_plugin.dylib": "cuda", "libfoo.so": "", "plugin.so": "",
	} {
		if got := pluginName("/x/" + file); got != want {
			t.Errorf("%s is a plugin for %q, want %q", file, got, want)
		}
	}
}

func TestBadPluginsAreClearErrors(t *testing.T) {
	emptyMachine(t)
	folder := t.TempDir()
	cases := map[string]string{
		write(t, filepath.Join(folder, "pjrt_c_api_cpu_plugin.so"), []byte("garbage")):                "not a shared library",
		write(t, filepath.Join(folder, "pjrt_c_api_cuda_plugin.so"), sharedLibrary("something_else")): "GetPjrtApi",
		filepath.Join(folder, "missing_plugin.so"):                                                    "cannot be read",
		folder: "is a folder",
	}
	for path, want := range cases {
		_, err := Open(Options{Name: "xla:" + path})
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	t.Setenv(PluginPathEnv, folder)
	for _, info := range Detect()[:2] {
		if info.Available || info.Remedy == "" {
			t.Errorf("%+v", info)
		}
	}
	// A library that looks right and cannot be loaded fails when it is opened.
	looksRight := write(t, filepath.Join(folder, "pjrt_c_api_tpu_plugin.so"), sharedLibrary("GetPjrtApi"))
	if _, err := Open(Options{Name: "xla:" + looksRight}); err == nil || !strings.Contains(err.Error(), looksRight) {
		t.Errorf("%s: %v", looksRight, err)
	}
	t.Setenv(PluginPathEnv, "")
	if _, err := Open(Options{Name: CUDA}); err == nil || !strings.Contains(err.Error(), "pip install jax-cuda13-pjrt") {
		t.Errorf("no plugin: %v", err)
	}
}
