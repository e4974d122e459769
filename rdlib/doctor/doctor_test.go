package doctor

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rd/rdlib/backend"
)

// program writes an executable shell script and returns its folder.
func program(t *testing.T, name, script string) string {
	t.Helper()
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func write(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReportHasTheAgreedFields(t *testing.T) {
	data, err := json.Marshal(Collect(context.Background(), Options{}))
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Backends []map[string]any
		Default  *string
		Go       struct{ Version string }
		CPU      struct {
			Usable   int
			Features []string
		}
		Memory struct{ Total uint64 }
		Disk   struct{ Free uint64 }
		GPUs   []any
		PJRT   []any `json:"pjrt_plugins"`
		Tools  []Tool
		Data   []any
	}
	if err := json.Unmarshal(data, &report); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, b := range report.Backends {
		names = append(names, b["name"].(string))
		for field, want := range map[string]any{"available": false, "version": "", "detail": ""} {
			if got := b[field]; got == nil || !sameType(got, want) {
				t.Errorf("backend %v: field %s is %v", b["name"], field, got)
			}
		}
	}
	if want := []string{backend.CUDA, backend.XLACPU, backend.ONNX, backend.Go}; !slices.Equal(names, want) {
		t.Errorf("backends %v, want %v", names, want)
	}
	if report.Default == nil || *report.Default == "" {
		t.Error("no default backend")
	}
	if !strings.HasPrefix(report.Go.Version, "go1.") {
		t.Errorf("Go version %q", report.Go.Version)
	}
	if report.CPU.Usable < 1 || report.Memory.Total == 0 || report.Disk.Free == 0 {
		t.Errorf("machine: %+v", report)
	}
	if report.GPUs == nil || report.PJRT == nil || report.Data == nil || report.CPU.Features == nil {
		t.Error("an empty list is written as null")
	}
	for _, tool := range report.Tools {
		if !tool.Available && tool.Remedy == "" {
			t.Errorf("%s is missing and has no remedy", tool.Name)
		}
	}
}

func sameType(a, b any) bool {
	switch a.(type) {
	case bool:
		_, ok := b.(bool)
		return ok
	case string:
		_, ok := b.(string)
		return ok
	}
	return false
}

func TestEmptyMachineIsReportedWithRemedies(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("GOMLX_BACKEND", "")
	t.Chdir(t.TempDir()) // no clone, whose bin/ may hold what make kernel put there
	report := Collect(context.Background(), Options{})
	if report.Go.Version != "" || report.Go.Remedy == "" {
		t.Errorf("Go without a toolchain: %+v", report.Go)
	}
	if len(report.GPUs) != 0 || report.GPUDetail == "" {
		t.Errorf("GPUs without nvidia-smi: %v %q", report.GPUs, report.GPUDetail)
	}
	if report.DataRemedy == "" {
		t.Error("no data and no remedy")
	}
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"no toolchain on PATH", "nvidia-smi is not installed", "gonb: make kernel", "rd phantom"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, text.String())
		}
	}
}

func TestGPUs(t *testing.T) {
	t.Setenv("PATH", program(t, "nvidia-smi", "echo 'NVIDIA H200, 143771, 570.86.15, 9.0'\necho 'NVIDIA H200, 143771, 570.86.15, 9.0'\n"))
	found, detail := gpus(context.Background())
	want := GPU{Name: "NVIDIA H200", MemoryMiB: 143771, Driver: "570.86.15", Capability: "9.0"}
	if len(found) != 2 || found[0] != want || detail != "" {
		t.Errorf("got %+v, %q", found, detail)
	}

	t.Setenv("PATH", program(t, "nvidia-smi", "echo 'Failed to initialize NVML: Driver/library version mismatch'\nexit 18\n"))
	if found, detail = gpus(context.Background()); len(found) != 0 || !strings.Contains(detail, "driver") {
		t.Errorf("a failing nvidia-smi gives %+v, %q", found, detail)
	}
}

