package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/dataset"
	"rd/rdlib/distill"
	"rd/rdlib/model"
	"rd/rdlib/progress"
	"rd/rdlib/record"
)

// ErrInterrupted is wrapped by Run when its context ended; the checkpoint was written.
var ErrInterrupted = errors.New("interrupted")

// ErrNotFinite is wrapped by Run when a loss became infinite or not a number.
var ErrNotFinite = errors.New("the loss is not finite")

// loop is one run's working state.
type loop struct {
	cell      *Cell
	student   *model.Network // that is trained: the cell's, with what the method adds to it
	store     *gomodel.Store
	modules   map[string]*model.Network
	variables map[string]distill.Variable
	draws     map[string]distill.Draw
	phases    []distill.Phase

	maps           []string // teacher outputs the method needs, by name
	pooled, logits string

	partNames map[string][]string // of the losses, by phase, once the step is built
	state     state
	best      model.Weights
	times     []float64 // of the student phase's steps, seconds
	waited    float64   // seconds those steps waited for their batches
	began     time.Time
	bar       *progress.Bar
	steps     map[string]*gomodel.Exec // compiled steps, by phase
	eval      *gomodel.Exec
}

// state is where training stands: with the variables it is all a checkpoint needs.
type state struct {
	Phase    int            `json:"phase"`
	Step     int            `json:"step"` // steps done in the phase
	Sums     []float64      `json:"sums"` // of the current epoch: loss, right answers, images, then the parts
	Curves   []record.Epoch `json:"curves"`
	Best     record.Outcome `json:"best"`
	Seconds  float64        `json:"seconds"`
	Resumed  int            `json:"resumed"`
	PartName []string       `json:"part_names"`
}

// Run trains the cell, from its checkpoint where there is one, and evaluates it. When ctx ends it finishes the step,
// writes the checkpoint and returns an error wrapping ErrInterrupted. A checkpoint of another configuration is an error;
// one cut short is set aside and training starts anew. The checkpoint is left for the caller to remove.
func Run(ctx context.Context, cell *Cell) (*Trained, error) {
	var r Runner
	defer r.Close()
	return r.Run(ctx, cell)
}

func newLoop(cell *Cell) (*loop, error) {
	if err := CheckOptimizer(cell.Config.Optimizer); err != nil {
		return nil, err
	}
	l := &loop{cell: cell, store: gomodel.NewStore(), phases: cell.Method.Phases(), steps: map[string]*gomodel.Exec{}, partNames: map[string][]string{}}
	if err := l.chooseFeatures(); err != nil {
		return nil, err
	}
	if err := l.describe(); err != nil {
		return nil, err
	}
	return l, l.initialise()
}

// chooseFeatures notes which of the teacher's outputs the method is fed.
func (l *loop) chooseFeatures() error {
	cell, needs := l.cell, l.cell.Method.Needs()
	name := cell.Method.Name()
	switch {
	case needs.Logits && cell.Outputs.Logits == "":
		return fmt.Errorf("method %s needs the teacher's logits, and a frozen foundation model has none for this task", name)
	case needs.Teacher() && cell.Features == nil:
		return fmt.Errorf("method %s needs a teacher", name)
	case needs.Maps && len(cell.Outputs.Maps) == 0:
		return fmt.Errorf("method %s needs a feature map, and the teacher gives only a pooled feature: set phi-input=pooled where φ is all that reads it, or choose a method without maps", name)
	case needs.Pooled && cell.Outputs.Pooled == "":
		return fmt.Errorf("method %s needs the teacher's pooled feature, and there is none", name)
	}
	if needs.Maps {
		l.maps = cell.Outputs.Maps
		if !needs.Stages {
			l.maps = l.maps[len(l.maps)-1:]
		}
	}
	if needs.Pooled {
		l.pooled = cell.Outputs.Pooled
	}
	if needs.Logits {
		l.logits = cell.Outputs.Logits
	}
	return nil
}

