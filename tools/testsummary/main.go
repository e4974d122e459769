// Testsummary reads the output of `go test -json` and prints what `go test` would have printed, package by package as
// they end, the output of each failed test in full, and a last line "N passed, M failed" over all packages. Tests with
// subtests are counted by their subtests. It exits with 1 when anything failed or nothing ran.
//
//	go test -json ./... | go run ./tools/testsummary
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	s := newSummary(os.Stdout)
	err := s.read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
	}
	if !s.close() || err != nil {
		os.Exit(1)
	}
}

// event is one line of `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

type testName struct{ pkg, test string }

// summary counts the tests that end, and keeps the output of those that have not.
type summary struct {
	out                     io.Writer
	output                  map[testName]*strings.Builder
	parents                 map[testName]bool // tests that have subtests
	passed, failed, skipped int
	failures                []string
}

func newSummary(out io.Writer) *summary {
	return &summary{out: out, output: map[testName]*strings.Builder{}, parents: map[testName]bool{}}
}

// read consumes the stream. A line that is no event, such as a message of the go command itself, is passed on.
func (s *summary) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			var e event
			if json.Unmarshal([]byte(line), &e) == nil && e.Action != "" {
				s.event(e)
			} else {
				fmt.Fprint(s.out, line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (s *summary) event(e event) {
	name := testName{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(s.out, e.Output)
	case "run":
		for i, r := range e.Test {
			if r == '/' {
				s.parents[testName{e.Package, e.Test[:i]}] = true
			}
		}
	case "output":
		if e.Test == "" {
			if e.Output != "PASS\n" {
				fmt.Fprint(s.out, e.Output)
			}
			return
		}
		if s.output[name] == nil {
			s.output[name] = &strings.Builder{}
		}
		s.output[name].WriteString(e.Output)
	case "pass", "skip", "fail":
		s.end(e, name)
	}
}

func (s *summary) end(e event, name testName) {
	printed := s.output[name]
	delete(s.output, name)
	if e.Test == "" {
		if e.Action == "fail" {
			s.packageFailed(e.Package)
		}
		return
	}
	if e.Action == "fail" && printed != nil {
		fmt.Fprint(s.out, printed.String())
	}
	if s.parents[name] && (e.Action != "fail" || s.failedBelow(e.Package+" "+e.Test+"/")) {
		return
	}
	switch e.Action {
	case "pass":
		s.passed++
	case "skip":
		s.skipped++
	case "fail":
		s.fail(e.Package + " " + e.Test)
	}
}

func (s *summary) fail(name string) {
	s.failed++
	s.failures = append(s.failures, name)
}

// packageFailed counts what no test accounts for: the tests a crash or a time-out cut short, or a package that does
// not compile.
func (s *summary) packageFailed(pkg string) {
	for _, name := range slices.SortedFunc(maps.Keys(s.output), func(a, b testName) int { return cmp.Compare(a.test, b.test) }) {
		if name.pkg == pkg {
			fmt.Fprintf(s.out, "--- UNFINISHED %s %s\n%s", pkg, name.test, s.output[name])
			delete(s.output, name)
			s.fail(pkg + " " + name.test)
		}
	}
	if !s.failedBelow(pkg + " ") {
		s.fail(pkg)
	}
}

func (s *summary) failedBelow(prefix string) bool {
	return slices.ContainsFunc(s.failures, func(name string) bool { return strings.HasPrefix(name, prefix) })
}

// close prints the totals and reports whether all went well.
func (s *summary) close() bool {
	for _, name := range s.failures {
		fmt.Fprintln(s.out, "FAILED", name)
	}
	if s.skipped > 0 {
		fmt.Fprintf(s.out, "%d skipped\n", s.skipped)
	}
	fmt.Fprintf(s.out, "%d passed, %d failed\n", s.passed, s.failed)
	return s.failed == 0 && s.passed > 0
}
