package foundation

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPublishedTeachers runs the check vectors of real models: RD_DATA names a folder with models/*.onnx.
func TestPublishedTeachers(t *testing.T) {
	data := os.Getenv("RD_DATA")
	if data == "" {
		t.Skip("RD_DATA names no folder with models/*.onnx")
	}
	paths, err := filepath.Glob(filepath.Join(data, "models", "*.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no %s/models/*.onnx, %v", data, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			report, err := Inspect(path)
			if err != nil {
				t.Fatal(err)
			}
			if report.CheckState != "passed" {
				t.Errorf("check %s", report.CheckState)
			}
			for _, size := range []Size{{64, 64}, {96, 64}} {
				teacher := open(t, path, Options{Height: size[0], Width: size[1], Threads: 2})
				cache := mustBuild(t, filepath.Join(t.TempDir(), "c"), teacher, fakeImages{n: 9, height: size[0], width: size[1]}, BuildOptions{})
				single := open(t, path, Options{Height: size[0], Width: size[1], Threads: 1})
				again := mustBuild(t, filepath.Join(t.TempDir(), "c"), single, fakeImages{n: 9, height: size[0], width: size[1]}, BuildOptions{})
				a, _ := cache.Checksum()
				if b, _ := again.Checksum(); a != b {
					t.Errorf("%s: two threads computed other bytes than one", size)
				}
			}
		})
	}
}
