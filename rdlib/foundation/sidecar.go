package foundation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"

	"rd/rdlib/dataset"
)

// SideCar is what FILE.onnx.json says about FILE.onnx. Keys beside its own are left alone where none of these can be meant.
type SideCar struct {
	Name         string         `json:"name"`
	Architecture string         `json:"architecture,omitempty"`
	Input        SideCarInput   `json:"input"`
	Outputs      SideCarOutputs `json:"outputs"`
	Pretraining  *Pretraining   `json:"pretraining,omitempty"`
	Classes      []string       `json:"classes,omitempty"` // of the logits, in their order
	Adapted      *Adapted       `json:"adapted,omitempty"` // to what the model was adapted after its pre-training
	Licence      string         `json:"licence,omitempty"`
	SHA256       string         `json:"sha256,omitempty"` // of the ONNX file
	Check        *Check         `json:"check,omitempty"`
	// Probe holds whatever linear-probe accuracies the author measured.
	Probe json.RawMessage `json:"linear_probe_accuracy_percent,omitempty"`
}

// SideCarInput says how an image becomes the model's input: value = (pixel·scale − mean)/std per channel.
type SideCarInput struct {
	Name     string         `json:"name,omitempty"`
	Layout   string         `json:"layout,omitempty"`   // "NCHW" or "NHWC"
	Size     Size           `json:"size,omitzero"`      // [height, width]
	Channels string         `json:"channels,omitempty"` // "RGB", "BGR" or "grey"
	Scale    *dataset.Scale `json:"scale,omitempty"`    // factor on pixel values 0…255: a number or "1/255"
	Mean     Triple         `json:"mean,omitempty"`     // after scaling, one number per channel or one for all
	Std      Triple         `json:"std,omitempty"`
	Resize   string         `json:"resize,omitempty"` // "stretch" or "short side N, centre crop M"
	Filter   string         `json:"filter,omitempty"` // "bilinear" or "bicubic", both antialiased
}

// DescribeInput is the side-car's input section for a preprocessing: what `rd pretrain` writes beside the model it
// exports.
func DescribeInput(name, layout string, p dataset.Preprocess) SideCarInput {
	in := SideCarInput{Name: name, Layout: layout, Size: Size{p.Height, p.Width}, Channels: p.Channels, Scale: &p.Scale, Resize: p.ResizeText()}
	for c := range p.Mean {
		in.Mean = append(in.Mean, decimal(p.Mean[c]))
		in.Std = append(in.Std, decimal(p.Std[c]))
	}
	for name, filter := range filters {
		if filter == p.Filter {
			in.Filter = name
		}
	}
	return in
}

// decimal is the shortest decimal number that rounds to v: 0.485 rather than 0.48500001430511475.
func decimal(v float32) float64 {
	d, _ := strconv.ParseFloat(strconv.FormatFloat(float64(v), 'g', -1, 32), 64)
	return d
}

// SideCarOutputs names graph outputs.
type SideCarOutputs struct {
	Stages     []string `json:"stages,omitempty"`      // maps from early to late; may include the feature map
	FeatureMap string   `json:"feature_map,omitempty"` // last map before pooling
	Pooled     string   `json:"pooled,omitempty"`      // one vector per image
	Logits     string   `json:"logits,omitempty"`      // scores of Classes, of a model adapted to a task
	Layout     string   `json:"layout,omitempty"`      // of the maps; the input's layout when not given
}

// Adapted names the images, in their parts, that a model was adapted to: its training images are theirs.
type Adapted struct {
	Data     string `json:"data"`
	Manifest string `json:"manifest_sha256"`
}

// Pretraining says what the model has seen.
type Pretraining struct {
	Kind    string          `json:"kind,omitempty"`
	Data    string          `json:"data,omitempty"`
	Phantom bool            `json:"phantom,omitempty"` // pre-trained on synthetic images
	Seen    []string        `json:"seen,omitempty"`    // data sets a student of this teacher must not be evaluated on
	Record  json.RawMessage `json:"record,omitempty"`
}

// Size is a height and width in pixels; in JSON [height, width] or one number for both.
type Size [2]int

// UnmarshalJSON accepts a number, [n] or [height, width].
func (s *Size) UnmarshalJSON(data []byte) error {
	var one int
	if json.Unmarshal(data, &one) == nil {
		*s = Size{one, one}
		return nil
	}
	var list []int
	if err := json.Unmarshal(data, &list); err != nil || len(list) == 0 || len(list) > 2 {
		return fmt.Errorf("size must be a number or [height, width], not %s", data)
	}
	*s = Size{list[0], list[len(list)-1]}
	return nil
}

