package phantom

import (
	"cmp"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
)

// CorpusVersion changes whenever the same options give other images or captions.
const CorpusVersion = 3

// Corpus is a set of images to pre-train on: the healthy anatomy of one modality, and in each an object, a few or many whose shape and
// texture name its class. No class is a diagnosis. Each image has a caption that says what was drawn.
type Corpus struct {
	Name    string // of the modality the backgrounds resemble
	Article string // in captions: "a CT-like slice"
	Colour  bool
	drawn   generator
}

// Task is what the folders of a corpus say of its images.
type Task string

// Tasks of a corpus. Those of Look and Place name the modality in their classes, and so does Shapes.
const (
	Shapes Task = "shape" // shape and texture, in which images are drawn in equal numbers
	Looks  Task = "look"  // bright or dark, of which hue
	Places Task = "place" // which quarter of the image, where there is one; or a few, or many
)

// Tasks are all of them.
var Tasks = []Task{Shapes, Looks, Places}

// description is what an image of a corpus shows: in words, and two parts of them that tasks ask for, "" where there is no object.
type description struct{ caption, look, place string }

// Corpora are all of them, in order.
func Corpora() []Corpus {
	corpora := []Corpus{{"ultrasound", "an ultrasound-like image", false, pretrainGenerator}}
	for _, f := range fields {
		corpora = append(corpora, Corpus{f.name, f.article, f.colour, f.generator()})
	}
	return corpora
}

// Write makes DIR/CLASS/phantom_NNNN.png, captions.csv and the marker PHANTOM.json. Folders that exist are treated as by
// BreastUltrasound. Use another seed than for the task the teacher is to be distilled on.
func (c Corpus) Write(dir string, o Options) error { return write(dir, c.drawn, o) }

// WriteTask is Write with other images, in folders that answer a task; o counts images of each shape and texture. The same seed gives
// each task images of its own, and classes that name the corpus, so that a network that learns several has a head for each.
func (c Corpus) WriteTask(dir string, task Task, o Options) error {
	answer := map[Task]func(class string, d description) string{
		Shapes: func(class string, _ description) string { return class },
		Looks:  func(_ string, d description) string { return d.look },
		Places: func(_ string, d description) string { return d.place },
	}[task]
	if answer == nil {
		return fmt.Errorf("phantom: no task is called %q: there are %v", task, Tasks)
	}
	g := c.drawn
	g.name += ": " + string(task)
	g.stream ^= uint64(1+slices.Index(Tasks, task)) << 56
	g.folder = func(class string, d description) string {
		return c.Name + "_" + strings.ReplaceAll(cmp.Or(answer(class, d), "none"), " ", "_")
	}
	return write(dir, g, o)
}

// objectShapes and objectTextures make the classes.
var (
	objectShapes   = []string{"band", "cluster", "disc", "lobed", "pair", "ring", "star", "tube"}
	objectTextures = []string{"coarse", "even"}
)

// objectClasses are SHAPE_TEXTURE, and "none", in alphabetical order.
var objectClasses = func() []string {
	classes := []string{"none"}
	for _, shape := range objectShapes {
		for _, texture := range objectTextures {
			classes = append(classes, shape+"_"+texture)
		}
	}
	slices.Sort(classes)
	return classes
}()

// Object says how objects vary; all of it varies alike in all classes.
type Object struct {
	HalfWidth Uniform `json:"half_width"`
	Aspect    Uniform `json:"aspect"`
	Contrast  Uniform `json:"contrast"` // of the value range 0…1, brighter or darker
	Soft      Uniform `json:"soft"`     // blur of a soft border, in parts of the radius
	Sharp     Uniform `json:"sharp"`    // of a sharp one
	Grain     Uniform `json:"grain"`    // amplitude of a coarse texture, in parts of the contrast
	Several   float64 `json:"several"`  // probability of a few or many smaller ones, alike but for their outlines
}

