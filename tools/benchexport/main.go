// Benchexport compares the time that exported students take in ONNX Runtime with that of the same networks exported by PyTorch: the two
// files are run in turn, on as many threads, so that a change of the machine's pace meets both. It prints a Markdown table of
// the medians and their ratio, and whether ONNX's checker passes what was exported here. Where no Python with torch and torchvision is at hand,
// the table holds the students' own times alone and says so.
//
//	go run ./tools/benchexport [-students resnet18,shufflenet,mobilenet] [-sizes 64,224] [-threads 1] [-rounds 11] [-runs 20] [-out FILE.json]
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"rd/rdlib"
	"rd/rdlib/deploy"
	"rd/rdlib/model"
	"rd/rdlib/stat"
	"rd/tools/peer"
)

const (
	classes = 2
	limit   = 5 * time.Second // of one round of one file
)

// Measurement is one network at one size: the medians of each round, milliseconds an image, in the order they ran.
type Measurement struct {
	Student    string           `json:"student"`
	Size       int              `json:"size"`
	Parameters int64            `json:"parameters"`
	Checker    string           `json:"checker,omitempty"`  // ONNX's version that passed our file; "": it is not at hand
	Exporter   string           `json:"exporter,omitempty"` // PyTorch's version; "": it is not at hand
	RD         []deploy.Latency `json:"rd"`
	PyTorch    []deploy.Latency `json:"pytorch,omitempty"`
}

// Record is all that was measured.
type Record struct {
	Command string        `json:"command"`
	Runtime string        `json:"runtime"`
	Threads int           `json:"threads"`
	Cores   int           `json:"cores"`
	CPU     string        `json:"cpu"`
	Started string        `json:"started"`
	Models  []Measurement `json:"models"`
}

// settings are how measurements are made.
type settings struct {
	threads, rounds, runs int
	python                string // with torch; "": none
}

func main() {
	students := flag.String("students", strings.Join(model.Students(), ","), "students, separated by commas")
	sizes := flag.String("sizes", "64,224", "heights and widths of the image, separated by commas")
	var s settings
	flag.IntVar(&s.threads, "threads", 1, "threads of ONNX Runtime")
	flag.IntVar(&s.rounds, "rounds", 11, "rounds of the two in turn")
	flag.IntVar(&s.runs, "runs", 20, "runs of each file in a round")
	python := flag.String("python", "", "Python with torch and torchvision (default: the first found)")
	out := flag.String("out", "", "also write every round to this JSON file")
	flag.Parse()
	if err := run(*students, *sizes, *python, *out, s); err != nil {
		fmt.Fprintln(os.Stderr, "benchexport:", err)
		os.Exit(1)
	}
}

func run(students, sizes, python, out string, s settings) error {
	if s.threads < 1 || s.rounds < 1 || s.runs < 3 {
		return fmt.Errorf("%d threads, %d rounds, %d runs: at least 1, 1 and 3 are needed", s.threads, s.rounds, s.runs)
	}
	var err error
	if s.python, err = peer.Torch(python); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	r := Record{
		Command: strings.Join(append([]string{"go run ./tools/benchexport"}, os.Args[1:]...), " "),
		Threads: s.threads, Cores: runtime.NumCPU(), CPU: rdlib.CPU(), Started: time.Now().UTC().Format(time.RFC3339),
	}
	for _, student := range strings.Split(students, ",") {
		for _, text := range strings.Split(sizes, ",") {
			size, err := strconv.Atoi(text)
			if err != nil {
				return fmt.Errorf("-sizes %s: %w", sizes, err)
			}
			if size < 32 { // the students halve an image five times
				return fmt.Errorf("-sizes %s: at least 32 pixels are needed", sizes)
			}
			m, err := s.measure(student, size)
			if err != nil {
				return err
			}
			r.Models = append(r.Models, m)
		}
	}
	r.Runtime = "ONNX Runtime " + deploy.RuntimeVersion()
	if out != "" {
		data, err := json.MarshalIndent(r, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(out, append(data, '\n'), 0o644); err != nil {
			return err
		}
	}
	r.write(os.Stdout)
	return nil
}

// measure exports a student by both sides, has ours checked, and runs both.
func (s settings) measure(student string, size int) (Measurement, error) {
	m := Measurement{Student: student, Size: size}
	ours, parameters, err := exported(student, size)
	if err != nil {
		return m, err
	}
	m.Parameters = parameters
	if m.Checker, err = s.check(ours); err != nil {
		return m, fmt.Errorf("%s at %d pixels: ONNX's checker: %w", student, size, err)
	}
	var theirs []byte
	if s.python != "" {
		if theirs, m.Exporter, err = s.peer(student, size, parameters); err != nil {
			return m, err
		}
	}
	for round := range s.rounds {
		if err := s.round(&m, ours, theirs, round%2 == 1); err != nil {
			return m, err
		}
	}
	fmt.Fprintf(os.Stderr, "%s at %d pixels: rd %.2f ms", student, size, median(m.RD))
	if theirs != nil {
		fmt.Fprintf(os.Stderr, ", PyTorch %.2f ms", median(m.PyTorch))
	}
	fmt.Fprintln(os.Stderr)
	return m, nil
}

// exported is a student with random weights as rd exports it.
func exported(student string, size int) (onnx []byte, parameters int64, err error) {
	network, err := model.New(student, model.Config{Classes: classes})
	if err != nil {
		return nil, 0, err
	}
	cost, err := network.Cost(3, size, size)
	if err != nil {
		return nil, 0, fmt.Errorf("%s at %d pixels: %w", student, size, err)
	}
	onnx, err = network.ONNX(network.Init(1), model.ONNXOptions{Sample: []int{3, size, size}, Outputs: []string{model.ONNXLogits}, Producer: "rd"})
	return onnx, cost.Parameters, err
}

// check has ONNX's checker read a file; version is "" where there is none.
func (s settings) check(onnx []byte) (version string, err error) {
	for _, python := range []string{s.python, "python3", "/usr/bin/python3", ".venv/bin/python"} {
		if python == "" || exec.Command(python, "-c", "import onnx").Run() != nil {
			continue
		}
		command := exec.Command(python, "tools/onnx_check.py")
		command.Stdin = bytes.NewReader(onnx)
		command.Stderr = os.Stderr
		out, err := command.Output()
		return strings.TrimSpace(string(out)), err
	}
	return "", nil
}

// peer is the same network as PyTorch exports it. It is an error that it has another number of parameters.
func (s settings) peer(student string, size int, parameters int64) (onnx []byte, exporter string, err error) {
	dir, err := os.MkdirTemp("", "benchexport")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "peer.onnx")
	command := exec.Command(s.python, "tools/torch_export.py", "--student", student, "--size", strconv.Itoa(size), "--classes", strconv.Itoa(classes), "--out", file)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", strings.Join(command.Args, " "), err)
	}
	var said struct {
		Exporter   string
		Parameters int64
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n") // the exporter may print before
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &said); err != nil {
		return nil, "", fmt.Errorf("%s printed no number of parameters: %w", strings.Join(command.Args, " "), err)
	}
	if said.Parameters != parameters {
		return nil, "", fmt.Errorf("%s: PyTorch's network has %d parameters, ours %d: they are not the same", student, said.Parameters, parameters)
	}
	onnx, err = os.ReadFile(file)
	return onnx, said.Exporter, err
}

