package foundation

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	ort "github.com/yalue/onnxruntime_go"
	"gonum.org/v1/gonum/stat"
)

// Check holds numbers that the model must reproduce on a synthetic input.
type Check struct {
	// Input describes it: "x[i]=sin(0.013*i), row-major [2,3,96,96], fed as it is".
	Input string
	// Values holds, under OUTPUT_first8, OUTPUT_mean and OUTPUT_std, the first eight values of the first image, and the
	// mean and (population) standard deviation over all images.
	Values map[string][]float64
}

// UnmarshalJSON reads {"input": …, "pooled_first8": […], "pooled_mean": …}.
func (c *Check) UnmarshalJSON(data []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil {
		return fmt.Errorf("check: %w", err)
	}
	*c = Check{Values: map[string][]float64{}}
	for key, raw := range fields {
		if key == "input" {
			if err := json.Unmarshal(raw, &c.Input); err != nil {
				return fmt.Errorf("check.input: %w", err)
			}
			continue
		}
		var one float64
		var list []float64
		if json.Unmarshal(raw, &one) == nil {
			list = []float64{one}
		} else if err := json.Unmarshal(raw, &list); err != nil {
			return fmt.Errorf("check.%s: %w", key, err)
		}
		c.Values[key] = list
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (c Check) MarshalJSON() ([]byte, error) {
	fields := map[string]any{"input": c.Input}
	for key, values := range c.Values {
		fields[key] = values
		if !strings.HasSuffix(key, "_first8") && len(values) == 1 {
			fields[key] = values[0]
		}
	}
	return json.Marshal(fields)
}

// checks tells whether the side-car has check numbers of a graph output.
func (s *SideCar) checks(output string) bool {
	if s == nil || s.Check == nil {
		return false
	}
	for _, statistic := range []string{"_first8", "_mean", "_std"} {
		if _, has := s.Check.Values[output+statistic]; has {
			return true
		}
	}
	return false
}

// checkTolerance is relative to the largest value compared, and absolute below 1: float32 results of different
// processors and library versions agree far better, and those of other weights far worse.
const checkTolerance = 1e-4

// CheckResult is the outcome of one comparison.
type CheckResult struct {
	Name       string  `json:"name"` // key of Check.Values
	Difference float64 `json:"max_abs_difference"`
	Tolerance  float64 `json:"tolerance"`
	OK         bool    `json:"ok"`
}

// Check runs the side-car's check input, at the size it states, and compares. It returns no results where the side-car
// has no check, and an error wrapping ErrCheck where a number is not reproduced.
func (t *Teacher) Check() ([]CheckResult, error) {
	if t.info.SideCar == nil || t.info.SideCar.Check == nil {
		return nil, nil
	}
	check := t.info.SideCar.Check
	got, err := t.checkValues(check.Input)
	if err != nil {
		return nil, err
	}
	var results []CheckResult
	var failed []string
	for name, want := range check.Values {
		values, known := got[name]
		if !known || len(values) != len(want) {
			return nil, fmt.Errorf("%w: %s: check %q is not the first8, mean or std of an output", ErrSideCar, SideCarPath(t.info.File), name)
		}
		r := CheckResult{Name: name, Tolerance: checkTolerance}
		for i, w := range want {
			r.Tolerance = max(r.Tolerance, checkTolerance*math.Abs(w))
			r.Difference = max(r.Difference, math.Abs(values[i]-w))
			if math.IsNaN(values[i]) {
				r.Difference = math.MaxFloat64
			}
		}
		if r.OK = r.Difference <= r.Tolerance; !r.OK {
			failed = append(failed, name)
		}
		results = append(results, r)
	}
	slices.SortFunc(results, func(a, b CheckResult) int { return strings.Compare(a.Name, b.Name) })
	if len(failed) > 0 {
		slices.Sort(failed)
		return results, fmt.Errorf("%w: %s on %s: the model, its side-car and this ONNX Runtime (%s) do not belong together; copy the model and its side-car again",
			ErrCheck, t.info.File, strings.Join(failed, ", "), ort.GetVersion())
	}
	return results, nil
}

// NewCheck computes check numbers for a side-car: two images at the teacher's size, every output.
func (t *Teacher) NewCheck() (*Check, error) {
	shape := t.inputShape(2, t.info.Height, t.info.Width)
	text := checkText(int(shape[0]), int(shape[1]), int(shape[2]), int(shape[3]))
	values, err := t.checkValues(text)
	if err != nil {
		return nil, err
	}
	return &Check{Input: text, Values: values}, nil
}

// checkFactor is that of the checks that are made here.
const checkFactor = 0.013

func checkText(n, channels, height, width int) string {
	return fmt.Sprintf("x[i]=sin(%g*i), row-major [%d,%d,%d,%d], fed as it is", checkFactor, n, channels, height, width)
}

// wave is a check's input.
func wave(factor float64, length int) []float32 {
	x := make([]float32, length)
	for i := range x {
		x[i] = float32(math.Sin(factor * float64(i)))
	}
	return x
}

// NewCheck makes the check of a model that takes NCHW out of what it should compute: outputs gives, for two images
// [2, channels, height, width], the values of each output, one image after another.
func NewCheck(channels, height, width int, outputs func(x []float32) (map[string][]float32, error)) (*Check, error) {
	const images = 2
	computed, err := outputs(wave(checkFactor, images*channels*height*width))
	if err != nil {
		return nil, err
	}
	c := &Check{Input: checkText(images, channels, height, width), Values: map[string][]float64{}}
	for name, values := range computed {
		statistics(c.Values, name, values, []int{len(values) / images})
	}
	return c, nil
}

var checkInput = regexp.MustCompile(`sin\(\s*([0-9.eE+-]+)\s*\*\s*i\s*\).*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]`)

// checkValues computes the first8, mean and std of every graph output and every feature, on the input described.
func (t *Teacher) checkValues(text string) (map[string][]float64, error) {
	m := checkInput.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("%w: %s: check.input %q is not of the form \"x[i]=sin(0.013*i), row-major [2,3,96,96]\"", ErrSideCar, SideCarPath(t.info.File), text)
	}
	factor, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: check.input: %w", ErrSideCar, SideCarPath(t.info.File), err)
	}
	var shape [4]int
	for i := range shape {
		shape[i], _ = strconv.Atoi(m[2+i])
	}
	n, channels, size := shape[0], shape[1], Size{shape[2], shape[3]}
	if t.input.nhwc {
		channels, size = shape[3], Size{shape[1], shape[2]}
	}
	if channels != t.info.Channels || n < 1 || n > 64 || !plausibleSize(size) {
		return nil, fmt.Errorf("%w: %s: check.input %q does not fit the model's input of %d channels (%s)", ErrSideCar, SideCarPath(t.info.File), text, t.info.Channels, t.info.Layout)
	}
	rows, err := t.runOnce(wave(factor, n*channels*size[0]*size[1]), n, size)
	if err != nil {
		return nil, fmt.Errorf("check %s: %w", t.info.File, err)
	}
	values := map[string][]float64{}
	for slot, row := range rows {
		statistics(values, t.slots[slot].name, row.data, row.dims)
	}
	for _, o := range t.info.Outputs {
		if _, known := values[o.Name+"_mean"]; known {
			continue
		}
		row := rows[o.slot]
		per := elements(row.dims)
		shape := o.kind.shape(row.dims)
		converted := make([]float32, n*elements(shape))
		for k := range n {
			o.kind.convert(row.dims, row.data[k*per:(k+1)*per], converted[k*elements(shape):(k+1)*elements(shape)])
		}
		statistics(values, o.Name, converted, shape)
	}
	return values, nil
}

