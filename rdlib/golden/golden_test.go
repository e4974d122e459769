package golden

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
)

// TestGolden lists the files that no package reads yet, and those of unknown families.
func TestGolden(t *testing.T) { Run(t, Rest, nil) }

func TestFamilyOf(t *testing.T) {
	for name, want := range map[string]string{
		"cka": "cka", "cka_wide": "cka", "ckawide": "", "rd_total": "rd_total", "rd": "",
		"arch_resnet18": "arch", "arch_params": "arch_params", "arch_params_2": "arch_params", "vit_plain": "vit",
		"mgd": "mgd", "mgd_noalign": "mgd", "vid_pool": "vid", "": "", "novelty": "",
	} {
		f := familyOf(name)
		if f.name != want {
			t.Errorf("%q is of family %q, want %q", name, f.name, want)
		}
		if f.name == "" && (f.owner != Rest || !strings.Contains(f.missing(), "unknown")) {
			t.Errorf("%q falls to %s: %s", name, f.owner, f.missing())
		}
	}
}

func TestFamiliesAreListedOnce(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range families {
		if seen[f.name] || f.name == "" || f.about == "" || !slices.Contains([]string{Model, Distill, PEFT, Stat, Rest}, f.owner) {
			t.Errorf("family %+v is listed twice or incomplete", f)
		}
		seen[f.name] = true
	}
}

// write puts files into a new folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Every file is met by one package's run, whatever is in it; what no test reads may even be damaged.
func TestEveryFileIsRunOnce(t *testing.T) {
	dir := write(t, map[string]string{
		"cka.json": `{"outputs": {"loss": -1}}`, "cka_2.json": `{}`, "crd.json": `{`, "novelty.json": `[`, "arch_x.json": `null`,
		"index.json": `{}`, "metrics.json": ``, "notes.txt": ``,
	})
	t.Setenv(DirVariable, dir)
	var read []string
	remember := func(t *testing.T, v *Vector) { read = append(read, v.Name) }
	t.Run("distill", func(t *testing.T) { Run(t, Distill, map[string]Test{"cka": remember, "kd": remember}) })
	t.Run("model", func(t *testing.T) { Run(t, Model, map[string]Test{"arch": remember}) })
	t.Run("stat", func(t *testing.T) { Run(t, Stat, nil) })
	t.Run("rest", func(t *testing.T) { Run(t, Rest, nil) })
	if want := []string{"cka", "cka_2", "arch_x"}; !slices.Equal(read, want) {
		t.Errorf("read %v, want %v", read, want)
	}
}

func TestFolder(t *testing.T) {
	absolute := t.TempDir()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"": filepath.Join(here, "testdata"), absolute: absolute, "rdlib": filepath.Dir(here), "../x": filepath.Join(here, "../../../x"),
	} {
		t.Setenv(DirVariable, value)
		dir, given, err := folder()
		if err != nil || dir != want || given != (value != "") {
			t.Errorf("%s=%q gives %s (%v, %v), want %s", DirVariable, value, dir, given, err, want)
		}
	}
}

func TestListOfNothing(t *testing.T) {
	for _, dir := range []string{write(t, map[string]string{"index.json": "{}"}), filepath.Join(t.TempDir(), "missing")} {
		if files, err := list(dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%v (%v), want an error that names %s", files, err, dir)
		}
	}
}

