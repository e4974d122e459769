package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rd/experiments"
	"rd/rdlib"
)

// killed is the matrix of these tests: one miniature teacher, four methods of which two have two phases.
const killed = `about: a test
data: phantom
training: {size: 32, batch: 8, steps: 40, width: 0.5, views: 2, learning_rate: 5e-3, weight_decay: 0.01, schedule: cosine, plain_kd: 0, report: last, threads: 1}
miniatures: {per_class: 6, share: 0.01}
datasets:
  - {name: BUSI, phantom: busi, per_class: 20}
teachers:
  - {name: mini-raddensenet, paper: RadDenseNet, miniature: true}
students: [shufflenet]
methods: [{name: scratch}, {name: hint}, {name: direct}, {name: rd}]
seeds: 2
`

// withAdaptation changes that matrix to one whose teacher is adapted, too.
var withAdaptation = strings.NewReplacer("mini-raddensenet, paper: RadDenseNet", "mini-lvm-med, paper: LVM-Med", "{name: rd}]", `{name: rd}, {name: melo}, {name: lpt, options: {blocks: 2}, source: "smaller"}, {name: finetune}]
adaptation: {steps: 6, learning_rate: 1e-3, weight_decay: 0, schedule: cosine, student: {name: sp, options: {alpha: 0.9, teacher-logits: given}, source: "ours"}}`)

// matrixRun is a folder in which the matrix is computed.
type matrixRun struct{ dir string }

func newMatrixRun(t *testing.T) matrixRun {
	t.Helper()
	m := matrixRun{t.TempDir()}
	m.change(t, killed)
	return m
}

