package report_test

import (
	"bytes"
	"context"
	"errors"
	"html"
	"math"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rd/experiments"
	"rd/experiments/report"
	"rd/figures"
	"rd/rdlib"
)

// The results of this repository, which are reported as they are.
const ownResults, ownFigures = "../../results", "../../figures"

const hostile = "<script>alert(1)</script> & \\input{x} $a_b^c$ 50% #1 ~ | `x` \"q\" <u>\nnext"

// made is a folder of results with one profile, whose names are hostile, and one comparison.
func made(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	profile := filepath.Join(root, "prof_ile")
	put(t, filepath.Join(profile, "records", "x_y", "a-1.json"), "{}")
	put(t, filepath.Join(profile, "records", "x_y", "README.md"), "no table")
	put(t, filepath.Join(profile, "a.md"), "# Beside the tables\n")
	put(t, filepath.Join(root, "alone", "table.md"), "# T <img src=http://x/y.png onerror=alert(1)>\n\n<script>alert(2)</script>\n\n| a |\n|---|\n| ![p](http://x/z.png) [l](javascript:alert(3)) |\n\n- one\n\n```\nrd --x 100% <b>\n```\n")
	put(t, filepath.Join(root, "alone", "records", "b.json"), "{}")
	value := experiments.Value{Mean: 12.5, SD: 1, N: 2, Paper: math.NaN(), Rank: 1, Records: []string{"records/x_y/a-1.json"}}
	table := experiments.Table{Number: 3, Title: hostile, Labels: []string{hostile}, Columns: []string{hostile}, Notes: []string{hostile, "γ ≤ 2²¹ · α"},
		Rows: []experiments.TableRow{{Labels: []string{hostile}, Values: []experiments.Value{value}}}}
	if err := table.Write(profile); err != nil {
		t.Fatal(err)
	}
	// As wide as the paper's Table 3 and as long, and as long as a table with cells of two lines may be.
	for number, rows := range map[int]int{4: 46, 5: 30} {
		big := experiments.Table{Number: number, Title: "big", Labels: []string{"dataset", "student", "foundation model"}, Columns: slices.Repeat([]string{"m"}, 14), Notes: slices.Repeat([]string{"note"}, 12)}
		for i := range big.Columns {
			big.Columns[i] += strconv.Itoa(i)
		}
		big.Rows = slices.Repeat([]experiments.TableRow{{Labels: []string{"ChestXray", "ShuffleNet", "RadDenseNet"},
			Values: slices.Repeat([]experiments.Value{{Mean: 12.5, SD: 1, N: 3, Paper: 99.99}}, 14)}}, rows)
		if err := big.Write(profile); err != nil {
			t.Fatal(err)
		}
	}
	if err := figures.Overview(filepath.Join(profile, "figures", "overview")); err != nil {
		t.Fatal(err)
	}
	return root
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var (
	links   = regexp.MustCompile(`href="([^"]*)"`)
	sources = regexp.MustCompile(`src="([^"]{0,30})`)
)

// check checks that a page needs no other file, and that each of its links leads to one that is there; it gives their number.
func check(t *testing.T, file string) int {
	t.Helper()
	page, files := read(t, file), 0
	for _, found := range sources.FindAllStringSubmatch(page, -1) {
		if !strings.HasPrefix(html.UnescapeString(found[1]), "data:image/svg+xml;") {
			t.Errorf("the page needs %s", found[1])
		}
	}
	for _, found := range links.FindAllStringSubmatch(page, -1) {
		target, err := url.Parse(html.UnescapeString(found[1]))
		switch {
		case err != nil || target.Scheme == "javascript":
			t.Errorf("link %q: %v", found[1], err)
		case target.Scheme == "" && target.Path != "":
			files++
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), target.Path)); err != nil {
				t.Errorf("link %q: %v", found[1], err)
			}
		}
	}
	return files
}

