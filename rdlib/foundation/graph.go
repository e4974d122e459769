package foundation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute-onnx/support/protos"
	"google.golang.org/protobuf/proto"
)

// Port is one input or output of a graph, as the file declares it.
type Port struct {
	Name string `json:"name"`
	Type string `json:"type"` // element type: "float", "float16", "int64", …
	Dims []Dim  `json:"dims"`
}

// String returns "name float[batch,3,96,96]".
func (p Port) String() string {
	dims := make([]string, len(p.Dims))
	for i, d := range p.Dims {
		dims[i] = d.String()
	}
	return fmt.Sprintf("%s %s[%s]", p.Name, p.Type, strings.Join(dims, ","))
}

// Dim is one axis of a port: a fixed size, or free under a name that may be empty.
type Dim struct {
	Size int // 0: free
	Name string
}

// String returns the size, the name of a free axis, or "?".
func (d Dim) String() string {
	switch {
	case d.Size > 0:
		return strconv.Itoa(d.Size)
	case d.Name != "":
		return d.Name
	}
	return "?"
}

// MarshalJSON writes a number for a fixed axis and a string for a free one.
func (d Dim) MarshalJSON() ([]byte, error) {
	if d.Size > 0 {
		return json.Marshal(d.Size)
	}
	return json.Marshal(d.String())
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *Dim) UnmarshalJSON(data []byte) error {
	*d = Dim{}
	if json.Unmarshal(data, &d.Size) == nil {
		return nil
	}
	return json.Unmarshal(data, &d.Name)
}

// ExternalFile holds weights outside the ONNX file.
type ExternalFile struct {
	Path   string `json:"path"` // relative to the model's folder
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// graph is what is read off an ONNX file without running it.
type graph struct {
	data       []byte // the file
	sha256     string // of the file
	identity   string // sha256 of the file and everything it refers to
	producer   string
	irVersion  int64
	opset      int64 // of the default operator set
	inputs     []Port
	outputs    []Port
	parameters int64 // elements of floating-point initializers
	external   []ExternalFile
}

// readGraph reads and understands the file, or says why it is no ONNX model. Garbage is found here, before ONNX Runtime
// sees it.
func readGraph(path string) (*graph, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w; give the path of an ONNX file", ErrModel, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a file; give the path of an ONNX file", ErrModel, path)
	}
	if info.Size() > math.MaxInt32 {
		return nil, fmt.Errorf("%w: %s has %d bytes; an ONNX file holds 2 GiB at most: export with weights as external data", ErrModel, path, info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrModel, err)
	}
	model := &protos.ModelProto{}
	unmarshal := proto.Unmarshal(data, model)
	switch {
	case len(data) == 0:
		return nil, fmt.Errorf("%w: %s is empty; copy or export it again", ErrModel, path)
	case unmarshal != nil || model.GetGraph() == nil || len(model.Graph.Node) == 0:
		return nil, notONNX(path, unmarshal)
	}
	g := &graph{data: data, producer: strings.TrimSpace(model.ProducerName + " " + model.ProducerVersion), irVersion: model.IrVersion}
	for _, set := range model.OpsetImport {
		if set.Domain == "" || set.Domain == "ai.onnx" {
			g.opset = set.Version
		}
	}
	initializers := map[string]bool{}
	for _, t := range model.Graph.Initializer {
		initializers[t.Name] = true
		g.parameters += parameterCount(t)
	}
	for _, in := range model.Graph.Input {
		if !initializers[in.Name] { // files of IR version 3 list their weights among the inputs
			g.inputs = append(g.inputs, port(in))
		}
	}
	for _, out := range model.Graph.Output {
		g.outputs = append(g.outputs, port(out))
	}
	sum := sha256.Sum256(data)
	g.sha256 = hex.EncodeToString(sum[:])
	g.identity = g.sha256
	if g.external, err = externalFiles(path, model.Graph); err != nil {
		return nil, err
	}
	if len(g.external) > 0 {
		all := sha256.New()
		io.WriteString(all, g.sha256)
		for _, f := range g.external {
			io.WriteString(all, f.SHA256)
		}
		g.identity = hex.EncodeToString(all.Sum(nil))
	}
	return g, nil
}

func notONNX(path string, cause error) error {
	hint := "it is not an ONNX model, or was cut short: export or copy it again"
	switch strings.ToLower(filepath.Ext(path)) {
	case ".pt", ".pth", ".safetensors", ".ckpt", ".h5", ".pb", ".bin":
		hint = "weights of a framework are not enough: make a teacher of them by 'rd teacher export --weights FILE --out TEACHER.onnx', or export the model to ONNX"
	case ".json":
		hint = "this is a side-car: give the ONNX file it describes"
	}
	if cause != nil {
		return fmt.Errorf("%w: %s: %s (%v)", ErrModel, path, hint, cause)
	}
	return fmt.Errorf("%w: %s: %s (no graph in it)", ErrModel, path, hint)
}

