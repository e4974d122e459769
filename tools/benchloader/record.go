package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/load"
	"github.com/shirou/gopsutil/v4/process"

	"rd/rdlib"
	"rd/rdlib/stat"
)

// record is what was measured.
type record struct {
	settings settings
	machine  string
	load     string // before anything was run
	others   string // what other processes took meanwhile
	start    usage
	backend  string
	loaders  []loaderRow
	steps    []stepRow
}

type loaderRow struct {
	size int
	feed string
	rate float64 // images a second
}

type stepRow struct {
	student string
	size    int
	feed    string
	loader  float64 // images a second the loader gives alone; 0: not measured
	alone   float64 // seconds of a step that is fed nothing new, median
	fed     float64 // seconds of a step that is fed, without its wait, median
	wait    float64 // seconds, mean
	longest float64 // wait
	share   float64 // of the time
	takes   float64 // images a second
}

func newRecord(s settings) *record {
	r := &record{settings: s, load: "not known", others: "not known", start: readUsage()}
	name := cmp.Or(rdlib.CPU(), runtime.GOARCH)
	r.machine = fmt.Sprintf("%s, %d processors, %s/%s, %s", name, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	if average, err := load.Avg(); err == nil {
		r.load = fmt.Sprintf("%.2f, %.2f, %.2f over 1, 5 and 15 minutes", average.Load1, average.Load5, average.Load15)
	}
	return r
}

// usage is processor time, seconds since some moment.
type usage struct {
	all, own float64
	at       time.Time
	known    bool
}

func readUsage() usage {
	u := usage{at: time.Now()}
	times, err := cpu.Times(false)
	if err != nil || len(times) == 0 {
		return u
	}
	self, err := process.NewProcess(int32(os.Getpid()))
	if err != nil {
		return u
	}
	own, err := self.Times()
	if err != nil {
		return u
	}
	t := times[0]
	u.all, u.own, u.known = t.User+t.System+t.Nice+t.Irq+t.Softirq+t.Steal, own.User+own.System, true
	return u
}

// finish notes how much of the processors' time went to other processes since newRecord.
func (r *record) finish() {
	now := readUsage()
	if !now.known || !r.start.known {
		return
	}
	available := now.at.Sub(r.start.at).Seconds() * float64(runtime.NumCPU())
	others := (now.all - r.start.all) - (now.own - r.start.own)
	r.others = fmt.Sprintf("%.0f %% of the processors' time", 100*max(0, others)/available)
}

func (r *record) add(student string, size int, feed string, loader float64, alone, fed *rdlib.BenchResult) {
	row := stepRow{student: student, size: size, feed: feed, loader: loader, alone: stat.Median(alone.All), fed: stat.Median(fed.All), longest: slices.Max(fed.Waits)}
	all := 0.0
	for i, wait := range fed.Waits {
		row.wait += wait / float64(len(fed.Waits))
		row.share += wait
		all += wait + fed.All[i]
	}
	row.share /= all
	row.takes = float64(r.settings.batch) / row.alone
	r.steps = append(r.steps, row)
	fmt.Fprintf(os.Stderr, "%s %d, %s: %.1f ms a step, waits %.2f ms\n", student, size, feed, 1e3*row.fed, 1e3*row.wait)
}

func (r *record) markdown() string {
	var b strings.Builder
	s := r.settings
	fmt.Fprintf(&b, `# Does a step wait for its data?

Machine: %s. Backend: %s. %s. Load before the start: %s. Taken by
other processes during the measurement: %s.
Command: `+"`go run ./tools/benchloader%s`"+`.

Images: %d phantoms of %d×%d pixels, as grey PNG and as colour JPEG. "Kept in memory": decoded once and kept, 8 bits a channel, at the
input size, or up to twice the size where crops are taken from them; that is what training does with as many images as fit into
1 GiB. "Decoded each time" is what it does with the others; their files are in the system's page cache, or, where it says so, are read
from the disk. Augmentation is one of the presets of `+"`dataset.Augmentations`"+`.

`, r.machine, r.backend, time.Now().Format("2 January 2006"), r.load, r.others, arguments(), 3*s.images, s.pixels, s.pixels)
	fmt.Fprint(&b, "## The loader alone\n\nImages a second, on all processors, with nothing else running.\n\n| input | images | images/s |\n|---|---|---|\n")
	for _, l := range r.loaders {
		fmt.Fprintf(&b, "| %d | %s | %.0f |\n", l.size, l.feed, l.rate)
	}
	fmt.Fprintf(&b, `
## Training steps

Steps of %d images; at least %d steps and %g seconds of them, after three that are left out. "Alone" has the same batch every time;
"fed" is the step itself when its batches come from the loader, which works on the same processors; the wait is what comes before
that, until the batch is there. "Takes" is the images a second that a step alone consumes. Medians, unless it says otherwise.

| student | input | images | takes, images/s | loader, images/s | alone, ms | fed, ms | wait, ms: mean | longest | share of the time |
|---|---|---|---|---|---|---|---|---|---|
`, s.batch, s.steps, s.seconds)
	for _, t := range r.steps {
		loader := "–"
		if t.loader > 0 {
			loader = fmt.Sprintf("%.0f", t.loader)
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %.0f | %s | %.1f | %.1f | %.3f | %.2f | %.2f %% |\n",
			t.student, t.size, t.feed, t.takes, loader, 1e3*t.alone, 1e3*t.fed, 1e3*t.wait, 1e3*t.longest, 100*t.share)
	}
	fmt.Fprintf(&b, "\n%s\n", r.verdict())
	return b.String()
}

// verdict sums the table up, from its numbers.
func (r *record) verdict() string {
	var kept, each []float64
	for _, t := range r.steps {
		if strings.Contains(t.feed, "each time") {
			each = append(each, t.share)
		} else {
			kept = append(kept, t.share)
		}
	}
	text := ""
	for _, part := range []struct {
		what   string
		shares []float64
	}{{"images that are kept in memory", kept}, {"images that are decoded each time", each}} {
		if len(part.shares) > 0 {
			text += fmt.Sprintf("With %s, steps waited for %.2f to %.2f %% of the time. ", part.what, 100*slices.Min(part.shares), 100*slices.Max(part.shares))
		}
	}
	return strings.TrimSpace(text)
}

// arguments is the command line behind the program's name.
func arguments() string {
	if len(os.Args) < 2 {
		return ""
	}
	return " " + strings.Join(os.Args[1:], " ")
}