func TestPage(t *testing.T) {
	root := made(t)
	for _, out := range []string{filepath.Join(root, "index.html"), filepath.Join(t.TempDir(), "else where", "page.html")} {
		if err := report.WriteHTML(root, "", out); err != nil {
			t.Fatal(err)
		}
		page := read(t, out)
		// The table's record twice, at its value and in the list; three forms of the figure; the comparison's record.
		if n := check(t, out); n != 6 {
			t.Errorf("%d links to files", n)
		}
		if strings.Contains(page, "<script") || strings.Contains(page, "<img src=http") || strings.Contains(page, "no table") {
			t.Error(page)
		}
		// In the title, two headings, a cell and a note.
		if strings.Count(html.UnescapeString(page), strings.ReplaceAll(hostile, "\n", " ")) != 5 {
			t.Errorf("the names are not as they were:\n%s", page)
		}
		if strings.Index(page, "prof_ile</h2>") > strings.Index(page, "alone</h2>") {
			t.Error("tables of the paper's shape do not come first")
		}
		if strings.Index(page, "Beside the tables") < strings.Index(page, "Table 5") {
			t.Error("another table comes before those of the paper's shape")
		}
		if err := report.WriteHTML(root, "", out); err != nil || read(t, out) != page {
			t.Error("another page of the same files")
		}
	}
}

// The page and the document that are kept are those of the results that are kept: `bin/rd report --latex` makes them anew.
func TestThePageIsCurrent(t *testing.T) {
	repository := filepath.Dir(ownResults)
	kept, err := exec.Command("git", "-C", repository, "ls-files", "-z", "results", "figures").Output()
	if err != nil {
		t.Skipf("which results are kept is not known: git ls-files: %v", err)
	}
	root := t.TempDir()
	for _, file := range strings.Split(strings.Trim(string(kept), "\x00"), "\x00") {
		put(t, filepath.Join(root, file), read(t, filepath.Join(repository, file)))
	}
	results, drawn := filepath.Join(root, "results"), filepath.Join(root, "figures")
	page, document := filepath.Join(results, "index.html"), filepath.Join(results, "paper", "paper.tex")
	was := map[string]string{page: read(t, page), document: read(t, document)}
	err = errors.Join(report.WriteHTML(results, drawn, page), report.WriteLaTeX(results, drawn, document))
	ofProfiles, none := filepath.Glob(filepath.Join(results, "*", "index.html"))
	for _, page := range ofProfiles {
		was[page] = read(t, page)
		err = errors.Join(err, report.WriteHTML(filepath.Dir(page), "", page))
	}
	if err := errors.Join(err, none); err != nil {
		t.Fatal(err)
	}
	for file, text := range was {
		if read(t, file) != text {
			t.Errorf("%s is not that of the results: run bin/rd report --latex; for that of a profile, rd reproduce", strings.TrimPrefix(file, root))
		}
	}
}

func TestNothingToShow(t *testing.T) {
	empty := t.TempDir()
	out := filepath.Join(empty, "page", "index.html")
	root := made(t)
	odd := t.TempDir()
	if err := os.CopyFS(filepath.Join(odd, "50% of"), os.DirFS(root)); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "prof_ile", "figures", "overview.pdf")); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"no table":       report.WriteHTML(empty, "", out),
		"no such file":   report.WriteHTML(filepath.Join(empty, "missing"), "", out),
		"is a file":      report.WriteHTML(filepath.Join(root, "alone", "table.md"), root, out),
		"no figure (":    report.WriteHTML(empty, root, out),
		"no figures":     report.WriteHTML(root, filepath.Join(empty, "missing"), out),
		"not there as":   report.WriteLaTeX(root, "", out),
		"cannot read":    report.WriteLaTeX(odd, "", out),
		"rd reproduce":   report.WriteLaTeX(empty, "", out),
		"missing: no su": report.WriteLaTeX(filepath.Join(empty, "missing"), "", out),
	} {
		var input *rdlib.InputError
		if !errors.As(err, &input) || name != "no figures" && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("something was written")
	}
}

