package distill

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/golden"
	"rd/rdlib/model"
)

// finite fails the test where a result is not a number, infinite, or larger than any gradient of use.
func finite(t *testing.T, got golden.Arrays) {
	t.Helper()
	for name, a := range got {
		for _, v := range a.Data {
			if !(math.Abs(v) < 1e6) {
				t.Fatalf("%s holds %g", name, v)
			}
		}
	}
}

// Equal features, as of an image that the batch holds twice, have the distance 0, where the root has no derivative; and
// features of 0, as of dead ReLUs, no direction.
func TestGradientsWhereNothingDiffers(t *testing.T) {
	twice := normal(1, 6, 8)
	copy(twice.Data[8:16], twice.Data[:8])
	dead := normal(2, 6, 8)
	for i := range 8 {
		dead.Data[i] = 0
	}
	asMap := func(a golden.Array) golden.Array { return golden.Array{Shape: []int{6, 2, 2, 2}, Data: a.Data} }
	cases := map[string]struct {
		loss  func(teacher, student *Node) *Node
		shape func(golden.Array) golden.Array
	}{
		"rkd distance": {RKDDistance, func(a golden.Array) golden.Array { return a }},
		"rkd angle":    {RKDAngle, func(a golden.Array) golden.Array { return a }},
		"sp":           {SP, asMap},
		"at":           {func(teacher, student *Node) *Node { return AT(teacher, student, 2) }, asMap},
	}
	for name, c := range cases {
		for what, student := range map[string]golden.Array{"an image twice": twice, "a dead feature": dead, "all equal": filled(0.3, 6, 8), "all zero": filled(0, 6, 8)} {
			for _, teacher := range []golden.Array{normal(3, 6, 8), twice, filled(0, 6, 8)} {
				for _, e := range golden.Engines(t) {
					t.Run(fmt.Sprint(name, " of ", what, " ", e.Name), func(t *testing.T) {
						finite(t, run(t, e, golden.Arrays{"t": c.shape(teacher), "s": c.shape(student)}, func(in map[string]*Node) map[string]*Node {
							loss := c.loss(in["t"], in["s"])
							return withGradients(map[string]*Node{"loss": loss}, loss, in, "s")
						}))
					})
				}
			}
		}
	}
}

// The teacher's own features have no loss.
func TestNothingToLearnFromOneself(t *testing.T) {
	e := golden.Exact(t)
	same := golden.Array{Shape: []int{6, 2, 2, 2}, Data: normal(1, 6, 8).Data}
	got := run(t, e, golden.Arrays{"f": same}, func(in map[string]*Node) map[string]*Node {
		f := in["f"]
		flat := Reshape(f, 6, 8)
		return map[string]*Node{
			"at": AT(f, f, 2), "sp": SP(f, MulScalar(f, 3)), "distance": RKDDistance(flat, MulScalar(flat, 3)), "angle": RKDAngle(flat, MulScalar(flat, 3)),
		}
	})
	for name := range got {
		near(t, e, got, name, golden.Scalar(0))
	}
}

// N is the number of training images; negatives are of other classes, without replacement where there are enough.
func TestCRDNegatives(t *testing.T) {
	c := Context{StudentDim: 4, TeacherPooled: 5, Classes: 3, Batch: 4, Images: 30, Label: func(image int) int { return image % 3 }}
	for _, k := range []int{7, 20, 21, 500} {
		m := method(t, "crd", map[string]string{"negatives": fmt.Sprint(k)})
		if shape := m.Variables(c)[crdMemory("student")].Shape; shape[0] != c.Images {
			t.Errorf("the memory has %d rows for %d training images", shape[0], c.Images)
		}
		draw := m.Draws(c)[crdNegatives]
		items := []int{0, 29, 3, 7}
		counts := func(seed uint64) []float32 {
			values := make([]float32, draw.Shape[0]*draw.Shape[1])
			draw.Fill(rand.New(rand.NewPCG(seed, 1)), items, values)
			return values
		}
		first := counts(1)
		for b, item := range items {
			sum, most := 0, 0
			for image, n := range first[b*c.Images : (b+1)*c.Images] {
				if n > 0 && c.Label(image) == c.Label(item) {
					t.Errorf("k = %d: image %d of the same class is a negative of %d", k, image, item)
				}
				sum, most = sum+int(n), max(most, int(n))
			}
			if sum != k || k <= 20 && most > 1 {
				t.Errorf("k = %d: %d negatives, one of them %d times", k, sum, most)
			}
		}
		if fmt.Sprint(first) != fmt.Sprint(counts(1)) || k != 20 && fmt.Sprint(first) == fmt.Sprint(counts(2)) {
			t.Errorf("k = %d: negatives do not follow the seed", k)
		}
	}
	c.Label = func(int) int { return 2 }
	if _, err := method(t, "crd", nil).Modules(c); err == nil || !strings.Contains(err.Error(), "class 2") {
		t.Errorf("with images of one class only: %v", err)
	}
}

