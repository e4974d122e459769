// Package distill holds the transfer objectives: what is minimised while a student learns, with or without a teacher.
//
// One method is one file on one interface. A method says which of the teacher's outputs it needs, which modules of its
// own it trains, in which phases training runs, and what the loss of a step is. Data, optimizer, schedule, evaluation
// and records are the same for all and live elsewhere.
//
// Notation: y labels; x images; f_s = F_s(x) the student's pooled feature, [batch, D]; g the student's classifier;
// z_s = g(f_s) its logits, [batch, classes]; f_t = φ(F_t(x)) the teacher's features reprogrammed by φ to the student's
// width, [batch, D]; z_t = g(f_t).
package distill

import (
	"github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
)

// A Method is one way to train a student. Methods are made by New and do not change afterwards.
type Method interface {
	// Name is the method's name, as New takes it.
	Name() string
	// Options are all of the method's options with the values they have, for the record. They marshal to a JSON
	// object whose keys are the option names.
	Options() any
	// Needs says what each step must be given.
	Needs() Needs
	// Modules describes the networks the method trains beside the student, by name. An error says why the method
	// does not fit the student or the teacher.
	Modules(Context) (map[string]*model.Network, error)
	// Phases are run one after the other, each for the full number of steps.
	Phases() []Phase
}

// An Extender is a Method whose student is more than the network it is given.
type Extender interface {
	Method
	// Student returns the network that is trained and deployed: the given one with layers added, or itself.
	Student(Context, *model.Network) (*model.Network, error)
}

// Deployed returns the network that a method trains and that is deployed afterwards: for all but Extenders the student
// itself.
func Deployed(m Method, c Context, student *model.Network) (*model.Network, error) {
	if extender, ok := m.(Extender); ok {
		return extender.Student(c, student)
	}
	return student, nil
}

// Needs says what a step must be given beside labels and progress.
type Needs struct {
	Maps   bool // the teacher's last map
	Stages bool // with Maps: those of its earlier stages, too
	Pooled bool // the teacher's pooled feature
	Logits bool // the teacher's logits on the same classes
	Items  bool // which training images the batch holds
	// EpochProgress asks for Step.Progress to move once per epoch rather than at every step.
	EpochProgress bool
}

// Teacher reports whether any output of the teacher is needed.
func (n Needs) Teacher() bool { return n.Maps || n.Pooled || n.Logits }

// Context is what a method must know of student and teacher to describe its modules.
type Context struct {
	StudentDim    int     // width of the student's pooled feature
	StudentMaps   [][]int // [channels, height, width] of the student's stage maps, first to last
	Classes       int
	TeacherMaps   [][]int // [channels, height, width] of the teacher's maps: for Modules those a step is given, for Suit all
	TeacherPooled int     // width of the teacher's pooled feature, 0 when it gives none
	Batch         int     // images a step
	Images        int     // training images
	// Label is the class of each training image, numbered from 0.
	Label func(image int) int
}

// A Phase is one stretch of training with its own loss and a fresh optimizer.
type Phase struct {
	Name string
	// Student says whether the student runs (Step.Student is set) and is trained. Where it does not, its classifier g
	// still trains if the loss calls Step.Classify.
	Student bool
	// Frozen names modules that run, in evaluation mode, but are not trained.
	Frozen []string
	// Loss builds the loss of one step.
	Loss func(*Step) Losses
}

// Teacher holds the frozen teacher's outputs for a batch. What the method's Needs do not name is nil.
type Teacher struct {
	Maps   []*graph.Node // [batch, C, h, w], first stage to last; the last alone where Needs.Stages is not set
	Pooled *graph.Node   // [batch, D_t]
	Logits *graph.Node   // [batch, classes]
}

// Step is one training step as the loss sees it.
type Step struct {
	Labels   *graph.Node // int32 [batch]
	Items    *graph.Node // int32 [batch]: the numbers of the batch's training images; nil unless Needs.Items
	Progress *graph.Node // float scalar in [0, 1]: 0 at the first step of a phase, 1 at the last
	Student  model.Outputs
	Teacher  Teacher
	// Classify applies g, the classifier the student shares: [batch, D] → [batch, classes].
	Classify func(feature *graph.Node) *graph.Node
	// Forward runs one of the method's own modules.
	Forward func(module string, x *graph.Node) model.Outputs
	// Variable is the value of one of the method's own variables before the step, and Assign what a state is to be after it.
	Variable func(name string) *graph.Node
	Assign   func(name string, value *graph.Node)
	// Draw is one of the method's arrays of random numbers.
	Draw func(name string) *graph.Node
}

// Losses is what a step gives back.
type Losses struct {
	Total *graph.Node // scalar; the quantity minimised
	Parts []Part      // the terms of Total before they are weighted
	// Logits, [batch, classes], are those of the teacher's path. In a phase without student, training accuracy is theirs.
	Logits *graph.Node
	// Correct, a float scalar, is how many of the batch were right where that is no matter of logits and labels; nil: it is.
	Correct *graph.Node
}

// A Part is one term of a loss.
type Part struct {
	Name  string
	Value *graph.Node // scalar
}
