package foundation

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"rd/rdlib/dataset"
)

// withSideCar writes a model and a side-car of the given JSON, in which SHA256 stands for the file's.
func withSideCar(t testing.TB, m tiny, text string) string {
	t.Helper()
	path := m.write(t, t.TempDir())
	g, err := readGraph(path)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, SideCarPath(path), []byte(strings.ReplaceAll(text, "SHA256", g.sha256)))
	return path
}

const published = `{
 "name": "net", "architecture": "tiny",
 "input": {"name": "input", "layout": "NCHW", "size": [24, 16], "channels": "BGR", "scale": 1, "mean": 127.5, "std": [127.5, 127, 126], "resize": "stretch", "filter": "bicubic"},
 "outputs": {"stages": ["stage1", "feature_map"], "feature_map": "feature_map", "pooled": "pooled"},
 "shapes_at_96": {"pooled": [6]},
 "pretraining": {"kind": "supervised", "data": "some"},
 "licence": "research only", "sha256": "SHA256"
}`

func TestSideCarRules(t *testing.T) {
	info := open(t, withSideCar(t, tiny{}, published), Options{}).Info()
	want := dataset.Preprocess{Height: 24, Width: 16, Resize: dataset.Stretch, Filter: dataset.Bicubic, Channels: dataset.BGR, Scale: 1,
		Mean: [3]float32{127.5, 127.5, 127.5}, Std: [3]float32{127.5, 127, 126}}
	if info.Preprocess != want {
		t.Errorf("preprocess %+v, want %+v", info.Preprocess, want)
	}
	if info.Name != "net" || info.Architecture != "tiny" || info.Height != 24 || info.Width != 16 {
		t.Errorf("%+v", info)
	}
	if len(info.Notes) != 0 {
		t.Errorf("nothing was left open, but defaults are named: %v", info.Notes)
	}
}

func TestAnotherSizeKeepsTheCrop(t *testing.T) {
	path := withSideCar(t, tiny{}, `{"input": {"size": 96, "resize": "short side 112, centre crop 96"}}`)
	p := open(t, path, Options{Height: 64, Width: 48}).Preprocess()
	if p.Height != 64 || p.Width != 48 || p.ShortSide != 75 || p.Resize != dataset.ShortSideCrop { // 112·64/96 = 74.67
		t.Errorf("%+v", p)
	}
	p = open(t, path, Options{}).Preprocess()
	if p.Height != 96 || p.ShortSide != 112 {
		t.Errorf("%+v", p)
	}
}

func TestScaleFollowsTheMean(t *testing.T) {
	p := open(t, withSideCar(t, tiny{}, `{"input": {"size": 8, "mean": 127.5, "std": 127.5}}`), Options{}).Preprocess()
	if p.Scale != 1 {
		t.Errorf("a mean of 127.5 came with scale %v", p.Scale)
	}
}

func TestSideCarOutputs(t *testing.T) {
	cases := map[string]struct {
		model   tiny
		sidecar string
		want    []string
		stages  []string
	}{
		"other names": {tiny{rename: map[string]string{"stage1": "/a/Relu", "feature_map": "/b/Relu", "pooled": "/c/Flatten"}},
			`{"outputs": {"stages": ["/a/Relu"], "feature_map": "/b/Relu", "pooled": "/c/Flatten"}}`, []string{"/a/Relu", FeatureMap, Pooled}, []string{"/a/Relu"}},
		"no map named":    {tiny{}, `{"outputs": {"pooled": "pooled"}}`, []string{Pooled}, nil},
		"no pooled named": {tiny{}, `{"outputs": {"feature_map": "feature_map"}}`, []string{FeatureMap, Pooled}, []string{FeatureMap}},
		"stages alone":    {tiny{}, `{"outputs": {"stages": ["stage1", "feature_map"]}}`, []string{"stage1", FeatureMap, Pooled}, []string{"stage1", FeatureMap}},
		"map as pooled":   {tiny{}, `{"outputs": {"pooled": "feature_map"}}`, []string{Pooled}, nil},
		"tokens":          {tiny{outputs: []string{"tokens", "logits"}}, `{"outputs": {"pooled": "tokens"}}`, []string{Pooled}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			info := open(t, withSideCar(t, c.model, c.sidecar), Options{Height: 16, Width: 16}).Info()
			var names []string
			for _, o := range info.Outputs {
				names = append(names, o.Name)
			}
			if !slices.Equal(names, c.want) || !slices.Equal(info.Stages, c.stages) {
				t.Errorf("features %v stages %v, want %v and %v", names, info.Stages, c.want, c.stages)
			}
		})
	}
}

