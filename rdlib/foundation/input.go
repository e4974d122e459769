package foundation

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"rd/rdlib/dataset"
)

// input is how the graph takes images.
type input struct {
	port     Port
	nhwc     bool
	channels int // 3, or 1 for a grey model
	batch    int // the only batch size the graph takes; 0 when free
}

// The default side where neither the graph nor a side-car says anything: that of the published foundation models.
const defaultSide = 224

// findInput chooses the image input: the one the side-car names, else the first float tensor of four axes.
func findInput(path string, g *graph, sidecar *SideCar) (in input, notes []string, err error) {
	if len(g.inputs) == 0 {
		return in, nil, fmt.Errorf("%w: %s has no input at all; export it with an image input", ErrModel, path)
	}
	wanted := ""
	if sidecar != nil {
		wanted = sidecar.Input.Name
	}
	found := slices.IndexFunc(g.inputs, func(p Port) bool {
		return p.Type == "float" && len(p.Dims) == 4 && (wanted == "" || p.Name == wanted)
	})
	switch {
	case found < 0 && wanted != "" && slices.ContainsFunc(g.inputs, func(p Port) bool { return p.Name == wanted }):
		return in, nil, fmt.Errorf("%w: %s has no float image input: %q, which %s names, is not float32 of 4 axes; it takes %s", ErrModel, path, wanted, SideCarPath(path), ports(g.inputs))
	case found < 0 && wanted != "":
		return in, nil, fmt.Errorf("%w: %s names the input %q, which %s does not have; it takes %s", ErrSideCar, SideCarPath(path), wanted, path, ports(g.inputs))
	case found < 0:
		return in, nil, fmt.Errorf("%w: %s has no float image input (float32 of 4 axes); it takes %s: export it for float32 images", ErrModel, path, ports(g.inputs))
	case len(g.inputs) > 1:
		others := slices.Delete(slices.Clone(g.inputs), found, found+1)
		return in, nil, fmt.Errorf("%w: %s needs more than an image: also %s; export its image encoder alone", ErrModel, path, ports(others))
	}
	in.port = g.inputs[found]
	if wanted == "" {
		notes = append(notes, fmt.Sprintf("input: %q, the first float input of 4 axes", in.port.Name))
	}
	dims := in.port.Dims
	isChannels := func(d Dim) bool { return d.Size == 1 || d.Size == 3 }
	switch {
	case sidecar != nil && sidecar.Input.Layout != "":
		in.nhwc = sidecar.Input.Layout == "NHWC"
	case isChannels(dims[1]):
		notes = append(notes, fmt.Sprintf("layout: NCHW, as axis 1 is %s", dims[1]))
	case isChannels(dims[3]):
		in.nhwc = true
		notes = append(notes, fmt.Sprintf("layout: NHWC, as axis 3 is %s", dims[3]))
	default:
		notes = append(notes, "layout: NCHW, as no axis says otherwise")
	}
	channels := dims[1]
	if in.nhwc {
		channels = dims[3]
	}
	switch {
	case channels.Size == 0:
		in.channels = 3
		notes = append(notes, "channels: 3, as the graph leaves them free")
	case isChannels(channels):
		in.channels = channels.Size
	default:
		return in, nil, fmt.Errorf("%w: %s takes images of %d channels (%s); 1 or 3 are possible: export it for such images, or state the layout in %s",
			ErrModel, path, channels.Size, in.port, SideCarPath(path))
	}
	in.batch = dims[0].Size
	return in, notes, nil
}

func ports(list []Port) string {
	names := make([]string, len(list))
	for i, p := range list {
		names[i] = p.String()
	}
	return strings.Join(names, ", ")
}

