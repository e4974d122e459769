package distill

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/model"
)

// logitSources are where a compared method's z_t can come from. "reprogrammed": from direct reprogramming; a phase before
// the student's trains φ and a classifier g_t of its own by CE(y, g_t(φ(F_t(x)))), and both are frozen afterwards. "given":
// from a teacher that has logits of the task, such as one that was fine-tuned. The student's own classifier is in neither:
// it starts as it does in every other method.
var logitSources = []string{"reprogrammed", "given"}

// headModule is the name of the classifier g_t that makes logits of reprogrammed features.
const headModule = "head"

// reprograms reports whether the logits are needed and are to be learnt.
func (o KDOptions) reprograms() bool { return o.Alpha > 0 && o.Logits == "reprogrammed" }

// logitModules describes φ and g_t.
func (o KDOptions) logitModules(c Context) (map[string]*model.Network, error) {
	modules, err := o.PhiOptions.modules(c)
	if err != nil {
		return nil, err
	}
	b := model.NewBuilder(headModule, c.StudentDim)
	b.Pooled(b.Input())
	b.Logits(b.Linear("fc", b.Input(), c.Classes))
	if modules[headModule], err = b.Network(); err != nil {
		return nil, fmt.Errorf("classifier of the teacher's logits: %w", err)
	}
	return modules, nil
}

// teacherLogits are z_t, [batch, classes].
func (o KDOptions) teacherLogits(s *Step) *Node {
	if o.Logits == "given" {
		return s.Teacher.Logits
	}
	return s.Forward(headModule, o.reprogram(s)).Logits
}

// logitPhase trains φ and g_t; the student does not run.
func (o KDOptions) logitPhase() Phase {
	return Phase{Name: "reprogram", Loss: func(s *Step) Losses {
		logits := o.teacherLogits(s)
		ce := CrossEntropy(s.Labels, logits)
		return Losses{Total: ce, Parts: []Part{{"ce_t", ce}}, Logits: logits}
	}}
}
