package foundation

import (
	"fmt"
	"slices"
	"strings"
)

// The two names every teacher's features have, whatever the graph calls them.
const (
	FeatureMap = "feature_map"
	Pooled     = "pooled"
	// Logits are the class scores of a model that was adapted to a task; a foundation model has none.
	Logits = "logits"
)

// Output is one kind of feature, at the size the teacher was opened for.
type Output struct {
	Name  string `json:"name"`          // FeatureMap, Pooled, Logits, or the graph's name of an earlier stage
	Graph string `json:"graph"`         // the graph output it is taken or computed from
	Shape []int  `json:"shape"`         // [channels, height, width] or [channels]
	How   string `json:"how,omitempty"` // how it is computed where it is not an output as it is
	kind  kind   // of conversion
	dims  []int  // of the graph output, without the batch axis
	slot  int    // index among the session's outputs
}

// Elements is the number of values per image.
func (o Output) Elements() int { return elements(o.Shape) }

func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// kind is what is done to one image's part of a graph output.
type kind int

const (
	asItIs       kind = iota
	transposed        // height, width, channels → channels, height, width
	averaged          // channels, height, width → channels
	averagedLast      // height, width, channels or tokens, channels → channels
)

// shape is what comes of a graph output of these dimensions.
func (k kind) shape(dims []int) []int {
	switch k {
	case transposed:
		return []int{dims[2], dims[0], dims[1]}
	case averaged:
		return []int{dims[0]}
	case averagedLast:
		return []int{dims[len(dims)-1]}
	}
	return slices.Clone(dims)
}

// convert writes the feature of one image.
func (k kind) convert(dims []int, src, dst []float32) {
	switch k {
	case asItIs:
		copy(dst, src)
	case transposed:
		channels := dims[2]
		area := dims[0] * dims[1]
		for p := range area {
			for c := range channels {
				dst[c*area+p] = src[p*channels+c]
			}
		}
	case averaged:
		area := dims[1] * dims[2]
		for c := range dst {
			sum := 0.0
			for _, v := range src[c*area : (c+1)*area] {
				sum += float64(v)
			}
			dst[c] = float32(sum / float64(area))
		}
	case averagedLast:
		channels := len(dst)
		positions := len(src) / channels
		for c := range dst {
			sum := 0.0
			for p := range positions {
				sum += float64(src[p*channels+c])
			}
			dst[c] = float32(sum / float64(positions))
		}
	}
}

// probed is a graph output that gave one row of float32 per image.
type probed struct {
	name string
	dims []int // without the batch axis
}

// onePixel tells whether it is a pooled vector that kept its axes.
func (p probed) onePixel() bool {
	return len(p.dims) == 3 && (p.dims[1] == 1 && p.dims[2] == 1 || p.dims[0] == 1 && p.dims[1] == 1)
}
func (p probed) isMap() bool    { return len(p.dims) == 3 && !p.onePixel() }
func (p probed) isVector() bool { return len(p.dims) == 1 || p.onePixel() }
func (p probed) isTokens() bool { return len(p.dims) == 2 }

// area is the number of positions of a map.
func (p probed) area(nhwc bool) int {
	if nhwc {
		return p.dims[0] * p.dims[1]
	}
	return p.dims[1] * p.dims[2]
}

// resolver finds the features among a graph's outputs.
type resolver struct {
	path    string
	nhwc    bool // layout of the maps
	list    []probed
	notes   []string
	outputs []Output
	stages  []string
}

