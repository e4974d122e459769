package distill

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/golden"
	"rd/rdlib/model"
)

// bench is one method with a small student and a made-up teacher, stepped by hand.
type bench struct {
	student *model.Network
	context Context
	images  golden.Array
	maps    []golden.Array // the teacher's
	pooled  golden.Array
	logits  golden.Array
	labels  golden.Array
}

func newBench(t *testing.T) bench {
	t.Helper()
	b := model.NewBuilder("tiny", 3, model.Any, model.Any)
	x := b.Conv("conv1", b.Input(), model.Conv{Out: 4, Kernel: 3, Padding: 1})
	x = b.BatchNorm("bn1", x)
	x = b.ReLU("relu1", x)
	b.Stage("stage1", x)
	x = b.Conv("conv2", x, model.Conv{Out: 10, Kernel: 3, Stride: 2, Padding: 1})
	x = b.BatchNorm("bn2", x)
	x = b.ReLU("relu2", x)
	b.Stage("stage2", x)
	b.FeatureMap(x)
	x = b.GlobalAvgPool("avgpool", x)
	b.Pooled(x)
	b.Logits(b.Linear("fc", x, 3))
	student, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	return bench{
		student: student,
		context: Context{
			StudentDim: 10, StudentMaps: [][]int{{4, 6, 5}, {10, 3, 3}}, Classes: 3,
			TeacherMaps: [][]int{{6, 3, 4}, {7, 2, 3}}, TeacherPooled: 7, Batch: 8,
			Images: 12, Label: func(image int) int { return image % 3 },
		},
		images: normal(1, 8, 3, 6, 5), maps: []golden.Array{normal(2, 8, 6, 3, 4), normal(3, 8, 7, 2, 3)},
		pooled: normal(4, 8, 7), logits: normal(5, 8, 3),
		labels: golden.Array{Shape: []int{8}, Data: []float64{0, 1, 2, 0, 1, 2, 0, 1}},
	}
}

// contextOf is the context with the maps that the method is given.
func (b bench) contextOf(method Method) Context {
	c := b.context
	if !method.Needs().Stages {
		c.TeacherMaps = c.TeacherMaps[len(c.TeacherMaps)-1:]
	}
	return c
}

// deployed is the student with what the method adds to it.
func (b bench) deployed(t *testing.T, method Method) *model.Network {
	t.Helper()
	student, err := Deployed(method, b.contextOf(method), b.student)
	if err != nil {
		t.Fatal(err)
	}
	return student
}

// stepped is what one step of one phase gives.
type stepped struct {
	total     float64
	parts     map[string]float64
	gradients map[string][]float32 // of total, by variable: "student/fc.weight", "phi/stem.conv.weight", "variables/rho0", …
}

