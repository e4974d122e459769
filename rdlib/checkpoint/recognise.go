package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"rd/rdlib/model"
)

// Wanted is what a user says of a network, instead of what is read off its weights.
type Wanted struct {
	Architecture  string // one of model.Names; "" leaves it to the weights
	Heads         int    // of attentions; 0 leaves it to the weights, or to what is usual where they do not tell
	Height, Width int    // of images in pixels; 0 means what the weights were made for
}

// Match is an architecture that weights belong to, or nearly.
type Match struct {
	Architecture string         `json:"architecture"`
	Config       model.Config   `json:"config"`
	Notes        []string       `json:"notes,omitempty"` // what the weights do not tell
	Loaded       *Loaded        `json:"loaded"`
	Problems     []string       `json:"problems,omitempty"` // every missing, unexpected or mis-shaped tensor
	Network      *model.Network `json:"-"`
	Weights      model.Weights  `json:"-"` // nil where there are problems
	children     bool           // the tensors are named after a row of the network's children
	bare         bool           // nothing stands before the names
}

// shapes are those of a file's tensors by the architecture's names.
type shapes map[string][]int

// scheme says how an architecture is told by its weights.
type scheme struct {
	architecture string
	signature    string // a parameter that it has at any size
	describe     func(s shapes, w Wanted) ([]described, error)
}

// described is a configuration that weights may have been made for, and what of it is usual rather than read off them.
type described struct {
	config model.Config
	notes  []string
}

var schemes = []scheme{
	{"vit_sam", "blocks.0.attn.rel_pos_h", describeSAMViT},
	{"vit", "blocks.0.mlp.fc1.weight", describeViT},
	{"clip_resnet50", "attnpool.c_proj.weight", describeCLIPResNet50},
	{"densenet121", "features.denseblock1.denselayer1.conv1.weight", describeDenseNet121},
	{"resnet50", "layer1.0.conv3.weight", describeResNet},
	{"resnet18", "layer1.0.conv2.weight", describeResNet},
	{"shufflenet", "stage2.0.branch1.0.weight", describeWidths("fc.weight", 0.25, 0.5, 1, 1.5, 2)},
	{"mobilenet", "features.1.conv.0.0.weight", describeWidths("classifier.1.weight", 0.25, 0.35, 0.5, 0.75, 1, 1.4)},
}

// ErrUnknown says that weights belong to no architecture that is known.
var ErrUnknown = errors.New("weights of no known architecture")

// Recognise finds the architecture whose tensors the file has, or has nearly: that with the fewest problems, its
// classifier aside. The error wraps ErrUnknown where no architecture is near, and is a *model.UnknownError where the wanted
// one has no such name.
func (f *File) Recognise(w Wanted, o Options) (*Match, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if w.Architecture != "" {
		if _, err := model.New(w.Architecture, model.Config{Classes: 1}); err != nil {
			return nil, err
		}
	}
	names := slices.Sorted(maps.Keys(f.Weights))
	var best *Match
	var reasons []error
	for _, s := range schemes {
		if w.Architecture != "" && !sameArchitecture(w.Architecture, s.architecture) {
			continue
		}
		n, rest, ok := s.naming(names)
		if !ok {
			continue
		}
		candidates, err := s.describe(f.shapes(n), w)
		if err != nil {
			reasons = append(reasons, fmt.Errorf("%s: %w", s.architecture, err))
			continue
		}
		for _, c := range candidates {
			m, err := f.match(s.architecture, c, o)
			if err != nil {
				reasons = append(reasons, err)
				continue
			}
			m.children, m.bare = rest[0] >= '0' && rest[0] <= '9', n.prefix == ""
			if best == nil || len(m.Problems) < len(best.Problems) {
				best = m
			}
		}
	}
	if best == nil {
		what := "known are " + strings.Join(model.Names(), ", ")
		if w.Architecture != "" {
			what = "they are not those of " + w.Architecture
		}
		if len(reasons) > 0 {
			what = errors.Join(reasons...).Error()
		}
		return nil, fmt.Errorf("%w: %s: %s", ErrUnknown, f.Path, what)
	}
	return best, nil
}

// sameArchitecture reports whether a name is one of model's for the architecture.
func sameArchitecture(name, architecture string) bool {
	a, errA := model.New(name, model.Config{Classes: 1})
	b, errB := model.New(architecture, model.Config{Classes: 1})
	return errA == nil && errB == nil && a.Name() == b.Name()
}