// DefaultObject is fixed.
var DefaultObject = Object{
	HalfWidth: Uniform{0.12, 0.25}, Aspect: Uniform{0.75, 1.35}, Contrast: Uniform{0.22, 0.45},
	Soft: Uniform{0.3, 0.5}, Sharp: Uniform{0.04, 0.1}, Grain: Uniform{0.8, 1.3}, Several: 0.5,
}

// field is a kind of background.
type field struct {
	name, article string
	colour        bool
	stream        uint64
	parameters    any // of the background
	// paint draws a background and says where an object may lie.
	paint func(p *painting)
}

// painting is an image being drawn: values of 0…1 by channel, [size·size] each. A grey one has one channel.
type painting struct {
	size     int
	channels [][]float64
	rng      *rand.Rand
	place    func() (at point, found bool) // where an object's centre may lie
	hue      hue                           // of objects; of a grey image the zero value
	tint     [3]float64                    // how strongly an object shows in each channel
}

// add adds a value to all channels of a pixel, as the tint says.
func (p *painting) add(i int, v float64) {
	for c := range p.channels {
		p.channels[c][i] += v * p.tint[c]
	}
}

func (f field) generator() generator {
	return generator{
		name: f.name + "-like field with objects for pre-training", version: CorpusVersion, classes: objectClasses,
		parameters: struct {
			Field      string `json:"field"`
			Background any    `json:"background"`
			Object     Object `json:"object"`
		}{f.name, f.parameters, DefaultObject},
		stream: f.stream, draw: f.draw,
	}
}

// draw makes one image of a class and says what it shows.
func (f field) draw(class, size int, rng *rand.Rand) (image.Image, description) {
	p := &painting{size: size, rng: rng}
	f.paint(p)
	name := objectClasses[class]
	shows := description{caption: "nothing but "}
	if name != "none" {
		shows = p.objects(name, DefaultObject)
	}
	shows.caption += f.article
	return p.image(), shows
}

// objects draws one, a few or many objects of a class somewhere and describes them, up to the image they are in.
func (p *painting) objects(class string, o Object) description {
	rng := p.rng
	shape, texture, _ := strings.Cut(class, "_")
	k := kind{shape: shape}
	width := o.HalfWidth.draw(rng)
	sign, light := 1.0, "bright"
	if rng.IntN(2) == 0 {
		sign, light = -1, "dark"
	}
	border := "soft"
	k.edge = o.Soft.draw(rng)
	if rng.IntN(2) == 0 {
		k.edge, border = o.Sharp.draw(rng), "sharp"
	}
	k.contrast = sign * o.Contrast.draw(rng)
	p.tint = p.hue.tint(sign, rng)
	if texture == "coarse" {
		k.grain = o.Grain.draw(rng)
	}
	size := "large"
	if width < (o.HalfWidth.Low+o.HalfWidth.High)/2 {
		size = "small"
	}
	number, few := 1, rng.IntN(2) == 0
	if o.Several > rng.Float64() {
		number = 4 + rng.IntN(4)
		if few {
			number = 2 + rng.IntN(2)
		}
	}
	at := point{0.5, 0.5}
	for range number {
		if place, found := p.place(); found {
			at = place
		}
		p.object(k, at, width/math.Pow(float64(number), 0.4), math.Sqrt(o.Aspect.draw(rng)))
	}
	name := shape
	if shape == "lobed" {
		name = "lobed shape"
	}
	d := description{look: strings.TrimSpace(light + " " + p.hue.name), place: region(at)}
	article, where := "a", "the "+d.place
	if number > 1 {
		article, name, d.place = "many", name+"s", "many places"
		if few {
			article, d.place = "a few", "a few places"
		}
		where = d.place
	}
	d.caption = fmt.Sprintf("%s %s %s %s with a %s border and %s texture in %s of ", article, size, d.look, name, border, texture, where)
	return d
}

// kind is what the objects of an image have in common.
type kind struct {
	shape                 string
	edge, contrast, grain float64
}

