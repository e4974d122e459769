package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strings"

	"rd/rdlib/model"
	"rd/rdlib/nn"
)

// Options say which tensors may be left out; nothing else may.
type Options struct {
	// Ignore are patterns, as path.Match takes them, of names in the file that the network has no use for: "fc_norm.*".
	Ignore []string
	// WithoutClassifier leaves the network's classifier as Init starts it, whether the file has one or not.
	WithoutClassifier bool
}

// initSeed is that of a classifier which is not read.
const initSeed = 1

// Loaded says what of a file became what of a network.
type Loaded struct {
	Prefix  string   `json:"prefix,omitempty"`   // removed from the file's names
	Used    int      `json:"used"`               // tensors
	LeftOut []string `json:"left_out,omitempty"` // the file's names: of other parts, or as Options allowed
	Notes   []string `json:"notes,omitempty"`    // what was changed or not read
}

// Load returns the file's weights under the network's names. Wrappers around names are removed and the names of known
// publications translated. Tables of positions for another image size are interpolated linearly, as the Notes say. The
// error lists every tensor that is missing, unexpected or of another shape: no weights are loaded in part.
func (f *File) Load(network *model.Network, o Options) (model.Weights, *Loaded, error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	weights, loaded, problems := f.fit(network, o)
	if len(problems) > 0 {
		under := ""
		if loaded.Prefix != "" {
			under = fmt.Sprintf(", its names without %q", loaded.Prefix)
		}
		return nil, loaded, fmt.Errorf("%s%s: the weights do not fit %s (%d tensors):\n%w", f.Path, under, network.Name(), len(problems), errors.Join(problems...))
	}
	return weights, loaded, nil
}

// check refuses patterns that are none.
func (o Options) check() error {
	for _, pattern := range o.Ignore {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("the pattern %q of names to ignore: %w", pattern, err)
		}
	}
	return nil
}

// fit is Load with the list of what does not fit.
func (f *File) fit(network *model.Network, o Options) (model.Weights, *Loaded, []error) {
	names := slices.Sorted(maps.Keys(f.Weights))
	expected := map[string]bool{}
	for _, p := range network.Parameters() {
		expected[p.Name] = true
	}
	naming := bestNaming(names, expected)
	loaded := &Loaded{Prefix: naming.prefix}
	classifier := func(name string) bool {
		weight, bias := network.ClassifierParameters()
		return o.WithoutClassifier && weight != "" && (name == weight || name == bias)
	}
	weights := model.Weights{}
	origin := map[string]string{}
	var problems []error
	for _, name := range names {
		own, inside := naming.of(name)
		ignored := slices.ContainsFunc(o.Ignore, func(pattern string) bool {
			whole, _ := path.Match(pattern, name)
			rest, _ := path.Match(pattern, own)
			return whole || inside && rest
		})
		switch {
		case ignored, !inside && naming.tower(), inside && classifier(own):
			loaded.LeftOut = append(loaded.LeftOut, name)
		case !inside:
			problems = append(problems, fmt.Errorf("unexpected: %s %v", name, f.Weights[name].Shape))
		case origin[own] != "":
			problems = append(problems, fmt.Errorf("twice: %s and %s are both %s", origin[own], name, own))
		default:
			origin[own], weights[own] = name, f.Weights[name]
		}
	}
	loaded.Notes = append(loaded.Notes, resizePositions(network, weights)...)
	if o.WithoutClassifier {
		for name, value := range network.Init(initSeed) {
			if classifier(name) {
				weights[name] = value
			}
		}
		if network.Classes() > 0 {
			loaded.Notes = append(loaded.Notes, "the classifier is not read")
		}
	}
	problems = append(problems, network.Misfits(weights)...)
	for name := range origin {
		if expected[name] {
			loaded.Used++
		}
	}
	return weights, loaded, problems
}

// resizePositions interpolates the tables of positions that were made for another image size, in weights, and says so.
// Absolute ones stand for a square of patches, and perhaps a class token before them; relative ones for an axis.
func resizePositions(network *model.Network, weights model.Weights) []string {
	var notes []string
	for _, p := range network.Parameters() {
		t, ok := weights[p.Name]
		if !ok || slices.Equal(t.Shape, p.Shape) || len(t.Shape) != len(p.Shape) || len(p.Shape) < 2 {
			continue
		}
		last := len(p.Shape) - 1
		if t.Shape[last] != p.Shape[last] || last == 2 && (t.Shape[0] != 1 || p.Shape[0] != 1) {
			continue
		}
		from, to, features := t.Shape[last-1], p.Shape[last-1], p.Shape[last]
		var resized []float32
		switch {
		case strings.HasSuffix(p.Name, ".rel_pos_h"), strings.HasSuffix(p.Name, ".rel_pos_w"):
			if from > 0 {
				resized = apply(nn.ResizeWeights(from, to), t.Data, features)
			}
		case p.Name == "pos_embed", strings.HasSuffix(p.Name, "positional_embedding"):
			resized = resizeGrid(network, t.Data, from, to, features)
		}
		if resized == nil {
			continue
		}
		weights[p.Name] = model.Tensor{Shape: p.Shape, Data: resized}
		notes = append(notes, fmt.Sprintf("positions %s interpolated from %d to %d", p.Name, from, to))
	}
	return notes
}

// resizeGrid interpolates a square of positions to the network's map; nil where from is no square.
func resizeGrid(network *model.Network, data []float32, from, to, features int) []float32 {
	shapes, err := network.Shapes(network.InputShape()...)
	if err != nil || len(shapes.FeatureMap) != 3 {
		return nil
	}
	height, width := shapes.FeatureMap[1], shapes.FeatureMap[2]
	before := to - height*width // class tokens
	side := int(math.Sqrt(float64(max(0, from-before))))
	if before < 0 || side < 1 || side*side != from-before {
		return nil
	}
	grid := data[before*features:]
	rows := apply(nn.ResizeWeights(side, height), grid, side*features)
	resized := slices.Clone(data[:before*features])
	for y := range height {
		row := rows[y*side*features : (y+1)*side*features]
		resized = append(resized, apply(nn.ResizeWeights(side, width), row, features)...)
	}
	return resized
}

// apply multiplies a matrix by rows of values of the given width.
func apply(matrix [][]float64, rows []float32, width int) []float32 {
	out := make([]float32, 0, len(matrix)*width)
	for _, weights := range matrix {
		for column := range width {
			var sum float64
			for i, w := range weights {
				sum += w * float64(rows[i*width+column])
			}
			out = append(out, float32(sum))
		}
	}
	return out
}