func TestUnusableSideCars(t *testing.T) {
	cases := map[string]struct {
		model   tiny
		sidecar string
		is      error
		says    string
	}{
		"not JSON":        {tiny{}, `{"name": `, ErrSideCar, "tiny.onnx.json"},
		"wrong type":      {tiny{}, `{"name": 3}`, ErrSideCar, "name"},
		"another file's":  {tiny{}, `{"sha256": "` + strings.Repeat("ab", 32) + `"}`, ErrSideCar, "describes another file"},
		"no hash":         {tiny{}, `{"sha256": "abc"}`, ErrSideCar, "64 hexadecimal"},
		"misspelt key":    {tiny{}, `{"licencse": "none"}`, ErrSideCar, `did you mean "licence"`},
		"misspelt mean":   {tiny{}, `{"input": {"maen": 0.5}}`, ErrSideCar, `unknown key "maen" in "input": did you mean "mean"`},
		"misspelt output": {tiny{}, `{"outputs": {"feature-map": "feature_map"}}`, ErrSideCar, `did you mean "feature_map"`},
		"layout":          {tiny{}, `{"input": {"layout": "CHWN"}}`, ErrSideCar, "CHWN"},
		"channels":        {tiny{}, `{"input": {"channels": "CMYK"}}`, ErrSideCar, "CMYK"},
		"size":            {tiny{}, `{"input": {"size": [0, 8]}}`, ErrSideCar, "size"},
		"size of three":   {tiny{}, `{"input": {"size": [3, 8, 8]}}`, ErrSideCar, "size"},
		"mean of two":     {tiny{}, `{"input": {"mean": [1, 2]}}`, ErrSideCar, "mean"},
		"std of zero":     {tiny{}, `{"input": {"std": [1, 0, 1]}}`, ErrSideCar, "std"},
		"scale":           {tiny{}, `{"input": {"scale": "1/0"}}`, ErrSideCar, "scale"},
		"filter":          {tiny{}, `{"input": {"filter": "lanczos"}}`, ErrSideCar, "lanczos"},
		"resize":          {tiny{}, `{"input": {"size": 8, "resize": "somehow"}}`, ErrSideCar, "somehow"},
		"crop over size":  {tiny{}, `{"input": {"size": 8, "resize": "short side 6, centre crop 8"}}`, ErrSideCar, "short side"},
		"input name":      {tiny{}, `{"input": {"name": "image"}}`, ErrSideCar, `"image"`},
		"size not fixed":  {tiny{height: 8, width: 8}, `{"input": {"size": 16}}`, ErrSideCar, "fixed at 8"},
		"output name":     {tiny{}, `{"outputs": {"feature_map": "layer4"}}`, ErrSideCar, "it gives stage1 [4 4 4], feature_map [6 2 2], pooled [6]"},
		"stage twice":     {tiny{}, `{"outputs": {"stages": ["stage1", "stage1"]}}`, ErrSideCar, "twice"},
		"vector as map":   {tiny{}, `{"outputs": {"feature_map": "pooled"}}`, ErrSideCar, "as a map"},
		"colour for grey": {tiny{channels: 1}, `{"input": {"channels": "RGB"}}`, ErrSideCar, "the input has one"},
		"layout reversed": {tiny{}, `{"input": {"layout": "NHWC"}}`, ErrModel, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := Options{Height: 8, Width: 8}
			if strings.Contains(c.sidecar, "size") {
				o = Options{}
			}
			teacher, err := Open(withSideCar(t, c.model, c.sidecar), o)
			if err == nil {
				teacher.Close()
				t.Fatal("it opened")
			}
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v: not %v saying %q", err, c.is, c.says)
			}
		})
	}
}

func TestSideCarIsReadAsWritten(t *testing.T) {
	path := tiny{}.write(t, t.TempDir())
	teacher := open(t, path, Options{Height: 16, Width: 16})
	check, err := teacher.NewCheck()
	if err != nil {
		t.Fatal(err)
	}
	p := dataset.DefaultPreprocess(16, 16)
	written := &SideCar{Name: "n", Architecture: "a", Input: DescribeInput("input", "NCHW", p), Outputs: SideCarOutputs{FeatureMap: "feature_map", Pooled: "pooled"},
		Pretraining: &Pretraining{Kind: "k", Data: "d", Phantom: true, Seen: []string{"x"}}, Licence: "Apache-2.0", SHA256: teacher.Info().SHA256, Check: check}
	if err := written.Write(path); err != nil {
		t.Fatal(err)
	}
	read, err := ReadSideCar(path)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(written)
	b, _ := json.Marshal(read)
	if string(a) != string(b) {
		t.Errorf("written %s\nread    %s", a, b)
	}
	again := open(t, path, Options{})
	if again.Preprocess() != p {
		t.Errorf("preprocess %+v, want %+v", again.Preprocess(), p)
	}
	if results, err := again.Check(); err != nil || len(results) != 9 {
		t.Errorf("check: %v, %v", results, err)
	}
	if err := (&SideCar{SHA256: "x"}).Write(path); !errors.Is(err, ErrSideCar) {
		t.Errorf("a side-car without meaning was written: %v", err)
	}
}