func TestHangingProgramIsGivenUp(t *testing.T) {
	t.Setenv("PATH", program(t, "nvidia-smi", "exec /bin/sleep 60\n"))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	done := make(chan string)
	go func() {
		_, detail := gpus(ctx)
		done <- detail
	}()
	select {
	case detail := <-done:
		if !strings.Contains(detail, "did not answer") {
			t.Errorf("got %q", detail)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("still waiting for nvidia-smi")
	}
}

func TestDefaultBackend(t *testing.T) {
	infos := []backend.Info{{Name: backend.CUDA}, {Name: backend.XLACPU}, {Name: backend.ONNX, Available: true}, {Name: backend.Go, Available: true}}
	for env, want := range map[string]string{"": backend.ONNX, "go": backend.Go, "xla:cuda": backend.CUDA, "xla:cuda,preallocate=true": backend.CUDA, "xla": "xla", "xla:/p/plugin.so": "xla:/p/plugin.so"} {
		if got := defaultBackend(env, infos); got != want {
			t.Errorf("GOMLX_BACKEND=%q: %q, want %q", env, got, want)
		}
	}
	if got := defaultBackend("", nil); got != "" {
		t.Errorf("without backends: %q", got)
	}
}

func TestPluginsOfJAXAreListed(t *testing.T) {
	plugin := filepath.Join(t.TempDir(), "jax_plugins", "xla_cuda13", "xla_cuda_plugin.so")
	write(t, plugin)
	t.Setenv("PYTHONPATH", filepath.Dir(filepath.Dir(filepath.Dir(plugin))))
	report := Collect(context.Background(), Options{})
	if !slices.Contains(report.Plugins, backend.Plugin{Name: "cuda", Path: plugin}) {
		t.Errorf("%s is not among %+v", plugin, report.Plugins)
	}
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), plugin) {
		t.Errorf("the text does not name the plugin:\n%s", text.String())
	}
	i := slices.IndexFunc(report.Backends, func(b backend.Info) bool { return b.Name == backend.CUDA })
	if cuda := report.Backends[i]; cuda.Available && strings.Contains(cuda.Detail, plugin) {
		t.Errorf("a file that is no library is taken for a backend: %+v", cuda)
	}
}

func TestToolsOfABrokenVenv(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	root := filepath.Join(t.TempDir(), "a [clone]")
	write(t, filepath.Join(root, ".venv", "bin", "python"), filepath.Join(root, ".venv", "lib", "python3.11", "site-packages", "nbclient-0.11.0.dist-info", "METADATA"))
	found := map[string]Tool{}
	for _, tool := range tools(context.Background(), root) {
		found[tool.Name] = tool
	}
	if python := found["python (.venv)"]; python.Available || !strings.Contains(python.Remedy, "rm -r .venv") {
		t.Errorf("a Python that does not run: %+v", python)
	}
	if found["nbclient"].Available {
		t.Error("nbclient is said to be usable without a Python")
	}
	if tool := distribution(root, "nbclient", true); !tool.Available || tool.Version != "0.11.0" {
		t.Errorf("nbclient: %+v", tool)
	}
	if tool := distribution(root, "nbconvert", true); tool.Available || tool.Remedy != setupRemedy {
		t.Errorf("nbconvert: %+v", tool)
	}
}

func TestDataFolders(t *testing.T) {
	root := t.TempDir()
	write(t,
		filepath.Join(root, "plain", "benign", "1.png"), filepath.Join(root, "plain", "normal", "1.PNG"), filepath.Join(root, "plain", "normal", "notes.txt"),
		filepath.Join(root, "split", "train", "a", "1.jpg"), filepath.Join(root, "split", "test", "b", "1.jpg"),
		filepath.Join(root, "loose", "1.jpg"),
		filepath.Join(root, "empty", "readme"))

	found, remedy := dataFolders(root)
	if remedy != "" || len(found) != 3 {
		t.Fatalf("got %+v, %q", found, remedy)
	}
	if got := found[1]; got.Images != 2 || !slices.Equal(got.Folders, []string{"benign", "normal"}) {
		t.Errorf("folder of classes: %+v", got)
	}
	if found, _ = dataFolders(filepath.Join(root, "split")); len(found) != 1 || !slices.Equal(found[0].Folders, []string{"a", "b"}) {
		t.Errorf("split folders: %+v", found)
	}
	t.Setenv("RD_DATA", root) // of tests alone
	if found, remedy = dataFolders(""); len(found) != 0 || !strings.Contains(remedy, "--data DIR") {
		t.Errorf("without a folder: %+v, %q", found, remedy)
	}
	for _, missing := range []string{filepath.Join(root, "nowhere"), filepath.Join(root, "empty")} {
		if found, remedy = dataFolders(missing); len(found) != 1 || found[0].Problem == "" || remedy == "" {
			t.Errorf("%s: %+v, %q", missing, found, remedy)
		}
	}
}
