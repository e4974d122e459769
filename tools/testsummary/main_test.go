package main

import (
	"strings"
	"testing"
)

func summarize(t *testing.T, stream string) (string, bool) {
	t.Helper()
	var out strings.Builder
	s := newSummary(&out)
	if err := s.read(strings.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	ok := s.close()
	return out.String(), ok
}

func TestCountsSubtestsNotTheirParents(t *testing.T) {
	out, ok := summarize(t, `{"Action":"start","Package":"rd/a"}
{"Action":"run","Package":"rd/a","Test":"TestX"}
{"Action":"output","Package":"rd/a","Test":"TestX","Output":"=== RUN TestX\n"}
{"Action":"run","Package":"rd/a","Test":"TestX/one"}
{"Action":"run","Package":"rd/a","Test":"TestX/two"}
{"Action":"pass","Package":"rd/a","Test":"TestX/one"}
{"Action":"skip","Package":"rd/a","Test":"TestX/two"}
{"Action":"pass","Package":"rd/a","Test":"TestX"}
{"Action":"output","Package":"rd/a","Output":"PASS\n"}
{"Action":"output","Package":"rd/a","Output":"ok  \trd/a\t0.01s\n"}
{"Action":"pass","Package":"rd/a"}
`)
	if want := "ok  \trd/a\t0.01s\n1 skipped\n1 passed, 0 failed\n"; out != want || !ok {
		t.Errorf("got %q, %v; want %q, true", out, ok, want)
	}
}

func TestFailuresAreShownAndCountedOnce(t *testing.T) {
	for name, c := range map[string]struct{ stream, want string }{
		"test": {`{"Action":"run","Package":"rd/a","Test":"TestX"}
{"Action":"output","Package":"rd/a","Test":"TestX","Output":"    x_test.go:3: wrong\n"}
{"Action":"fail","Package":"rd/a","Test":"TestX"}
{"Action":"fail","Package":"rd/a"}
`, "    x_test.go:3: wrong\nFAILED rd/a TestX\n0 passed, 1 failed\n"},
		"subtest": {`{"Action":"run","Package":"rd/a","Test":"TestX"}
{"Action":"run","Package":"rd/a","Test":"TestX/one"}
{"Action":"fail","Package":"rd/a","Test":"TestX/one"}
{"Action":"fail","Package":"rd/a","Test":"TestX"}
{"Action":"fail","Package":"rd/a"}
`, "FAILED rd/a TestX/one\n0 passed, 1 failed\n"},
		"build": {`{"ImportPath":"rd/a","Action":"build-output","Output":"a.go:1: syntax error\n"}
{"ImportPath":"rd/a","Action":"build-fail"}
{"Action":"output","Package":"rd/a","Output":"FAIL\trd/a [build failed]\n"}
{"Action":"fail","Package":"rd/a","FailedBuild":"rd/a"}
`, "a.go:1: syntax error\nFAIL\trd/a [build failed]\nFAILED rd/a\n0 passed, 1 failed\n"},
		"crash": {`{"Action":"run","Package":"rd/a","Test":"TestX"}
{"Action":"output","Package":"rd/a","Test":"TestX","Output":"SIGSEGV\n"}
{"Action":"fail","Package":"rd/a"}
`, "--- UNFINISHED rd/a TestX\nSIGSEGV\nFAILED rd/a TestX\n0 passed, 1 failed\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, ok := summarize(t, c.stream); out != c.want || ok {
				t.Errorf("got %q, %v; want %q, false", out, ok, c.want)
			}
		})
	}
}

func TestNothingRunIsAFailure(t *testing.T) {
	if out, ok := summarize(t, "go: no such package\n"); ok || out != "go: no such package\n0 passed, 0 failed\n" {
		t.Errorf("got %q, %v", out, ok)
	}
}
