package rdlib

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rd/rdlib/checkpoint"
	"rd/rdlib/dataset"
	"rd/rdlib/distill"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
	"rd/rdlib/peft"
	"rd/rdlib/record"
	"rd/rdlib/spelling"
	"rd/rdlib/train"
)

// FineTune is the adaptation that trains every parameter of a teacher.
const FineTune = "finetune"

// Adaptations are the ways to adapt a teacher that is open (a white box): all of it, or one of package peft's.
func Adaptations() []string { return append([]string{FineTune}, peft.Names()...) }

// Adapt adapts a teacher to a data set by one of Adaptations and writes it to path: an ONNX file with the outputs of a
// foundation model and, beside them, logits of the data set's classes; its side-car, its weights and its record. Of the options,
// Teacher is the ONNX file of a teacher whose weights lie beside it (see WhiteBox), and a record or side-car that tells its network; Method and
// MethodOptions the adaptation; Student, Width, Size and InputOf do not count: the images are cut and scaled as the teacher's. A
// run that was stopped continues from its checkpoint; one that is done is not computed again.
func (s *Session) Adapt(ctx context.Context, o Options, path string) (*record.Record, error) {
	a, err := s.adaptation(ctx, o, path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("folder of the adapted teacher: %w", err)
	}
	switch done, err := record.Read(PretrainRecord(path)); {
	case sameFolder(path, o.Teacher):
		return nil, usagef("%s is the teacher itself: choose another --out", path)
	case err == nil && done.Result.Key == a.key && exists(path):
		return done, nil
	case exists(path) && !o.Replace:
		return nil, usagef("%s is there already, made with other settings or data: choose another --out, or remove it", path)
	}
	return a.run(ctx)
}

// AdaptKey is the key that the record of an adaptation has.
func (s *Session) AdaptKey(ctx context.Context, o Options) (string, error) {
	a, err := s.adaptation(ctx, o, "")
	if err != nil {
		return "", err
	}
	return a.key, nil
}

func (s *Session) adaptation(ctx context.Context, o Options, path string) (*adaptation, error) {
	o.Size = 0 // it is not used
	if o.Name == "" {
		o.Name = "adapting by " + o.Method
	}
	o, err := o.resolve()
	if err != nil {
		return nil, err
	}
	a := &adaptation{session: s, options: o, path: path}
	return a, a.prepare(ctx)
}

// adaptation is a run ready to start.
type adaptation struct {
	session *Session
	options Options
	path    string
	info    foundation.Info
	data    *dataset.Dataset
	initial model.Weights
	stages  []stage
	config  record.Config // of the whole
	key     string
}

// stage is one training.
type stage struct {
	name    string
	network *model.Network
	method  distill.Method
}

func (a *adaptation) prepare(ctx context.Context) error {
	s, o := a.session, a.options
	var method peft.Method
	var err error
	switch {
	case o.Method == FineTune && len(o.MethodOptions) > 0:
		return usagef("%s has no options", FineTune)
	case o.Method == FineTune:
	case !slices.Contains(peft.Names(), o.Method):
		return usagef("unknown adaptation %q: did you mean %q? (known: %s)", o.Method, spelling.Nearest(o.Method, Adaptations()), strings.Join(Adaptations(), ", "))
	default:
		if method, err = peft.New(o.Method, o.MethodOptions); err != nil {
			return &UsageError{err}
		}
	}
	key := o.dataKey()
	if a.info, err = s.teacher(ctx, teacherKey{o.Teacher, 0}, key); err != nil {
		return err
	}
	if a.data, err = s.dataset(ctx, key); err != nil {
		return err
	}
	counts := make([]int, len(a.data.Classes))
	for _, item := range a.data.Indices(dataset.Train) {
		counts[a.data.Items[item].Label]++
	}
	architecture, c, err := s.whiteBox(o.Teacher, a)
	if err != nil {
		return err
	}
	c.Classes = len(a.data.Classes)
	c.Transformer.Height, c.Transformer.Width = a.info.Preprocess.Height, a.info.Preprocess.Width
	plain, err := model.New(architecture, c)
	if err != nil {
		return &InputError{err}
	}
	if err := a.fit(plain); err != nil {
		return err
	}
	if method == nil {
		a.stages = []stage{{FineTune, plain, distill.Scratch()}}
	} else if !peft.Adapts(architecture) {
		return usagef("%s adapts a vision transformer, vit or vit_sam, and %s is a %s: choose %s", o.Method, a.info.Name, architecture, FineTune)
	} else {
		for _, st := range method.Stages() {
			network, err := st.Network(architecture, c)
			if err != nil {
				return &InputError{err}
			}
			a.stages = append(a.stages, stage{st.Name, network, st.Objective(counts)})
		}
	}
	if method != nil && (c.Transformer.Pool == model.PoolMean || architecture == "vit_sam") {
		s.once(fmt.Sprintf("note: %s has no class token: %s reads the mean over the patches' tokens", a.info.Name, o.Method))
	}
	return a.configure(method)
}