// match builds the network and compares.
func (f *File) match(architecture string, d described, o Options) (*Match, error) {
	if d.config.Classes == 0 {
		o.WithoutClassifier = true
		if architecture != "vit_sam" && architecture != "clip_resnet50" { // these may do without one
			d.config.Classes = 1
		}
	}
	network, err := model.New(architecture, d.config)
	if err != nil {
		return nil, err
	}
	weights, loaded, problems := f.fit(network, o)
	m := &Match{Architecture: architecture, Config: d.config, Notes: d.notes, Loaded: loaded, Network: network}
	for _, p := range problems {
		m.Problems = append(m.Problems, p.Error())
	}
	if len(problems) == 0 {
		m.Weights = weights
	}
	return m, nil
}

// naming finds the names that make a parameter of the file the signature; rest is what the file calls it, the prefix aside.
func (s scheme) naming(names []string) (n naming, rest string, ok bool) {
	for _, translate := range translations {
		for _, name := range names {
			rest = name
			for range maxWrappers + 1 {
				if translate(rest) == s.signature {
					return naming{strings.TrimSuffix(name, rest), translate}, rest, true
				}
				_, after, found := strings.Cut(rest, ".")
				if !found {
					break
				}
				rest = after
			}
		}
	}
	return naming{}, "", false
}

// shapes are those of the tensors that the naming means.
func (f *File) shapes(n naming) shapes {
	s := shapes{}
	for name, t := range f.Weights {
		if own, ok := n.of(name); ok {
			s[own] = t.Shape
		}
	}
	return s
}

// of returns the shape of a tensor that must have so many axes.
func (s shapes) of(name string, rank int) ([]int, error) {
	shape, ok := s[name]
	if !ok || len(shape) != rank || slices.Min(append(slices.Clone(shape), 1)) < 1 {
		return nil, fmt.Errorf("its tensor %s, which should have %d axes, is %v", name, rank, shape)
	}
	return shape, nil
}

// classes is the number of outputs of a classifier; 0 where there is none.
func (s shapes) classes(weight string) int {
	if shape := s[weight]; len(shape) == 2 {
		return shape[0]
	}
	return 0
}

// count returns how many numbers from first on the pattern's group has, without a gap.
func (s shapes) count(pattern string, first int) int {
	expression := regexp.MustCompile(pattern)
	seen := map[int]bool{}
	for name := range s {
		if m := expression.FindStringSubmatch(name); m != nil {
			if i, err := strconv.Atoi(m[1]); err == nil {
				seen[i] = true
			}
		}
	}
	n := first
	for seen[n] {
		n++
	}
	return n - first
}

// transformer reads what the two vision transformers have in common; hidden names the MLP's first layer.
func (s shapes) transformer(hidden string) (model.Transformer, error) {
	patch, err := s.of("patch_embed.proj.weight", 4)
	if err != nil {
		return model.Transformer{}, err
	}
	mlp, err := s.of(hidden, 2)
	if err != nil {
		return model.Transformer{}, err
	}
	return model.Transformer{
		Patch: patch[2], Dim: patch[0], Depth: s.count(`^blocks\.(\d+)\.`, 0), MLPRatio: float64(mlp[0]) / float64(patch[0]),
	}, nil
}

// usualHead is the width of a head in CLIP's ResNets and in timm's ViTs up to the large one.
const usualHead = 64

func describeViT(s shapes, w Wanted) ([]described, error) {
	t, err := s.transformer("blocks.0.mlp.fc1.weight")
	if err != nil {
		return nil, err
	}
	var notes []string
	switch {
	case w.Heads > 0:
		t.Heads = w.Heads
	case t.Dim%usualHead == 0:
		t.Heads = t.Dim / usualHead
		notes = append(notes, fmt.Sprintf("weights do not tell the number of heads: %d, of the usual %d features each", t.Heads, usualHead))
	default:
		return nil, fmt.Errorf("weights do not tell the number of heads, and a width of %d is no multiple of the usual %d: give it", t.Dim, usualHead)
	}
	position, err := s.of("pos_embed", 3)
	if err != nil {
		return nil, err
	}
	patches := position[1]
	t.Pool = model.PoolMean
	if _, ok := s["cls_token"]; ok {
		t.Pool = model.PoolToken
		patches--
	}
	t.Height, t.Width = w.Height, w.Width
	if side := int(math.Sqrt(float64(patches))); t.Height == 0 && t.Width == 0 {
		if side*side != patches {
			return nil, fmt.Errorf("its %d positions are no square: give the size of the images", patches)
		}
		t.Height, t.Width = side*t.Patch, side*t.Patch
	}
	c := model.Config{Classes: s.classes("head.weight"), InChannels: s["patch_embed.proj.weight"][1], Transformer: t}
	return []described{{c, notes}}, nil
}

