package checkpoint

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rd/rdlib/model"
)

// network describes an architecture.
func network(t testing.TB, name string, c model.Config) *model.Network {
	t.Helper()
	net, err := model.New(name, c)
	if err != nil {
		t.Fatal(err)
	}
	return net
}

// Small networks of every architecture, by name.
func architectures() map[string]model.Config {
	vit := model.Transformer{Height: 24, Width: 24, Patch: 6, Dim: 128, Depth: 4, Heads: 2, MLPRatio: 1.5, Pool: model.PoolToken}
	mean := vit
	mean.Pool = model.PoolMean
	sam := model.Transformer{Patch: 8, Dim: 12, Depth: 5, Heads: 3, MLPRatio: 2}
	return map[string]model.Config{
		"resnet18":              {Classes: 3, InChannels: 3, Width: 0.25, Blocks: []int{2, 1, 1}},
		"resnet50":              {Classes: 3, InChannels: 3, Width: 0.125, Blocks: []int{1, 2, 1, 1}},
		"densenet121":           {Classes: 4, InChannels: 3, Width: 0.25, Blocks: []int{2, 3}},
		"clip_resnet50":         {InChannels: 3, Width: 0.25, Blocks: []int{1, 1, 2, 1}, Transformer: model.Transformer{Height: 96, Width: 96}, Attention: model.AttentionPool{Out: 24}},
		"vit":                   {Classes: 2, InChannels: 3, Transformer: vit},
		"vit mean":              {Classes: 2, InChannels: 3, Transformer: mean},
		"vit_sam":               {InChannels: 3, Transformer: sam, Windows: model.Windows{Side: 3, Table: 64, Global: []int{1, 4}, Neck: true}},
		"shufflenet":            {Classes: 3, Width: 0.5},
		"mobilenet":             {Classes: 3, Width: 0.35},
		"shufflenet 1000 wide":  {Classes: 1000},
		"resnet18 with classes": {Classes: 1000, InChannels: 3, Width: 0.125, Blocks: []int{2, 2, 2, 2}},
	}
}