// whiteBox reads what lies beside a teacher: its architecture and weights.
func (s *Session) whiteBox(teacher string, a *adaptation) (string, model.Config, error) {
	architecture, c, err := recordedNetwork(teacher)
	if err == nil && (architecture == "" || !exists(WhiteBox(teacher))) {
		err = usagef("%s can be run and distilled from, but not adapted: an ONNX file alone does not tell its architecture, and its weights, %s, must lie beside it. Make the teacher of the model's weights, safetensors or .pth, by 'rd teacher export --weights FILE --out TEACHER.onnx' (finetune trains any architecture that it knows, the other methods vit and vit_sam), or pre-train one by 'rd pretrain'", teacher, filepath.Base(WhiteBox(teacher)))
	}
	if err != nil {
		return "", c, err
	}
	if a.initial, _, err = model.LoadSafetensors(WhiteBox(teacher)); err != nil {
		return "", c, &InputError{err}
	}
	return architecture, c, nil
}

// fit keeps the weights of the network but its classifier, which is made anew for the data set's classes. The error lists
// those that are missing or of another shape.
func (a *adaptation) fit(network *model.Network) error {
	weight, bias := network.ClassifierParameters()
	kept, checked := model.Weights{}, model.Weights{}
	for _, p := range network.Parameters() {
		if p.Name == weight || p.Name == bias {
			checked[p.Name] = p.Zeros()
		} else if t, ok := a.initial[p.Name]; ok {
			kept[p.Name], checked[p.Name] = t, t
		}
	}
	a.initial = kept
	if err := network.CheckWeights(checked); err != nil {
		return &InputError{fmt.Errorf("%s: %w", WhiteBox(a.options.Teacher), err)}
	}
	return nil
}

func (a *adaptation) configure(method peft.Method) error {
	o, last := a.options, a.stages[len(a.stages)-1]
	sum, err := fileSHA256(WhiteBox(o.Teacher))
	if err != nil {
		return fmt.Errorf("weights of %s: %w", o.Teacher, err)
	}
	var options any = struct{}{}
	if method != nil {
		options = method.Options()
	}
	a.config = record.Config{
		Dataset:   o.recordOf(a.data),
		TeacherID: a.info.Identity, Initial: sum, Student: last.network.Name(), Width: 1, Method: o.Method, Options: options,
		Input: a.info.Preprocess, Views: o.Views, Epochs: o.Epochs, Steps: o.steps(a.data), Batch: o.Batch, Optimizer: o.Optimizer, Seeds: o.Seeds,
		Backend: a.session.recordedBackend(),
	}
	a.key, err = a.config.Key()
	return err
}

