// Benchstep compares the seconds of a training step of bin/rd with PyTorch's on the same machine: the two run in turn, so
// that a change of the machine's pace meets both, for several rounds. It prints a Markdown table of the medians and their
// ratio. Where no Python with torch and torchvision is at hand, the table holds bin/rd alone and says so.
//
//	go run ./tools/benchstep [-students resnet18,shufflenet,mobilenet] [-rounds 3] [-size 64] [-batch 32] [-steps 10] [-out FILE.json]
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"rd/rdlib/stat"
	"rd/tools/peer"
)

// Timing is what one run of either side prints.
type Timing struct {
	Student        string    `json:"student"`
	Backend        string    `json:"backend"`
	BackendVersion string    `json:"backend_version,omitempty"`
	Size           int       `json:"size"`
	Batch          int       `json:"batch"`
	Threads        int       `json:"threads"`
	SecondsPerStep float64   `json:"seconds_per_step"`
	All            []float64 `json:"all"`
	PeakRSSMiB     float64   `json:"peak_rss_mib"`
}

// Comparison is one student's rounds, in the order they ran.
type Comparison struct {
	Student string   `json:"student"`
	RD      []Timing `json:"rd"`
	PyTorch []Timing `json:"pytorch,omitempty"`
}

func main() {
	students := flag.String("students", "resnet18,shufflenet,mobilenet", "students, separated by commas")
	rounds := flag.Int("rounds", 3, "rounds of the two in turn")
	size := flag.Int("size", 64, "height and width of the images")
	batch := flag.Int("batch", 32, "images in a step")
	steps := flag.Int("steps", 10, "timed steps of a run")
	python := flag.String("python", "", "Python with torch and torchvision (default: the first found)")
	out := flag.String("out", "", "also write every run's seconds to this JSON file")
	flag.Parse()

	torch, err := peer.Torch(*python)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	var all []Comparison
	for _, student := range strings.Split(*students, ",") {
		sizes := []string{"--student", student, "--size", strconv.Itoa(*size), "--batch", strconv.Itoa(*batch), "--steps", strconv.Itoa(*steps)}
		c, err := compare(student, *rounds, sizes, torch)
		if err != nil {
			fmt.Fprintln(os.Stderr, "benchstep:", err)
			os.Exit(1)
		}
		all = append(all, c)
	}
	if *out != "" {
		data, err := json.MarshalIndent(all, "", "  ")
		if err == nil {
			err = os.WriteFile(*out, append(data, '\n'), 0o644)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "benchstep:", err)
			os.Exit(1)
		}
	}
	writeTable(os.Stdout, all)
}

// compare runs the two sides in turn. PyTorch gets the number of threads that rd reports.
func compare(student string, rounds int, sizes []string, torch string) (Comparison, error) {
	c := Comparison{Student: student}
	for round := range rounds {
		ours, err := run("bin/rd", append([]string{"bench", "step", "--json"}, sizes...)...)
		if err != nil {
			return c, err
		}
		c.RD = append(c.RD, ours)
		fmt.Fprintf(os.Stderr, "%s round %d: rd %.3f s", student, round+1, ours.SecondsPerStep)
		if torch != "" {
			theirs, err := run(torch, append([]string{"tools/torch_step.py", "--threads", strconv.Itoa(ours.Threads)}, sizes...)...)
			if err != nil {
				return c, err
			}
			c.PyTorch = append(c.PyTorch, theirs)
			fmt.Fprintf(os.Stderr, ", PyTorch %.3f s", theirs.SecondsPerStep)
		}
		fmt.Fprintln(os.Stderr)
	}
	return c, nil
}

// run executes a program that prints one Timing.
func run(program string, arguments ...string) (Timing, error) {
	command := exec.Command(program, arguments...)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return Timing{}, fmt.Errorf("%s: %w", strings.Join(command.Args, " "), err)
	}
	var t Timing
	if err := json.Unmarshal(out, &t); err != nil {
		return t, fmt.Errorf("%s printed no timing: %w", strings.Join(command.Args, " "), err)
	}
	return t, nil
}

// writeTable prints medians over the steps of all rounds.
func writeTable(w io.Writer, all []Comparison) {
	if len(all) == 0 || len(all[0].RD) == 0 {
		return
	}
	ours := all[0].RD[0]
	fmt.Fprintf(w, "Seconds of a training step, %d×%d pixels, batch %d, %d threads, median over %d rounds in turn. rd: %s %s",
		ours.Size, ours.Size, ours.Batch, ours.Threads, len(all[0].RD), ours.Backend, ours.BackendVersion)
	if len(all[0].PyTorch) == 0 {
		fmt.Fprint(w, ". PyTorch: not measured (not installed).\n\n| student | rd |\n|---|---|\n")
		for _, c := range all {
			fmt.Fprintf(w, "| %s | %.3f |\n", c.Student, median(c.RD))
		}
		return
	}
	fmt.Fprintf(w, "; peer: %s.\n\n| student | rd | PyTorch | rd / PyTorch | the same, round by round |\n|---|---|---|---|---|\n", all[0].PyTorch[0].Backend)
	for _, c := range all {
		ours, theirs := median(c.RD), median(c.PyTorch)
		fmt.Fprintf(w, "| %s | %.3f | %.3f | %.2f | %s |\n", c.Student, ours, theirs, ours/theirs, ratios(c))
	}
}

// ratios shows by their spread how quiet the machine was.
func ratios(c Comparison) string {
	var all []string
	for i := range c.PyTorch {
		all = append(all, fmt.Sprintf("%.2f", c.RD[i].SecondsPerStep/c.PyTorch[i].SecondsPerStep))
	}
	return strings.Join(all, ", ")
}

// median over the steps of all runs, or over the runs' own medians where they list no steps.
func median(runs []Timing) float64 {
	var seconds []float64
	for _, t := range runs {
		if len(t.All) > 0 {
			seconds = append(seconds, t.All...)
		} else {
			seconds = append(seconds, t.SecondsPerStep)
		}
	}
	return stat.Median(seconds)
}