// step runs the phase's loss once, and differentiates it in every trainable variable it is built from.
func (b bench) step(t *testing.T, backend compute.Backend, method Method, phase Phase, progress float32) stepped {
	t.Helper()
	store := gomodel.NewStore()
	root := store.RootScope()
	modules, err := method.Modules(b.contextOf(method))
	if err != nil {
		t.Fatal(err)
	}
	student := b.deployed(t, method)
	if err := student.Declare(root.At("student"), student.Init(1)); err != nil {
		t.Fatal(err)
	}
	for name, module := range modules {
		if err := module.Declare(root.At("%s", name), module.Init(2)); err != nil {
			t.Fatal(err)
		}
	}
	drawNames, draws := []string{}, []any{}
	if keeper, ok := method.(Keeper); ok {
		for name, v := range keeper.Variables(b.contextOf(method)) {
			value := tensors.FromFlatDataAndDimensions(v.Init(rand.New(rand.NewPCG(3, 4))), v.Shape...)
			root.At("variables").VariableWithValue(name, value).SetTrainable(v.Trainable)
		}
		for name, d := range keeper.Draws(b.contextOf(method)) {
			values := make([]float32, len(normal(0, d.Shape...).Data))
			d.Fill(rand.New(rand.NewPCG(5, 6)), []int{0, 1, 2, 3, 4, 5, 6, 7}, values)
			drawNames, draws = append(drawNames, name), append(draws, tensors.FromFlatDataAndDimensions(values, d.Shape...))
		}
	}
	var partNames, variables []string
	exec, err := gomodel.NewExec(backend, store, func(scope *gomodel.Scope, in []*graph.Node) []*graph.Node {
		g := in[0].Graph()
		needs := method.Needs()
		s := &Step{
			Labels: in[1], Progress: in[2],
			Classify: func(f *graph.Node) *graph.Node { return student.Classify(scope.At("student"), f) },
			Forward: func(module string, x *graph.Node) model.Outputs {
				return modules[module].Forward(scope.At("%s", module), x, !slices.Contains(phase.Frozen, module))
			},
			Variable: func(name string) *graph.Node { return scope.At("variables").GetVariable(name).NodeValue(g) },
			Assign:   func(name string, value *graph.Node) { scope.At("variables").GetVariable(name).SetNodeValue(value) },
			Draw:     func(name string) *graph.Node { return in[7+slices.Index(drawNames, name)] },
		}
		if needs.Items {
			s.Items = graph.Iota(g, in[1].Shape(), 0)
		}
		if needs.Maps {
			s.Teacher.Maps = in[3:5]
			if !needs.Stages || len(b.maps) == 1 {
				s.Teacher.Maps = in[4:5]
			}
		}
		if needs.Pooled {
			s.Teacher.Pooled = in[5]
		}
		if needs.Logits {
			s.Teacher.Logits = in[6]
		}
		if phase.Student {
			s.Student = student.Forward(scope.At("student"), in[0], true)
		}
		losses := phase.Loss(s)
		out := []*graph.Node{losses.Total}
		for _, part := range losses.Parts {
			partNames = append(partNames, part.Name)
			out = append(out, part.Value)
		}
		var values []*graph.Node
		for v := range scope.IterVariables() {
			name := strings.TrimPrefix(v.Path(), "/")
			module, _, _ := strings.Cut(name, "/")
			if v.Trainable && v.InUseByGraph(g) && !slices.Contains(phase.Frozen, module) {
				variables = append(variables, name)
				values = append(values, v.NodeValue(g))
			}
		}
		return append(out, graph.Gradient(losses.Total, values...)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	args := []any{}
	for i, a := range []golden.Array{b.images, b.labels, golden.Scalar(float64(progress)), b.maps[0], last(b.maps), b.pooled, b.logits} {
		dtype := dtypes.Float32
		if i == 1 { // the labels
			dtype = dtypes.Int32
		}
		args = append(args, a.Tensor(t, dtype))
	}
	results, err := exec.Call(append(args, draws...)...)
	if err != nil {
		t.Fatal(err)
	}
	s := stepped{total: golden.ArrayOf(t, results[0]).Data[0], parts: map[string]float64{}, gradients: map[string][]float32{}}
	for i, name := range partNames {
		s.parts[name] = golden.ArrayOf(t, results[1+i]).Data[0]
	}
	for i, name := range variables {
		s.gradients[name] = golden.Convert[float32](golden.ArrayOf(t, results[1+len(partNames)+i]).Data)
	}
	return s
}

// comparedNames are the names of the methods of the shared recipe.
func comparedNames() (names []string) {
	for _, name := range Names() {
		if m, err := New(name, nil); err == nil {
			if _, ok := m.(compared); ok {
				names = append(names, name)
			}
		}
	}
	return names
}

func mustNew(t *testing.T, name string, options map[string]string) Method {
	t.Helper()
	m, err := New(name, options)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// moves reports whether any element of the gradient is not zero; a NaN fails the test.
func moves(t *testing.T, name string, gradient []float32) bool {
	t.Helper()
	moves := false
	for _, v := range gradient {
		if math.IsNaN(float64(v)) {
			t.Fatalf("the gradient of %s is not a number", name)
		}
		moves = moves || v != 0
	}
	return moves
}

func sameGradients(t *testing.T, what string, a, b map[string][]float32) {
	t.Helper()
	for name, want := range b {
		got, ok := a[name]
		if !ok {
			t.Errorf("%s: no gradient of %s", what, name)
			continue
		}
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 1e-5 {
				t.Errorf("%s: gradient %d of %s is %g, want %g", what, i, name, got[i], want[i])
				break
			}
		}
	}
}

// Every phase of every method builds, is finite, and gives each variable it trains a gradient.
func TestEveryModuleLearns(t *testing.T) {
	all := golden.Engines(t)
	b, backend := newBench(t), all[len(all)-1].Backend
	check := func(name string, options map[string]string) {
		t.Run(fmt.Sprint(name, options), func(t *testing.T) {
			method := mustNew(t, name, options)
			modules, err := method.Modules(b.contextOf(method))
			if err != nil {
				t.Fatal(err)
			}
			trained := map[string]bool{}
			for _, phase := range method.Phases() {
				s := b.step(t, backend, method, phase, 0.5)
				if math.IsNaN(s.total) || math.IsInf(s.total, 0) {
					t.Fatalf("phase %s: the loss is %g", phase.Name, s.total)
				}
				for variable, gradient := range s.gradients {
					if moves(t, variable, gradient) {
						trained[variable] = true
					}
				}
			}
			networks := maps.Clone(modules)
			if networks == nil {
				networks = map[string]*model.Network{}
			}
			networks["student"] = b.deployed(t, method)
			for module, network := range networks {
				for _, p := range network.Parameters() {
					if p.Trainable && !trained[module+"/"+p.Name] {
						t.Errorf("%s/%s gets no gradient", module, p.Name)
					}
				}
			}
			if keeper, ok := method.(Keeper); ok {
				for name, v := range keeper.Variables(b.contextOf(method)) {
					if v.Trainable != trained["variables/"+name] {
						t.Errorf("the variable %s gets a gradient: %v; to be trained: %v", name, !v.Trainable, v.Trainable)
					}
				}
			}
		})
	}
	for _, name := range Names() {
		check(name, nil)
	}
	for _, name := range comparedNames() {
		check(name, map[string]string{"alpha": "1"})
		check(name, map[string]string{"alpha": "1", "phi-input": "pooled"})
		check(name, map[string]string{"alpha": "1", "teacher-logits": "given"})
	}
	check("at", map[string]string{"stages": "last", "power": "3"})
	check("hint", map[string]string{"layer": "last"})
	check("direct", map[string]string{"phi-input": "pooled"})
	for _, options := range []map[string]string{
		{"phi-input": "pooled"}, {"phi-depth": "0"}, {"phi-width": "3", "phi-depth": "1"}, {"cotrain": "off"},
		{"detach-teacher": "kl"}, {"detach-teacher": "both"}, {"kd": "off", "cka": "off"}, {"decay": "epoch"}, {"alpha": "0"},
	} {
		check("rd", options)
	}
}

// With α = β = 0 RD is the student alone, and needs no teacher.
func TestRDWithoutWeightsIsScratch(t *testing.T) {
	b, backend := newBench(t), golden.GoBackend(t)
	off := mustNew(t, "rd", map[string]string{"alpha": "0", "beta": "0"})
	if off.Needs().Teacher() {
		t.Errorf("RD with weights of zero needs %+v", off.Needs())
	}
	scratch := mustNew(t, "scratch", nil)
	want := b.step(t, backend, scratch, scratch.Phases()[0], 0)
	got := b.step(t, backend, off, off.Phases()[0], 0)
	if got.total != want.total {
		t.Errorf("loss %g, want %g", got.total, want.total)
	}
	sameGradients(t, "α = β = 0", got.gradients, want.gradients)
}

// Without KD and CKA RD is co-training, CE(y, z_s) + α·CE(y, z_t); without co-training and α, too, it is direct reprogramming, and
// with KD alone beside that, the student's CE and KL.
func TestRDSwitchedOff(t *testing.T) {
	b, backend := newBench(t), golden.GoBackend(t)
	scratch, direct := mustNew(t, "scratch", nil), mustNew(t, "direct", nil)
	cotraining := mustNew(t, "rd", map[string]string{"kd": "off", "cka": "off", "alpha": "0.5"})
	got := b.step(t, backend, cotraining, cotraining.Phases()[0], 0)
	student, teacher := b.step(t, backend, scratch, scratch.Phases()[0], 0), b.step(t, backend, direct, direct.Phases()[0], 0)
	if math.Abs(got.total-student.total-0.5*teacher.total) > 1e-6 || len(got.parts) != 2 {
		t.Errorf("co-training: loss %g of %v, want %g", got.total, got.parts, student.total+0.5*teacher.total)
	}

	off := map[string]string{"cotrain": "off", "alpha": "0", "kd": "off", "cka": "off"}
	method := mustNew(t, "rd", off)
	if method.Needs() != direct.Needs() || len(method.Phases()) != len(direct.Phases()) {
		t.Fatalf("%+v in %d phases, want %+v in %d", method.Needs(), len(method.Phases()), direct.Needs(), len(direct.Phases()))
	}
	for i, phase := range method.Phases() {
		got, want := b.step(t, backend, method, phase, 0), b.step(t, backend, direct, direct.Phases()[i], 0)
		if got.total != want.total {
			t.Errorf("all off, phase %s: loss %g, want %g", phase.Name, got.total, want.total)
		}
		sameGradients(t, "all off, "+phase.Name, got.gradients, want.gradients)
	}

	off["kd"] = "on"
	withKD := mustNew(t, "rd", off)
	got = b.step(t, backend, withKD, withKD.Phases()[1], 0)
	if math.Abs(got.total-got.parts["ce_s"]-got.parts["kl"]) > 1e-6 || len(got.parts) != 2 || !(got.parts["kl"] > 0) {
		t.Errorf("direct with KD: loss %g of %v", got.total, got.parts)
	}
	for name := range got.gradients {
		if strings.HasPrefix(name, "phi/") {
			t.Errorf("direct with KD: %s is trained beside the student", name)
		}
	}
}

// At the end of training only CE(y, z_s) is left: g and the student get its gradient, φ none.
func TestRDAtTheEndIsScratch(t *testing.T) {
	b, backend := newBench(t), golden.GoBackend(t)
	method, scratch := mustNew(t, "rd", nil), mustNew(t, "scratch", nil)
	want := b.step(t, backend, scratch, scratch.Phases()[0], 1)
	got := b.step(t, backend, method, method.Phases()[0], 1)
	if math.Abs(got.total-want.total) > 1e-6 {
		t.Errorf("loss %g, want %g", got.total, want.total)
	}
	sameGradients(t, "progress 1", got.gradients, want.gradients)
	for name, gradient := range got.gradients {
		if strings.HasPrefix(name, "phi/") && moves(t, name, gradient) {
			t.Errorf("%s still gets a gradient", name)
		}
	}
}

// α and β fall linearly from their start to decay-end of it.
func TestRDDecay(t *testing.T) {
	b, backend := newBench(t), golden.GoBackend(t)
	for end, share := range map[string]float64{"0": 0, "0.25": 0.25, "1": 1} {
		method := mustNew(t, "rd", map[string]string{"alpha": "2", "beta": "0.5", "decay-end": end})
		for _, progress := range []float64{0, 0.3, 1} {
			s := b.step(t, backend, method, method.Phases()[0], float32(progress))
			left := 1 + progress*(share-1)
			want := s.parts["ce_s"] + 2*left*s.parts["ce_t"] + 0.5*left*(s.parts["kl"]+s.parts["cka"])
			if math.Abs(s.total-want) > 1e-5 {
				t.Errorf("decay-end %s, progress %g: loss %g, want %g", end, progress, s.total, want)
			}
		}
	}
}

// g is shared: the student's path and the teacher's each reach it.
func TestClassifierLearnsFromBothPaths(t *testing.T) {
	b, backend := newBench(t), golden.GoBackend(t)
	fc := "student/fc.weight"
	of := func(name string, options map[string]string, phase int) []float32 {
		method := mustNew(t, name, options)
		return b.step(t, backend, method, method.Phases()[phase], 0).gradients[fc]
	}
	student := of("scratch", nil, 0)
	teacher := of("direct", nil, 0)
	both := of("rd", map[string]string{"beta": "0"}, 0) // CE(y, z_s) + CE(y, z_t)
	if !moves(t, fc, student) || !moves(t, fc, teacher) {
		t.Fatal("a path gives g no gradient")
	}
	for i := range both {
		if want := student[i] + teacher[i]; math.Abs(float64(both[i]-want)) > 1e-5 {
			t.Errorf("gradient %d of g is %g, want the sum of both paths, %g", i, both[i], want)
		}
	}
}

// Held constant, the teacher's side gets nothing from KL and CKA: φ's gradient is that of CE(y, z_t) alone.
func TestDetachedTeacher(t *testing.T) {
	b, backend := newBench(t), golden.GoBackend(t)
	phi := func(options map[string]string) map[string][]float32 {
		method := mustNew(t, "rd", options)
		gradients := b.step(t, backend, method, method.Phases()[0], 0).gradients
		maps.DeleteFunc(gradients, func(name string, _ []float32) bool { return !strings.HasPrefix(name, "phi/") })
		return gradients
	}
	ceOnly := phi(map[string]string{"kd": "off", "cka": "off"})
	sameGradients(t, "both", phi(map[string]string{"detach-teacher": "both"}), ceOnly)
	sameGradients(t, "kl", phi(map[string]string{"detach-teacher": "kl", "cka": "off"}), ceOnly)
	joint := phi(nil)
	if slices.Equal(joint["phi/stem.conv.weight"], ceOnly["phi/stem.conv.weight"]) {
		t.Error("by default φ learns nothing from KL and CKA")
	}
}

func TestFrozenPhi(t *testing.T) {
	phases := mustNew(t, "rd", map[string]string{"cotrain": "off"}).Phases()
	if len(phases) != 2 || phases[0].Student || !phases[1].Student || !slices.Equal(phases[1].Frozen, []string{phiModule}) {
		t.Errorf("without co-training the phases are %+v", phases)
	}
	if phases := mustNew(t, "direct", nil).Phases(); len(phases) != 2 || phases[0].Student || !phases[1].Student {
		t.Errorf("the phases of direct are %+v", phases)
	}
}