// checkpoint is where a stage's training is kept, and done where its weights are.
func (a *adaptation) checkpoint(st stage) string {
	return fmt.Sprintf("%s.%.12s.%s.checkpoint", strings.TrimSuffix(a.path, ".onnx"), a.key, st.name)
}
func (a *adaptation) done(st stage) string {
	return strings.TrimSuffix(a.checkpoint(st), ".checkpoint") + ".done"
}

func (a *adaptation) run(ctx context.Context) (*record.Record, error) {
	started := time.Now()
	store, err := a.session.store(ctx, storeKey{a.options.dataKey(), a.info.Preprocess}, false)
	if err != nil {
		return nil, err
	}
	weights := a.initial
	var trained *train.Trained
	var curves []record.Epoch
	for i, st := range a.stages {
		lastStage := i == len(a.stages)-1
		if done, meta, err := st.network.LoadWeights(a.done(st)); err == nil && !lastStage && json.Unmarshal([]byte(meta["curves"]), &curves) == nil {
			weights = done
			continue
		}
		c := a.config
		c.Options = map[string]any{"stage": st.name, "options": c.Options} // each stage's checkpoint is its own
		cell := &train.Cell{
			Config: c, Student: st.network, Initial: weights, Method: st.method, Backend: a.session.Backend,
			Height: a.info.Preprocess.Height, Width: a.info.Preprocess.Width, Channels: 3, Classes: len(a.data.Classes), Views: a.options.Views,
			Train: store.Part(dataset.Train), Validation: store.Part(dataset.Val), Test: store.Part(dataset.Test),
			Checkpoint: a.checkpoint(st), CheckpointEvery: a.options.CheckpointEvery, Progress: a.session.Log, Name: a.options.Name,
		}
		if len(a.stages) > 1 {
			cell.Name += ", " + st.name
		}
		if trained, err = a.session.runner.Run(ctx, cell); err != nil {
			return nil, err
		}
		weights = trained.LastWeights
		for _, e := range trained.Curves {
			e.Phase = st.name
			curves = append(curves, e)
		}
		if !lastStage {
			text, err := json.Marshal(curves)
			if err != nil {
				return nil, err
			}
			if err := model.SaveSafetensors(a.done(st), weights, map[string]string{"curves": string(text)}); err != nil {
				return nil, err
			}
		}
	}
	if err := a.export(trained, weights); err != nil {
		return nil, err
	}
	r := a.record(trained, curves, started)
	if err := r.Write(PretrainRecord(a.path)); err != nil {
		return nil, err
	}
	for _, st := range a.stages {
		for _, file := range []string{a.checkpoint(st), a.done(st)} {
			if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("remove %s: %w", file, err)
			}
		}
	}
	return r, nil
}

// export writes the adapted teacher, its side-car and its weights.
func (a *adaptation) export(t *train.Trained, weights model.Weights) error {
	car, err := exportTeacher(a.path, t.Student, weights, a.info.Preprocess, a.info.Name+"+"+a.options.Method, model.ONNXLogits)
	if err != nil {
		return err
	}
	car.Classes = a.data.Classes
	car.Adapted = &foundation.Adapted{Data: a.config.Dataset.Name, Manifest: a.config.Dataset.Manifest}
	if old := a.info.SideCar; old != nil {
		car.Pretraining, car.Licence = old.Pretraining, old.Licence
	}
	if err := car.Write(a.path); err != nil {
		return err
	}
	return saveWeights(WhiteBox(a.path), t.Student, weights, checkpoint.Origin{Input: a.info.Preprocess, Pretraining: car.Pretraining, Adapted: car.Adapted, Licence: car.Licence})
}

func (a *adaptation) record(t *train.Trained, curves []record.Epoch, started time.Time) *record.Record {
	j := &Job{Config: a.config, Key: a.key, Dataset: a.data, session: a.session, options: a.options, teacher: &a.info}
	r := &record.Record{Result: j.result(t), Run: run(started, t, a.options.Command)}
	r.Result.Curves = curves
	r.Leaks = j.Leaks()
	return r
}
