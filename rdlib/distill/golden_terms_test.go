package distill

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/golden"
	"rd/rdlib/model"
)

// A fileStep is one step of a compared method's own term on the inputs and parameters of a vector file.
type fileStep struct {
	method  compared
	context Context
	inputs  golden.Arrays
	params  golden.Arrays
	// param is the file's name for a parameter of a module; draws and variables are the method's, by the file's names.
	param            func(module, parameter string) string
	variables, draws map[string]string
	// fill sets what the term reads of student and teacher.
	fill func(s *Step, in map[string]*Node)
	// loss is what is differentiated; nil: the method's own term. student is one more network that Forward runs.
	loss    func(s *Step) *Node
	student *model.Network
	// evaluated runs the modules in evaluation mode.
	evaluated bool
	// outputs adds to what is returned beside the loss, given what the modules gave; nil adds nothing.
	outputs func(s *Step, ran map[string]model.Outputs, out map[string]*Node)
}

// run returns the loss under "loss", the gradient of it in each input and trainable parameter under "d " + name, what
// running statistics became under name + "_after", and what states became under "assigned " + the variable's name.
func (f fileStep) run(t *testing.T, e golden.Engine) golden.Arrays {
	t.Helper()
	modules, err := f.method.Modules(f.context)
	if err != nil {
		t.Fatal(err)
	}
	if f.student != nil {
		modules["student"] = f.student
	}
	store := gomodel.NewStore()
	root := store.RootScope()
	trained, running := map[string]*gomodel.Variable{}, map[string]*gomodel.Variable{}
	for name, module := range modules {
		for _, p := range module.Parameters() {
			given := f.param(name, p.Name)
			value := f.params.Get(t, given)
			if !slices.Equal(value.Shape, p.Shape) {
				t.Fatalf("%s/%s has the shape %v, the file's %s %v", name, p.Name, p.Shape, given, value.Shape)
			}
			v, err := root.At("%s", name).CreateVariable(p.Name, value.Tensor(t, e.DType))
			if err != nil {
				t.Fatal(err)
			}
			v.SetTrainable(p.Trainable)
			if p.Trainable {
				trained[given] = v
			} else {
				running[given] = v
			}
		}
	}
	kept := f.method.Variables(f.context)
	for given, name := range f.variables {
		value := f.params.Get(t, given)
		if !slices.Equal(value.Shape, kept[name].Shape) {
			t.Fatalf("the variable %s has the shape %v, the file's %s %v", name, kept[name].Shape, given, value.Shape)
		}
		v, err := root.At("variables").CreateVariable(name, value.Tensor(t, e.DType))
		if err != nil {
			t.Fatal(err)
		}
		if v.SetTrainable(kept[name].Trainable); v.Trainable {
			trained[given] = v
		}
	}
	inputs := slices.Sorted(maps.Keys(f.inputs))
	args := make([]any, len(inputs))
	for i, name := range inputs {
		dtype := e.DType
		if name == "labels" || strings.HasPrefix(name, "idx") {
			dtype = dtypes.Int32
		}
		args[i] = f.inputs[name].Tensor(t, dtype)
	}
	var outputs []string
	exec, err := gomodel.NewExec(e.Backend, store, func(scope *gomodel.Scope, nodes []*Node) []*Node {
		in := map[string]*Node{}
		for i, name := range inputs {
			in[name] = nodes[i]
		}
		ran := map[string]model.Outputs{}
		s := &Step{
			Forward: func(module string, x *Node) model.Outputs {
				ran[module] = modules[module].Forward(scope.At("%s", module), x, !f.evaluated)
				return ran[module]
			},
			Variable: func(name string) *Node { return scope.At("variables").GetVariable(name).NodeValue(nodes[0].Graph()) },
			Draw:     func(name string) *Node { return in[f.draws[name]] },
		}
		if f.student != nil {
			s.Classify = func(feature *Node) *Node { return f.student.Classify(scope.At("student"), feature) }
		}
		assigned := map[string]*Node{}
		s.Assign = func(name string, value *Node) { assigned[name] = value }
		f.fill(s, in)
		// Before anything changes the variables' values.
		at := maps.Clone(in)
		for name, v := range trained {
			at[name] = v.NodeValue(nodes[0].Graph())
		}
		build := f.loss
		if build == nil {
			build = f.method.term
		}
		loss := build(s)
		out := map[string]*Node{"loss": loss}
		for name, value := range assigned {
			out["assigned "+name] = value
		}
		if f.outputs != nil {
			f.outputs(s, ran, out)
		}
		for name, node := range at {
			if !node.DType().IsFloat() {
				delete(at, name)
			}
		}
		withGradients(out, loss, at, slices.Sorted(maps.Keys(at))...)
		if !f.evaluated {
			for name, v := range running {
				out[name+"_after"] = v.NodeValue(nodes[0].Graph())
			}
		}
		outputs = slices.Sorted(maps.Keys(out))
		results := make([]*Node, len(outputs))
		for i, name := range outputs {
			results[i] = out[name]
		}
		return results
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	results, err := exec.Call(args...)
	if err != nil {
		t.Fatal(err)
	}
	got := golden.Arrays{}
	for i, name := range outputs {
		got[name] = golden.ArrayOf(t, results[i])
	}
	return got
}

// nearAll compares with every output and gradient of a file.
func nearAll(t *testing.T, e golden.Engine, got golden.Arrays, v *golden.Vector) {
	t.Helper()
	for name, want := range v.Outputs {
		near(t, e, got, name, want)
	}
	if len(v.Grads) == 0 {
		t.Error("the file has no gradients")
	}
	for name, want := range v.Grads {
		near(t, e, got, "d "+name, want)
	}
}

// method is the compared method of a name with the given options.
func method(t *testing.T, name string, options map[string]string) compared {
	t.Helper()
	return mustNew(t, name, options).(compared)
}

// numbered lists the file's inputs prefix0, prefix1, …
func numbered(t *testing.T, inputs golden.Arrays, prefix string) (names []string) {
	t.Helper()
	for {
		name := prefix + strconv.Itoa(len(names))
		if _, ok := inputs[name]; !ok {
			break
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		t.Fatalf("the file has no %s0", prefix)
	}
	return names
}

// sampleShapes are the inputs' shapes without the batch axis.
func sampleShapes(inputs golden.Arrays, names []string) (shapes [][]int) {
	for _, name := range names {
		shapes = append(shapes, inputs[name].Shape[1:])
	}
	return shapes
}

func pick(in map[string]*Node, names []string) (nodes []*Node) {
	for _, name := range names {
		nodes = append(nodes, in[name])
	}
	return nodes
}

// ofMaps is a step of a method that compares maps, of the given inputs.
func ofMaps(t *testing.T, v *golden.Vector, m compared, student, teacher []string) fileStep {
	t.Helper()
	need(t, v, append(student, teacher...)...)
	return fileStep{
		method: m, inputs: v.Inputs, params: v.Params,
		context: Context{
			StudentDim: 1, Classes: 2, Batch: v.Inputs[student[0]].Shape[0],
			StudentMaps: sampleShapes(v.Inputs, student), TeacherMaps: sampleShapes(v.Inputs, teacher),
		},
		param: func(_, parameter string) string { return parameter },
		fill: func(s *Step, in map[string]*Node) {
			s.Student.Stages, s.Teacher.Maps = pick(in, student), pick(in, teacher)
		},
	}
}

func testGoldenAT(t *testing.T, e golden.Engine, v *golden.Vector) {
	power := int(v.Hyper(t, "p"))
	f := ofMaps(t, v, method(t, "at", map[string]string{"power": strconv.Itoa(power)}), numbered(t, v.Inputs, "f_s"), numbered(t, v.Inputs, "f_t"))
	f.outputs = func(s *Step, _ map[string]model.Outputs, out map[string]*Node) {
		for i := range s.Student.Stages {
			out[fmt.Sprint("stage_loss", i)] = AT(s.Teacher.Maps[i], s.Student.Stages[i], power)
			out[fmt.Sprint("attention_s", i)] = attention(s.Student.Stages[i], power)
		}
	}
	nearAll(t, e, f.run(t, e), v)
}

func testGoldenSP(t *testing.T, e golden.Engine, v *golden.Vector) {
	nearAll(t, e, ofMaps(t, v, method(t, "sp", nil), []string{"f_s"}, []string{"f_t"}).run(t, e), v)
}

func testGoldenHint(t *testing.T, e golden.Engine, v *golden.Vector) {
	f := ofMaps(t, v, method(t, "hint", nil), []string{"f_s"}, []string{"f_t"})
	f.outputs = func(_ *Step, ran map[string]model.Outputs, out map[string]*Node) {
		out["regressed"] = ran[hintModule].FeatureMap
	}
	got := f.run(t, e)
	f.evaluated = true
	got["loss_eval"] = f.run(t, e)["loss"]
	nearAll(t, e, got, v)
}

func testGoldenRKD(t *testing.T, e golden.Engine, v *golden.Vector) {
	need(t, v, "f_s", "f_t")
	f := fileStep{
		method: method(t, "rkd", map[string]string{
			"distance": fmt.Sprint(v.Hyper(t, "w_d")), "angle": fmt.Sprint(v.Hyper(t, "w_a")),
		}),
		context: Context{StudentDim: v.Inputs["f_s"].Shape[1], TeacherPooled: v.Inputs["f_t"].Shape[1], Classes: 2},
		inputs:  v.Inputs,
		fill:    func(s *Step, in map[string]*Node) { s.Student.Pooled, s.Teacher.Pooled = in["f_s"], in["f_t"] },
		outputs: func(s *Step, _ map[string]model.Outputs, out map[string]*Node) {
			out["loss_d"], out["loss_a"] = RKDDistance(s.Teacher.Pooled, s.Student.Pooled), RKDAngle(s.Teacher.Pooled, s.Student.Pooled)
		},
	}
	nearAll(t, e, f.run(t, e), v)
}

func testGoldenVID(t *testing.T, e golden.Engine, v *golden.Vector) {
	m := method(t, "vid", map[string]string{"variance": fmt.Sprint(v.Hyper(t, "init_pred_var")), "epsilon": fmt.Sprint(v.Hyper(t, "eps"))})
	f := ofMaps(t, v, m, []string{"f_s"}, []string{"f_t"})
	f.param = func(_, parameter string) string { return "regressor." + parameter }
	f.variables = map[string]string{"log_scale": vidScale(0)}
	nearAll(t, e, f.run(t, e), v)
	for _, value := range m.Variables(f.context)[vidScale(0)].Init(nil) {
		golden.NearPart(t, "initial log_scale", []float64{float64(value)}, []float64{v.Hyper(t, "log_scale_init")}, 1, golden.Float32Tolerance)
	}
}

func testGoldenMGD(t *testing.T, e golden.Engine, v *golden.Vector) {
	m := method(t, "mgd", map[string]string{"lambda": fmt.Sprint(v.Hyper(t, "lambda_mgd")), "beta": fmt.Sprint(v.Hyper(t, "alpha_mgd"))})
	f := ofMaps(t, v, m, []string{"f_s"}, []string{"f_t"})
	f.param = func(module, parameter string) string { return strings.TrimPrefix(module+"."+parameter, "align.") }
	f.draws = map[string]string{mgdRandom: "rand"}
	if shape := m.Draws(f.context)[mgdRandom].Shape; !slices.Equal(shape, v.Inputs.Get(t, "rand").Shape) {
		t.Errorf("the random numbers have the shape %v, the file's %v", shape, v.Inputs["rand"].Shape)
	}
	got := f.run(t, e)
	near(t, e, got, "loss", v.Outputs.Get(t, "dis_loss"))
	// The file's loss and gradients are weighted: so little that an absolute tolerance would see no difference.
	near(t, e, got, "loss", scaled(v.Outputs.Get(t, "loss"), 1/m.common.Beta))
	for name, want := range v.Grads {
		near(t, e, got, "d "+name, scaled(want, 1/m.common.Beta))
	}
}

func scaled(a golden.Array, factor float64) golden.Array {
	out := golden.Array{Shape: a.Shape, Data: slices.Clone(a.Data)}
	for i := range out.Data {
		out.Data[i] *= factor
	}
	return out
}

func testGoldenSemCKD(t *testing.T, e golden.Engine, v *golden.Vector) {
	m := method(t, "semckd", map[string]string{"factor": fmt.Sprint(v.Hyper(t, "factor"))})
	f := ofMaps(t, v, m, numbered(t, v.Inputs, "f_s"), numbered(t, v.Inputs, "f_t"))
	f.param = func(module, parameter string) string {
		if values, ok := strings.CutPrefix(module, "value"); ok {
			return "regressor" + strings.Replace(values, "_", "", 1) + ".regressor." + parameter
		}
		for own, theirs := range map[string]string{"query": "query_weight", "key": "key_weight"} {
			module = strings.Replace(module, own, theirs, 1)
		}
		return module + "." + parameter
	}
	f.outputs = func(s *Step, ran map[string]model.Outputs, out map[string]*Node) {
		for i := range s.Student.Stages {
			for j := range s.Teacher.Maps {
				out[fmt.Sprintf("value_s_%d%d", i, j)] = ran[semckdValue(i, j)].FeatureMap
			}
		}
		out["attention"], out["ind"] = semckdAttention(s), semckdErrors(s)
	}
	nearAll(t, e, f.run(t, e), v)
}

func testGoldenCRD(t *testing.T, e golden.Engine, v *golden.Vector) {
	m := method(t, "crd", map[string]string{
		"negatives": fmt.Sprint(v.Hyper(t, "nce_k")), "nce-temperature": fmt.Sprint(v.Hyper(t, "nce_t")),
		"momentum": fmt.Sprint(v.Hyper(t, "nce_m")), "embedding": fmt.Sprint(v.Hyper(t, "feat_dim")),
	})
	o, images := m.options.(CRDOptions), int(v.Hyper(t, "n_data"))
	params := maps.Clone(v.Params)
	params["z_1"], params["z_2"] = golden.Scalar(0), golden.Scalar(0) // not yet set
	sides := map[string]string{"s": crdSides[0], "t": crdSides[1]}
	for _, batch := range []string{"1", "2"} {
		need(t, v, "f_s"+batch, "f_t"+batch, "idx"+batch, "contrast_idx"+batch)
		items, contrasts := v.Inputs["idx"+batch], v.Inputs["contrast_idx"+batch]
		rows, each := contrasts.Shape[0], contrasts.Shape[1]
		counts := filled(0, rows, images)
		for i, image := range contrasts.Data {
			if i%each == 0 && image != items.Data[i/each] {
				t.Fatalf("the first of contrast_idx%s is not the image itself", batch)
			}
			if i%each > 0 {
				counts.Data[i/each*images+int(image)]++
			}
		}
		f := fileStep{
			method: m, params: params,
			inputs: golden.Arrays{"f_s": v.Inputs["f_s"+batch], "f_t": v.Inputs["f_t"+batch], "idx": items, "counts": counts},
			context: Context{
				StudentDim: v.Inputs["f_s"+batch].Shape[1], TeacherPooled: v.Inputs["f_t"+batch].Shape[1], Classes: 2, Batch: rows,
				Images: images, Label: func(image int) int { return image % 2 },
			},
			param: func(module, parameter string) string { return module[:len("embed_s")] + "." + parameter },
			variables: map[string]string{
				"contrast.memory_v1": crdMemory(crdSides[0]), "contrast.memory_v2": crdMemory(crdSides[1]),
				"z_1": crdZ(crdSides[0]), "z_2": crdZ(crdSides[1]),
			},
			draws: map[string]string{crdNegatives: "counts"},
			fill: func(s *Step, in map[string]*Node) {
				s.Student.Pooled, s.Teacher.Pooled, s.Items = in["f_s"], in["f_t"], in["idx"]
			},
		}
		f.outputs = func(s *Step, ran map[string]model.Outputs, out map[string]*Node) {
			memory := map[string]*Node{"s": s.Variable(crdMemory(sides["t"])), "t": s.Variable(crdMemory(sides["s"]))}
			for side, name := range sides {
				embedding := unit(ran[crdEmbedding(name)].Pooled, 1)
				out["embed_"+side] = embedding
				out["scores_"+side] = Div(o.scores(embedding, memory[side]), out["assigned "+crdZ(name)])
			}
		}
		got := f.run(t, e)
		near(t, e, got, "loss", v.Outputs.Get(t, "loss"+batch))
		for side, name := range sides {
			near(t, e, got, "embed_"+side, v.Outputs.Get(t, "embed_"+side+batch))
			scores := golden.Array{Shape: contrasts.Shape}
			for i, image := range contrasts.Data {
				scores.Data = append(scores.Data, got["scores_"+side].Data[i/each*images+int(image)])
			}
			golden.Near(t, "out_"+side+batch, scores, v.Outputs.Get(t, "out_"+side+batch), e.Tolerance)
			number := map[string]string{"s": "1", "t": "2"}[side]
			near(t, e, got, "assigned "+crdZ(name), v.Outputs.Get(t, "Z_v"+number))
			memory := got["assigned "+crdMemory(name)]
			renewed := golden.Array{Shape: []int{rows, o.Embedding}}
			for _, image := range items.Data {
				renewed.Data = append(renewed.Data, memory.Data[int(image)*o.Embedding:(int(image)+1)*o.Embedding]...)
			}
			golden.Near(t, "memory_v"+number+"_rows"+batch, renewed, v.Outputs.Get(t, "memory_v"+number+"_rows"+batch), e.Tolerance)
			params["contrast.memory_v"+number], params["z_"+number] = memory, got["assigned "+crdZ(name)]
		}
		checked := 0
		for name, want := range v.Grads {
			if name, ok := strings.CutSuffix(name, batch); ok {
				near(t, e, got, "d "+name, want)
				checked++
			}
		}
		if checked == 0 {
			t.Errorf("the file has no gradients of batch %s", batch)
		}
	}
}

// The backbone of these files is the identity on the student's last map.
func testGoldenNORM(t *testing.T, e golden.Engine, v *golden.Vector) {
	need(t, v, "f_s", "f_t", "labels", "logits_t")
	if v.Hyper(t, "ceta") != normLogits.Scale {
		t.Fatalf("the file scales logits by %g, NORM by %g", v.Hyper(t, "ceta"), normLogits.Scale)
	}
	// The recipe's weights are in the file's words only.
	m := method(t, "norm", map[string]string{
		"n": fmt.Sprint(v.Hyper(t, "N")), "gamma": "0.1", "alpha": "0.9", "beta": "1", "temperature": "4", "teacher-logits": "given",
	})
	f := ofMaps(t, v, m, []string{"f_s"}, []string{"f_t"})
	f.context.Classes = v.Inputs["logits_t"].Shape[1]
	b := model.NewBuilder("identity", f.context.StudentMaps[0]...)
	b.FeatureMap(b.Input())
	pooled := b.SpatialMean("pool", b.Input())
	b.Pooled(pooled)
	b.Logits(b.Linear("fc", pooled, f.context.Classes))
	backbone, err := b.Network()
	if err != nil {
		t.Fatal(err)
	}
	if f.student, err = Deployed(m, f.context, backbone); err != nil {
		t.Fatal(err)
	}
	f.param = func(_, parameter string) string {
		return strings.NewReplacer("norm.expand", "layer31", "norm.contract", "layer32").Replace(parameter)
	}
	var losses Losses
	f.fill = func(s *Step, in map[string]*Node) {
		s.Labels, s.Teacher.Maps, s.Teacher.Logits = in["labels"], []*Node{in["f_t"]}, in["logits_t"]
		s.Student = s.Forward("student", in["f_s"])
		s.Student.Stages = []*Node{in["f_s"]}
		losses = m.loss(s)
	}
	for prefix, total := range map[string]bool{"norm.": false, "total.": true} {
		f.loss = func(s *Step) *Node {
			if total {
				return losses.Total
			}
			return last(losses.Parts).Value
		}
		f.outputs = func(s *Step, _ map[string]model.Outputs, out map[string]*Node) {
			out["loss"], out["loss_total"] = last(losses.Parts).Value, losses.Total
			out["ce"], out["kl"] = losses.Parts[0].Value, losses.Parts[1].Value
			out["fea"], out["pooled"] = s.Student.Taps[normTap], s.Student.Pooled
			out["contract"] = Sub(s.Student.FeatureMap, s.Student.Stages[0])
			out["logits"], out["zs_n"], out["zt_n"] = s.Classify(s.Student.Pooled), s.Student.Logits, losses.Logits
		}
		got := f.run(t, e)
		for name, want := range v.Outputs {
			near(t, e, got, name, want)
		}
		checked := 0
		for name, want := range v.Grads {
			if name, ok := strings.CutPrefix(name, prefix); ok {
				near(t, e, got, "d "+name, want)
				checked++
			}
		}
		if checked == 0 {
			t.Errorf("the file has no gradients %s*", prefix)
		}
	}
}
