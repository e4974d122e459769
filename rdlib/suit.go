package rdlib

import (
	"fmt"
	"maps"

	"rd/rdlib/dataset"
	"rd/rdlib/distill"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
)

// suitMethod takes the options this teacher calls for where the user has not chosen, and refuses a method that cannot be
// built on student and teacher, before anything is computed.
func (j *Job) suitMethod() error {
	context, err := j.context()
	if err != nil {
		return err
	}
	suited, err := distill.Suit(j.options.Method, context)
	if err != nil {
		return &UsageError{err}
	}
	if len(suited) > 0 {
		maps.Copy(suited, j.options.MethodOptions)
		if j.method, err = distill.New(j.options.Method, suited); err != nil {
			return &UsageError{err}
		}
	}
	if n := len(context.TeacherMaps); n > 0 && !j.method.Needs().Stages {
		context.TeacherMaps = context.TeacherMaps[n-1:]
	}
	modules, err := j.method.Modules(context)
	if err != nil {
		return &UsageError{err}
	}
	j.noteSize(modules)
	return nil
}

// noteSize tells of modules that may not fit into memory: of each parameter there are a value, a gradient and two moments,
// before a step and after.
func (j *Job) noteSize(modules map[string]*model.Network) {
	const large, each = 50e6, 8 * 4
	parameters := 0
	for _, module := range modules {
		for _, p := range module.Parameters() {
			n := 1
			for _, d := range p.Shape {
				n *= d
			}
			parameters += n
		}
	}
	if parameters > large {
		fmt.Fprintf(j.session.Log, "note: with this teacher method %s trains %.0f million parameters beside the student's, in about %s of memory; 'rd methods' lists its options\n",
			j.options.Method, float64(parameters)/1e6, foundation.BytesText(int64(parameters)*each))
	}
}

// context is what a method may ask about, with the teacher's maps of all stages.
func (j *Job) context() (distill.Context, error) {
	shapes, err := j.Student.Shapes(3, j.input.Height, j.input.Width)
	if err != nil {
		return distill.Context{}, &UsageError{err}
	}
	items := j.Dataset.Indices(dataset.Train)
	c := distill.Context{
		StudentDim: j.Student.FeatureDim(), StudentMaps: shapes.Stages, Classes: len(j.Dataset.Classes),
		Batch: j.options.Batch, Images: len(items), Label: func(image int) int { return j.Dataset.Items[items[image]].Label },
	}
	for _, stage := range j.teacher.Stages {
		o, err := j.teacher.Output(stage)
		if err != nil {
			return c, err
		}
		c.TeacherMaps = append(c.TeacherMaps, o.Shape)
	}
	if o, err := j.teacher.Output(foundation.Pooled); err == nil {
		c.TeacherPooled = o.Shape[0]
	}
	return c, nil
}