func (r *resolver) note(format string, args ...any) {
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

func (r *resolver) index(name string) int {
	return slices.IndexFunc(r.list, func(p probed) bool { return p.name == name })
}

func (r *resolver) names() string {
	names := make([]string, len(r.list))
	for i, p := range r.list {
		names[i] = fmt.Sprintf("%s %v", p.name, p.dims)
	}
	return strings.Join(names, ", ")
}

// resolve settles which outputs are the stages, the feature map and the pooled feature: those the side-car names, else
// by name and shape. What is missing is computed from what there is, or left out; each such choice is noted.
func (r *resolver) resolve(named SideCarOutputs) error {
	if len(r.list) == 0 {
		return fmt.Errorf("%w: %s has no float output with one row per image; export it with outputs feature_map and pooled", ErrModel, r.path)
	}
	if len(named.Stages) == 0 && named.FeatureMap == "" && named.Pooled == "" {
		logits := named.Logits
		named = r.guess()
		named.Logits = logits
	}
	for _, name := range append([]string{named.FeatureMap, named.Pooled, named.Logits}, named.Stages...) {
		if name != "" && r.index(name) < 0 {
			return fmt.Errorf("%w: %s names the output %q, which %s does not give at one row per image; it gives %s",
				ErrSideCar, SideCarPath(r.path), name, r.path, r.names())
		}
	}
	if named.FeatureMap == "" && len(named.Stages) > 0 {
		named.FeatureMap = named.Stages[len(named.Stages)-1]
		r.note("feature map: %q, the last stage", named.FeatureMap)
	}
	for _, name := range named.Stages {
		if name == named.FeatureMap {
			r.stages = append(r.stages, FeatureMap)
			continue
		}
		if name == FeatureMap || name == Pooled {
			return fmt.Errorf("%w: %s lists %q among the stages but not as %s", ErrSideCar, SideCarPath(r.path), name, name)
		}
		if err := r.addMap(name, name); err != nil {
			return err
		}
		r.stages = append(r.stages, name)
	}
	if named.FeatureMap != "" {
		if err := r.addMap(FeatureMap, named.FeatureMap); err != nil {
			return err
		}
		if len(r.stages) == 0 {
			r.stages = []string{FeatureMap}
		}
	} else {
		r.note("feature map: none; only the pooled feature can be distilled")
	}
	if err := r.addPooled(named); err != nil || named.Logits == "" {
		return err
	}
	slot := r.index(named.Logits)
	p := r.list[slot]
	if len(p.dims) != 1 {
		return fmt.Errorf("%w: %s uses %q as logits, but it has the shape %v per image", ErrSideCar, SideCarPath(r.path), named.Logits, p.dims)
	}
	r.outputs = append(r.outputs, Output{Name: Logits, Graph: named.Logits, Shape: p.dims, dims: p.dims, slot: slot})
	return nil
}

// guess chooses by name, then by shape.
func (r *resolver) guess() (named SideCarOutputs) {
	byName := func(fits func(probed) bool, names ...string) string {
		for _, name := range names {
			for _, p := range r.list {
				if strings.EqualFold(p.name, name) && fits(p) {
					return p.name
				}
			}
		}
		return ""
	}
	named.FeatureMap = byName(probed.isMap, FeatureMap, "featuremap", "features")
	if named.FeatureMap == "" {
		smallest := -1
		for i, p := range r.list {
			if p.isMap() && (smallest < 0 || p.area(r.nhwc) <= r.list[smallest].area(r.nhwc)) {
				smallest = i
			}
		}
		if smallest >= 0 {
			named.FeatureMap = r.list[smallest].name
		}
	}
	if named.FeatureMap != "" {
		r.note("feature map: output %q", named.FeatureMap)
	}
	for _, p := range r.list {
		if p.isMap() {
			named.Stages = append(named.Stages, p.name)
		}
	}
	if len(named.Stages) > 1 {
		r.note("stages: %s, in the graph's order", strings.Join(named.Stages, ", "))
	}
	named.Pooled = byName(probed.isVector, Pooled, "pooler_output", "embedding", "embeddings", "image_embeds")
	if named.Pooled == "" {
		for _, p := range r.list {
			if p.isVector() && !scores(p.name) {
				named.Pooled = p.name
				break
			}
		}
	}
	if named.Pooled != "" {
		r.note("pooled: output %q", named.Pooled)
	}
	return named
}

// scores tells whether an output's name says that it holds class scores rather than features.
func scores(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"logit", "prob", "class", "score", "softmax"}, func(word string) bool { return strings.Contains(name, word) })
}

func (r *resolver) addMap(name, graph string) error {
	slot := r.index(graph)
	p := r.list[slot]
	if len(p.dims) != 3 {
		return fmt.Errorf("%w: %s uses %q as a map, but it has the shape %v per image; it gives %s", ErrSideCar, SideCarPath(r.path), graph, p.dims, r.names())
	}
	o := Output{Name: name, Graph: graph, dims: p.dims, slot: slot}
	if r.nhwc {
		o.kind = transposed
		o.How = "transposed from height, width, channels"
	}
	o.Shape = o.kind.shape(o.dims)
	r.outputs = append(r.outputs, o)
	return nil
}

// addPooled takes the pooled output, else averages the feature map, else the tokens, else falls back to class scores.
func (r *resolver) addPooled(named SideCarOutputs) error {
	o := Output{Name: Pooled}
	take := func(i int) { o.Graph, o.dims, o.slot = r.list[i].name, r.list[i].dims, i }
	averageMap := func() {
		o.kind = averaged
		if r.nhwc {
			o.kind = averagedLast
		}
		o.How = "global average of " + o.Graph
	}
	averageTokens := func() {
		o.kind = averagedLast
		o.How = fmt.Sprintf("mean over the %d tokens of %s", o.dims[0], o.Graph)
	}
	tokens := slices.IndexFunc(r.list, probed.isTokens)
	vector := slices.IndexFunc(r.list, probed.isVector)
	switch {
	case named.Pooled != "":
		take(r.index(named.Pooled))
		switch p := r.list[o.slot]; {
		case p.isVector():
		case p.isTokens():
			averageTokens()
		case p.isMap():
			averageMap()
		default:
			return fmt.Errorf("%w: %s uses %q as pooled, but it has the shape %v per image; it gives %s", ErrSideCar, SideCarPath(r.path), named.Pooled, p.dims, r.names())
		}
	case named.FeatureMap != "":
		take(r.index(named.FeatureMap))
		averageMap()
	case tokens >= 0:
		take(tokens)
		averageTokens()
	case vector >= 0:
		take(vector)
		r.note("pooled: output %q, though its name says class scores, as there is nothing else", o.Graph)
	default:
		return fmt.Errorf("%w: %s gives neither a map, nor tokens, nor a vector per image: %s; export it with outputs feature_map and pooled", ErrModel, r.path, r.names())
	}
	if o.Shape = o.kind.shape(o.dims); len(o.Shape) > 1 { // axes of one pixel
		o.Shape = []int{elements(o.Shape)}
	}
	if o.How != "" {
		r.note("pooled: %s", o.How)
	}
	r.outputs = append(r.outputs, o)
	return nil
}