// Triple is one number per channel; in JSON one number or a list of one or three.
type Triple []float64

// UnmarshalJSON accepts a number or a list of one or three numbers.
func (t *Triple) UnmarshalJSON(data []byte) error {
	var one float64
	if json.Unmarshal(data, &one) == nil {
		*t = Triple{one, one, one}
		return nil
	}
	var list []float64
	if err := json.Unmarshal(data, &list); err != nil || (len(list) != 1 && len(list) != 3) {
		return fmt.Errorf("mean and std must be one number or three, not %s", data)
	}
	if len(list) == 1 {
		list = []float64{list[0], list[0], list[0]}
	}
	*t = list
	return nil
}

// SideCarPath returns where the side-car of a model lies: FILE.onnx.json beside FILE.onnx.
func SideCarPath(model string) string { return model + ".json" }

// ReadSideCar reads the side-car of a model. It returns nil and no error when there is none.
func ReadSideCar(model string) (*SideCar, error) {
	path := SideCarPath(model)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: read %s: %w", ErrSideCar, path, err)
	}
	sidecar := &SideCar{}
	err = json.Unmarshal(data, sidecar)
	if err == nil {
		err = checkKeys(data)
	}
	if err == nil {
		err = sidecar.validate()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w; correct it, or remove it to use the graph's defaults", ErrSideCar, path, err)
	}
	return sidecar, nil
}

// Write stores the side-car beside the model, atomically.
func (s *SideCar) Write(model string) error {
	path := SideCarPath(model)
	if err := s.validate(); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSideCar, path, err)
	}
	data, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return fmt.Errorf("encode side-car %s: %w", path, err)
	}
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write side-car %s: %w", path, err)
	}
	return nil
}

// filters are the side-car's names for the ways of resizing.
var filters = map[string]string{"bilinear": dataset.Bilinear, "bicubic": dataset.Bicubic}

var hexSHA256 = regexp.MustCompile(`^[0-9a-f]{64}$`)

// validate refuses values that have no meaning; it fills in nothing.
func (s *SideCar) validate() error {
	for _, layout := range []struct{ key, value string }{{"input.layout", s.Input.Layout}, {"outputs.layout", s.Outputs.Layout}} {
		if layout.value != "" && layout.value != "NCHW" && layout.value != "NHWC" {
			return fmt.Errorf("%s is %q, not NCHW or NHWC", layout.key, layout.value)
		}
	}
	if c := s.Input.Channels; c != "" && !slices.Contains([]string{"RGB", "BGR", "grey"}, c) {
		return fmt.Errorf("input.channels is %q, not RGB, BGR or grey", c)
	}
	if s.Input.Size != (Size{}) && !plausibleSize(s.Input.Size) {
		return fmt.Errorf("input.size %v is outside 1…%d pixels", s.Input.Size, maxSide)
	}
	if f := s.Input.Filter; f != "" && filters[f] == "" {
		return fmt.Errorf("input.filter is %q, not bilinear or bicubic", f)
	}
	if n := len(s.Input.Mean); n != 0 && n != 3 {
		return fmt.Errorf("input.mean has %d numbers, not 3", n)
	}
	if n := len(s.Input.Std); n != 0 && n != 3 {
		return fmt.Errorf("input.std has %d numbers, not 3", n)
	}
	if slices.ContainsFunc(s.Input.Std, func(v float64) bool { return v <= 0 }) {
		return fmt.Errorf("input.std %v holds a value that is not positive", s.Input.Std)
	}
	if s.SHA256 != "" && !hexSHA256.MatchString(strings.ToLower(s.SHA256)) {
		return fmt.Errorf("sha256 %q is not 64 hexadecimal digits", s.SHA256)
	}
	for i, stage := range s.Outputs.Stages {
		if stage == "" || slices.Contains(s.Outputs.Stages[:i], stage) {
			return fmt.Errorf("outputs.stages names %q twice or not at all", stage)
		}
	}
	return nil
}

// maxSide is the largest image side accepted, a guard against sizes typed wrong.
const maxSide = 4096

func plausibleSize(s Size) bool {
	return s[0] > 0 && s[1] > 0 && s[0] <= maxSide && s[1] <= maxSide
}
