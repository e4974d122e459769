package train

import (
	"context"
	"reflect"
	"testing"

	"rd/rdlib/backend"
	"rd/rdlib/distill"
	"rd/rdlib/model"
)

// runnerOn runs a cell with RD's modules on ONNX Runtime, which can train batch normalisation.
func runnerOn(t *testing.T, method string) (*loop, *Trained) {
	t.Helper()
	b, err := backend.Open(backend.Options{Name: backend.ONNX, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	options, err := distill.Suit(method, distill.Context{StudentDim: 6, Classes: classes, TeacherPooled: 6})
	if err != nil {
		t.Fatal(err)
	}
	cell := tinyCell(t, method, options)
	cell.Backend = b
	var r Runner
	trained, err := r.Run(context.Background(), cell)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r.loop, trained
}

// TestReprogrammingModuleAndClassifierMove: φ and the shared classifier g are trained, by RD and by direct reprogramming.
func TestReprogrammingModuleAndClassifierMove(t *testing.T) {
	for _, method := range []string{"rd", "direct"} {
		t.Run(method, func(t *testing.T) {
			l, trained := runnerOn(t, method)
			fresh, err := newLoop(l.cell)
			if err != nil {
				t.Fatal(err)
			}
			defer fresh.close()
			moved := func(net *model.Network, scope string) {
				t.Helper()
				before, err := net.ReadWeights(fresh.store.Scope("/" + scope))
				if err != nil {
					t.Fatal(err)
				}
				after, err := net.ReadWeights(l.store.Scope("/" + scope))
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range net.Parameters() {
					if p.Trainable && reflect.DeepEqual(before[p.Name], after[p.Name]) {
						t.Errorf("%s/%s did not move", scope, p.Name)
					}
				}
			}
			if len(l.modules) == 0 {
				t.Error("there is no reprogramming module")
			}
			for name, net := range l.modules {
				moved(net, modulesScope+"/"+name)
			}
			moved(l.cell.Student, studentScope)
			if _, ok := trained.Curves[0].Parts["ce_t"]; !ok {
				t.Errorf("the teacher's path has no part in the loss: %v", trained.Curves[0].Parts)
			}
		})
	}
}

// TestSameCellSameResult: the same configuration and seed give the same result, bit for bit.
func TestSameCellSameResult(t *testing.T) {
	_, first := runnerOn(t, "rd")
	_, second := runnerOn(t, "rd")
	second.Seconds, second.SecondsPerStep, second.WaitPerStep = first.Seconds, first.SecondsPerStep, first.WaitPerStep
	if !reflect.DeepEqual(first, second) {
		t.Error("two runs of one cell differ")
	}
}