// program is the first of some programs that is installed; the test is skipped where none is.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skipf("none of %s is installed", strings.Join(names, ", "))
	return ""
}

// console are the messages of a page's console, as Chromium logs them.
var console = regexp.MustCompile(`(?m)^.*:CONSOLE[:(].*$`)

// browse opens a page in Chromium, which reaches no network, and gives the messages on its console.
func browse(t *testing.T, chromium, file, screenshot string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
		"--host-resolver-rules=MAP * ~NOTFOUND", "--window-size=1280,1600", "--user-data-dir="+t.TempDir(), "--screenshot="+screenshot, "file://"+file)
	cmd.WaitDelay = 10 * time.Second
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", chromium, err, output)
	}
	if picture := read(t, screenshot); !bytes.HasPrefix([]byte(picture), []byte("\x89PNG")) {
		t.Errorf("%s is no picture\n%s", screenshot, output)
	}
	return console.FindAllString(string(output), -1)
}

// probe reports on the console what a reader would miss.
const probe = `<script>
addEventListener("load", () => {
	for (const picture of document.images) if (!picture.naturalWidth) console.error("not shown: " + picture.alt);
	if (document.documentElement.scrollWidth > innerWidth) console.error("wider than the window");
});
</script>`

func TestBrowser(t *testing.T) {
	chromium := program(t, "chromium", "chromium-browser", "google-chrome")
	dir := t.TempDir()
	control := filepath.Join(dir, "control.html")
	put(t, control, `<body style="width: 3000px"><img alt="lost" src="lost.png"><script>console.error("seen"); missing()</script>`+probe)
	messages := strings.Join(browse(t, chromium, control, filepath.Join(dir, "control.png")), "\n")
	for _, expected := range []string{"seen", "missing is not defined", "not shown: lost", "wider than the window"} {
		if !strings.Contains(messages, expected) {
			t.Fatalf("%q is not among the console's messages:\n%s", expected, messages)
		}
	}
	for name, source := range map[string][2]string{"made": {made(t), ""}, "index": {ownResults, ownFigures}} {
		out := filepath.Join(dir, name+".html")
		if err := report.WriteHTML(source[0], source[1], out); err != nil {
			t.Fatal(err)
		}
		check(t, out)
		if messages := browse(t, chromium, out, filepath.Join(t.ArtifactDir(), name+".png")); len(messages) > 0 {
			t.Errorf("%s: the console says\n%s", name, strings.Join(messages, "\n"))
		}
		put(t, out, read(t, out)+probe)
		if messages := browse(t, chromium, out, filepath.Join(dir, "probe.png")); len(messages) > 0 {
			t.Errorf("%s:\n%s", name, strings.Join(messages, "\n"))
		}
	}
}

func TestLaTeX(t *testing.T) {
	compiler := program(t, "tectonic", "pdflatex")
	for name, source := range map[string][2]string{"made": {made(t), ""}, "own": {ownResults, ownFigures}} {
		dir := t.TempDir()
		out := filepath.Join(dir, "paper.tex")
		if err := report.WriteLaTeX(source[0], source[1], out); err != nil {
			t.Fatal(err)
		}
		args := []string{"paper.tex"}
		if filepath.Base(compiler) == "pdflatex" {
			args = []string{"-interaction=nonstopmode", "-halt-on-error", "paper.tex"}
		}
		cmd := exec.CommandContext(t.Context(), compiler, args...)
		cmd.Dir = dir
		log, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, log)
		}
		if bytes.Contains(log, []byte("Overfull")) || bytes.Contains(log, []byte("Float too large")) {
			t.Errorf("%s: something is cut off or overlaps\n%s", name, log)
		}
		if pdf := read(t, filepath.Join(dir, "paper.pdf")); !strings.HasPrefix(pdf, "%PDF") {
			t.Error("no PDF")
		}
	}
}
