package deploy

import (
	"errors"
	"fmt"
	"os"

	ort "github.com/yalue/onnxruntime_go"

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
	options, err := ortlib.SessionOptions(threads)
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(data, []string{model.ONNXInput}, []string{model.ONNXProbabilities}, options)
	if err != nil {
		return nil, fmt.Errorf("%s is not an ONNX model that can be read: %w; export or copy it again", path, err)
	}
	s := &Student{path: path, session: session}
	if err := s.describe(data); err != nil {
		session.Destroy()
		return nil, fmt.Errorf("%s cannot be used as a student: %w", path, err)
	}
	return s, nil
}

// describe reads the metadata and checks that the graph's input and output are as it says.
func (s *Student) describe(data []byte) error {
	stored, err := s.session.GetModelMetadata()
	if err != nil {
		return err
	}
	defer stored.Destroy()
	s.Metadata, err = parseMetadata(func(key string) (string, bool) {
		text, ok, err := stored.LookupCustomMetadataMap(key)
		return text, ok && err == nil
	})
	if err != nil {
		return err
	}
	s.Producer, _ = stored.GetProducerName()
	inputs, outputs, err := ort.GetInputOutputInfoWithONNXData(data)
	if err != nil {
		return err
	}
	want := ort.NewShape(-1, channels, int64(s.Preprocess.Height), int64(s.Preprocess.Width))
	if err := checkTensor(inputs, model.ONNXInput, want); err != nil {
		return err
	}
	return checkTensor(outputs, model.ONNXProbabilities, ort.NewShape(-1, int64(len(s.Classes))))
}

// checkTensor checks that the graph has a float tensor of the given name and shape.
func checkTensor(infos []ort.InputOutputInfo, name string, want ort.Shape) error {
	for _, info := range infos {
		if info.Name != name {
			continue
		}
		if info.DataType != ort.TensorElementDataTypeFloat || !info.Dimensions.Equals(want) {
			return fmt.Errorf("its tensor %q is %v of type %v, but its metadata asks for %v of type float", name, info.Dimensions, info.DataType, want)
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