// size settles height and width: what was asked for, else the side-car's, else the graph's, else the default. Axes the
// graph fixes can be nothing else.
func (in input) size(path string, sidecar *SideCar, asked Size) (s Size, notes []string, err error) {
	axes := [2]Dim{in.port.Dims[2], in.port.Dims[3]}
	if in.nhwc {
		axes = [2]Dim{in.port.Dims[1], in.port.Dims[2]}
	}
	s = asked
	fromSideCar := false
	if s == (Size{}) && sidecar != nil && sidecar.Input.Size != (Size{}) {
		s, fromSideCar = sidecar.Input.Size, true
	}
	if s == (Size{}) {
		for i, axis := range axes {
			if s[i] = axis.Size; axis.Size == 0 {
				s[i] = defaultSide
			}
		}
		if axes[0].Size > 0 && axes[1].Size > 0 {
			notes = append(notes, fmt.Sprintf("size: %s, fixed in the graph", s))
		} else {
			notes = append(notes, fmt.Sprintf("size: %s, as nothing says otherwise", s))
		}
	}
	for i, name := range []string{"height", "width"} {
		if axes[i].Size == 0 || axes[i].Size == s[i] {
			continue
		}
		if fromSideCar {
			return s, nil, fmt.Errorf("%w: %s says size %s, but the graph's %s is fixed at %d", ErrSideCar, SideCarPath(path), s, name, axes[i].Size)
		}
		return s, nil, fmt.Errorf("%w: %s cannot run at %s: its %s is fixed at %d; use that size, or export it with free axes", ErrModel, path, s, name, axes[i].Size)
	}
	if !plausibleSize(s) {
		return s, nil, fmt.Errorf("%w: %s: size %s is outside 1…%d pixels", ErrModel, path, s, maxSide)
	}
	return s, notes, nil
}

// String returns "height×width".
func (s Size) String() string { return fmt.Sprintf("%d×%d", s[0], s[1]) }

// preprocess settles how an image becomes the input at a size: the side-car's way, with torchvision's conventions for
// what it leaves open.
func (in input) preprocess(path string, sidecar *SideCar, size Size) (p dataset.Preprocess, notes []string, err error) {
	p = dataset.DefaultPreprocess(size[0], size[1])
	stated := SideCarInput{}
	if sidecar != nil {
		stated = sidecar.Input
	}
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	switch {
	case stated.Channels != "":
		p.Channels = stated.Channels
	case in.channels == 1:
		p.Channels = dataset.Grey
		note("channels: grey, as the input has one")
	default:
		note("channels: RGB")
	}
	if in.channels == 1 && p.Channels != dataset.Grey {
		return p, nil, fmt.Errorf("%w: %s says channels %s, but the input has one", ErrSideCar, SideCarPath(path), p.Channels)
	}
	if stated.Mean != nil {
		p.Mean = stated.Mean.channels()
	} else {
		note("mean: %v (ImageNet)", p.Mean)
	}
	if stated.Std != nil {
		p.Std = stated.Std.channels()
	} else {
		note("std: %v (ImageNet)", p.Std)
	}
	switch {
	case stated.Scale != nil:
		p.Scale = *stated.Scale
	case stated.Mean != nil && slices.Max(stated.Mean) > 1.5:
		p.Scale = 1
		note("scale: 1, as the mean is in 0…255")
	default:
		note("scale: 1/255")
	}
	if stated.Filter != "" {
		p.Filter = filters[stated.Filter]
	} else {
		note("filter: %s", p.Filter)
	}
	if stated.Resize == "" {
		note("resize: %s", p.Resize)
	} else if note, err := setResize(&p, stated, size); err != nil {
		return p, nil, fmt.Errorf("%w: %s: input: %w", ErrSideCar, SideCarPath(path), err)
	} else if note != "" {
		notes = append(notes, note)
	}
	if err := p.Validate(); err != nil {
		return p, nil, fmt.Errorf("%w: %s: input: %w", ErrSideCar, SideCarPath(path), err)
	}
	return p, notes, nil
}

// setResize takes the side-car's resize over. At another size than the side-car's, the short side keeps its ratio to the
// longer side of the crop.
func setResize(p *dataset.Preprocess, stated SideCarInput, size Size) (note string, err error) {
	p.Height, p.Width = stated.Size[0], stated.Size[1]
	if err := p.SetResize(stated.Resize); err != nil {
		return "", err
	}
	said, published := p.ShortSide, Size{p.Height, p.Width}
	p.Height, p.Width = size[0], size[1]
	if p.Resize == dataset.ShortSideCrop && published != size {
		p.ShortSide = int(math.Round(float64(said) * float64(max(size[0], size[1])) / float64(max(published[0], published[1]))))
		note = fmt.Sprintf("resize: short side %d, as %d is to the published size %s", p.ShortSide, said, published)
	}
	return note, nil
}

func (t Triple) channels() (c [3]float32) {
	for i := range c {
		c[i] = float32(t[i])
	}
	return c
}
