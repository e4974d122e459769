package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rd/rdlib"
	"rd/rdlib/model"
	"rd/rdlib/record"
)

// rd is the command under test, built once.
var rd string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "rd-command")
	if err != nil {
		panic(err)
	}
	rd = filepath.Join(dir, "rd")
	if out, err := exec.Command("go", "build", "-o", rd, ".").CombinedOutput(); err != nil {
		panic(string(out))
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// run runs the command and returns what it printed and its exit code.
func run(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(rd, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if strings.Contains(errs.String(), "goroutine ") {
		t.Errorf("rd %v panicked:\n%s", args, errs.String())
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must is run for what has to succeed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := run(t, args...)
	if code != 0 {
		t.Fatalf("rd %v: exit code %d\n%s", args, code, errs)
	}
	return out
}

// world is a folder with phantom images and a teacher that was pre-trained on other phantoms for a few steps.
type world struct{ dir, data, teacher, cache string }

func newWorld(t *testing.T) world {
	t.Helper()
	dir := t.TempDir()
	w := world{dir, filepath.Join(dir, "images"), filepath.Join(dir, "teacher.onnx"), filepath.Join(dir, "cache")}
	must(t, "phantom", "--out", w.data, "--size", "32", "--per-class", "20")
	corpus := filepath.Join(dir, "corpus")
	must(t, "phantom", "--pretraining", "--out", corpus, "--size", "32", "--per-class", "5")
	must(t, "pretrain", "--data", corpus, "--out", w.teacher, "--arch", "shufflenet", "--width", "0.5", "--size", "32", "--steps", "4", "--batch", "8")
	return w
}

// distill is the command line of a small cell.
func (w world) distill(out string, more ...string) []string {
	return append([]string{"distill", "--data", w.data, "--teacher", w.teacher, "--student", "shufflenet", "--width", "0.5", "--size", "32",
		"--batch", "8", "--steps", "12", "--cache", w.cache, "--out", filepath.Join(w.dir, out), "--json"}, more...)
}

func (w world) record(t *testing.T, out string) *record.Record {
	t.Helper()
	r, err := record.Read(filepath.Join(w.dir, out, rdlib.RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestContract runs what scripts rely on, from images to predictions.
func TestContract(t *testing.T) {
	w := newWorld(t)

	var report struct {
		Backends []struct{ Name string }
		Default  string
	}
	if err := json.Unmarshal([]byte(must(t, "doctor", "--json")), &report); err != nil || len(report.Backends) != 4 || report.Default == "" {
		t.Errorf("doctor --json: %v, %+v", err, report)
	}
	var bench struct {
		SecondsPerStep float64 `json:"seconds_per_step"`
		All            []float64
		PeakRSSMiB     float64 `json:"peak_rss_mib"`
	}
	if err := json.Unmarshal([]byte(must(t, "bench", "step", "--student", "shufflenet", "--size", "32", "--batch", "8", "--steps", "3", "--method", "rd", "--json")), &bench); err != nil || len(bench.All) != 3 || bench.SecondsPerStep <= 0 || bench.PeakRSSMiB <= 0 {
		t.Errorf("bench step --json: %v, %+v", err, bench)
	}
	must(t, "teacher", "inspect", w.teacher)

	var computed, listed []cacheRow
	if err := json.Unmarshal([]byte(must(t, "features", "--data", w.data, "--teacher", w.teacher, "--teacher-size", "32", "--stages", "--cache", w.cache, "--json")), &computed); err != nil || len(computed) != 1 || computed[0].Images != 60 || computed[0].Outputs["pooled"] == nil {
		t.Errorf("features --json: %v, %+v", err, computed)
	}
	if err := json.Unmarshal([]byte(must(t, "features", "--list", "--cache", w.cache, "--json")), &listed); err != nil || len(listed) != 1 || listed[0].Path != computed[0].Path || listed[0].Bytes != computed[0].Bytes {
		t.Errorf("features --list --json: %v, %+v", err, listed)
	}
	if table := must(t, "features", "--list", "--cache", w.cache); !strings.Contains(table, computed[0].Path) {
		t.Errorf("features --list: %s", table)
	}

	for _, method := range []string{"rd", "direct", "scratch", "kd", "at", "norm"} {
		lines := strings.Fields(must(t, w.distill(method, "--method", method)...))
		if got, want := lines[len(lines)-1], filepath.Join(w.dir, method, rdlib.RecordFile); got != want {
			t.Errorf("the last line is %s, want %s", got, want)
		}
		if card, err := os.ReadFile(filepath.Join(w.dir, method, rdlib.CardFile)); err != nil || !strings.Contains(string(card), "phantoms") || (strings.Contains(string(card), "Licence: ")) != (method != "scratch") {
			t.Errorf("%s: %v\n%s", method, err, card)
		}
		r := w.record(t, method)
		if !r.Result.Config.Dataset.Phantom {
			t.Errorf("%s: the record does not say that the images are phantoms", method)
		}
		if (r.Result.Teacher != nil) != (method != "scratch") {
			t.Errorf("%s: teacher %+v", method, r.Result.Teacher)
		}
		for _, name := range []string{rdlib.StudentFile, rdlib.WeightsFile, rdlib.ManifestFile, "confusion.pdf", "confusion.svg", "confusion.png"} {
			if _, err := os.Stat(filepath.Join(w.dir, method, name)); err != nil {
				t.Errorf("%s: %v", method, err)
			}
		}
	}

	if outputs := w.record(t, "at").Result.Config.Features.Outputs; len(outputs) < 2 || outputs[len(outputs)-1] != "feature_map" {
		t.Errorf("attention transfer was fed %v, not the maps of all stages", outputs)
	}
	if outputs := w.record(t, "rd").Result.Config.Features.Outputs; len(outputs) != 1 || outputs[0] != "feature_map" {
		t.Errorf("RD was fed %v", outputs)
	}
	weights, meta, err := model.LoadSafetensors(filepath.Join(w.dir, "norm", rdlib.WeightsFile))
	if err != nil || !strings.HasSuffix(meta["architecture"], "+norm") || weights["norm.expand.0.weight"].Data == nil {
		t.Errorf("NORM's module is not in the student of architecture %s: %v", meta["architecture"], err)
	}

	r := w.record(t, "rd")
	first := r.Result.Predictions[0]
	image := filepath.Join(w.data, first.Path)
	var predictions []rdlib.Prediction
	if err := json.Unmarshal([]byte(must(t, "predict", "--model", filepath.Join(w.dir, "rd", rdlib.StudentFile), image, "--json")), &predictions); err != nil || len(predictions) != 1 {
		t.Fatalf("predict --json: %v, %+v", err, predictions)
	}
	p := predictions[0]
	for class, name := range r.Result.Classes {
		if d := p.Probabilities[name] - first.Probabilities[class]; d > 1e-4 || d < -1e-4 {
			t.Errorf("%s of %s: predicted %g, in the record %g", name, image, p.Probabilities[name], first.Probabilities[class])
		}
	}
	if p.File != image || p.Class == "" {
		t.Errorf("prediction %+v", p)
	}

	t.Run("a comparison computes the features of all its teachers at once", func(t *testing.T) {
		second, cache := filepath.Join(w.dir, "second.onnx"), filepath.Join(w.dir, "cache2")
		must(t, "pretrain", "--data", filepath.Join(w.dir, "corpus"), "--out", second, "--arch", "shufflenet", "--width", "0.5", "--size", "32", "--steps", "1", "--batch", "8")
		args := []string{"compare", "--data", w.data, "--teacher", w.teacher, "--teacher", second, "--students", "shufflenet", "--width", "0.5", "--methods", "direct,at",
			"--seeds", "1", "--steps", "1", "--batch", "8", "--size", "32", "--cache", cache, "--out", filepath.Join(w.dir, "compared")}
		_, errs, code := run(t, args...)
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, errs)
		}
		if n, first := strings.Count(errs, "features of"), strings.Index(errs, "[1/"); n != 2 || strings.LastIndex(errs, "features of") > first {
			t.Errorf("features were computed %d times: %s", n, errs)
		}
		if caches, err := filepath.Glob(filepath.Join(cache, "*")); err != nil || len(caches) != 2 {
			t.Errorf("the caches: %v", caches)
		}
		if _, errs, code = run(t, args...); code != 0 || strings.Contains(errs, "features of") {
			t.Errorf("run again: exit code %d: %s", code, errs)
		}
	})
	t.Run("weights become a teacher", func(t *testing.T) {
		weights, teacher := filepath.Join(w.dir, "rd", rdlib.WeightsFile), filepath.Join(w.dir, "exported.onnx")
		var report struct {
			Tensors int
			Match   struct {
				Architecture string
				Problems     []string
			}
		}
		if err := json.Unmarshal([]byte(must(t, "teacher", "inspect", weights, "--json")), &report); err != nil || report.Match.Architecture != "shufflenet" || len(report.Match.Problems) > 0 || report.Tensors == 0 {
			t.Errorf("teacher inspect --json: %v, %+v", err, report)
		}
		if text := must(t, "teacher", "inspect", weights); !strings.Contains(text, "shufflenet, width 0.5") || !strings.Contains(text, "fits") {
			t.Errorf("teacher inspect: %s", text)
		}
		must(t, "teacher", "export", "--weights", weights, "--size", "32", "--out", teacher)
		if text := must(t, "teacher", "inspect", teacher); !strings.Contains(text, "passed") || !strings.Contains(text, "32×32") {
			t.Errorf("the exported teacher: %s", text)
		}
	})
	t.Run("a finished cell is not computed again", func(t *testing.T) {
		_, errs, code := run(t, w.distill("rd")...)
		if code != 0 || !strings.Contains(errs, "done already") {
			t.Errorf("exit code %d: %s", code, errs)
		}
	})
	t.Run("a method that the networks or the batch do not fit", func(t *testing.T) {
		if _, errs, code := run(t, w.distill("semckd", "--method", "semckd", "--batch", "2")...); code != rdlib.ExitUsage || !strings.Contains(errs, "factor") {
			t.Errorf("exit code %d: %s", code, errs)
		}
	})
	t.Run("another cell in the same folder", func(t *testing.T) {
		if _, errs, code := run(t, w.distill("rd", "--seed", "2")...); code != rdlib.ExitUsage {
			t.Errorf("exit code %d: %s", code, errs)
		}
	})
	t.Run("without the teacher's file", func(t *testing.T) {
		cache, err := os.ReadDir(w.cache)
		if err != nil {
			t.Fatal(err)
		}
		before := map[string][]byte{}
		for _, file := range cache {
			before[file.Name()], _ = os.ReadFile(filepath.Join(w.cache, file.Name()))
		}
		for _, file := range []string{w.teacher, w.teacher + ".json"} {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		must(t, w.distill("rd-again")...)
		if got, want := w.record(t, "rd-again").ResultSHA256, r.ResultSHA256; got != want {
			t.Errorf("without the teacher's file the result is %s, with it %s", got, want)
		}
		for name, bytesBefore := range before {
			if after, err := os.ReadFile(filepath.Join(w.cache, name)); err != nil || !bytes.Equal(after, bytesBefore) {
				t.Errorf("the feature cache %s changed while students trained from it (%v)", name, err)
			}
		}
	})
}

// TestKilledAndInterrupted stops a cell the hard and the soft way, and wants the result of an undisturbed run.
func TestKilledAndInterrupted(t *testing.T) {
	w := newWorld(t)
	length := []string{"--steps", "60"}
	must(t, w.distill("whole", length...)...)
	want := w.record(t, "whole").ResultSHA256
	for _, stop := range []struct {
		signal syscall.Signal
		code   int
	}{{syscall.SIGKILL, -1}, {syscall.SIGINT, rdlib.ExitInterrupted}} {
		out := "stopped-" + stop.signal.String()
		cmd := exec.Command(rd, w.distill(out, append(length, "--checkpoint-every", "10ms")...)...)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		checkpoint := filepath.Join(w.dir, out, "checkpoint.safetensors")
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(checkpoint); err == nil {
				break
			}
		}
		cmd.Process.Signal(stop.signal)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != stop.code {
			t.Errorf("%v: exit code %d, want %d: %s", stop.signal, code, stop.code, errs.String())
		}
		must(t, w.distill(out, length...)...)
		r := w.record(t, out)
		if r.Run.Resumed != 1 {
			t.Errorf("%v: resumed %d times, want 1", stop.signal, r.Run.Resumed)
		}
		if r.ResultSHA256 != want {
			t.Errorf("%v: the result is %s, undisturbed it is %s", stop.signal, r.ResultSHA256, want)
		}
	}
}

// writeZip writes a zip archive of the given entries.
func writeZip(t *testing.T, path string, entries map[string]string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	archive := zip.NewWriter(file)
	for name, text := range entries {
		w, err := archive.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestWrongUsageAndBadInput wants one clear message and the exit code of the kind.
func TestWrongUsageAndBadInput(t *testing.T) {
	dir := t.TempDir()
	data := filepath.Join(dir, "images")
	must(t, "phantom", "--out", data, "--size", "16", "--per-class", "4")
	garbage := filepath.Join(dir, "garbage.onnx")
	if err := os.WriteFile(garbage, []byte("not a model"), 0o644); err != nil {
		t.Fatal(err)
	}
	code := filepath.Join(dir, "code.pth")
	writeZip(t, code, map[string]string{"archive/data.pkl": "\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."})
	page := filepath.Join(dir, "page.pth")
	if err := os.WriteFile(page, []byte("<html>not found</html>"), 0o644); err != nil {
		t.Fatal(err)
	}
	strange := filepath.Join(dir, "strange.safetensors")
	if err := model.SaveSafetensors(strange, model.Weights{"fc9.weight": {Shape: []int{1}, Data: []float32{1}}}, nil); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	lonely := filepath.Join(dir, "lonely")
	for _, class := range []string{"a", "b"} {
		os.MkdirAll(filepath.Join(lonely, class), 0o755)
	}
	images, _ := filepath.Glob(filepath.Join(data, "benign", "*.png"))
	for i, target := range []string{"a/1.png", "b/1.png", "b/2.png"} {
		pixels, err := os.ReadFile(images[i])
		if err != nil {
			t.Fatal(err)
		}
		os.WriteFile(filepath.Join(lonely, target), pixels, 0o644)
	}
	out := filepath.Join(dir, "out")
	cases := []struct {
		name string
		args []string
		code int
		says []string
	}{
		{"unknown command", []string{"distil"}, rdlib.ExitUsage, []string{"distill"}},
		{"unknown subcommand", []string{"bench", "stp"}, rdlib.ExitUsage, []string{"step"}},
		{"unknown flag", []string{"distill", "--dta", "x"}, rdlib.ExitUsage, []string{"--dta (did you mean --data?)"}},
		{"missing flags", []string{"distill"}, rdlib.ExitUsage, []string{"--data", "--out"}},
		{"unknown student", []string{"distill", "--data", data, "--out", out, "--student", "resnet19"}, rdlib.ExitUsage, []string{"resnet18"}},
		{"student of larger images", []string{"distill", "--data", data, "--out", out, "--method", "scratch", "--student", "densenet121", "--size", "16"}, rdlib.ExitUsage, []string{"larger input"}},
		{"blocks of a student without choice", []string{"pretrain", "--data", data, "--out", out, "--arch", "shufflenet", "--blocks", "1,1", "--steps", "1"}, rdlib.ExitUsage, []string{"shufflenet", "layers"}},
		{"unknown method", []string{"distill", "--data", data, "--out", out, "--method", "rdd"}, rdlib.ExitUsage, []string{"rd"}},
		{"unknown option", []string{"distill", "--data", data, "--out", out, "--teacher", garbage, "--set", "alpa=2"}, rdlib.ExitUsage, []string{"alpha"}},
		{"no teacher", []string{"distill", "--data", data, "--out", out}, rdlib.ExitUsage, []string{"--teacher"}},
		{"unknown backend", []string{"bench", "step", "--backend", "tpu"}, rdlib.ExitUsage, []string{"onnx"}},
		{"no training image", []string{"distill", "--data", data, "--out", out, "--method", "scratch", "--train-share", "0"}, rdlib.ExitUsage, []string{"--train-share 0", "above 0"}},
		{"a share that is no number", []string{"distill", "--data", data, "--out", out, "--method", "scratch", "--train-share", "NaN"}, rdlib.ExitUsage, []string{"--train-share NaN", "above 0"}},
		{"more than all training images", []string{"distill", "--data", data, "--out", out, "--method", "scratch", "--train-share", "25"}, rdlib.ExitUsage, []string{"share 25", "at most 1"}},
		{"epochs and steps", []string{"distill", "--data", data, "--out", out, "--method", "scratch", "--epochs", "1", "--steps", "1"}, rdlib.ExitUsage, []string{"epochs"}},
		{"no such data", []string{"distill", "--data", filepath.Join(dir, "nowhere"), "--out", out, "--method", "scratch"}, rdlib.ExitInput, []string{"nowhere"}},
		{"empty data", []string{"distill", "--data", empty, "--out", out, "--method", "scratch"}, rdlib.ExitInput, []string{"empty"}},
		{"class with one image", []string{"distill", "--data", lonely, "--out", out, "--method", "scratch"}, rdlib.ExitInput, []string{`"a"`}},
		{"garbage teacher", []string{"distill", "--data", data, "--out", out, "--teacher", garbage}, rdlib.ExitInput, []string{"garbage.onnx"}},
		{"inspect garbage", []string{"teacher", "inspect", garbage}, rdlib.ExitInput, []string{"garbage.onnx"}},
		{"inspect a pickle with code in it", []string{"teacher", "inspect", code}, rdlib.ExitInput, []string{"code.pth", "os.system", "refused"}},
		{"export a pickle with code in it", []string{"teacher", "export", "--weights", code, "--out", out + ".onnx"}, rdlib.ExitInput, []string{"code.pth", "os.system"}},
		{"inspect a web page", []string{"teacher", "inspect", page}, rdlib.ExitInput, []string{"page.pth", "safetensors"}},
		{"weights of nothing known", []string{"teacher", "inspect", strange}, rdlib.ExitInput, []string{"strange.safetensors", "vit_sam"}},
		{"weights of a misspelt architecture", []string{"teacher", "inspect", "--arch", "vit_san", strange}, rdlib.ExitUsage, []string{"vit_sam"}},
		{"a pattern that is none", []string{"teacher", "inspect", "--ignore", "[", strange}, rdlib.ExitUsage, []string{"pattern"}},
		{"export nothing", []string{"teacher", "export"}, rdlib.ExitUsage, []string{"--weights", "--out"}},
		{"predict garbage", []string{"predict", "--model", garbage, images[0]}, rdlib.ExitInput, []string{"garbage.onnx"}},
		{"unknown augmentation", []string{"distill", "--data", data, "--out", out, "--method", "scratch", "--augment", "supervise"}, rdlib.ExitUsage, []string{"supervised", "contrastive"}},
		{"augmentation with a teacher", []string{"distill", "--data", data, "--out", out, "--teacher", garbage, "--augment", "supervised"}, rdlib.ExitUsage, []string{"rd", "cached"}},
		{"augmentation of some methods only", []string{"compare", "--data", data, "--out", out, "--teacher", garbage, "--augment", "supervised"}, rdlib.ExitUsage, []string{"--augment", "every method"}},
		{"features of nothing", []string{"features"}, rdlib.ExitUsage, []string{"--data", "--teacher"}},
		{"features of garbage", []string{"features", "--data", data, "--teacher", garbage}, rdlib.ExitInput, []string{"garbage.onnx"}},
		{"augmentation and views", []string{"distill", "--data", data, "--out", out, "--method", "scratch", "--augment", "supervised", "--views", "2"}, rdlib.ExitUsage, []string{"--views"}},
		{"unknown layout", []string{"distill", "--data", data, "--out", out, "--method", "scratch", "--layout", "busy"}, rdlib.ExitUsage, []string{"busy", "covid-ct"}},
		{"unknown kind of phantom", []string{"phantom", "--out", out, "--kind", "isic"}, rdlib.ExitUsage, []string{"isic2018", "chestxray"}},
		{"kind that is no corpus", []string{"phantom", "--out", out, "--pretraining", "--kind", "btc"}, rdlib.ExitUsage, []string{"ultrasound", "mri"}},
		{"phantom over other files", []string{"phantom", "--out", data, "--kind", "btc"}, rdlib.ExitFailed, []string{data, "new folder"}},
		{"unknown figure", []string{"reproduce", "--profile", "ci", "--figure", "boundary"}, rdlib.ExitUsage, []string{"boundaries", "overview"}},
		{"figure by a wrong number", []string{"reproduce", "--profile", "ci", "--figure", "7"}, rdlib.ExitUsage, []string{"--figure 7", "1 or overview"}},
		{"figure of a method left out", []string{"reproduce", "--profile", "ci", "--figure", "2", "--methods", "scratch", "--out", out}, rdlib.ExitUsage, []string{"RD"}},
		{"unknown profile", []string{"reproduce", "--profile", "quik"}, rdlib.ExitUsage, []string{"quick"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, errs, code := run(t, c.args...)
			if code != c.code {
				t.Errorf("exit code %d, want %d: %s", code, c.code, errs)
			}
			for _, text := range c.says {
				if !strings.Contains(errs, text) {
					t.Errorf("the message does not say %q: %s", text, errs)
				}
			}
		})
	}
	t.Run("an unreadable image is left out and counted", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(data, "benign", "broken.png"), []byte("\x89PNG\r\n\x1a\nshort"), 0o644); err != nil {
			t.Fatal(err)
		}
		args := []string{"distill", "--data", data, "--out", out, "--method", "scratch", "--student", "shufflenet", "--width", "0.5", "--size", "16", "--batch", "4", "--steps", "1"}
		_, errs, code := run(t, args...)
		if code != 0 || !strings.Contains(errs, "broken.png") {
			t.Errorf("exit code %d: %s", code, errs)
		}
		r, err := record.Read(filepath.Join(out, rdlib.RecordFile))
		if err != nil || r.Result.Counts.Skipped != 1 {
			t.Errorf("%v, counts %+v", err, r)
		}
		if _, errs, code := run(t, append(args, "--strict", "--out", out+"-strict")...); code != rdlib.ExitInput || !strings.Contains(errs, "broken.png") {
			t.Errorf("--strict: exit code %d: %s", code, errs)
		}
	})
}
