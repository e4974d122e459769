package foundation

import (
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"rd/rdlib/backend/ortlib"
	"rd/rdlib/dataset"
)

// Options of Open. The zero value takes the side-car's size and one worker per processor.
type Options struct {
	Height, Width int // input size in pixels; 0: the side-car's, else the graph's, else 224
	Threads       int // images are computed on this many threads; 0: one per processor. Results do not depend on it
	Batch         int // images per run where the graph leaves the batch free; 0: 8
}

// defaultBatch: on two cores, DenseNet-121 at 96×96 gains nothing from larger batches.
const defaultBatch = 8

// Info says what a teacher is and how it is used.
type Info struct {
	File         string             `json:"file"`
	Bytes        int64              `json:"bytes"`
	SHA256       string             `json:"sha256"`   // of the file
	Identity     string             `json:"identity"` // of the file and its external weights; what caches are keyed by
	Name         string             `json:"name"`
	Architecture string             `json:"architecture,omitempty"`
	Input        string             `json:"input"`  // the graph's name
	Layout       string             `json:"layout"` // NCHW or NHWC, inside the graph
	Channels     int                `json:"channels"`
	Height       int                `json:"height"`
	Width        int                `json:"width"`
	Batch        int                `json:"batch"`       // images per run
	FixedBatch   bool               `json:"fixed_batch"` // the graph takes no other batch
	Outputs      []Output           `json:"outputs"`     // stages, feature map, pooled
	Stages       []string           `json:"stages"`      // names of the maps, from early to late; the last is the feature map
	Preprocess   dataset.Preprocess `json:"preprocess"`
	Notes        []string           `json:"notes"`              // every default taken and everything derived
	SideCar      *SideCar           `json:"side_car,omitempty"` // nil: none found
}

// Output returns the feature of that name, which may also be the graph's.
func (i *Info) Output(name string) (Output, error) {
	for _, byGraph := range []bool{false, true} {
		for _, o := range i.Outputs {
			if o.Name == name || byGraph && o.Graph == name && o.How == "" {
				return o, nil
			}
		}
	}
	names := make([]string, len(i.Outputs))
	for k, o := range i.Outputs {
		names[k] = o.Name
	}
	return Output{}, fmt.Errorf("teacher %s has no output %q; it has %s", i.Name, name, strings.Join(names, ", "))
}

// Teacher is an opened model. Its methods may be called from several goroutines.
type Teacher struct {
	info    Info
	graph   *graph
	input   input
	threads int
	slots   []probed // the session's outputs

	mu      sync.RWMutex // held for writing by Close only
	session *ort.DynamicAdvancedSession
	options *ort.SessionOptions
}

// Open opens an ONNX image model and runs it once on zeros to check its shapes. Errors wrap ErrModel or ErrSideCar, or
// say that ONNX Runtime is missing.
func Open(path string, o Options) (*Teacher, error) {
	if o.Height < 0 || o.Width < 0 || (o.Height == 0) != (o.Width == 0) || o.Threads < 0 || o.Batch < 0 {
		return nil, fmt.Errorf("open teacher %s: size %d×%d, %d threads, batch %d: give height and width or neither, and nothing negative", path, o.Height, o.Width, o.Threads, o.Batch)
	}
	g, err := readGraph(path)
	if err != nil {
		return nil, err
	}
	sidecar, err := ReadSideCar(path)
	if err != nil {
		return nil, err
	}
	if sidecar != nil && sidecar.SHA256 != "" && !strings.EqualFold(sidecar.SHA256, g.sha256) {
		return nil, fmt.Errorf("%w: %s describes another file: it says sha256 %s, but %s has %s; copy the model again, or correct or remove the side-car",
			ErrSideCar, SideCarPath(path), sidecar.SHA256, path, g.sha256)
	}
	t := &Teacher{graph: g, threads: o.Threads}
	if t.threads == 0 {
		t.threads = runtime.NumCPU()
	}
	if err := t.configure(path, sidecar, o); err != nil {
		return nil, err
	}
	if err := t.start(path, sidecar); err != nil {
		t.Close()
		return nil, err
	}
	t.graph.data = nil // ONNX Runtime has its own copy
	return t, nil
}

