package foundation

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// benchTeacher is the first real model that RD_DATA names, or else the tiny network of the tests, at 96×96.
func benchTeacher(b *testing.B, threads int) *Teacher {
	b.Helper()
	path := tiny{}.write(b, b.TempDir())
	if data := os.Getenv("RD_DATA"); data != "" {
		if paths, _ := filepath.Glob(filepath.Join(data, "models", "*.onnx")); len(paths) > 0 {
			path = paths[0]
		}
	}
	return open(b, path, Options{Height: 96, Width: 96, Threads: threads})
}

// BenchmarkExtract measures BuildCache: images × views per second.
func BenchmarkExtract(b *testing.B) {
	for _, threads := range []int{1, 2} {
		b.Run("threads="+strconv.Itoa(threads), func(b *testing.B) {
			teacher := benchTeacher(b, threads)
			const n = 32
			folder := b.TempDir()
			done := 0
			for b.Loop() {
				path := filepath.Join(folder, strconv.Itoa(done))
				cache, err := BuildCache(context.Background(), path, teacher, fakeImages{n: n, height: 96, width: 96}, BuildOptions{})
				if err != nil {
					b.Fatal(err)
				}
				cache.Close()
				os.Remove(path)
				done += 2 * n
			}
			b.ReportMetric(float64(done)/b.Elapsed().Seconds(), "images/s")
		})
	}
}

// BenchmarkRead measures reading verified features from the mapping, all outputs of one image under one view.
func BenchmarkRead(b *testing.B) {
	for _, half := range []bool{false, true} {
		b.Run(precision(half), func(b *testing.B) {
			teacher := benchTeacher(b, 2)
			const n = 32
			cache := mustBuild(b, filepath.Join(b.TempDir(), "c"), teacher, fakeImages{n: n, height: 96, width: 96}, BuildOptions{Outputs: teacher.Info().Stages, Half: half})
			dst := map[string][]float32{}
			bytes := int64(0)
			for name, shape := range cache.Shapes() {
				dst[name] = make([]float32, elements(shape))
				bytes += 4 * int64(elements(shape))
			}
			b.SetBytes(bytes)
			read := 0
			for b.Loop() {
				for name, values := range dst {
					if err := cache.Read(read%n, read/n%2, name, values); err != nil {
						b.Fatal(err)
					}
				}
				read++
			}
			b.ReportMetric(float64(read)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