func TestCheckFindsOtherWeights(t *testing.T) {
	folder := t.TempDir()
	path := tiny{seed: 1}.write(t, folder)
	check, err := open(t, path, Options{Height: 16, Width: 16}).NewCheck()
	if err != nil {
		t.Fatal(err)
	}
	tiny{seed: 2}.write(t, folder)
	if err := (&SideCar{Check: check}).Write(path); err != nil {
		t.Fatal(err)
	}
	teacher := open(t, path, Options{Height: 8, Width: 8}) // the check runs at its own size
	results, err := teacher.Check()
	if !errors.Is(err, ErrCheck) || len(results) == 0 {
		t.Errorf("%v, %v", results, err)
	}
	report, err := Inspect(path)
	if err != nil || !strings.HasPrefix(report.CheckState, "failed") {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestCheckRunsOnEveryKindOfGraph(t *testing.T) {
	for name, m := range map[string]tiny{
		"free": {}, "batch of one": {batch: 1}, "batch of four": {batch: 4}, "NHWC": {nhwc: true},
		"derived": {outputs: []string{"feature_map"}}, "tokens": {outputs: []string{"tokens"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := m.write(t, t.TempDir())
			check, err := open(t, path, Options{Height: 8, Width: 8}).NewCheck()
			if err != nil {
				t.Fatal(err)
			}
			if len(check.Values["pooled_mean"]) != 1 || len(check.Values["pooled_first8"]) != tinyMap {
				t.Errorf("%+v", check)
			}
			if err := (&SideCar{Check: check}).Write(path); err != nil {
				t.Fatal(err)
			}
			if _, err := open(t, path, Options{Height: 16, Width: 16}).Check(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestChecksWithoutMeaning(t *testing.T) {
	for _, check := range []string{
		`{"input": "zeros"}`, `{"input": "x[i]=sin(0.013*i) [2,3,0,8]"}`, `{"input": "x[i]=sin(0.013*i) [2,4,8,8]"}`, `{"input": "x[i]=sin(0.013*i) [999999,3,4000,4000]"}`,
		`{"input": "x[i]=sin(0.013*i) [2,3,8,8]", "layer4_mean": 1}`, `{"input": "x[i]=sin(0.013*i) [2,3,8,8]", "pooled_first8": [1]}`,
	} {
		teacher := open(t, withSideCar(t, tiny{}, `{"check": `+check+`}`), Options{Height: 8, Width: 8})
		if _, err := teacher.Check(); !errors.Is(err, ErrSideCar) {
			t.Errorf("%s: %v", check, err)
		}
	}
	path := withSideCar(t, tiny{}, `{"check": {"input": 3}}`)
	if _, err := Open(path, Options{Height: 8, Width: 8}); !errors.Is(err, ErrSideCar) {
		t.Errorf("%v", err)
	}
}

func TestReport(t *testing.T) {
	path := withSideCar(t, tiny{}, published)
	report, err := Inspect(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(tinyStage1*3*9 + tinyMap*tinyStage1*9); report.Parameters != want {
		t.Errorf("%d parameters, want %d", report.Parameters, want)
	}
	if report.FeatureBytes["stage1"] != 4*tinyStage1*12*8 || report.Opset != 17 || report.CheckState != "none" {
		t.Errorf("%+v", report)
	}
	text := report.String()
	for _, word := range []string{"net tiny", "test 1, opset 17", "float[batch,3,height,width]", "24×16, BGR", "feature_map [6 6 4]", "research only", "leakage", "half"} {
		if !strings.Contains(text, word) {
			t.Errorf("the report does not say %q:\n%s", word, text)
		}
	}
	data, err := json.Marshal(report)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back.GraphInputs[0].String() != "input float[batch,3,height,width]" || back.SHA256 != report.SHA256 {
		t.Errorf("%+v", back)
	}
	os.Remove(SideCarPath(path))
	if report, err = Inspect(path); err != nil || report.SideCarFile != "" || len(report.Warnings) != 1 || len(report.Notes) == 0 {
		t.Errorf("%+v, %v", report, err)
	}
}