// configure settles everything about the input.
func (t *Teacher) configure(path string, sidecar *SideCar, o Options) error {
	t.info = Info{
		File: path, Bytes: int64(len(t.graph.data)), SHA256: t.graph.sha256, Identity: t.graph.identity,
		Name: strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), SideCar: sidecar, Layout: "NCHW",
	}
	if sidecar == nil {
		t.info.Notes = append(t.info.Notes, "no side-car "+filepath.Base(SideCarPath(path))+": defaults are taken from the graph")
	} else {
		if sidecar.Name != "" {
			t.info.Name = sidecar.Name
		}
		t.info.Architecture = sidecar.Architecture
	}
	in, notes, err := findInput(path, t.graph, sidecar)
	if err != nil {
		return err
	}
	t.info.Notes = append(t.info.Notes, notes...)
	size, notes, err := in.size(path, sidecar, Size{o.Height, o.Width})
	if err != nil {
		return err
	}
	t.info.Notes = append(t.info.Notes, notes...)
	if t.info.Preprocess, notes, err = in.preprocess(path, sidecar, size); err != nil {
		return err
	}
	t.info.Notes = append(t.info.Notes, notes...)
	t.input = in
	t.info.Input, t.info.Channels = in.port.Name, in.channels
	t.info.Height, t.info.Width = size[0], size[1]
	if in.nhwc {
		t.info.Layout = "NHWC"
	}
	t.info.Batch = o.Batch
	if o.Batch == 0 {
		t.info.Batch = defaultBatch
	}
	return nil
}