// object draws one around a place.
func (p *painting) object(k kind, at point, width, aspect float64) {
	rng := p.rng
	noise := newNoise(rng)
	scale := Uniform{2.5, 4}.draw(rng) / width
	paint := func(b body, ring bool) {
		s := &canvas{size: p.size}
		s.each(b, 1+k.edge+0.3, func(i int, r float64) {
			inside := smooth((1 + k.edge - r) / (2 * k.edge))
			if ring {
				t := (r - 0.85) / max(k.edge, 0.22)
				inside = math.Exp(-t * t)
			}
			if inside > 0 {
				px, py := float64(i%p.size)/float64(p.size), float64(i/p.size)/float64(p.size)
				p.add(i, k.contrast*inside*(1+k.grain*noise.at(scale*px, scale*py)))
			}
		})
	}
	b := body{x: at.x, y: at.y, halfWidth: width * aspect, halfHeight: width / aspect, tilt: 2 * math.Pi * rng.Float64(), shape: &ellipse}
	switch k.shape {
	case "band":
		b.halfWidth, b.halfHeight = 3*width, 0.45*width
	case "cluster":
		for range 5 + rng.IntN(5) {
			angle, r := 2*math.Pi*rng.Float64(), 1.2*width*math.Sqrt(rng.Float64())
			c := b
			c.x, c.y = at.x+r*math.Cos(angle), at.y+r*math.Sin(angle)
			c.halfWidth, c.halfHeight = 0.3*width, 0.3*width
			paint(c, false)
		}
	case "lobed":
		b.shape = newOutline(rng, Outline{Lobulation: 0.35, Angles: 0.08})
	case "pair":
		b.halfWidth, b.halfHeight = 0.6*b.halfWidth, 0.6*b.halfHeight
		c := b
		angle := 2 * math.Pi * rng.Float64()
		c.x, c.y = at.x+1.6*width*math.Cos(angle), at.y+1.6*width*math.Sin(angle)
		paint(c, false)
	case "star":
		b.halfWidth, b.halfHeight = 0.75*b.halfWidth, 0.75*b.halfHeight
		b.shape = newOutline(rng, Outline{Angles: 0.1, Spicules: 6 + rng.IntN(6), Ray: Uniform{0.5, 0.9}.draw(rng)})
	case "tube":
		b.halfWidth, b.halfHeight = 1.9*width, 0.28*width
	}
	if k.shape != "cluster" {
		paint(b, k.shape == "ring")
	}
}

// hue is a colour of objects: how much of a channel dark ones take and bright ones add.
type hue struct {
	name         string
	dark, bright [3]float64
}

// hues are those of objects on skin.
var hues = []hue{
	{"brown", [3]float64{0.6, 1, 1.2}, [3]float64{1, 0.8, 0.5}},
	{"red", [3]float64{0.2, 1.2, 1}, [3]float64{1.2, 0.4, 0.4}},
	{"blue", [3]float64{1.2, 0.9, 0.4}, [3]float64{0.4, 0.7, 1.2}},
	{"grey", [3]float64{1, 1, 1}, [3]float64{1, 1, 1}},
}

// tint draws how strongly an object shows in each channel: the zero hue in all alike.
func (h hue) tint(sign float64, rng *rand.Rand) [3]float64 {
	if h.name == "" {
		return [3]float64{1, 1, 1}
	}
	t := h.dark
	if sign > 0 {
		t = h.bright
	}
	for c := range t {
		t[c] *= Uniform{0.85, 1.15}.draw(rng)
	}
	return t
}

// region names a place in plain words.
func region(at point) string {
	row, column := "upper", "left"
	if at.y > 0.5 {
		row = "lower"
	}
	if at.x > 0.5 {
		column = "right"
	}
	return row + " " + column
}

// image rounds to 8 bits.
func (p *painting) image() image.Image {
	c := make([]*canvas, len(p.channels))
	for i, v := range p.channels {
		c[i] = &canvas{p.size, v}
	}
	if len(c) == 1 {
		return c[0].grey()
	}
	return colourImage(c[0], c[1], c[2])
}