// checkAugment says why the cell's images cannot be augmented as asked.
func (c *Cell) checkAugment() error {
	if c.Copies < 0 {
		return fmt.Errorf("%d copies of each image: give 1 or more", c.Copies)
	}
	if c.Augment == nil {
		return nil
	}
	constant, ok := c.Features.(interface{ SameForAllViews() bool })
	if needs := c.Method.Needs(); needs.Teacher() && !(ok && constant.SameForAllViews()) {
		return fmt.Errorf("method %s cannot train on augmented images: the teacher's features are cached for the %d views of each image, not for its crops", c.Method.Name(), c.Views)
	}
	if c.Views > 1 {
		return fmt.Errorf("augmented images have no views, and %d are asked for: give 1, and let the augmentation flip", c.Views)
	}
	if _, ok := c.Train.(dataset.Augmentable); !ok {
		return fmt.Errorf("the training images (%T) cannot be augmented", c.Train)
	}
	return c.Augment.Validate()
}

// describe asks the method for what it has beside the student: networks, variables, random numbers.
func (l *loop) describe() error {
	cell := l.cell
	shapes, err := cell.Student.Shapes(cell.Channels, cell.Height, cell.Width)
	if err != nil {
		return err
	}
	context := distill.Context{
		StudentDim: cell.Student.FeatureDim(), StudentMaps: shapes.Stages, Classes: cell.Classes,
		Batch: cell.Config.Batch * max(1, cell.Copies), Images: cell.Train.Len(), Label: cell.Train.Label,
	}
	if cell.Features != nil {
		for _, name := range l.maps {
			context.TeacherMaps = append(context.TeacherMaps, cell.Features.Shape(name))
		}
		if cell.Outputs.Pooled != "" {
			context.TeacherPooled = cell.Features.Shape(cell.Outputs.Pooled)[0]
		}
	}
	if l.modules, err = cell.Method.Modules(context); err != nil {
		return err
	}
	if l.student, err = distill.Deployed(cell.Method, context, cell.Student); err != nil {
		return err
	}
	if keeper, ok := cell.Method.(distill.Keeper); ok {
		l.variables, l.draws = keeper.Variables(context), keeper.Draws(context)
	}
	return l.drawDropouts()
}

// initialise gives every variable its first value: weights drawn from the initialisation seed, moments zero.
func (l *loop) initialise() error {
	seed := l.cell.Config.Seeds.Init
	root := l.store.RootScope()
	weights := l.student.Init(seed)
	for name := range weights {
		if given, ok := l.cell.Initial[name]; ok {
			weights[name] = given
		}
	}
	if err := l.student.Declare(root.At(studentScope), weights); err != nil {
		return err
	}
	for i, name := range slices.Sorted(maps.Keys(l.modules)) {
		// Each module draws from a stream of its own, apart from the student's.
		weights := l.modules[name].Init(seed + uint64(i+1)*0x9e3779b97f4a7c15)
		if err := l.modules[name].Declare(root.At(modulesScope).At("%s", name), weights); err != nil {
			return err
		}
	}
	if err := l.initialiseVariables(); err != nil {
		return err
	}
	for v := range root.At(optimizerScope).IterVariables() {
		if err := v.SetValue(tensors.FromShape(v.Shape())); err != nil {
			return err
		}
	}
	return nil
}

// run trains from the state the loop is in, or the checkpoint's, to the end.
func (l *loop) run(ctx context.Context) (*Trained, error) {
	if l.cell.Train.Len() == 0 {
		return nil, errors.New("there are no training images")
	}
	if err := l.cell.checkAugment(); err != nil {
		return nil, err
	}
	if err := l.restore(); err != nil {
		return nil, err
	}
	l.began = time.Now()
	for ; l.state.Phase < len(l.phases); l.state.Phase++ {
		if err := l.runPhase(ctx, l.phases[l.state.Phase]); err != nil {
			return nil, err
		}
		l.state.Step, l.state.Sums = 0, nil
	}
	return l.finish()
}