// start opens the session, checks the shapes with zeros and settles the outputs.
func (t *Teacher) start(path string, sidecar *SideCar) error {
	options, err := ortlib.SessionOptions(1) // threads compute different images: see runner
	if err != nil {
		return err
	}
	t.options = options
	if err := options.SetLogSeverityLevel(ort.LoggingLevelFatal); err != nil { // errors are returned, not printed
		return fmt.Errorf("set ONNX Runtime session options: %w", err)
	}
	var names []string
	for _, p := range t.graph.outputs {
		if p.Type == "float" {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("%w: %s has no float output; it gives %s", ErrModel, path, ports(t.graph.outputs))
	}
	if err := t.openSession(path, names); err != nil {
		return err
	}
	list, err := t.probe(path, names)
	if err != nil {
		return err
	}
	r := &resolver{path: path, nhwc: t.input.nhwc, list: list}
	var named SideCarOutputs
	if sidecar != nil {
		named = sidecar.Outputs
	}
	switch {
	case named.Layout != "":
		r.nhwc = named.Layout == "NHWC"
	case t.input.nhwc:
		r.note("layout of the maps: NHWC, as the input's")
	}
	if err := r.resolve(named); err != nil {
		return err
	}
	t.info.Outputs, t.info.Stages = r.outputs, r.stages
	t.info.Notes = append(t.info.Notes, r.notes...)
	return t.keepUsed(path, list, len(names))
}

// keepUsed reopens the session with only the outputs that features or the check need, where there are others.
func (t *Teacher) keepUsed(path string, list []probed, all int) error {
	var names []string
	for _, p := range list {
		if slices.ContainsFunc(t.info.Outputs, func(o Output) bool { return o.Graph == p.name }) || t.info.SideCar.checks(p.name) {
			names = append(names, p.name)
			t.slots = append(t.slots, p)
		}
	}
	for i := range t.info.Outputs {
		t.info.Outputs[i].slot = slices.Index(names, t.info.Outputs[i].Graph)
	}
	if len(names) == all {
		return nil
	}
	t.session.Destroy()
	t.session = nil
	return t.openSession(path, names)
}

func (t *Teacher) openSession(path string, outputs []string) (err error) {
	inputs := []string{t.input.port.Name}
	if len(t.graph.external) > 0 {
		t.session, err = ort.NewDynamicAdvancedSession(path, inputs, outputs, t.options)
	} else {
		t.session, err = ort.NewDynamicAdvancedSessionWithONNXData(t.graph.data, inputs, outputs, t.options)
	}
	if err != nil {
		t.session = nil
		return fmt.Errorf("%w: ONNX Runtime %s cannot load %s: %s; export it again (its operator set is %d)", ErrModel, ort.GetVersion(), path, reason(err), t.graph.opset)
	}
	return nil
}

// probe runs zeros through the session, as one image and as two, and returns the outputs that gave a row per image. A
// graph that says its batch is free but takes one image only is used that way.
func (t *Teacher) probe(path string, names []string) ([]probed, error) {
	first := max(1, t.input.batch)
	shapes, err := t.runZeros(first, len(names))
	if err != nil {
		return nil, fmt.Errorf("%w: %s fails the shape check: it does not run on %d image(s) of %d×%d, %d channel(s) (%s): %s; choose another size or export it again",
			ErrModel, path, first, t.info.Height, t.info.Width, t.info.Channels, t.info.Layout, reason(err))
	}
	rows := func(shapes []ort.Shape, i, n int) bool {
		return len(shapes[i]) >= 2 && shapes[i][0] == int64(n) && shapes[i].FlattenedSize() > 0
	}
	var two []ort.Shape
	if t.input.batch == 0 {
		if two, err = t.runZeros(2, len(names)); err != nil {
			two = nil
			t.input.batch = 1
			t.info.Notes = append(t.info.Notes, "batch: 1, as the graph fails on two images though it leaves the batch free")
		}
	}
	if t.input.batch > 0 {
		t.info.Batch, t.info.FixedBatch = t.input.batch, true
	}
	var list []probed
	for i, name := range names {
		if !rows(shapes, i, first) || two != nil && !(rows(two, i, 2) && slices.Equal(shapes[i][1:], two[i][1:])) {
			continue
		}
		p := probed{name: name}
		for _, d := range shapes[i][1:] {
			p.dims = append(p.dims, int(d))
		}
		list = append(list, p)
	}
	return list, nil
}

func (t *Teacher) runZeros(n, outputs int) ([]ort.Shape, error) {
	in, err := ort.NewEmptyTensor[float32](t.inputShape(n, t.info.Height, t.info.Width))
	if err != nil {
		return nil, err
	}
	defer in.Destroy()
	values := make([]ort.Value, outputs)
	defer func() {
		for _, v := range values {
			if v != nil {
				v.Destroy()
			}
		}
	}()
	if err := t.session.Run([]ort.Value{in}, values); err != nil {
		return nil, err
	}
	shapes := make([]ort.Shape, outputs)
	for i, v := range values {
		shapes[i] = v.GetShape()
	}
	return shapes, nil
}

func (t *Teacher) inputShape(n, height, width int) ort.Shape {
	if t.input.nhwc {
		return ort.NewShape(int64(n), int64(height), int64(width), int64(t.input.channels))
	}
	return ort.NewShape(int64(n), int64(t.input.channels), int64(height), int64(width))
}

// reason shortens ONNX Runtime's message to its first line.
func reason(err error) string {
	text := err.Error()
	if i := strings.LastIndex(text, "Error "); i > 0 && !strings.Contains(text[i:], "\n") {
		text = text[i:]
	}
	text, _, _ = strings.Cut(text, "\n")
	return strings.TrimSpace(text)
}

// Info returns what is known of the teacher.
func (t *Teacher) Info() Info { return t.info }

// Preprocess says how images are prepared for this teacher.
func (t *Teacher) Preprocess() dataset.Preprocess { return t.info.Preprocess }

// Close frees the session. It waits for runs under way; a second call does nothing.
func (t *Teacher) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.session != nil {
		t.session.Destroy()
		t.session = nil
	}
	if t.options != nil {
		t.options.Destroy()
		t.options = nil
	}
	return nil
}
