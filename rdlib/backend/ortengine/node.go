package ortengine

import (
	"fmt"
	"reflect"
	"sync"
	"unsafe"

	onnxbackend "github.com/gomlx/compute-onnx"
	protos "github.com/gomlx/compute-onnx/support/protos"
	"github.com/gomlx/compute/shapes"
)

// node is an ONNX node of compute-onnx's graph. The type is an alias of an internal one whose fields are private.
type node = onnxbackend.Node

// nodeFields mirrors the private fields of node, in order. checkNodeFields compares it with the real thing.
type nodeFields struct {
	name        string
	opType      string // "" refers to a further output of inputs[0]
	domain      string
	inputs      []*node
	outputNames []string // for nodes of several outputs
	shape       shapes.Shape
	flatValue   any // a slice, if opType is "Constant"
	attributes  []*protos.AttributeProto
}

func fieldsOf(n *node) *nodeFields { return (*nodeFields)(unsafe.Pointer(n)) }

// checkNodeFields makes sure that nodeFields is laid out like node, whatever version of compute-onnx was linked in.
var checkNodeFields = sync.OnceValue(func() error {
	theirs, ours := reflect.TypeFor[node](), reflect.TypeFor[nodeFields]()
	if theirs.NumField() != ours.NumField() {
		return fmt.Errorf("this version of compute-onnx has nodes of %d fields, %d were expected: build with the version pinned in go.mod", theirs.NumField(), ours.NumField())
	}
	for i := range ours.NumField() {
		a, b := theirs.Field(i), ours.Field(i)
		if a.Name != b.Name || a.Offset != b.Offset || (a.Type != b.Type && a.Type.String() != b.Type.String()) {
			return fmt.Errorf("this version of compute-onnx has node field %s %s where %s %s was expected: build with the version pinned in go.mod", a.Name, a.Type, b.Name, b.Type)
		}
	}
	return nil
})

func opOf(n *node) string      { return fieldsOf(n).opType }
func inputsOf(n *node) []*node { return fieldsOf(n).inputs }
func dimsOf(n *node) []int     { return fieldsOf(n).shape.Dimensions }
func intsAttr(name string, values ...int) *protos.AttributeProto {
	a := &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INTS, Ints: make([]int64, len(values))}
	for i, v := range values {
		a.Ints[i] = int64(v)
	}
	return a
}

func intAttr(name string, value int) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_INT, I: int64(value)}
}

func floatAttr(name string, value float32) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_FLOAT, F: value}
}

func stringAttr(name, value string) *protos.AttributeProto {
	return &protos.AttributeProto{Name: name, Type: protos.AttributeProto_STRING, S: []byte(value)}
}