// Methods that compare maps refuse networks without, before anything runs.
func TestComparedRefuse(t *testing.T) {
	b := newBench(t)
	for _, name := range comparedNames() {
		needs := mustNew(t, name, nil).Needs()
		for what, c := range map[string]Context{
			"no maps of the teacher":         {StudentDim: 10, StudentMaps: b.context.StudentMaps, Classes: 3, TeacherPooled: 7, Batch: 8, Images: 12, Label: b.context.Label},
			"no maps of the student":         {StudentDim: 10, Classes: 3, TeacherMaps: b.context.TeacherMaps, TeacherPooled: 7, Batch: 8, Images: 12, Label: b.context.Label},
			"no pooled feature of a teacher": {StudentDim: 10, StudentMaps: b.context.StudentMaps, Classes: 3, TeacherMaps: b.context.TeacherMaps, Batch: 8, Images: 12, Label: b.context.Label},
		} {
			refuses := needs.Maps && strings.Contains(what, "maps") || needs.Pooled && strings.Contains(what, "pooled")
			if name == "kd" && what == "no maps of the student" {
				refuses = false // φ reads the teacher's map alone
			}
			if _, err := mustNew(t, name, nil).Modules(c); (err != nil) != refuses {
				t.Errorf("%s with %s: %v", name, what, err)
			}
		}
	}
	if _, err := New("at", map[string]string{"gamma": "0", "beta": "0"}); err == nil {
		t.Error("weights that are all 0 are accepted")
	}
	b.context.Batch = 3
	if _, err := mustNew(t, "semckd", nil).Modules(b.context); err == nil || !strings.Contains(err.Error(), "factor=4") {
		t.Errorf("semckd with a batch of 3: %v", err)
	}
}

// To a teacher of one map every method adapts: by the option that Suit names, or by itself.
func TestTeacherOfOneMap(t *testing.T) {
	b, backend := newBench(t), golden.GoBackend(t)
	b.context.TeacherMaps, b.maps = b.context.TeacherMaps[1:], b.maps[1:]
	want := map[string]string{"hint": "map[layer:last]", "at": "map[stages:last]", "vid": "map[stages:last]"}
	for _, name := range comparedNames() {
		options, err := Suit(name, b.context)
		if err != nil {
			t.Fatal(err)
		}
		if want[name] == "" {
			want[name] = "map[]"
		}
		if fmt.Sprint(options) != want[name] {
			t.Errorf("%s is suited by %v, want %s", name, options, want[name])
		}
		m := mustNew(t, name, options)
		phase := m.Phases()[len(m.Phases())-1]
		if s := b.step(t, backend, m, phase, 0); !(s.total > 0) || math.IsInf(s.total, 0) {
			t.Errorf("%s: the loss is %g", name, s.total)
		}
	}
}

// Plain KD has the same weight and form in every method.
func TestPlainKDBesideTheTerm(t *testing.T) {
	b, backend := newBench(t), golden.GoBackend(t)
	given := map[string]string{"gamma": "0.5", "alpha": "2", "teacher-logits": "given"}
	for _, name := range comparedNames() {
		m := mustNew(t, name, given)
		s := b.step(t, backend, m, m.Phases()[0], 0)
		beta := m.(compared).common.Beta
		want := 0.5*s.parts["ce_s"] + 2*s.parts["kl"] + beta*s.parts[name]
		if math.Abs(s.total-want) > 1e-4*max(1, math.Abs(want)) {
			t.Errorf("%s: the loss is %g, want %g", name, s.total, want)
		}
		if name != "kd" && s.parts[name] == 0 {
			t.Errorf("%s has no term of its own: %v", name, s.parts)
		}
	}
}