// runPhase trains to the phase's last step.
func (l *loop) runPhase(ctx context.Context, phase distill.Phase) error {
	cfg := l.cell.Config
	steps := cfg.Steps
	sampler, err := dataset.NewSampler(l.cell.Train.Len(), cfg.Batch, cfg.Seeds.Order)
	if err != nil {
		return err
	}
	sampler.Skip(l.state.Step)
	exec, err := l.stepExec(phase)
	if err != nil {
		return err
	}
	feeder := l.newFeeder(ctx, sampler, phase.Student, steps-l.state.Step)
	defer feeder.Close()
	l.bar = nil
	if l.cell.Progress != nil {
		l.bar = progress.New(l.cell.Progress, l.cell.Name+" "+phase.Name, steps, l.state.Step, cfg.Batch, "images")
	}
	lastSave := time.Now()
	perEpoch := sampler.BatchesPerEpoch()
	for l.state.Step < steps {
		if ctx.Err() != nil {
			return l.interrupted(ctx)
		}
		asked := time.Now()
		batch, err := feeder.Next()
		if err != nil {
			if ctx.Err() != nil {
				return l.interrupted(ctx)
			}
			return err
		}
		start := time.Now()
		loss, err := l.step(exec, phase, batch, steps)
		batch.release()
		if err != nil {
			return fmt.Errorf("phase %s, step %d: %w", phase.Name, l.state.Step+1, err)
		}
		if phase.Student {
			l.times = append(l.times, time.Since(start).Seconds())
			l.waited += start.Sub(asked).Seconds()
		}
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return l.notFinite(phase, loss)
		}
		l.state.Step++
		if l.state.Step%perEpoch == 0 || l.state.Step == steps {
			if err := l.endEpoch(phase, (l.state.Step+perEpoch-1)/perEpoch); err != nil {
				return err
			}
		}
		l.bar.Set(l.state.Step, fmt.Sprintf("loss %.4f", loss))
		every := l.cell.CheckpointEvery
		if every == 0 {
			every = time.Minute
		}
		if time.Since(lastSave) >= every {
			if err := l.save(); err != nil {
				return err
			}
			lastSave = time.Now()
		}
	}
	note := ""
	if n := len(l.state.Curves); n > 0 {
		note = fmt.Sprintf("loss %.4f", l.state.Curves[n-1].Loss)
	}
	l.bar.Finish(note)
	return nil
}

// step runs one optimizer step and adds its numbers to the epoch's sums.
func (l *loop) step(exec *gomodel.Exec, phase distill.Phase, b *batch, steps int) (loss float64, err error) {
	o := l.cell.Config.Optimizer
	var args []any
	if phase.Student {
		args = append(args, tensors.FromFlatDataAndDimensions(b.images, len(b.labels), l.cell.Channels, l.cell.Height, l.cell.Width))
	}
	args = append(args,
		tensors.FromFlatDataAndDimensions(b.labels, len(b.labels)),
		float32(l.progress(steps)),
		float32(learningRate(o, l.state.Step, steps)),
		float32(l.state.Step+1),
	)
	for i, name := range l.features() {
		args = append(args, tensors.FromFlatDataAndDimensions(b.features[i], append([]int{len(b.labels)}, l.cell.Features.Shape(name)...)...))
	}
	args = append(args, l.keptArgs(phase, b)...)
	var outputs []*tensors.Tensor
	err = catch("training step", func() (err error) { outputs, err = exec.Call(args...); return err })
	if err != nil {
		return 0, err
	}
	values := make([]float64, len(outputs))
	for i, output := range outputs {
		values[i] = float64(tensors.ToScalar[float32](output))
		output.MustFinalizeAll()
	}
	for _, arg := range args {
		if t, ok := arg.(*tensors.Tensor); ok {
			t.MustFinalizeAll()
		}
	}
	if l.state.Sums == nil {
		l.state.Sums = make([]float64, len(values)+1)
		l.state.PartName = l.partNames[phase.Name]
	}
	l.state.Sums[0] += values[0]
	l.state.Sums[1] += values[1]
	l.state.Sums[2] += float64(len(b.labels))
	for i, part := range values[2:] {
		l.state.Sums[3+i] += part
	}
	return values[0], nil
}

