// Package progress shows how far a long job has come: a bar with an ETA on a terminal, plain lines elsewhere.
package progress

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Interval is the least time between two plain lines.
const Interval = 15 * time.Second

// State is what a bar shows.
type State struct {
	What, Note  string
	Done, Total int
	Rate        string        // "210 images/s"
	Left        time.Duration // until the end at this rate; negative where it is not known
	Ended       bool
}

// Watch, where it is set, is told what bars would show, and nothing is written: a notebook shows it in its own way. It is to
// be set before the first bar.
var Watch func(State)

// Bar counts steps towards a total. It is not safe for concurrent use. A nil *Bar shows nothing.
type Bar struct {
	what     string
	unit     string
	total    int
	done     int
	first    int // steps done before this process started
	started  time.Time
	lastLine time.Time
	out      io.Writer
	bar      *progressbar.ProgressBar // nil when plain
	perStep  int
}

// New starts a bar of total steps of which done are done already, on the file out (os.Stderr as a rule). Each step
// is perStep units (images, say); unit names them in the rate.
func New(out *os.File, what string, total, done, perStep int, unit string) *Bar {
	b := &Bar{what: what, unit: unit, total: total, done: done, first: done, started: time.Now(), lastLine: time.Now(), out: out, perStep: perStep}
	if Watch == nil && term.IsTerminal(int(out.Fd())) {
		b.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(out),
			progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionSetWidth(24),
			progressbar.OptionThrottle(200*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
		_ = b.bar.Set(done)
	}
	return b
}

// Callback returns a function that shows how far work of one unit a step has come. The bar starts when the work has taken
// a second, so that short work shows nothing, and ends at the last step.
func Callback(out *os.File, what, unit string) func(done, total int) {
	var b *Bar
	start := time.Now()
	return func(done, total int) {
		if b == nil {
			if time.Since(start) < time.Second {
				return
			}
			b = New(out, what, total, done, 1, unit)
		}
		b.Set(done, "")
		if done == total {
			b.Finish("")
		}
	}
}

// Set says that done steps are done; note (the loss, say) is shown behind the rate.
func (b *Bar) Set(done int, note string) {
	if b == nil {
		return
	}
	b.done = done
	if Watch != nil {
		Watch(b.state(note))
		return
	}
	if b.bar != nil {
		b.bar.Describe(fmt.Sprintf("%s  %s  %s", b.what, b.rate(), note))
		_ = b.bar.Set(done)
		return
	}
	if time.Since(b.lastLine) >= Interval && done < b.total {
		b.lastLine = time.Now()
		b.line(note)
	}
}

// Finish ends the bar with a last plain line: what, how many, how long.
func (b *Bar) Finish(note string) {
	if b == nil {
		return
	}
	if Watch != nil {
		s := b.state(note)
		s.Ended = true
		Watch(s)
		return
	}
	if b.bar != nil {
		_ = b.bar.Clear()
	}
	fmt.Fprintf(b.out, "%s: %d/%d in %s, %s %s\n", b.what, b.done, b.total, time.Since(b.started).Round(100*time.Millisecond), b.rate(), note)
}

func (b *Bar) line(note string) {
	eta := "?"
	if left := b.left(); left >= 0 {
		eta = left.Round(time.Second).String()
	}
	fmt.Fprintf(b.out, "%s: %d/%d, %s, %s left %s\n", b.what, b.done, b.total, b.rate(), eta, note)
}

// left is the time until the end at the rate so far; negative before the first step.
func (b *Bar) left() time.Duration {
	n := b.done - b.first
	if n <= 0 {
		return -1
	}
	return time.Since(b.started) / time.Duration(n) * time.Duration(b.total-b.done)
}

func (b *Bar) state(note string) State {
	return State{What: b.what, Note: note, Done: b.done, Total: b.total, Rate: b.rate(), Left: b.left()}
}

func (b *Bar) rate() string {
	seconds := time.Since(b.started).Seconds()
	if seconds <= 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %s/s", float64((b.done-b.first)*b.perStep)/seconds, b.unit)
}
