package distill

import (
	"maps"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"rd/rdlib/golden"
)

func TestGolden(t *testing.T) {
	golden.Run(t, golden.Distill, map[string]golden.Test{
		"at":       onEngines(testGoldenAT),
		"cka":      onEngines(testGoldenCKA),
		"crd":      onEngines(testGoldenCRD),
		"hint":     onEngines(testGoldenHint),
		"kd":       onEngines(testGoldenKD),
		"mgd":      onEngines(testGoldenMGD),
		"norm":     onEngines(testGoldenNORM),
		"rd_total": onEngines(testGoldenRD),
		"rkd":      onEngines(testGoldenRKD),
		"semckd":   onEngines(testGoldenSemCKD),
		"sp":       onEngines(testGoldenSP),
		"vid":      onEngines(testGoldenVID),
	})
}

// onEngines is a test of one vector file on every engine.
func onEngines(test func(*testing.T, golden.Engine, *golden.Vector)) golden.Test {
	return func(t *testing.T, v *golden.Vector) {
		for _, e := range golden.Engines(t) {
			t.Run(e.Name, func(t *testing.T) { test(t, e, v) })
		}
	}
}

// need fails the test when the file lacks one of the inputs.
func need(t *testing.T, v *golden.Vector, inputs ...string) {
	t.Helper()
	for _, name := range inputs {
		v.Inputs.Get(t, name)
	}
}

func testGoldenCKA(t *testing.T, e golden.Engine, v *golden.Vector) {
	need(t, v, "f_t", "f_s")
	got := run(t, e, v.Inputs, func(in map[string]*Node) map[string]*Node {
		loss := CKA(in["f_t"], in["f_s"])
		return withGradients(map[string]*Node{"loss": loss}, loss, in, "f_s", "f_t")
	})
	near(t, e, got, "loss", v.Outputs.Get(t, "loss"))
	for name, want := range v.Grads {
		near(t, e, got, "d "+name, want)
	}
}

func testGoldenKD(t *testing.T, e golden.Engine, v *golden.Vector) {
	need(t, v, "logits_t", "logits_s")
	temperature := v.Hyper(t, "T")
	got := run(t, e, v.Inputs, func(in map[string]*Node) map[string]*Node {
		loss := KL(in["logits_t"], in["logits_s"], temperature)
		out := map[string]*Node{"loss": loss, "loss_T1": KL(in["logits_t"], in["logits_s"], 1)}
		return withGradients(out, loss, in, "logits_s")
	})
	for name, want := range v.Outputs {
		near(t, e, got, name, want)
	}
	for name, want := range v.Grads {
		near(t, e, got, "d "+name, want)
	}
}

func testGoldenRD(t *testing.T, e golden.Engine, v *golden.Vector) {
	need(t, v, "labels", "logits_s", "logits_t", "f_s", "f_t")
	inputs := maps.Clone(v.Inputs)
	inputs["alpha"], inputs["beta"] = golden.Scalar(v.Hyper(t, "alpha")), golden.Scalar(v.Hyper(t, "beta"))
	teacherSide := []string{"logits_t", "f_t"}
	for mode, detach := range map[string]string{"joint": "none", "detached": "both"} {
		t.Run(mode, func(t *testing.T) {
			o := defaultRD()
			o.Temperature, o.Detach = v.Hyper(t, "T"), detach
			got := run(t, e, inputs, func(in map[string]*Node) map[string]*Node {
				losses := rd{o}.combine(rdTerms{
					labels:   in["labels"],
					featureS: in["f_s"], logitsS: in["logits_s"],
					featureT: in["f_t"], logitsT: in["logits_t"],
					alpha: in["alpha"], beta: in["beta"],
				})
				out := map[string]*Node{"loss": losses.Total}
				for _, part := range losses.Parts {
					out[part.Name] = part.Value
				}
				return withGradients(out, losses.Total, in, append(teacherSide, "logits_s", "f_s")...)
			})
			for name, want := range v.Outputs {
				near(t, e, got, name, want)
			}
			checked := 0
			for name, want := range v.Grads {
				if input, ok := strings.CutPrefix(name, mode+"."); ok {
					near(t, e, got, "d "+input, want)
					checked++
				}
			}
			if checked == 0 {
				t.Errorf("the file has no gradients named %s.*", mode)
			}
			if _, given := v.Grads[mode+".f_t"]; mode == "detached" && !given {
				near(t, e, got, "d f_t", golden.Array{Shape: v.Inputs["f_t"].Shape, Data: make([]float64, len(v.Inputs["f_t"].Data))})
			}
		})
	}
}