// endEpoch closes the epoch's averages and, where the student trains, looks at the validation images; the last of
// equal ones does not replace the best.
func (l *loop) endEpoch(phase distill.Phase, epoch int) error {
	sums := l.state.Sums
	steps := sums[2] / float64(l.cell.Config.Batch*max(1, l.cell.Copies))
	e := record.Epoch{
		Phase: phase.Name, Epoch: epoch, Step: l.state.Step,
		Loss: sums[0] / steps, TrainAccuracy: sums[1] / sums[2], Parts: map[string]float64{},
	}
	for i, name := range l.state.PartName {
		e.Parts[name] = sums[3+i] / steps
	}
	if phase.Student && l.cell.Validation.Len() > 0 {
		probabilities, err := l.evaluate(l.cell.Validation)
		if err != nil {
			return err
		}
		accuracy := accuracyOf(probabilities, l.cell.Validation)
		e.ValidationAccuracy = &accuracy
		if l.best == nil || accuracy > *l.state.Best.ValidationAccuracy {
			if l.best, err = l.student.ReadWeights(l.store.RootScope().At(studentScope)); err != nil {
				return err
			}
			l.state.Best = record.Outcome{Epoch: epoch, Step: l.state.Step, ValidationAccuracy: &accuracy}
		}
	}
	l.state.Curves = append(l.state.Curves, e)
	if l.cell.Epoch != nil {
		l.cell.Epoch(e)
	}
	l.state.Sums = nil
	return nil
}

// finish evaluates the last and the best student on the test images.
func (l *loop) finish() (*Trained, error) {
	last, err := l.student.ReadWeights(l.store.RootScope().At(studentScope))
	if err != nil {
		return nil, err
	}
	probabilities, err := l.evaluate(l.cell.Test)
	if err != nil {
		return nil, err
	}
	end := l.state.Curves[len(l.state.Curves)-1]
	t := &Trained{
		Student: l.student, Curves: l.state.Curves, LastWeights: last, BestWeights: l.best, Probabilities: probabilities,
		Last:    record.Outcome{Epoch: end.Epoch, Step: end.Step},
		Best:    l.state.Best,
		Resumed: l.state.Resumed,
		Modules: map[string]model.Weights{},
	}
	for name, module := range l.modules {
		if t.Modules[name], err = module.ReadWeights(l.store.RootScope().At(modulesScope).At("%s", name)); err != nil {
			return nil, err
		}
	}
	t.Last.ValidationAccuracy = end.ValidationAccuracy
	fill(&t.Last, probabilities, l.cell.Test)
	if l.best == nil { // no validation images: the last is the best
		t.Best, t.BestWeights = t.Last, last
	} else {
		if err := l.load(studentScope, l.best); err != nil {
			return nil, err
		}
		if probabilities, err = l.evaluate(l.cell.Test); err != nil {
			return nil, err
		}
		fill(&t.Best, probabilities, l.cell.Test)
	}
	t.Seconds = l.state.Seconds + time.Since(l.began).Seconds()
	if n := len(l.times); n > 0 {
		slices.Sort(l.times)
		t.SecondsPerStep, t.WaitPerStep = l.times[n/2], l.waited/float64(n)
	}
	return t, nil
}

func (l *loop) interrupted(ctx context.Context) error {
	if err := l.save(); err != nil {
		return err
	}
	if l.cell.Checkpoint == "" {
		return fmt.Errorf("%w at step %d", ErrInterrupted, l.state.Step)
	}
	return fmt.Errorf("%w at step %d; run the same command again to continue from %s", ErrInterrupted, l.state.Step, l.cell.Checkpoint)
}

func (l *loop) notFinite(phase distill.Phase, loss float64) error {
	kept := "no checkpoint was written before"
	if l.cell.Checkpoint != "" {
		if saved, err := checkpointStep(l.cell.Checkpoint); err == nil {
			kept = fmt.Sprintf("the last good checkpoint, %s, is of step %d", l.cell.Checkpoint, saved)
		}
	}
	return fmt.Errorf("%w: %v at step %d of phase %s; %s; try a smaller learning rate", ErrNotFinite, loss, l.state.Step+1, phase.Name, kept)
}

// progress is what the method's decaying weights see: by step, or by epoch where the method asks for it.
func (l *loop) progress(steps int) float64 {
	if !l.cell.Method.Needs().EpochProgress {
		return fraction(l.state.Step, steps)
	}
	perEpoch := (l.cell.Train.Len() + l.cell.Config.Batch - 1) / l.cell.Config.Batch
	return fraction(l.state.Step/perEpoch, (steps+perEpoch-1)/perEpoch)
}

// features lists the teacher outputs a step is fed, in the graph's order.
func (l *loop) features() []string {
	names := slices.Clone(l.maps)
	for _, name := range []string{l.pooled, l.logits} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}