// TestRecognise: each architecture is told by its weights alone, with all choices that the weights tell.
func TestRecognise(t *testing.T) {
	for name, c := range architectures() {
		architecture, _, _ := strings.Cut(name, " ")
		net := network(t, architecture, c)
		f := &File{Path: "w.pth", Weights: net.Init(2)}
		m, err := f.Recognise(Wanted{}, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Architecture != architecture || len(m.Problems) > 0 {
			t.Errorf("%s: recognised as %s, %v", name, m, m.Problems)
			continue
		}
		if got, want := fmt.Sprint(m.Network.Parameters()), fmt.Sprint(net.Parameters()); got != want || m.Network.Classes() != net.Classes() {
			t.Errorf("%s: recognised as %s, with other parameters", name, m)
		}
		if !reflect.DeepEqual(m.Weights, f.Weights) || m.Loaded.Used != len(f.Weights) || m.Loaded.Prefix != "" || len(m.Loaded.LeftOut) > 0 {
			t.Errorf("%s: loaded as %+v", name, m.Loaded)
		}
		if net.InputShape()[1] != model.Any && architecture != "vit_sam" && !slices.Equal(m.Network.InputShape(), net.InputShape()) {
			t.Errorf("%s: images of %v, want %v", name, m.Network.InputShape(), net.InputShape())
		}
		if architecture == "vit_sam" && !reflect.DeepEqual(m.Config.Windows, c.Windows) {
			t.Errorf("windows %+v, want %+v", m.Config.Windows, c.Windows)
		}
		if again, err := f.Recognise(Wanted{Architecture: architecture}, Options{}); err != nil || again.String() != m.String() {
			t.Errorf("%s by name: %v, %v", name, again, err)
		}
	}
}

// renamed returns weights under other names.
func renamed(w model.Weights, rename func(name string) string) model.Weights {
	out := model.Weights{}
	for name, t := range w {
		out[rename(name)] = t
	}
	return out
}

var newDenseName = regexp.MustCompile(`(denselayer\d+\.(?:norm|relu|conv))([12]\.)`)

// published are the ways in which the publications name their tensors, each of an architecture above.
var published = map[string]struct {
	architecture string
	rename       func(name string) string
	prefix, as   string
}{
	"data parallel":   {"resnet18", func(n string) string { return "module." + n }, "module.", ImageNet},
	"in two wrappers": {"mobilenet", func(n string) string { return "model.backbone." + n }, "model.backbone.", ImageNet},
	"old DenseNet":    {"densenet121", func(n string) string { return newDenseName.ReplaceAllString(n, "$1.$2") }, "", ImageNet},
	"RadImageNet's DenseNet": {"densenet121", func(n string) string { return strings.Replace(n, "features.", "backbone.0.", 1) },
		"backbone.", "radimagenet"},
	"RadImageNet's ResNet": {"resnet50", func(n string) string {
		for number, own := range children {
			if rest, ok := strings.CutPrefix(n, own); ok {
				return "backbone." + number + rest
			}
		}
		return n
	}, "backbone.", "radimagenet"},
	"SAM":           {"vit_sam", func(n string) string { return "image_encoder." + n }, "image_encoder.", ImageNet},
	"PMC-CLIP":      {"clip_resnet50", func(n string) string { return "module.visual." + n }, "module.visual.", "clip"},
	"timm":          {"vit", func(n string) string { return n }, "", ImageNet},
	"LVM-Med":       {"vit_sam", func(n string) string { return n }, "", ImageNet}, // its tables are not those of 1024 pixels
	"a ShuffleNet":  {"shufflenet", func(n string) string { return "net." + n }, "net.", ImageNet},
	"a ViT of MAE":  {"vit mean", func(n string) string { return "encoder." + n }, "encoder.", ImageNet},
	"CLIP, and not": {"clip_resnet50", func(n string) string { return "visual." + n }, "visual.", "clip"},
}

// TestPublishedNames: under whatever names, through a file and back, the weights are the network's own.
func TestPublishedNames(t *testing.T) {
	for name, p := range published {
		architecture, _, _ := strings.Cut(p.architecture, " ")
		net := network(t, architecture, architectures()[p.architecture])
		own := net.Init(5)
		weight, bias := net.ClassifierParameters()
		headless := strings.HasPrefix(p.as, "rad") // published without the classifier
		if headless {
			delete(own, weight)
			delete(own, bias)
		}
		w := renamed(own, p.rename)
		others := map[string]bool{}
		if p.prefix == "image_encoder." || strings.HasSuffix(p.prefix, "visual.") {
			others = map[string]bool{"mask_decoder.x.weight": true, "logit_scale": true, strings.Replace(p.prefix, "visual.", "text.", 1) + "y": true}
			if p.prefix == "image_encoder." {
				delete(others, "image_encoder.y")
			}
			for name := range others {
				w[name] = model.Tensor{Shape: []int{1}, Data: []float32{1}}
			}
		}
		safe := filepath.Join(t.TempDir(), "w.safetensors")
		if err := model.SaveSafetensors(safe, w, nil); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{saved(t, w), safe} {
			f, err := Read(path, "")
			if err != nil {
				t.Fatal(err)
			}
			m, err := f.Recognise(Wanted{}, Options{})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if m.Architecture != architecture || len(m.Problems) > 0 || m.Loaded.Prefix != p.prefix || m.Publication().Name != p.as {
				t.Errorf("%s: %s, prefix %q, published as %q, %v", name, m, m.Loaded.Prefix, m.Publication().Name, m.Problems)
				continue
			}
			for parameter, want := range own {
				if !reflect.DeepEqual(m.Weights[parameter], want) {
					t.Errorf("%s: %s is not what was saved", name, parameter)
				}
			}
			leftOut := map[string]bool{}
			for _, left := range m.Loaded.LeftOut {
				leftOut[left] = true
			}
			if !maps.Equal(leftOut, others) || m.Loaded.Used != len(own) {
				t.Errorf("%s: %d used, %v left out; want %d and %v", name, m.Loaded.Used, m.Loaded.LeftOut, len(own), others)
			}
			loaded, _, err := f.Load(net, Options{WithoutClassifier: headless})
			if err != nil || !headless && !reflect.DeepEqual(loaded, own) {
				t.Errorf("%s: loading into the network: %v", name, err)
			}
		}
	}
}

// TestNothingIsLoadedInPart: every tensor that does not fit is listed, by its name, and nothing is returned.
func TestNothingIsLoadedInPart(t *testing.T) {
	net := network(t, "resnet18", architectures()["resnet18"])
	w := net.Init(1)
	w["fc.weight"] = model.Tensor{Shape: []int{9, 1}, Data: make([]float32, 9)}
	w["extra.weight"] = model.Tensor{Shape: []int{1}, Data: []float32{1}}
	w["layer9.0.bias"] = w["extra.weight"]
	delete(w, "bn1.weight")
	delete(w, "layer2.0.conv1.weight")
	f := &File{Path: "some.pth", Weights: renamed(w, func(n string) string { return "module." + n })}
	f.Weights["stray"] = w["extra.weight"]
	got, _, err := f.Load(net, Options{})
	if err == nil || got != nil {
		t.Fatal("weights were loaded in part")
	}
	for _, want := range []string{"some.pth", `without "module."`, "resnet18", "6 tensors", "missing: bn1.weight [16]", "missing: layer2.0.conv1.weight", "wrong shape: fc.weight is [9 1]",
		"unexpected: extra.weight [1]", "unexpected: layer9.0.bias [1]", "unexpected: stray [1]"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	// Every kind may be allowed by name, a missing one never.
	f.Weights = renamed(net.Init(1), func(n string) string { return "module." + n })
	f.Weights["module.fc_norm.weight"], f.Weights["stray"] = w["extra.weight"], w["extra.weight"]
	f.Weights["module.fc.weight"] = w["fc.weight"]
	_, loaded, err := f.Load(net, Options{Ignore: []string{"fc_norm.*", "stray"}, WithoutClassifier: true})
	if err != nil || !slices.Equal(loaded.LeftOut, []string{"module.fc.bias", "module.fc.weight", "module.fc_norm.weight", "stray"}) || len(loaded.Notes) != 1 {
		t.Errorf("%+v, %v", loaded, err)
	}
	if _, _, err := f.Load(net, Options{Ignore: []string{"module.bn1.*", "fc_norm.*", "stray"}, WithoutClassifier: true}); err == nil || !strings.Contains(err.Error(), "missing: bn1.running_var") {
		t.Errorf("an ignored tensor is not missed: %v", err)
	}
	if _, _, err := f.Load(net, Options{Ignore: []string{"["}}); err == nil || !strings.Contains(err.Error(), `"["`) {
		t.Errorf("a pattern that is none: %v", err)
	}
	// Two names that become one.
	dense := network(t, "densenet121", architectures()["densenet121"])
	f.Weights = renamed(dense.Init(1), published["old DenseNet"].rename)
	f.Weights["0.conv0.weight"] = f.Weights["features.conv0.weight"]
	if _, _, err := f.Load(dense, Options{}); err == nil || !strings.Contains(err.Error(), "0.conv0.weight and features.conv0.weight are both features.conv0.weight") {
		t.Errorf("one tensor twice: %v", err)
	}
}

// TestAnotherArchitecture: weights of one architecture do not load into another, and what is no network is not recognised.
func TestAnotherArchitecture(t *testing.T) {
	for name, c := range architectures() {
		architecture, _, _ := strings.Cut(name, " ")
		f := &File{Path: "w.pth", Weights: network(t, architecture, c).Init(1)}
		for other, d := range architectures() {
			if o, _, _ := strings.Cut(other, " "); o != architecture {
				if _, _, err := f.Load(network(t, o, d), Options{}); err == nil {
					t.Errorf("weights of %s were loaded into %s", name, other)
				}
			}
		}
	}
	f := &File{Path: "w.pth", Weights: model.Weights{"transformer.wte.weight": {Shape: []int{2}, Data: []float32{1, 2}}}}
	if _, err := f.Recognise(Wanted{}, Options{}); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "w.pth") || !strings.Contains(err.Error(), "vit_sam") {
		t.Errorf("unknown weights: %v", err)
	}
	f.Weights = network(t, "vit", architectures()["vit"]).Init(1)
	if _, err := f.Recognise(Wanted{Architecture: "resnet50"}, Options{}); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "not those of resnet50") {
		t.Errorf("a ViT as a ResNet: %v", err)
	}
	f.Weights["patch_embed.proj.weight"] = model.Tensor{Shape: []int{0, 3, 0, 0}}
	if _, err := f.Recognise(Wanted{}, Options{}); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "patch_embed") {
		t.Errorf("a ViT of no width: %v", err)
	}
	for _, name := range []string{"patch_embed.proj.weight", "pos_embed", "blocks.0.mlp.fc1.weight"} {
		f.Weights = network(t, "vit", architectures()["vit"]).Init(1)
		f.Weights[name] = model.Tensor{Shape: []int{1}, Data: []float32{1}}
		if _, err := f.Recognise(Wanted{}, Options{}); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), name) {
			t.Errorf("a ViT with another %s: %v", name, err)
		}
	}
}