func statistics(into map[string][]float64, name string, data []float32, dims []int) {
	wide := make([]float64, len(data))
	for i, v := range data {
		wide[i] = float64(v)
	}
	into[name+"_first8"] = wide[:min(8, elements(dims))]
	mean, variance := stat.PopMeanVariance(wide, nil)
	into[name+"_mean"] = []float64{mean}
	into[name+"_std"] = []float64{math.Sqrt(variance)}
}

// result is one graph output over all images of a run.
type result struct {
	dims []int // per image
	data []float32
}

// runOnce runs n images, already in the graph's layout, at any size the graph takes.
func (t *Teacher) runOnce(x []float32, n int, size Size) ([]result, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.session == nil {
		return nil, ErrClosed
	}
	step := n
	if t.info.FixedBatch {
		step = t.info.Batch
	}
	image := len(x) / n
	results := make([]result, len(t.slots))
	for start := 0; start < n; start += step {
		batch := make([]float32, step*image)
		copy(batch, x[start*image:])
		if err := t.runInto(results, batch, step, min(step, n-start), size); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// runInto appends the first rows of one run's outputs to the results.
func (t *Teacher) runInto(results []result, batch []float32, step, rows int, size Size) error {
	in, err := ort.NewTensor(t.inputShape(step, size[0], size[1]), batch)
	if err != nil {
		return err
	}
	defer in.Destroy()
	outputs := make([]ort.Value, len(results))
	if err := t.session.Run([]ort.Value{in}, outputs); err != nil {
		return fmt.Errorf("run on %d images of %s: %s", step, size, reason(err))
	}
	for i, value := range outputs {
		defer value.Destroy()
		tensor, isFloat := value.(*ort.Tensor[float32])
		if !isFloat || len(tensor.GetShape()) != len(t.slots[i].dims)+1 {
			return fmt.Errorf("output %q changed its shape to %v at %s", t.slots[i].name, value.GetShape(), size)
		}
		dims := make([]int, len(t.slots[i].dims))
		for a, d := range tensor.GetShape()[1:] {
			dims[a] = int(d)
		}
		results[i].dims = dims
		results[i].data = append(results[i].data, tensor.GetData()[:rows*elements(dims)]...)
	}
	return nil
}
