package rdlib

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/checkpoint"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
)

// PublishedOptions say how published weights become a teacher.
type PublishedOptions struct {
	Weights string // safetensors, or a checkpoint of PyTorch
	Key     string // the entry of a checkpoint that holds the weights; "" finds it
	checkpoint.Options
	Architecture string // of model.Names; "" recognises it
	Heads        int    // of attentions; 0: what the weights tell, or is usual
	Size         int    // of the images; 0: what the weights were made for, or 224
	As           string // whose publication it is, of checkpoint.PublicationNames; "" guesses
	Name         string // in the side-car; "" is the publication's, or else the file's
}

func (o PublishedOptions) wanted() checkpoint.Wanted {
	return checkpoint.Wanted{Architecture: o.Architecture, Heads: o.Heads, Height: o.Size, Width: o.Size}
}

// InspectWeights tells what architecture the weights belong to, and what of them does not fit, which is in the report and no
// error.
func InspectWeights(o PublishedOptions) (*checkpoint.Report, error) {
	if o.Size < 0 || o.Heads < 0 {
		return nil, usagef("size %d, %d heads: they cannot be negative", o.Size, o.Heads)
	}
	r, err := checkpoint.Inspect(o.Weights, o.Key, o.wanted(), o.Options)
	return r, weightsError(err)
}

// weightsError tells wrong usage from bad input.
func weightsError(err error) error {
	var unknown *model.UnknownError
	if errors.As(err, &unknown) || errors.Is(err, path.ErrBadPattern) {
		return &UsageError{err}
	}
	return asInput(err)
}

// publishedSize is the images' height and width where the network takes any.
const publishedSize = 224

// ExportPublished writes published weights as a black box: an ONNX file without the classifier, and a side-car with the
// preprocessing of the publication, its licence and what it has seen, where these are known; weights that were written here
// say so themselves. The exported file is run and
// must give the features that the network itself gives. The same call again finds the file done.
func (s *Session) ExportPublished(o PublishedOptions, out string) (*foundation.SideCar, error) {
	if filepath.Ext(out) != ".onnx" {
		return nil, usagef("%s: the teacher's file must end in .onnx", out)
	}
	if o.Size < 0 || o.Heads < 0 {
		return nil, usagef("size %d, %d heads: they cannot be negative", o.Size, o.Heads)
	}
	file, err := checkpoint.Read(o.Weights, o.Key)
	if err != nil {
		return nil, asInput(err)
	}
	match, err := file.Recognise(o.wanted(), o.Options)
	if err != nil {
		return nil, weightsError(err)
	}
	if len(match.Problems) > 0 {
		return nil, asInput(fmt.Errorf("%s: the weights do not fit %s (%d tensors):\n%s", o.Weights, match, len(match.Problems), strings.Join(match.Problems, "\n")))
	}
	publication := match.Publication()
	if o.As != "" {
		var known bool
		if publication, known = checkpoint.FindPublication(o.As); !known {
			return nil, usagef("unknown publication %q: there are %s", o.As, strings.Join(checkpoint.PublicationNames(), ", "))
		}
	}
	for _, note := range append(match.Notes, match.Loaded.Notes...) {
		fmt.Fprintf(s.Log, "note: %s\n", note)
	}
	if len(match.Loaded.LeftOut) > 0 {
		fmt.Fprintf(s.Log, "note: %d tensors left out, which 'rd teacher inspect %s' lists\n", len(match.Loaded.LeftOut), o.Weights)
	}
	sample := match.Network.InputShape()
	for axis := range sample {
		if sample[axis] == model.Any {
			sample[axis] = publishedSize
			if o.Size > 0 {
				sample[axis] = o.Size
			}
		}
	}
	if sample[0] != 3 {
		return nil, asInput(fmt.Errorf("%s takes images of %d channels, and a teacher must take 3", o.Weights, sample[0]))
	}
	origin, err := file.Origin()
	if err != nil {
		return nil, asInput(err)
	}
	if origin == nil {
		origin = &checkpoint.Origin{Licence: publication.Licence, Pretraining: &foundation.Pretraining{Kind: "published", Data: publication.Data, Seen: publication.Seen}}
	}
	if in := &origin.Input; in.Channels == "" || o.As != "" {
		*in = publication.Input(sample[1], sample[2])
	} else if in.Height != sample[1] || in.Width != sample[2] {
		in.ShortSide = in.ShortSide * sample[1] / in.Height
		in.Height, in.Width = sample[1], sample[2]
	}
	o.As = publication.Name
	o.Name = cmp.Or(o.Name, publication.Title, strings.TrimSuffix(filepath.Base(out), ".onnx"))
	return s.exportPublished(o, match, *origin, sample, out)
}