// NORM's module stays in the student that is deployed, and its cost is counted; the other methods add nothing.
func TestDeployed(t *testing.T) {
	b := newBench(t)
	before, err := b.student.Cost(3, 6, 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range Names() {
		m := mustNew(t, name, nil)
		cost, err := b.deployed(t, m).Cost(3, 6, 5)
		if err != nil {
			t.Fatal(err)
		}
		added := int64(0)
		if name == "norm" { // two 1×1 convolutions between 10 channels and 8·7, and a batch norm behind each
			added = 2*10*56 + 2*56 + 2*10
		}
		if cost.Parameters != before.Parameters+added || (cost.MACs > before.MACs) != (added > 0) {
			t.Errorf("%s: the deployed student costs %+v, the student %+v", name, cost, before)
		}
	}
	if _, err := Deployed(mustNew(t, "norm", nil), Context{StudentMaps: b.context.StudentMaps}, b.student); err == nil {
		t.Error("norm without a teacher's map is accepted")
	}
	off := mustNew(t, "norm", map[string]string{"beta": "0"})
	if b.deployed(t, off) != b.student || off.Needs().Teacher() {
		t.Error("without its term NORM changes the student")
	}
}

// The regressor of hints ends at the teacher's size, or at the student's along an axis where that is smaller.
func TestHintSizes(t *testing.T) {
	for _, c := range []struct {
		student, teacher, want []int // height, width
		layer                  model.Op
	}{
		{[]int{8, 8}, []int{4, 4}, []int{4, 4}, model.Conv{Out: 7, Kernel: 3, Stride: 2, Padding: 1, Groups: 1, Bias: true, Init: model.InitUniform}},
		{[]int{8, 9}, []int{4, 5}, []int{4, 5}, model.Conv{Out: 7, Kernel: 3, Stride: 2, Padding: 1, Groups: 1, Bias: true, Init: model.InitUniform}},
		{[]int{4, 3}, []int{8, 6}, []int{8, 6}, model.ConvTranspose{Out: 7, Kernel: 4, Stride: 2, Padding: 1, Bias: true}},
		{[]int{7, 6}, []int{5, 6}, []int{5, 6}, model.Conv{Out: 7, Kernel: 3, Width: 1, Stride: 1, Groups: 1, Bias: true, Init: model.InitUniform}},
		{[]int{8, 8}, []int{12, 6}, []int{8, 6}, model.Conv{Out: 7, Kernel: 1, Width: 3, Stride: 1, Groups: 1, Bias: true, Init: model.InitUniform}},
		{[]int{2, 2}, []int{3, 3}, []int{2, 2}, model.Conv{Out: 7, Kernel: 1, Width: 1, Stride: 1, Groups: 1, Bias: true, Init: model.InitUniform}},
	} {
		shapes := Context{StudentMaps: [][]int{append([]int{5}, c.student...)}, TeacherMaps: [][]int{append([]int{7}, c.teacher...)}}
		modules, err := method(t, "hint", nil).Modules(shapes)
		if err != nil {
			t.Fatal(err)
		}
		regressor := modules[hintModule]
		got, err := regressor.Shapes(shapes.StudentMaps[0]...)
		if err != nil || !slices.Equal(got.FeatureMap, append([]int{7}, c.want...)) || regressor.Layers()[0].Op != c.layer {
			t.Errorf("from %v to %v: %v by %+v (%v)", c.student, c.teacher, got.FeatureMap, regressor.Layers()[0].Op, err)
		}
	}
	o := HintOptions{Layer: "middle"}
	for stages, want := range map[[2]int][2]int{{4, 4}: {1, 1}, {3, 4}: {1, 2}, {3, 3}: {1, 1}, {5, 4}: {2, 1}, {4, 1}: {1, 0}, {1, 4}: {0, 3}, {2, 2}: {0, 0}} {
		if i, j := o.layers(stages[0], stages[1]); [2]int{i, j} != want {
			t.Errorf("of %v stages %d and %d are compared, want %v", stages, i, j, want)
		}
	}
}

// Maps of different sizes and oblong ones are compared by every method.
func TestOblongMaps(t *testing.T) {
	b, backend := newBench(t), golden.GoBackend(t)
	b.images = normal(1, 8, 3, 7, 11)
	b.context.StudentMaps = [][]int{{4, 7, 11}, {10, 4, 6}}
	for _, sizes := range [][]int{{3, 4}, {4, 6}, {9, 5}, {2, 13}, {8, 12}, {5, 1}, {1, 6}} {
		b.maps = []golden.Array{normal(2, 8, 6, 2*sizes[0], sizes[1]), normal(3, 8, 7, sizes[0], sizes[1])}
		b.context.TeacherMaps = [][]int{{6, 2 * sizes[0], sizes[1]}, {7, sizes[0], sizes[1]}}
		for _, name := range comparedNames() {
			m := mustNew(t, name, nil)
			phase := m.Phases()[len(m.Phases())-1]
			if s := b.step(t, backend, m, phase, 0); !(s.total > 0) || math.IsInf(s.total, 0) {
				t.Errorf("%s with teacher's maps of %v: the loss is %g", name, sizes, s.total)
			}
		}
	}
}
