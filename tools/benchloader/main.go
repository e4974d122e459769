// Benchloader measures whether training waits for its data: how many images a second the loader gives, from files and from
// memory, with and without augmentation, how many a training step takes, and how long each step of a run waited for its
// batch. It writes a Markdown record.
//
//	go run ./tools/benchloader [-sizes 64,224] [-students resnet18,shufflenet,mobilenet] [-batch 32] [-steps 8] [-seconds 3] [-out results/bench/loader.md]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"rd/rdlib/model"
)

type settings struct {
	sizes    []int
	students []string
	batch    int
	steps    int     // at least
	seconds  float64 // of steps, and of the loader alone; at least
	images   int     // of each class
	pixels   int     // side of the images
	work     string  // folder of images and caches
}

func main() {
	var s settings
	sizes := flag.String("sizes", "64,224", "heights and widths of the input, separated by commas")
	students := flag.String("students", strings.Join(model.Students(), ","), "students, separated by commas")
	flag.IntVar(&s.batch, "batch", 32, "images in a step")
	flag.IntVar(&s.steps, "steps", 8, "timed steps of a run, at least")
	flag.IntVar(&s.images, "images", 40, "images of each of three classes")
	flag.IntVar(&s.pixels, "pixels", 512, "height and width of the images")
	flag.Float64Var(&s.seconds, "seconds", 3, "seconds that the timed part of a line takes, at least")
	out := flag.String("out", filepath.Join("results", "bench", "loader.md"), "the record")
	flag.Parse()
	s.students = strings.Split(*students, ",")
	for _, text := range strings.Split(*sizes, ",") {
		size, err := strconv.Atoi(text)
		if err != nil || size < 8 {
			fail(fmt.Errorf("size %q: a number of pixels from 8 up is needed", text))
		}
		s.sizes = append(s.sizes, size)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	record := newRecord(s)
	var err error
	if s.work, err = os.MkdirTemp("", "benchloader"); err != nil {
		fail(err)
	}
	err = measure(ctx, s, record)
	record.finish()
	os.RemoveAll(s.work)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(*out), 0o755)
	}
	if err == nil {
		err = os.WriteFile(*out, []byte(record.markdown()), 0o644)
	}
	if err != nil {
		fail(err)
	}
	fmt.Fprintln(os.Stderr, "record:", *out)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "benchloader:", err)
	os.Exit(1)
}
