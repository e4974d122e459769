package notebook

import (
	"encoding/base64"
	"fmt"
	"html"
	"sync"
	"time"

	"github.com/janpfeifer/gonb/gonbui"

	"rd/rdlib/progress"
	"rd/rdlib/record"
)

// refresh is the least time between two looks of something that moves.
const refresh = 300 * time.Millisecond

// live is an output that is replaced while a cell runs.
type live struct {
	id   string
	last time.Time
}

// update shows HTML in place of what was shown, unless that was a moment ago; the last look is always shown.
func (l *live) update(last bool, html func() string) {
	if !gonbui.IsNotebook || Headless() || !last && time.Since(l.last) < refresh {
		return
	}
	if l.id == "" {
		l.id = gonbui.UniqueId()
	}
	l.last = time.Now()
	gonbui.UpdateHTML(l.id, html())
	if last {
		settle()
	}
}

// bars are the progress bars of the cell, by what they are of.
var bars = struct {
	sync.Mutex
	of map[string]*live
}{of: map[string]*live{}}

// watch shows a progress bar.
func watch(s progress.State) {
	bars.Lock()
	defer bars.Unlock()
	if bars.of[s.What] == nil {
		bars.of[s.What] = &live{}
	}
	bars.of[s.What].update(s.Ended, func() string { return barHTML(s) })
}

func barHTML(s progress.State) string {
	left := ""
	if s.Left >= 0 && !s.Ended {
		left = fmt.Sprintf(", %s left", s.Left.Round(time.Second))
	}
	return fmt.Sprintf(`<div class="rd-progress"><progress value="%d" max="%d"></progress> %s: %d/%d, %s%s %s</div>`,
		s.Done, s.Total, html.EscapeString(s.What), s.Done, s.Total, html.EscapeString(s.Rate), left, html.EscapeString(s.Note))
}

// Curve is a plot that grows while a cell runs: give its Add to training as Options.Epoch. Finish it with the record to leave
// the whole curve in the notebook.
type Curve struct {
	title string
	live  live
	names []string
	lines map[string]*Line
}

// NewCurve starts an empty one.
func NewCurve(title string) *Curve { return &Curve{title: title, lines: map[string]*Line{}} }

// Add adds an epoch: its loss, and its accuracy on training and validation images.
func (c *Curve) Add(e record.Epoch) {
	c.add(e)
	c.live.update(false, c.html)
}

func (c *Curve) add(e record.Epoch) {
	c.point("loss", float64(e.Epoch), e.Loss)
	c.point("accuracy, training", float64(e.Epoch), e.TrainAccuracy)
	if e.ValidationAccuracy != nil {
		c.point("accuracy, validation", float64(e.Epoch), *e.ValidationAccuracy)
	}
}

// point adds a point to the line of a name.
func (c *Curve) point(name string, x, y float64) {
	line := c.lines[name]
	if line == nil {
		line = &Line{Name: name}
		c.names, c.lines[name] = append(c.names, name), line
	}
	line.X, line.Y = append(line.X, x), append(line.Y, y)
}

// Finish shows the whole curve of a record in place of the one that grew, which lacks what was trained before the cell was run
// again.
func (c *Curve) Finish(r *record.Record) {
	c.names, c.lines = nil, map[string]*Line{}
	for _, e := range r.Result.Curves {
		c.add(e)
	}
	if c.live.id != "" {
		c.live.update(true, func() string { return "" })
	}
	Plot(c.title, "epoch", "", c.all()...)
}

func (c *Curve) all() []Line {
	var lines []Line
	for _, name := range c.names {
		lines = append(lines, *c.lines[name])
	}
	return lines
}

func (c *Curve) html() string {
	p, err := NewPlot(c.title, "epoch", "", c.all()...)
	if err != nil {
		return html.EscapeString(err.Error())
	}
	data, err := plotPNG(p)
	if err != nil {
		return html.EscapeString(err.Error())
	}
	return fmt.Sprintf(`<img alt="%s" src="data:image/png;base64,%s">`, html.EscapeString(c.title), base64.StdEncoding.EncodeToString(data))
}
