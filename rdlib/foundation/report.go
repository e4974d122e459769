package foundation

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"text/tabwriter"
)

// Report is what `rd teacher inspect` shows.
type Report struct {
	Info
	Producer      string         `json:"producer,omitempty"`
	IRVersion     int64          `json:"ir_version"`
	Opset         int64          `json:"opset"`
	GraphInputs   []Port         `json:"graph_inputs"`
	GraphOutputs  []Port         `json:"graph_outputs"`
	Parameters    int64          `json:"parameters"` // elements of floating-point initializers, batch-norm statistics included
	External      []ExternalFile `json:"external_data,omitempty"`
	SideCarFile   string         `json:"side_car_file,omitempty"`
	Licence       string         `json:"licence"`
	Warnings      []string       `json:"warnings"`
	Check         []CheckResult  `json:"check"`
	CheckState    string         `json:"check_state"` // "passed", "failed: …" or "none"
	FeatureBytes  map[string]int `json:"feature_bytes_per_image"`
	FeatureMemory int            `json:"feature_bytes_per_image_total"` // one view, float32
}

// Inspect opens a model at its own size, runs its check vector and reports. A failed check is in the report, not an error.
func Inspect(path string) (*Report, error) { return InspectAt(path, Options{}) }

// InspectAt is Inspect at another size.
func InspectAt(path string, o Options) (*Report, error) {
	teacher, err := Open(path, o)
	if err != nil {
		return nil, err
	}
	defer teacher.Close()
	g := teacher.graph
	r := &Report{
		Info: teacher.Info(), Producer: g.producer, IRVersion: g.irVersion, Opset: g.opset, GraphInputs: g.inputs, GraphOutputs: g.outputs,
		Parameters: g.parameters, External: g.external, Licence: "not stated", Warnings: []string{}, CheckState: "none", FeatureBytes: map[string]int{},
	}
	for _, output := range r.Outputs {
		r.FeatureBytes[output.Name] = 4 * output.Elements()
		r.FeatureMemory += 4 * output.Elements()
	}
	if r.SideCar != nil {
		r.SideCarFile = SideCarPath(path)
		if r.SideCar.Licence != "" {
			r.Licence = r.SideCar.Licence
		}
	}
	r.Warnings = append(r.Warnings, warnings(r.SideCar)...)
	r.Check, err = teacher.Check()
	switch {
	case err != nil:
		r.CheckState = "failed: " + err.Error()
	case len(r.Check) > 0:
		r.CheckState = "passed"
	}
	return r, nil
}

// warnings says what a user must know before reporting results with this teacher.
func warnings(s *SideCar) []string {
	if s == nil {
		return []string{"nothing is known of what this model was pre-trained on or of its licence: results on data it has seen are not evidence"}
	}
	var list []string
	switch {
	case s.Pretraining == nil || s.Pretraining.Data == "" && len(s.Pretraining.Seen) == 0:
		list = append(list, "the side-car does not say what the model was pre-trained on: results on data it has seen are not evidence")
	case len(s.Pretraining.Seen) > 0:
		list = append(list, "leakage: seen in pre-training, do not evaluate on: "+strings.Join(s.Pretraining.Seen, ", "))
	default:
		list = append(list, "leakage: pre-trained on "+s.Pretraining.Data+"; do not evaluate on these")
	}
	if s.Pretraining != nil && s.Pretraining.Phantom {
		list = append(list, "phantom: pre-trained on synthetic images only")
	}
	switch {
	case s.Licence == "":
		list = append(list, "the side-car states no licence")
	case restricted.MatchString(s.Licence):
		list = append(list, "licence: "+s.Licence+"; do not redistribute the model")
	}
	if s.SHA256 == "" {
		list = append(list, "the side-car has no sha256: a damaged or replaced model would not be noticed")
	}
	return list
}

// restricted matches licences for research only, and the non-commercial and no-derivatives kinds of Creative Commons.
var restricted = regexp.MustCompile(`(?i)\b(research|non-?commercial|nc|nd)\b`)

// Write prints the report for people.
func (r *Report) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, args...))
	}
	row("teacher", "%s", strings.TrimSpace(r.Name+" "+r.Architecture))
	row("file", "%s, %s", r.File, bytesText(r.Bytes))
	row("sha256", "%s", r.SHA256)
	for _, f := range r.External {
		row("weights", "%s, %s, sha256 %s", f.Path, bytesText(f.Bytes), f.SHA256)
	}
	row("made by", "%s, opset %d, IR version %d", orUnknown(r.Producer), r.Opset, r.IRVersion)
	row("parameters", "%d, batch-norm statistics included", r.Parameters)
	for _, p := range r.GraphInputs {
		row("graph input", "%s", p)
	}
	for _, p := range r.GraphOutputs {
		row("graph output", "%s", p)
	}
	if r.SideCarFile != "" {
		row("side-car", "%s", r.SideCarFile)
	} else {
		row("side-car", "none")
	}
	p := r.Preprocess
	row("image", "%d×%d, %s, %s, %s", r.Height, r.Width, p.Channels, p.ResizeText(), p.Filter)
	row("values", "(pixel·%s − %v) / %v", p.Scale, p.Mean, p.Std)
	batch := fmt.Sprintf("free, %d used", r.Batch)
	if r.FixedBatch {
		batch = fmt.Sprintf("fixed at %d", r.Batch)
	}
	row("batch", "%s", batch)
	for _, o := range r.Outputs {
		how := ""
		if o.How != "" {
			how = ", " + o.How
		} else if o.Graph != o.Name {
			how = ", graph output " + o.Graph
		}
		row("feature", "%s %v, %s per image%s", o.Name, o.Shape, bytesText(int64(r.FeatureBytes[o.Name])), how)
	}
	row("all features", "%s per image and view in single precision, %s in half", bytesText(int64(r.FeatureMemory)), bytesText(int64(r.FeatureMemory/2)))
	if r.SideCar != nil && r.SideCar.Pretraining != nil {
		row("pre-training", "%s; %s", orUnknown(r.SideCar.Pretraining.Kind), orUnknown(r.SideCar.Pretraining.Data))
	}
	row("licence", "%s", r.Licence)
	row("check", "%s", r.CheckState)
	for _, c := range r.Check {
		row("", "%s differs by %.2g, %.2g allowed", c.Name, c.Difference, c.Tolerance)
	}
	for _, note := range r.Notes {
		row("default", "%s", note)
	}
	for _, warning := range r.Warnings {
		row("warning", "%s", warning)
	}
	return table.Flush()
}

// String is what Write prints.
func (r *Report) String() string {
	var text strings.Builder
	r.Write(&text)
	return text.String()
}

func orUnknown(text string) string {
	if text == "" {
		return "unknown"
	}
	return text
}

// bytesText writes a size with three digits in the units of 1024.
func bytesText(n int64) string {
	value, unit := float64(n), 0
	for units := 4; value >= 1024 && unit < units; unit++ {
		value /= 1024
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.3g %s", value, [...]string{"", "KiB", "MiB", "GiB", "TiB"}[unit])
}