func TestOpen(t *testing.T) {
	dir := write(t, map[string]string{"kd_x.json": `{
		"method": "KD", "about": "words", "hyper": {"T": 4.5, "sizes": [2, 3]}, "more": {"a": {"mean": 2}},
		"inputs": {"z": {"shape": [2, 3], "data": [1, 2, 3, 4, 5, 6.5]}, "none": {"shape": [0, 4], "data": []}},
		"outputs": {"loss": 0.25, "undefined": null}, "params": {}}`})
	v, err := Open(filepath.Join(dir, "kd_x.json"))
	if err != nil {
		t.Fatal(err)
	}
	if v.Name != "kd_x" || v.Method != "KD" || v.About != "words" || v.Hyper(t, "T") != 4.5 || len(v.Params)+len(v.Grads) != 0 {
		t.Errorf("read %+v", v)
	}
	Near(t, "z", v.Inputs.Get(t, "z"), Array{Shape: []int{2, 3}, Data: []float64{1, 2, 3, 4, 5, 6.5}}, 0)
	Near(t, "none", v.Inputs.Get(t, "none"), Array{Shape: []int{0, 4}}, 0)
	Near(t, "loss", v.Outputs.Get(t, "loss"), Scalar(0.25), 0)
	if u := v.Outputs.Get(t, "undefined"); len(u.Shape) != 0 || len(u.Data) != 1 || !math.IsNaN(u.Data[0]) {
		t.Errorf("null is read as %v", u)
	}
	var more map[string]struct{ Mean float64 }
	if v.Section(t, "more", &more); more["a"].Mean != 2 {
		t.Errorf("section more is read as %v", more)
	}
}

func TestOpenDamaged(t *testing.T) {
	for text, want := range map[string]string{
		``:             "unexpected end",
		`[1]`:          "cannot unmarshal",
		`{"method":1}`: "method",
		`{"inputs":{"x":{"shape":[2,2],"data":[1,2,3]}}}`:              "[2 2] has 3 values",
		`{"inputs":{"x":{"data":[1]}}}`:                                "without a shape",
		`{"inputs":{"x":{"shape":[-1,-1],"data":[1]}}}`:                "[-1 -1]",
		`{"inputs":{"x":{"shape":[4294967296,4294967296],"data":[]}}}`: "4294967296",
		`{"inputs":{"x":{"shape":[1],"data":["a"]}}}`:                  "inputs",
		`{"outputs":{"x":"a"}}`:                                        "neither an array nor a number",
		`{"grads":[]}`:                                                 "grads",
	} {
		file := filepath.Join(write(t, map[string]string{"kd.json": text}), "kd.json")
		if _, err := Open(file); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: error %v, want one with %q and the file", text, err, want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "kd.json")); err == nil {
		t.Error("a missing file was read")
	}
}

// failures collects what a check reports.
type failures struct {
	testing.TB
	said []string
}

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

func TestNear(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	row := func(values ...float64) Array { return Array{Shape: []int{len(values)}, Data: values} }
	for _, c := range []struct {
		got, want Array
		near      bool
	}{
		{row(0.5, 1), row(0.5, 1), true},
		{row(0.5+0.9e-4, 0), row(0.5, 0), true}, // never stricter than for a magnitude of 1
		{row(0.5+1.1e-4, 0), row(0.5, 0), false},
		{row(100.009, 0.009), row(100, 0), true}, // by the tensor's largest magnitude
		{row(100.011, 0), row(100, 0), false},
		{row(-100, 0), row(100, 0), false},
		{row(1, 2), row(1), false},
		{Array{Shape: []int{2, 1}, Data: []float64{1, 2}}, row(1, 2), false},
		{row(nan, 1), row(0, 1), false},
		{row(0, 1), row(nan, 1), false},
		{row(nan), row(nan), false},
		{row(inf), row(1), false},
		{row(inf), row(inf), false},
		{row(5, inf), row(1, inf), false},
		{row(), row(), true},
	} {
		f := &failures{TB: t}
		if Near(f, "x", c.got, c.want, Float32Tolerance); (len(f.said) == 0) != c.near {
			t.Errorf("%v and %v: %v", c.got, c.want, f.said)
		}
	}
}

func TestTensors(t *testing.T) {
	a := Array{Shape: []int{2, 1, 2}, Data: []float64{1, -2, 3, 0.5}}
	for _, dtype := range []dtypes.DType{dtypes.Float64, dtypes.Float32} {
		Near(t, dtype.String(), ArrayOf(t, a.Tensor(t, dtype)), a, 0)
	}
	if got := Scalar(3).Tensor(t, dtypes.Int32).Value(); got != int32(3) {
		t.Errorf("a label is %v", got)
	}
}
