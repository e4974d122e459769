package experiments

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"rd/rdlib"
)

// CostRecord is what `rd cost` counted and measured: a measurement, which another machine makes otherwise.
type CostRecord struct {
	Size    int               `json:"size"` // of the images, pixels
	Classes int               `json:"classes"`
	Width   float64           `json:"width,omitempty"` // multiplier; 0 is 1
	Threads int               `json:"threads"`         // 0: one per processor
	Cores   int               `json:"cores"`
	Host    string            `json:"host"`
	Load    float64           `json:"load"` // of the machine, by other work, in the minute before
	Started string            `json:"started"`
	CPU     string            `json:"cpu"`
	Runtime string            `json:"runtime"`
	Command string            `json:"command"`
	Models  []rdlib.ModelCost `json:"models"`
}

// costFile is where a folder of results has its record of costs.
const costFile = "cost.json"

// Table6 is its number in the paper.
const Table6 = 6

// CostModels are the networks of the paper's Table 6, in its order.
func CostModels() []string { return []string{rdlib.LVMMed, "resnet18", "shufflenet", "mobilenet"} }

// ReadCost reads the record of a folder; nil where there is none.
func ReadCost(dir string) (*CostRecord, error) {
	path := filepath.Join(dir, costFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("costs: %w", err)
	}
	c := &CostRecord{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, &rdlib.InputError{Err: fmt.Errorf("costs: %s: %w; remove it to measure again", path, err)}
	}
	return c, nil
}

// Write writes the record and Table 6 into a folder.
func (c *CostRecord) Write(dir string) error {
	data, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("folder of the costs: %w", err)
	}
	path := filepath.Join(dir, costFile)
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return c.Table().Write(dir)
}

// Table is Table 6: what each network costs at inference. Parameters and operations are counted from the descriptions and
// compared with the paper's, which they must equal; times depend on the machine.
func (c *CostRecord) Table() *Table {
	width, wide := cmp.Or(c.Width, 1), ""
	if width != 1 {
		wide = fmt.Sprintf(", width %g", width)
	}
	t := &Table{
		Number: Table6, Title: fmt.Sprintf("Cost of one image at inference, %d×%d pixels, %d classes%s", c.Size, c.Size, c.Classes, wide),
		Labels: []string{"model"}, Same: "network, classes, image size and, of times, machine",
		Columns: []string{"Params(M), the paper's unit", "FLOPs(G), the paper's unit", "parameters", "multiply-accumulates", "ONNX file, bytes", "batch 1, ms", "batch 32, ms"},
		Notes: []string{
			"Params(M) is parameters/2^21 and FLOPs(G) 4·F/2^30, with F = multiply-accumulates + 2·batch-normalised + 5·layer-normalised elements + inputs of adaptive pools: the units that explain the paper's eight numbers. φ is gone at inference.",
			c.times(),
			"Command: " + c.Command,
		},
	}
	paper := paperTable(6)
	comparable := c.Size == 224 && c.Classes == 2 && width == 1
	for _, m := range c.Models {
		name := paperName(m.Model)
		number := func(value float64, column string) Value {
			return Value{Mean: value, SD: math.NaN(), Paper: paperValue(paper, column, map[string]string{"model": name}), SameAs: comparable}
		}
		count := func(n float64) Value { return Value{Mean: n, Whole: true, SD: math.NaN(), Paper: math.NaN()} }
		row := TableRow{Labels: []string{name}, Values: []Value{
			number(m.PaperParams, "params_m"), number(m.PaperFLOPs, "flops_g"), count(float64(m.Parameters)), count(float64(m.MACs)), count(float64(m.ONNXBytes)),
		}}
		for _, batch := range []string{"batch1", "batch32"} {
			v := absent(NotRun, math.NaN())
			if batch == "batch1" {
				v.Paper = paperValue(paper, "time_ms", map[string]string{"model": name})
			}
			if l, measured := m.Latency[batch]; measured {
				v.State, v.Mean, v.Remark = Done, l.Median, fmt.Sprintf("(%.2f–%.2f)", l.Low, l.High)
				v.Records = []string{costFile}
			}
			row.Values = append(row.Values, v)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// Latency is the median time of one image, in milliseconds, of a network as tables call it; ok is whether it was measured.
func (c *CostRecord) Latency(network string) (ms float64, ok bool) {
	for _, m := range c.Models {
		if l, measured := m.Latency["batch1"]; measured && paperName(m.Model) == network {
			return l.Median, true
		}
	}
	return 0, false
}

// Costs reads the costs of the plan's students, as large as they are and on images of their size, from the folder of its tables, or from
// that of the size in the folder cost beside it. It is an *rdlib.InputError that none are there.
func (p *Plan) Costs(out string) (*CostRecord, error) {
	t := p.Matrix.Training
	width, beside := cmp.Or(t.Width, 1), filepath.Join(filepath.Dir(out), "cost", fmt.Sprint(t.Size))
	for _, dir := range []string{out, beside} {
		c, err := ReadCost(dir)
		if err != nil {
			return nil, err
		}
		if c != nil && c.Size == t.Size && cmp.Or(c.Width, 1) == width && slices.ContainsFunc(p.Matrix.Students, func(student string) bool {
			_, ok := c.Latency(paperName(student))
			return ok
		}) {
			return c, nil
		}
	}
	return nil, &rdlib.InputError{Err: fmt.Errorf("no latency of the students is kept in %s or %s: measure it by bin/rd cost --models %s --size %d --width %g --out %s",
		out, beside, strings.Join(p.Matrix.Students, ","), t.Size, width, beside)}
}

// Costs are those of Plan.Costs beside the results.
func (r *Results) Costs() (*CostRecord, error) { return r.plan.Costs(r.store.dir) }

// Measured says in a sentence what the latency is of.
func (c *CostRecord) Measured() string {
	return fmt.Sprintf("Latency: exported networks with random weights and %d classes, one image, median of the runs; %s, threads: %s; %s.", c.Classes, c.Runtime, threadsText(c.Threads), c.CPU)
}

// times says how they were measured.
func (c *CostRecord) times() string {
	if !slices.ContainsFunc(c.Models, func(m rdlib.ModelCost) bool { return len(m.Latency) > 0 }) {
		return "Times are not measured here, since each measurement is another one: bin/rd cost --out DIR, or rd reproduce --table 6, measures them."
	}
	return fmt.Sprintf("Times: exported models with random weights in %s on the CPU, %s threads, median (quartiles), on %d cores of %s (%s, %s, load by other work %.1f). The machine and batch of the paper's times are not known.", c.Runtime, threadsText(c.Threads), c.Cores, c.CPU, c.Host, c.Started, c.Load)
}

func threadsText(n int) string {
	if n == 0 {
		return "as many as there are cores"
	}
	return fmt.Sprint(n)
}