func describeSAMViT(s shapes, w Wanted) ([]described, error) {
	t, err := s.transformer("blocks.0.mlp.lin1.weight")
	if err != nil {
		return nil, err
	}
	var entries []int
	for i := range t.Depth {
		table, err := s.of(fmt.Sprintf("blocks.%d.attn.rel_pos_h", i), 2)
		if err != nil {
			return nil, err
		}
		t.Heads = t.Dim / table[1]
		entries = append(entries, table[0])
	}
	c := model.Config{Classes: s.classes("head.weight"), InChannels: s["patch_embed.proj.weight"][1]}
	t.Height, t.Width = w.Height, w.Width
	c.Transformer = t
	windowed, global := slices.Min(entries), slices.Max(entries)
	c.Windows = model.Windows{Side: (windowed + 1) / 2, Table: (global + 1) / 2 * t.Patch}
	var notes []string
	if windowed == global {
		notes = append(notes, "all tables of positions have one size: the last block of each quarter is taken for global, as in SAM")
	} else {
		c.Windows.Global = []int{}
		for i, n := range entries {
			if n == global {
				c.Windows.Global = append(c.Windows.Global, i)
			}
		}
	}
	if grid, err := model.SAMTransformer(c); err == nil {
		if h, w := 2*(grid.Height/grid.Patch)-1, 2*(grid.Width/grid.Patch)-1; h != global || w != global {
			notes = append(notes, fmt.Sprintf("tables of positions of global blocks are interpolated in use, from %d entries to %d for rows and %d for columns", global, h, w))
		}
	}
	_, c.Windows.Neck = s["neck.0.weight"]
	return []described{{c, notes}}, nil
}

func describeCLIPResNet50(s shapes, w Wanted) ([]described, error) {
	stem, err := s.of("conv1.weight", 4)
	if err != nil {
		return nil, err
	}
	out, err := s.of("attnpool.c_proj.weight", 2)
	if err != nil {
		return nil, err
	}
	position, err := s.of("attnpool.positional_embedding", 2)
	if err != nil {
		return nil, err
	}
	c := model.Config{
		Classes: s.classes("fc.weight"), InChannels: stem[1], Width: float64(stem[0]) / 32, Blocks: s.blocks(),
		Attention: model.AttentionPool{Heads: w.Heads, Out: out[0]},
	}
	var notes []string
	if w.Heads == 0 {
		notes = append(notes, fmt.Sprintf("weights do not tell the number of heads: one for each %d channels, as in CLIP", usualHead))
	}
	c.Transformer.Height, c.Transformer.Width = w.Height, w.Width
	if side := int(math.Sqrt(float64(position[0] - 1))); w.Height == 0 && w.Width == 0 {
		if side*side != position[0]-1 || len(c.Blocks) == 0 {
			return nil, fmt.Errorf("its %d positions are no square: give the size of the images", position[0]-1)
		}
		pixels := side * (4 << (len(c.Blocks) - 1)) // the stem halves twice, each stage after the first once
		c.Transformer.Height, c.Transformer.Width = pixels, pixels
	}
	return []described{{c, notes}}, nil
}

// blocks counts the blocks of each stage of a ResNet.
func (s shapes) blocks() []int {
	var blocks []int
	for stage := range s.count(`^layer(\d+)\.`, 1) {
		blocks = append(blocks, s.count(fmt.Sprintf(`^layer%d\.(\d+)\.`, stage+1), 0))
	}
	return blocks
}

func describeResNet(s shapes, _ Wanted) ([]described, error) {
	stem, err := s.of("conv1.weight", 4)
	if err != nil {
		return nil, err
	}
	return []described{{config: model.Config{Classes: s.classes("fc.weight"), InChannels: stem[1], Width: float64(stem[0]) / 64, Blocks: s.blocks()}}}, nil
}

func describeDenseNet121(s shapes, _ Wanted) ([]described, error) {
	stem, err := s.of("features.conv0.weight", 4)
	if err != nil {
		return nil, err
	}
	c := model.Config{Classes: s.classes("classifier.weight"), InChannels: stem[1], Width: float64(stem[0]) / 64}
	for block := range s.count(`^features\.denseblock(\d+)\.`, 1) {
		c.Blocks = append(c.Blocks, s.count(fmt.Sprintf(`^features\.denseblock%d\.denselayer(\d+)\.`, block+1), 1))
	}
	return []described{{config: c}}, nil
}

// describeWidths tries the widths in use.
func describeWidths(classifier string, widths ...float64) func(shapes, Wanted) ([]described, error) {
	return func(s shapes, _ Wanted) ([]described, error) {
		var list []described
		for _, width := range widths {
			list = append(list, described{config: model.Config{Classes: s.classes(classifier), Width: width}})
		}
		return list, nil
	}
}
