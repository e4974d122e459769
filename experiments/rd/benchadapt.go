package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"rd/rdlib"
)

// adaptBench is what the command measured.
type adaptBench struct {
	CPU     string              `json:"cpu"`
	Cores   int                 `json:"cores"`
	Command string              `json:"command"`
	Images  int                 `json:"images"` // of the epoch that is told
	Rows    []rdlib.BenchResult `json:"rows"`
}

func benchAdaptCommand() *cobra.Command {
	o := rdlib.BenchOptions{}
	b := adaptBench{}
	var students []string
	var out string
	cmd := &cobra.Command{
		Use:   "adapt --out FILE.json",
		Short: "Memory and time of training by RD beside those of adapting the teacher, each in a process of its own",
		Long: `adapt measures training steps on random images: the teacher, a vision transformer, fine-tuned as a whole and by each method with
few parameters, and RD, which never runs it in training: its features are cached before. Each is measured in a process of its own, so that its
peak memory is its own. It writes FILE.json and FILE.md.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(map[string]string{"--out": out}); err != nil {
				return err
			}
			if err := positive(cmd.Flags()); err != nil {
				return err
			}
			b.Command, b.Cores, b.CPU = commandLine("bin/rd"), runtime.NumCPU(), rdlib.CPU()
			one := func(network, method string, width float64) error {
				fmt.Fprintf(os.Stderr, "%s, %s\n", network, method)
				child := exec.CommandContext(cmd.Context(), os.Args[0], "bench", "step", "--student", network, "--method", method, "--width", strconv.FormatFloat(width, 'g', -1, 64),
					"--size", strconv.Itoa(o.Size), "--batch", strconv.Itoa(o.Batch), "--steps", strconv.Itoa(o.Steps), "--threads", strconv.Itoa(o.Threads), "--backend", o.Backend, "--json")
				var errs bytes.Buffer
				child.Stderr = &errs
				text, err := child.Output()
				if err != nil {
					return fmt.Errorf("%s, %s: %w: %s", network, method, err, strings.TrimSpace(errs.String()))
				}
				var row rdlib.BenchResult
				if err := json.Unmarshal(text, &row); err != nil {
					return fmt.Errorf("%s, %s: %w", network, method, err)
				}
				b.Rows = append(b.Rows, row)
				return nil
			}
			for _, method := range rdlib.Adaptations() {
				if err := one("vit", method, o.Width); err != nil {
					return err
				}
			}
			for _, student := range students {
				if err := one(student, "rd", 1); err != nil {
					return err
				}
			}
			data, err := json.MarshalIndent(b, "", " ")
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
				return fmt.Errorf("folder of the measurement: %w", err)
			}
			text := b.markdown()
			for path, content := range map[string][]byte{out: append(data, '\n'), strings.TrimSuffix(out, ".json") + ".md": []byte(text)} {
				if err := renameio.WriteFile(path, content, 0o644); err != nil {
					return fmt.Errorf("write %s: %w", path, err)
				}
			}
			fmt.Print(text)
			return nil
		},
	}
	f := cmd.Flags()
	f.Float64Var(&o.Width, "width", 1, "width multiplier of the teacher, a ViT-B at 1")
	f.IntVar(&o.Size, "size", 224, "height and width of the images")
	f.IntVar(&o.Batch, "batch", 32, "images a step")
	f.IntVar(&o.Steps, "steps", 3, "steps to measure")
	f.IntVar(&o.Threads, "threads", 0, "threads of the backend (0: one per processor)")
	f.StringVar(&o.Backend, "backend", "", "xla:cuda, xla:cpu, onnx or go (default: GOMLX_BACKEND, else the best at hand)")
	f.StringSliceVar(&students, "students", []string{"resnet18", "shufflenet", "mobilenet"}, "students of RD")
	f.IntVar(&b.Images, "images", 626, "training images of the epoch whose time is told")
	f.StringVar(&out, "out", "", "JSON file to write; a table is written beside it (required)")
	return cmd
}

// markdown is the table of a measurement.
func (b adaptBench) markdown() string {
	var t strings.Builder
	first := b.Rows[0]
	fmt.Fprintf(&t, "# Memory and time of training: RD beside the adaptation of its teacher\n\n")
	fmt.Fprintln(&t, "| what is trained | method | numbers that train | peak memory, MiB | seconds a step | seconds an epoch |")
	fmt.Fprintln(&t, "|---|---|---|---|---|---|")
	for _, r := range b.Rows {
		what := "teacher"
		if r.Method == "rd" {
			what = r.Student + ", φ"
		}
		steps := float64((b.Images + r.Batch - 1) / r.Batch)
		fmt.Fprintf(&t, "| %s | %s | %d | %.0f | %.3f | %.0f |\n", what, r.Method, r.Trained, r.PeakRSSMiB, r.SecondsPerStep, steps*r.SecondsPerStep)
	}
	fmt.Fprintf(&t, "\nTeacher: a vision transformer of width %g (1: ViT-B/16), random weights. %d×%d pixels, %d images a step, %s %s with %d threads on %d cores of %s. Peak memory is that of the whole process, program and runtime included. An epoch is of %d images. RD's steps read features that are computed once per image beforehand, which is not part of its time here; its peak memory leaves out that one forward pass, too. Methods of several stages are measured in the last.\n\nCommand: `%s`\n",
		first.Width, first.Size, first.Size, first.Batch, first.Backend, first.BackendVersion, first.Threads, b.Cores, b.CPU, b.Images, b.Command)
	return t.String()
}
