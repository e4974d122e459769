package deploy

import (
	"errors"
	"fmt"
	"os"

	"github.com/gomlx/compute-onnx/support/protos"
	ort "github.com/yalue/onnxruntime_go"
	"google.golang.org/protobuf/proto"

	"rd/rdlib/backend/ortlib"
	"rd/rdlib/model"
)

// channels of an input image; dataset.Preprocess always makes three.
const channels = 3

// batchLimit is how many images run at once: more only cost memory.
const batchLimit = 32

// Student is an exported student, opened through ONNX Runtime. Its methods may be called from several goroutines, but
// none after Close.
type Student struct {
	Metadata
	path    string
	session *ort.DynamicAdvancedSession
}

// Open opens a file that Export wrote, to run on the given number of threads (0: one per processor). The error names the
// file and says whether it is missing, damaged, or not a student's. Close it after use.
func Open(path string, threads int) (*Student, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open student: %w", err)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("%s is empty: export the student again", path)
	}
	s := &Student{path: path}
	if s.Metadata, err = describe(data); err != nil {
		return nil, fmt.Errorf("%s cannot be used as a student: %w", path, err)
	}
	options, err := ortlib.SessionOptions(threads)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	s.session, err = ort.NewDynamicAdvancedSessionWithONNXData(data, []string{model.ONNXInput}, []string{model.ONNXProbabilities}, options)
	if err != nil {
		return nil, fmt.Errorf("%s is an ONNX model that does not run: %w; export or copy it again", path, err)
	}
	return s, nil
}

// describe reads the metadata and checks that the graph's input and output are as it says.
func describe(data []byte) (Metadata, error) {
	var stored protos.ModelProto
	if err := proto.Unmarshal(data, &stored); err != nil || stored.Graph == nil {
		return Metadata{}, errors.New("it is not an ONNX model, or cut short: export or copy it again")
	}
	entries := map[string]string{}
	for _, entry := range stored.MetadataProps {
		entries[entry.GetKey()] = entry.GetValue()
	}
	m, err := parseMetadata(entries)
	if err != nil {
		return m, err
	}
	m.Producer = stored.ProducerName
	if err := checkTensor(stored.Graph.Input, model.ONNXInput, channels, m.Preprocess.Height, m.Preprocess.Width); err != nil {
		return m, err
	}
	return m, checkTensor(stored.Graph.Output, model.ONNXProbabilities, len(m.Classes))
}

// checkTensor checks that the graph has a float tensor of the given name and sample shape behind a batch axis.
func checkTensor(infos []*protos.ValueInfoProto, name string, sample ...int) error {
	for _, info := range infos {
		if info.GetName() != name {
			continue
		}
		tensor := info.GetType().GetTensorType()
		dims := tensor.GetShape().GetDim()
		fits := tensor.GetElemType() == int32(protos.TensorProto_FLOAT) && len(dims) == 1+len(sample)
		for i, size := range sample {
			fits = fits && dims[1+i].GetDimValue() == int64(size)
		}
		if !fits {
			return fmt.Errorf("its tensor %q is not a batch of float %v, as its metadata says", name, sample)
		}
		return nil
	}
	return fmt.Errorf("it has no tensor %q", name)
}

// Predict returns the class probabilities [images][classes] of preprocessed images, the concatenation of tensors
// [channels, height, width] as dataset.Preprocess makes them.
func (s *Student) Predict(images []float32) ([][]float32, error) {
	if s.session == nil {
		return nil, errors.New("the student is closed")
	}
	each := s.Preprocess.Len()
	if len(images) == 0 || len(images)%each != 0 {
		return nil, fmt.Errorf("%s takes images of 3×%d×%d = %d values, not %d values", s.path, s.Preprocess.Height, s.Preprocess.Width, each, len(images))
	}
	var all [][]float32
	for len(images) > 0 {
		batch := images[:min(len(images), batchLimit*each)]
		images = images[len(batch):]
		probabilities, err := s.run(batch, len(batch)/each)
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", s.path, err)
		}
		all = append(all, probabilities...)
	}
	return all, nil
}

// run classifies n images at once.
func (s *Student) run(images []float32, n int) (probabilities [][]float32, err error) {
	input, err := ort.NewTensor(ort.NewShape(int64(n), channels, int64(s.Preprocess.Height), int64(s.Preprocess.Width)), images)
	if err != nil {
		return nil, err
	}
	defer input.Destroy()
	classes := len(s.Classes)
	values := make([]float32, n*classes)
	output, err := ort.NewTensor(ort.NewShape(int64(n), int64(classes)), values)
	if err != nil {
		return nil, err
	}
	defer output.Destroy()
	if err := s.session.Run([]ort.Value{input}, []ort.Value{output}); err != nil {
		return nil, err
	}
	for i := range n {
		probabilities = append(probabilities, values[i*classes:(i+1)*classes:(i+1)*classes])
	}
	return probabilities, nil
}

// Close releases the session. Further calls do nothing.
func (s *Student) Close() error {
	if s.session == nil {
		return nil
	}
	session := s.session
	s.session = nil
	return session.Destroy()
}