// port translates a declaration; anything that is no tensor has the type "".
func port(v *protos.ValueInfoProto) Port {
	p := Port{Name: v.Name}
	tensor := v.GetType().GetTensorType()
	if tensor == nil {
		return p
	}
	p.Type = strings.ToLower(protos.TensorProto_DataType(tensor.ElemType).String())
	for _, d := range tensor.GetShape().GetDim() {
		switch value := d.GetValue().(type) {
		case *protos.TensorShapeProto_Dimension_DimValue:
			p.Dims = append(p.Dims, Dim{Size: int(max(value.DimValue, 0))})
		case *protos.TensorShapeProto_Dimension_DimParam:
			p.Dims = append(p.Dims, Dim{Name: value.DimParam})
		default:
			p.Dims = append(p.Dims, Dim{})
		}
	}
	return p
}

var floatTypes = []protos.TensorProto_DataType{protos.TensorProto_FLOAT, protos.TensorProto_FLOAT16, protos.TensorProto_BFLOAT16, protos.TensorProto_DOUBLE}

// parameterCount is the number of elements of a floating-point tensor; integers are shapes and axes, not parameters.
func parameterCount(t *protos.TensorProto) int64 {
	if !slices.Contains(floatTypes, protos.TensorProto_DataType(t.DataType)) {
		return 0
	}
	count := int64(1)
	for _, d := range t.Dims {
		count *= d
	}
	return count
}

// externalFiles finds, checks and hashes the files that weights refer to, in the order of their names.
func externalFiles(model string, root *protos.GraphProto) ([]ExternalFile, error) {
	needed := map[string]int64{} // location → bytes it must have
	var err error
	eachTensor(root, func(t *protos.TensorProto) {
		if t.DataLocation != protos.TensorProto_EXTERNAL || err != nil {
			return
		}
		entries := map[string]string{}
		for _, e := range t.ExternalData {
			entries[e.Key] = e.Value
		}
		location := entries["location"]
		if !filepath.IsLocal(location) {
			err = fmt.Errorf("%w: %s: weight %q lies in %q, outside the model's folder; export it again with its data beside it", ErrModel, model, t.Name, location)
			return
		}
		offset, _ := strconv.ParseInt(entries["offset"], 10, 64)
		length, _ := strconv.ParseInt(entries["length"], 10, 64)
		needed[location] = max(needed[location], offset+length)
	})
	if err != nil {
		return nil, err
	}
	var files []ExternalFile
	for location, bytes := range needed {
		file, err := hashExternal(model, location)
		if err != nil {
			return nil, err
		}
		if file.Bytes < bytes {
			return nil, fmt.Errorf("%w: %s: its weights need %d bytes of %s, which has %d: cut short, copy it again", ErrModel, model, bytes, location, file.Bytes)
		}
		files = append(files, file)
	}
	slices.SortFunc(files, func(a, b ExternalFile) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

func hashExternal(model, location string) (ExternalFile, error) {
	file, err := os.Open(filepath.Join(filepath.Dir(model), location))
	if errors.Is(err, os.ErrNotExist) {
		return ExternalFile{}, fmt.Errorf("%w: %s keeps weights in %s, which is missing: copy it into the same folder", ErrModel, model, location)
	}
	if err != nil {
		return ExternalFile{}, fmt.Errorf("%w: %s: open its weights: %w", ErrModel, model, err)
	}
	defer file.Close()
	sum := sha256.New()
	bytes, err := io.Copy(sum, file)
	if err != nil {
		return ExternalFile{}, fmt.Errorf("%w: %s: read its weights: %w", ErrModel, model, err)
	}
	return ExternalFile{Path: location, Bytes: bytes, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

// eachTensor visits the weights of a graph and of the graphs within it.
func eachTensor(g *protos.GraphProto, visit func(*protos.TensorProto)) {
	for _, t := range g.GetInitializer() {
		visit(t)
	}
	for _, node := range g.GetNode() {
		for _, a := range node.GetAttribute() {
			if a.T != nil {
				visit(a.T)
			}
			for _, t := range a.Tensors {
				visit(t)
			}
			if a.G != nil {
				eachTensor(a.G, visit)
			}
			for _, sub := range a.Graphs {
				eachTensor(sub, visit)
			}
		}
	}
}
