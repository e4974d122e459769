// Package train is the one training loop: whatever the method, one cell in, one trained student out. It checkpoints,
// resumes to the identical result, evaluates, and stops at the first loss that is not finite.
package train

import (
	"os"
	"time"

	"github.com/gomlx/compute"

	"rd/rdlib/dataset"
	"rd/rdlib/distill"
	"rd/rdlib/model"
	"rd/rdlib/record"
)

// Features is the teacher, already computed: one row per training image, view and output.
type Features interface {
	// Shape is an output's shape for one image: [channels, height, width] or [channels].
	Shape(output string) []int
	// Read writes the feature of training image i under view v. Features that do not depend on how an image is seen say so
	// by a method SameForAllViews() bool; images may be augmented with those only.
	Read(i, v int, output string, dst []float32) error
}

// TeacherOutputs names the outputs of Features the methods may ask for; a name that is "" is not there.
type TeacherOutputs struct {
	Maps   []string // stage maps, first to last; the last is the final feature map
	Pooled string
	Logits string // [classes]
}

// Cell is everything one run needs.
type Cell struct {
	Config   record.Config // resolved; Steps, Batch, Optimizer and Seeds rule the loop
	Student  *model.Network
	Method   distill.Method
	Backend  compute.Backend
	Initial  model.Weights // take the place of the student's drawn ones, by name; Config says where they are from
	Height   int           // of the student's input
	Width    int
	Channels int
	Classes  int
	Views    int // 1: identity; 2: and its mirror image
	// Augment changes the training images, which must be dataset.Augmentable; nil leaves them as the views show them. It
	// cannot be had with Features, which are of the views alone.
	Augment *dataset.Augmentation
	Copies  int // how often each image stands in its batch, see dataset.LoaderOptions; 0 is 1

	Train, Validation, Test dataset.Source // at the student's input size; without test images nothing is evaluated
	Features                Features       // nil when the method needs none
	Outputs                 TeacherOutputs

	Checkpoint      string             // file; "" keeps none
	CheckpointEvery time.Duration      // 0: every minute
	Progress        *os.File           // nil shows nothing
	Name            string             // in front of progress lines
	Epoch           func(record.Epoch) // told of every epoch that ends; may be nil
}

// Trained is what a run gives.
type Trained struct {
	Student        *model.Network // to deploy: the cell's, with what the method adds to it
	Curves         []record.Epoch
	Last, Best     record.Outcome
	LastWeights    model.Weights
	BestWeights    model.Weights
	Modules        map[string]model.Weights // the method's own modules after the last step
	Probabilities  [][]float32              // of the last student on Test, [image][class]
	Seconds        float64
	SecondsPerStep float64 // median over the student phase's steps in this process
	WaitPerStep    float64 // seconds: mean of how long those steps waited for their batches
	Resumed        int
}
