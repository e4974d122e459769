package ortengine

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	onnxbackend "github.com/gomlx/compute-onnx"
	"github.com/gomlx/compute/support/backendtest"

	"rd/rdlib/backend/ortlib"
)

func newBackend(t testing.TB) *Backend {
	t.Helper()
	backend, err := New(Options{})
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(backend.Finalize)
	return backend
}

// bareEnv makes TestCompliance run on compute-onnx alone.
const bareEnv = "RD_TEST_BARE_COMPUTE_ONNX"

// TestCompliance runs GoMLX's suite for backends. Tests of operations that a backend says it lacks are skipped by the suite.
func TestCompliance(t *testing.T) {
	var backend compute.Backend = newBackend(t)
	if os.Getenv(bareEnv) != "" {
		bare, err := onnxbackend.New("cpu")
		if err != nil {
			t.Fatal(err)
		}
		defer bare.Finalize()
		backend = bare
	}
	backendtest.RunAll(t, backend, nil)
}

// Two lists of passes are kept: this package's, and bare compute-onnx's at the pinned version, none of which may be missing
// here. After a change of versions or of the engine, write them anew with
//
//	go test ./rdlib/backend/ortengine -run TestNoCompliancePassIsLost -update
var update = flag.Bool("update", false, "write the lists of compliance passes anew")

func TestNoCompliancePassIsLost(t *testing.T) {
	newBackend(t) // skips where there is no library
	ours, bare := filepath.Join("testdata", "compliance_passes.txt"), filepath.Join("testdata", "compliance_passes_compute_onnx.txt")
	passes := compliancePasses(t)
	if *update {
		writeLines(t, ours, passes)
		writeLines(t, bare, compliancePasses(t, bareEnv+"=1"))
	}
	for _, list := range []string{ours, bare} {
		for _, name := range readLines(t, list) {
			if !slices.Contains(passes, name) {
				t.Errorf("%s is in %s, but fails or is skipped now", name, list)
			}
		}
	}
}

var passLine = regexp.MustCompile(`(?m)^\s*--- PASS: TestCompliance/(\S+)`)

// compliancePasses runs TestCompliance in a process of its own and returns the names of the tests that passed.
func compliancePasses(t *testing.T, env ...string) []string {
	t.Helper()
	command := exec.Command(os.Args[0], "-test.run=^TestCompliance$", "-test.v")
	command.Env = append(os.Environ(), env...)
	if library, err := ortlib.Find(); err == nil {
		command.Env = append(command.Env, ortlib.PathEnv+"="+library.Path)
	}
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, output)
	}
	var passes []string
	for _, match := range passLine.FindAllSubmatch(output, -1) {
		passes = append(passes, string(match[1]))
	}
	slices.Sort(passes)
	return passes
}

func readLines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(data))
}

func writeLines(t *testing.T, path string, lines []string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}