// change writes another matrix.
func (m matrixRun) change(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(m.dir, "killed.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (m matrixRun) args(workers int) []string {
	return []string{"reproduce", "--profile", filepath.Join(m.dir, "killed.yaml"), "--out", filepath.Join(m.dir, "results"), "--work", filepath.Join(m.dir, "work"),
		"--cache", filepath.Join(m.dir, "cache"), "--checkpoint-every", "100ms", "--backend", "onnx", "--workers", strconv.Itoa(workers)}
}

// tables are the rendered files.
func (m matrixRun) tables(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(m.dir, "results", "table*.*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("tables: %v, %v", paths, err)
	}
	files := map[string]string{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(data)
	}
	return files
}

// TestKillCampaign kills two workers again and again, at random moments and without warning: the tables end up as those of
// a run that nobody disturbed. RD_KILLS is how often (default 5).
func TestKillCampaign(t *testing.T) {
	kills := 5
	if text := os.Getenv("RD_KILLS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("RD_KILLS=%s: give a number", text)
		}
		kills = n
	}
	calm := newMatrixRun(t)
	calm.change(t, withAdaptation.Replace(killed))
	started := time.Now()
	must(t, calm.args(1)...)
	whole := time.Since(started)

	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	storm := newMatrixRun(t)
	storm.change(t, withAdaptation.Replace(killed))
	restarts := 0
	for kill := 0; kill < kills; {
		var errs bytes.Buffer
		cmd := exec.Command(rd, storm.args(2)...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Stderr = &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		after := time.Duration(rng.Float64() * 0.6 * float64(whole))
		select {
		case err := <-ended:
			if err != nil {
				t.Fatalf("before kill %d it ended by itself: %v\n%s", kill+1, err, errs.String())
			}
			// Everything is done: begin again, so that every kill hits something.
			if err := os.RemoveAll(filepath.Join(storm.dir, "results")); err != nil {
				t.Fatal(err)
			}
			restarts++
		case <-time.After(after):
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			<-ended
			kill++
			done, _ := filepath.Glob(filepath.Join(storm.dir, "results", "records", "*", "*.json"))
			checkpoints, _ := filepath.Glob(filepath.Join(storm.dir, "results", "records", "*", "*.checkpoint"))
			t.Logf("kill %2d: after %v, %d records, %d checkpoints", kill, after.Round(time.Millisecond), len(done), len(checkpoints))
		}
	}
	must(t, storm.args(2)...)
	want, got := calm.tables(t), storm.tables(t)
	for name, text := range want {
		if got[name] != text {
			t.Errorf("%s differs from that of the undisturbed run:\n%s\n\n%s", name, text, got[name])
		}
	}
	for _, pattern := range []string{"*.checkpoint", "*.damaged", "*.failed.json"} {
		if left, _ := filepath.Glob(filepath.Join(storm.dir, "results", "records", "*", pattern)); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	}
	if !t.Failed() {
		t.Logf("%d kills of running workers, begun anew %d times when all was done; an undisturbed run took %v; the %d files of the tables are the same", kills, restarts, whole.Round(time.Millisecond), len(want))
	}
}

// TestTwoProcessesShareTheCells starts two runs in one folder at once: each cell is computed by one of them.
func TestTwoProcessesShareTheCells(t *testing.T) {
	m := newMatrixRun(t)
	var logs [2]bytes.Buffer
	var both sync.WaitGroup
	for i := range logs {
		cmd := exec.Command(rd, m.args(1)...)
		cmd.Stderr = &logs[i]
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		both.Go(func() {
			if err := cmd.Wait(); err != nil {
				t.Errorf("process %d: %v\n%s", i+1, err, logs[i].String())
			}
		})
	}
	both.Wait()
	computed := map[string]int{}
	line := regexp.MustCompile(`(?m)^\[(\d+)/8[^\]]*\] [^:]*: test accuracy`)
	for i := range logs {
		found := line.FindAllStringSubmatch(logs[i].String(), -1)
		for _, cell := range found {
			computed[cell[1]]++
		}
		t.Logf("process %d computed %d cells", i+1, len(found))
	}
	for cell := 1; cell <= 8; cell++ {
		if n := computed[fmt.Sprint(cell)]; n != 1 {
			t.Errorf("cell %d was computed %d times\n%s\n\n%s", cell, n, logs[0].String(), logs[1].String())
		}
	}
}

// TestDamageAndChange damages a record and changes the profile: neither is counted, and both are put right.
func TestDamageAndChange(t *testing.T) {
	m := newMatrixRun(t)
	profile := filepath.Join(m.dir, "killed.yaml")
	smaller := strings.NewReplacer("steps: 40", "steps: 4", "seeds: 2", "seeds: 1", "{name: direct}, ", "").Replace(killed)
	m.change(t, smaller)
	must(t, m.args(1)...)
	want := m.tables(t)
	path := filepath.Join(m.dir, "results", "records", "busi-phantom", "shufflenet-hint-mini-raddensenet-1.json")
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	status := func() (s experiments.Status) {
		t.Helper()
		out := must(t, "status", "--profile", profile, "--out", filepath.Join(m.dir, "results"), "--json")
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return s
	}
	if s := status(); s.Counts.Done != 2 || s.Counts.Missing != 1 || len(s.Strange) != 1 || !strings.Contains(s.Strange[0], "damaged") {
		t.Errorf("%+v", s)
	}
	if _, errs, code := run(t, m.args(1)...); code != 0 || !strings.Contains(errs, "set aside as shufflenet-hint-mini-raddensenet-1.json.damaged") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	if got := m.tables(t); !maps.Equal(got, want) {
		t.Error("computed again, the tables differ")
	}
	namesake := filepath.Join(m.dir, "elsewhere", "killed.yaml")
	if err := os.Mkdir(filepath.Dir(namesake), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(namesake, []byte(smaller), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"reproduce", "status"} {
		if _, errs, code := run(t, command, "--profile", namesake, "--out", filepath.Join(m.dir, "results")); code != rdlib.ExitUsage || !strings.Contains(errs, "is the folder of another profile, "+profile) {
			t.Errorf("%s: exit code %d\n%s", command, code, errs)
		}
	}
	m.change(t, strings.Replace(smaller, "steps: 4", "steps: 5", 1))
	if s := status(); s.Counts.Done != 0 || len(s.Strange) != 3 {
		t.Errorf("%+v", s)
	}
	if _, errs, code := run(t, m.args(1)...); code != 0 || strings.Count(errs, "is the record of another configuration; it is set aside") != 3 {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	if got := m.tables(t); maps.Equal(got, want) {
		t.Error("another number of steps gives the same tables")
	}
	m.change(t, smaller)
	if _, errs, code := run(t, m.args(1)...); code != 0 || strings.Count(errs, "comes back") != 3 {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	if got := m.tables(t); !maps.Equal(got, want) {
		t.Error("back at the first profile, the tables differ")
	}
}

// TestAWorkerDies kills one of two workers; the other takes over its cells. Then both are interrupted.
func TestAWorkerDies(t *testing.T) {
	m := newMatrixRun(t)
	var errs bytes.Buffer
	cmd := exec.Command(rd, m.args(2)...)
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	records := filepath.Join(m.dir, "results", "records", "*", "*.json")
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if done, _ := filepath.Glob(records); len(done) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("no record after a minute\n%s", errs.String())
		}
	}
	children, err := exec.Command("pgrep", "-P", strconv.Itoa(cmd.Process.Pid)).Output()
	if err != nil {
		t.Skipf("pgrep: %v", err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err != nil {
		t.Fatalf("%q: %v", children, err)
	}
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, errs.String())
	}
	if done, _ := filepath.Glob(records); len(done) != 8 || !strings.Contains(errs.String(), "worker 2: signal: killed") {
		t.Errorf("%d records\n%s", len(done), errs.String())
	}

	if err := os.RemoveAll(filepath.Join(m.dir, "results")); err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(rd, m.args(2)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	cmd.Process.Signal(os.Interrupt) // to the first alone
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d", code)
	}
	if left, err := exec.Command("pgrep", "-f", m.dir).Output(); err == nil {
		t.Errorf("processes left: %s", left)
	}
}

// TestUnusableTeacher has a teacher's file cut off: students without it are trained all the same, and why the others are not is told
// once.
func TestUnusableTeacher(t *testing.T) {
	m := newMatrixRun(t)
	m.change(t, strings.NewReplacer("data: phantom", "data: real", "steps: 40", "steps: 2", "seeds: 2", "seeds: 1", "name: BUSI, ", "name: BUSI, folders: [busi], ",
		"{name: mini-raddensenet, paper: RadDenseNet, miniature: true}", "{name: broken, file: models/broken.onnx}").Replace(killed))
	root := filepath.Join(m.dir, "root")
	must(t, "phantom", "--out", filepath.Join(root, "busi"), "--size", "32", "--per-class", "20")
	if err := os.MkdirAll(filepath.Join(root, "models"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "models", "broken.onnx"), []byte("\x08\x07\x12"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, errs, code := run(t, append(m.args(1), "--data", root)...)
	if code != rdlib.ExitInput || strings.Count(errs, "models/broken.onnx cannot be read; until it is mended") != 1 || strings.Count(errs, "it is not an ONNX model") != 1 || !strings.Contains(errs, "3 of 4 cells failed") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	records, err := filepath.Glob(filepath.Join(m.dir, "results", "records", "busi", "*-1.json"))
	if err != nil || len(records) != 1 || filepath.Base(records[0]) != "shufflenet-scratch-1.json" {
		t.Errorf("%v, %v\n%s", records, err, errs)
	}
}