// TestHeadsAreGiven: what weights do not tell is asked for, or said to be assumed.
func TestHeadsAreGiven(t *testing.T) {
	c := architectures()["vit"]
	c.Transformer.Dim = 100
	f := &File{Path: "w.pth", Weights: network(t, "vit", c).Init(1)}
	if _, err := f.Recognise(Wanted{}, Options{}); err == nil || !strings.Contains(err.Error(), "number of heads") {
		t.Errorf("heads were made up: %v", err)
	}
	if m, err := f.Recognise(Wanted{Heads: 5}, Options{}); err != nil || m.Config.Transformer.Heads != 5 || len(m.Notes) > 0 {
		t.Errorf("%v, %v", m, err)
	}
	f.Weights = network(t, "vit", architectures()["vit"]).Init(1)
	if m, err := f.Recognise(Wanted{}, Options{}); err != nil || m.Config.Transformer.Heads != 2 || len(m.Notes) != 1 {
		t.Errorf("%v, %v", m, err)
	}
}

// TestPositionsAreInterpolated: to another image size, said so; what is even stays even, what rises across the image rises.
func TestPositionsAreInterpolated(t *testing.T) {
	for name, size := range map[string]int{"vit": 36, "vit mean": 12, "clip_resnet50": 128} {
		architecture, _, _ := strings.Cut(name, " ")
		small := network(t, architecture, architectures()[name])
		f := &File{Path: "w.pth", Weights: small.Init(1)}
		table := "pos_embed"
		if architecture == "clip_resnet50" {
			table = "attnpool.positional_embedding"
		}
		old := f.Weights[table]
		features := old.Shape[len(old.Shape)-1]
		tokens := len(old.Data) / features
		before := 1
		if name == "vit mean" {
			before = 0
		}
		side := int(math.Sqrt(float64(tokens - before)))
		for i := range old.Data {
			switch p := i/features - before; {
			case p < 0:
				old.Data[i] = 9
			case i%features == 0:
				old.Data[i] = 3
			case i%features == 1:
				old.Data[i] = float32(p % side)
			default:
				old.Data[i] = float32(p / side)
			}
		}
		m, err := f.Recognise(Wanted{Height: size, Width: size}, Options{})
		if err != nil || len(m.Problems) > 0 {
			t.Errorf("%s: %v, %v", name, err, m)
			continue
		}
		if notes := strings.Join(m.Loaded.Notes, "; "); !strings.Contains(notes, fmt.Sprintf("%s interpolated from %d to", table, tokens)) {
			t.Errorf("%s: notes %q", name, notes)
		}
		shapes, err := m.Network.Shapes(m.Network.InputShape()...)
		if err != nil {
			t.Fatal(err)
		}
		wide := shapes.FeatureMap[2]
		got := m.Weights[table].Data
		if len(got)/features != before+wide*wide {
			t.Fatalf("%s: %d positions for a map of %d×%d", name, len(got)/features, wide, wide)
		}
		if before == 1 && (got[0] != 9 || got[features-1] != 9) {
			t.Errorf("%s: the class token's position moved", name)
		}
		at := func(y, x, feature int) float64 { return float64(got[(before+y*wide+x)*features+feature]) }
		for y := range wide {
			for x := range wide {
				want := func(i int) float64 {
					return min(max((float64(i)+0.5)*float64(side)/float64(wide)-0.5, 0), float64(side-1))
				}
				if math.Abs(at(y, x, 0)-3) > 1e-5 || math.Abs(at(y, x, 1)-want(x)) > 1e-5 || math.Abs(at(y, x, 2)-want(y)) > 1e-5 {
					t.Errorf("%s: position (%d, %d) is %g, %g, %g; want 3, %g, %g", name, y, x, at(y, x, 0), at(y, x, 1), at(y, x, 2), want(x), want(y))
				}
			}
		}
	}
	// Relative positions, made for another size than the network's.
	c := architectures()["vit_sam"]
	f := &File{Path: "w.pth", Weights: network(t, "vit_sam", c).Init(1)}
	c.Windows.Table = 96
	w, loaded, err := f.Load(network(t, "vit_sam", c), Options{})
	if err != nil || len(loaded.Notes) != 4 || w["blocks.1.attn.rel_pos_w"].Shape[0] != 23 {
		t.Errorf("relative positions: %v, %+v", err, loaded)
	}
	// Positions that are no square stay as they are, and do not fit.
	f.Weights = network(t, "vit", architectures()["vit"]).Init(1)
	f.Weights["pos_embed"] = model.Tensor{Shape: []int{1, 16, 128}, Data: make([]float32, 16*128)}
	if m, err := f.Recognise(Wanted{Height: 24, Width: 24}, Options{}); err != nil || len(m.Problems) != 1 || !strings.Contains(m.Problems[0], "pos_embed") {
		t.Errorf("15 positions: %v, %v", m, err)
	}
}

// TestLVMMed: LVM-Med's encoder is told by its names and sizes, its neck and all.
func TestLVMMed(t *testing.T) {
	c := architectures()["vit_sam"]
	c.Transformer.Patch, c.Windows.Table = 16, 1024
	f := &File{Path: "w.pth", Weights: network(t, "vit_sam", c).Init(1)}
	m, err := f.Recognise(Wanted{}, Options{})
	if err != nil || len(m.Problems) > 0 {
		t.Fatalf("%v, %v", m, err)
	}
	if notes := strings.Join(m.Notes, "; "); !strings.Contains(notes, "from 127 entries to 27 for rows and 27 for columns") {
		t.Errorf("the notes are %q", notes)
	}
	if m, err := f.Recognise(Wanted{Height: 1024, Width: 1024}, Options{}); err != nil || len(m.Notes) > 0 {
		t.Errorf("nothing is interpolated at 1024 pixels: %v, %v", m.Notes, err)
	}
	p := m.Publication()
	if p.Name != "lvm_med" || p.Licence == "" || !slices.Contains(p.Seen, "covid_ct") || !m.Config.Windows.Neck || !slices.Equal(m.Network.InputShape(), []int{3, 224, 224}) {
		t.Errorf("%s, %+v", m, p)
	}
}
