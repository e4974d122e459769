package ortengine

import (
	"fmt"

	"github.com/gomlx/compute"
	onnxbackend "github.com/gomlx/compute-onnx"
)

// Builder builds one graph. It is compute-onnx's, with functions and a compiler of this package.
type Builder struct {
	*onnxbackend.Builder
	backend *Backend
	main    *Function
}

var _ compute.Builder = (*Builder)(nil)

// Main returns the function that is compiled.
func (b *Builder) Main() compute.Function { return b.main }

// NewFunction adds a named function.
func (b *Builder) NewFunction(name string) (compute.Function, error) {
	inner, err := b.Builder.NewFunction(name)
	if err != nil {
		return nil, err
	}
	return newFunction(b, inner.(*onnxbackend.Function)), nil
}

// Compile makes a session of the main function.
func (b *Builder) Compile() (compute.Executable, error) {
	if b.backend.IsFinalized() {
		return nil, fmt.Errorf("cannot compile %q: the backend was finalised", b.Name())
	}
	main := b.main.Function
	m, err := buildModel(b.Name(), main.Params(), main.Returns())
	if err != nil {
		return nil, err
	}
	return newExecutable(b.backend, b.Name(), m)
}

// Function adds operations to a graph: compute-onnx's where this package has none of its own.
type Function struct {
	*onnxbackend.Function
	builder     *Builder
	batchLastOf map[*node]*node      // what batchLast made of a node, or batchFirst made it of
	columnsOf   map[columnsKey]*node // what columns made of a node
}

var _ compute.Function = (*Function)(nil)

func newFunction(builder *Builder, inner *onnxbackend.Function) *Function {
	return &Function{Function: inner, builder: builder, batchLastOf: make(map[*node]*node), columnsOf: make(map[columnsKey]*node)}
}

// Builder returns the builder the function belongs to.
func (f *Function) Builder() compute.Builder { return f.builder }

// addedOperations are those this package has and compute-onnx lacks.
var addedOperations = []compute.OpType{
	compute.OpTypeBatchNormForTraining, compute.OpTypeBatchNormForInference, compute.OpTypeBatchNormGradient, compute.OpTypeClamp,
}