// exportPublished writes the file, checks it and writes the side-car.
func (s *Session) exportPublished(o PublishedOptions, match *checkpoint.Match, origin checkpoint.Origin, sample []int, out string) (*foundation.SideCar, error) {
	sum, err := fileSHA256(o.Weights)
	if err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
	}
	note, err := json.Marshal(map[string]any{
		"weights": filepath.Base(o.Weights), "sha256": sum, "architecture": match.Architecture, "network": match.Config, "as": o.As, "size": sample[1:],
	})
	if err != nil {
		return nil, err
	}
	if exists(out) {
		car, err := foundation.ReadSideCar(out)
		if err != nil || car == nil || car.Pretraining == nil || !sameJSON(car.Pretraining.Record, note) {
			return nil, usagef("%s is there already, made otherwise: choose another --out, or remove it", out)
		}
		fmt.Fprintf(s.Log, "%s is done already\n", out)
		return car, nil
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return nil, fmt.Errorf("teacher's folder: %w", err)
	}
	making := out + ".part" // a file that was not checked must not pass for a teacher
	defer os.Remove(making)
	defer os.Remove(foundation.SideCarPath(making))
	car, err := exportTeacher(making, match.Network, match.Weights, origin.Input, o.Name)
	if err != nil {
		return nil, asInput(err)
	}
	car.Licence, car.Adapted = origin.Licence, origin.Adapted
	if car.Pretraining = origin.Pretraining; car.Pretraining == nil {
		car.Pretraining = &foundation.Pretraining{}
	}
	car.Pretraining.Record = note
	if car.Check, err = whiteBoxCheck(s.Backend, match.Network, match.Weights, sample); err != nil {
		return nil, err
	}
	if err := car.Write(making); err != nil {
		return nil, err
	}
	teacher, err := foundation.Open(making, foundation.Options{Threads: s.threads})
	if err != nil {
		return nil, err
	}
	defer teacher.Close()
	if _, err := teacher.Check(); err != nil {
		return nil, err
	}
	if err := saveWeights(WhiteBox(out), match.Network, match.Weights, origin); err != nil {
		return nil, err
	}
	if err := os.Rename(making, out); err != nil {
		return nil, fmt.Errorf("write teacher: %w", err)
	}
	return car, car.Write(out)
}

// sameJSON reports whether two texts are the same but for blanks.
func sameJSON(a, b []byte) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// whiteBoxCheck makes a side-car's check of what the network itself computes, its graph built and run by the backend.
func whiteBoxCheck(b compute.Backend, network *model.Network, weights model.Weights, sample []int) (*foundation.Check, error) {
	store := gomodel.NewStore()
	if err := network.Declare(store.RootScope(), weights); err != nil {
		return nil, err
	}
	stages := network.ONNXStages()
	names := append(slices.Clone(stages), model.ONNXFeatureMap, model.ONNXPooled)
	exec, err := gomodel.NewExec(b, store, func(scope *gomodel.Scope, x *graph.Node) []*graph.Node {
		out := network.Forward(scope, x, false)
		nodes := append(out.Stages[:len(stages):len(stages)], out.FeatureMap, out.Pooled)
		if out.Logits != nil { // GoMLX's Go backend cannot run graphs that end in parameters which no output needs
			nodes = append(nodes, out.Logits)
		}
		return nodes
	})
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", network.Name(), err)
	}
	defer exec.Finalize()
	return foundation.NewCheck(sample[0], sample[1], sample[2], func(x []float32) (map[string][]float32, error) {
		outputs, err := exec.Call(tensors.FromFlatDataAndDimensions(x, append([]int{len(x) / (sample[0] * sample[1] * sample[2])}, sample...)...))
		if err != nil {
			return nil, fmt.Errorf("run %s: %w", network.Name(), err)
		}
		values := map[string][]float32{}
		for i, name := range names {
			if values[name], err = tensors.CopyFlatData[float32](outputs[i]); err != nil {
				return nil, err
			}
		}
		return values, nil
	})
}
