package doctor

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Write writes the report as a table: what was looked for, whether it is there, what was found; then the remedies.
func (r Report) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	t := &lines{out: table}
	t.row("Go", r.Go.Version != "", or(r.Go.Version, "no toolchain on PATH"), "GOFLAGS="+r.Go.Flags, "rd built with "+r.Go.Built)
	t.remedy("Go", r.Go.Remedy)
	t.row("CPU", true, or(r.CPU.Model, "unknown model"), fmt.Sprintf("%d cores, %d usable threads", r.CPU.Cores, r.CPU.Usable), strings.Join(r.CPU.Features, " "))
	t.row("memory", true, fmt.Sprintf("%s free of %s", size(r.Memory.Available), size(r.Memory.Total)))
	t.row("disk", true, fmt.Sprintf("%s free of %s", size(r.Disk.Free), size(r.Disk.Total)), r.Disk.Path)
	for _, b := range r.Backends {
		mark := ""
		if b.Name == r.Default {
			mark = "default"
		}
		t.row("backend "+b.Name, b.Available, b.Version, mark, b.Detail)
		if !b.Available {
			t.remedy("backend "+b.Name, b.Remedy)
		}
	}
	for _, p := range r.Plugins {
		t.row("PJRT plugin "+p.Name, true, p.Path)
	}
	for _, g := range r.GPUs {
		t.row("GPU", true, g.Name, fmt.Sprintf("%d MiB", g.MemoryMiB), "driver "+g.Driver, "compute capability "+g.Capability)
	}
	if len(r.GPUs) == 0 {
		t.row("GPU", false, r.GPUDetail)
	}
	t.row("ONNX Runtime", r.ONNXRuntime.Available, r.ONNXRuntime.Version, r.ONNXRuntime.Source, r.ONNXRuntime.Path)
	t.remedy("ONNX Runtime", r.ONNXRuntime.Problem)
	for _, tool := range r.Tools {
		detail := tool.Detail
		if !tool.Available {
			detail = or(detail, "not found")
		}
		t.row(tool.Name, tool.Available, tool.Version, detail, tool.Path)
		t.remedy(tool.Name, tool.Remedy)
	}
	for _, d := range r.Data {
		t.row("data", d.Problem == "", d.Path, fmt.Sprintf("%d images in %d folders", d.Images, len(d.Folders)), d.Problem)
	}
	if len(r.Data) == 0 {
		t.row("data", false, "no folder named")
	}
	t.remedy("data", r.DataRemedy)
	if t.err == nil {
		t.err = table.Flush()
	}
	if t.err == nil && len(t.remedies) > 0 {
		_, t.err = fmt.Fprintf(w, "\nWhat is missing, and how to get it:\n%s", strings.Join(t.remedies, ""))
	}
	return t.err
}

// lines collects rows and remedies and keeps the first write error.
type lines struct {
	out      io.Writer
	remedies []string
	err      error
}

func (l *lines) row(name string, present bool, parts ...string) {
	state := "yes"
	if !present {
		state = "no"
	}
	var said []string
	for _, part := range parts {
		if part != "" {
			said = append(said, part)
		}
	}
	if l.err == nil {
		_, l.err = fmt.Fprintf(l.out, "%s\t%s\t%s\n", name, state, strings.Join(said, ", "))
	}
}

func (l *lines) remedy(name, remedy string) {
	if remedy != "" {
		l.remedies = append(l.remedies, fmt.Sprintf("  %s: %s\n", name, remedy))
	}
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

// size prints bytes in the largest binary unit that keeps a digit before the point.
func size(bytes uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	value, unit := float64(bytes), 0
	for value >= 1024 && unit < len(units)-1 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %s", value, units[unit])
}