// round runs both files, theirs first if asked to; theirs may be nil.
func (s settings) round(m *Measurement, ours, theirs []byte, theirsFirst bool) error {
	sides := []struct {
		onnx  []byte
		times *[]deploy.Latency
	}{{ours, &m.RD}, {theirs, &m.PyTorch}}
	if theirsFirst {
		slices.Reverse(sides)
	}
	for _, side := range sides {
		if side.onnx == nil {
			continue
		}
		l, err := deploy.MeasureLatency(side.onnx, model.ONNXInput, model.ONNXLogits, 1, []int{3, m.Size, m.Size}, s.threads, s.runs, limit)
		if err != nil {
			return fmt.Errorf("%s at %d pixels: %w", m.Student, m.Size, err)
		}
		*side.times = append(*side.times, l)
	}
	return nil
}

// median is that of the rounds' medians.
func median(rounds []deploy.Latency) float64 {
	var ms []float64
	for _, l := range rounds {
		ms = append(ms, l.Median)
	}
	return stat.Median(ms)
}

// write prints the table.
func (r Record) write(w io.Writer) {
	rounds, runs := len(r.Models[0].RD), r.Models[0].RD[0].Runs
	fmt.Fprintf(w, "# Exported students beside PyTorch's export\n\nMilliseconds of one image in %s, %d threads: median of the medians of %d rounds in turn, up to %d runs each; random weights, %d classes, %d cores of %s, %s.",
		r.Runtime, r.Threads, rounds, runs, classes, r.Cores, r.CPU, r.Started)
	exporter, checker := r.Models[0].Exporter, r.Models[0].Checker
	if exporter == "" {
		fmt.Fprint(w, " PyTorch: not measured (not installed).")
	} else {
		fmt.Fprintf(w, " Peer: torchvision's networks of as many parameters, exported by %s.", exporter)
	}
	if checker == "" {
		fmt.Fprint(w, " ONNX's checker: not at hand.\n\n")
	} else {
		fmt.Fprintf(w, " The checker of %s passes all of rd's files.\n\n", checker)
	}
	fmt.Fprint(w, "| student | pixels | parameters | rd | PyTorch | rd / PyTorch | the same, round by round |\n|---|---|---|---|---|---|---|\n")
	for _, m := range r.Models {
		theirs, ratio, all := "not measured", "", ""
		if len(m.PyTorch) > 0 {
			var ratios []float64
			for i := range m.PyTorch {
				ratios = append(ratios, m.RD[i].Median/m.PyTorch[i].Median)
			}
			theirs, ratio = fmt.Sprintf("%.2f", median(m.PyTorch)), fmt.Sprintf("%.3f", median(m.RD)/median(m.PyTorch))
			all = fmt.Sprintf("%.2f–%.2f", slices.Min(ratios), slices.Max(ratios))
		}
		fmt.Fprintf(w, "| %s | %d | %d | %.2f | %s | %s | %s |\n", m.Student, m.Size, m.Parameters, median(m.RD), theirs, ratio, all)
	}
	fmt.Fprintf(w, "\nCommand: `%s`\n", r.Command)
}
