package experiments

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"rd/rdlib/record"
	"rd/rdlib/stat"
)

// ProbeRow is one teacher on one data set: test accuracies of linear probes in per cent, over seeds.
type ProbeRow struct {
	Dataset    string  `dataframe:"dataset"`
	Phantom    bool    `dataframe:"phantom"`
	Teacher    string  `dataframe:"teacher"`
	Images     string  `dataframe:"test_images"` // "all", or "clean": those whose pixels are in no other part
	TestImages string  `dataframe:"n"`           // "153–154" where splits differ
	Seeds      int     `dataframe:"seeds"`
	Mean       float64 `dataframe:"teacher_mean"`
	Random     float64 `dataframe:"random_weights_mean"`
	Gain       float64 `dataframe:"gain"`            // mean over seeds of the difference; NaN without random weights
	GainHalf   float64 `dataframe:"gain_half_width"` // of its 95 % t-interval
	Verdict    string  `dataframe:"-"`               // on the gain
}

// ProbeRows summarises a probe's record: all test images, and the clean ones where some are not.
func ProbeRows(p *record.Probe) []ProbeRow {
	rows := []ProbeRow{probeRow(p, "all", func(s record.ProbeSeed, o record.ProbeOutcome) (int, int) { return o.Correct, s.Total })}
	if slices.ContainsFunc(p.Seeds, func(s record.ProbeSeed) bool { return s.Clean > 0 }) {
		rows = append(rows, probeRow(p, "clean", func(s record.ProbeSeed, o record.ProbeOutcome) (int, int) {
			if s.Clean == 0 {
				return o.Correct, s.Total
			}
			return o.Clean, s.Clean
		}))
	}
	return rows
}

func probeRow(p *record.Probe, images string, of func(record.ProbeSeed, record.ProbeOutcome) (correct, total int)) ProbeRow {
	row := ProbeRow{Dataset: p.Dataset, Phantom: p.Phantom, Teacher: p.Teacher, Images: images, Seeds: len(p.Seeds)}
	var teacher, random, gain []float64
	var totals []int
	for _, s := range p.Seeds {
		accuracy := func(o record.ProbeOutcome) float64 {
			correct, total := of(s, o)
			return 100 * float64(correct) / float64(total)
		}
		_, total := of(s, s.Teacher)
		totals = append(totals, total)
		teacher = append(teacher, accuracy(s.Teacher))
		if s.Random != nil {
			random = append(random, accuracy(*s.Random))
			gain = append(gain, accuracy(s.Teacher)-accuracy(*s.Random))
		}
	}
	row.TestImages = span(totals)
	row.Mean, _ = stat.MeanInterval(teacher)
	row.Random, _ = stat.MeanInterval(random)
	row.Gain, row.GainHalf = stat.MeanInterval(gain)
	_, row.Verdict = overSeeds(gain)
	return row
}

// WriteProbe keeps a probe's record as DIR/records/TEACHER-DATASET.json and renders the table of all that lie there.
func WriteProbe(dir string, p *record.Probe) error {
	data, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	folder := filepath.Join(dir, "records")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("probe: %w; choose another --out", err)
	}
	path := filepath.Join(folder, strings.ReplaceAll(p.Teacher+"-"+p.Dataset, string(filepath.Separator), "_")+".json")
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write probe %s: %w", path, err)
	}
	return RenderProbes(dir)
}

// RenderProbes writes table.md and table.csv of all probes under DIR/records.
func RenderProbes(dir string) error {
	paths, err := filepath.Glob(filepath.Join(dir, "records", "*.json"))
	if err != nil {
		return err
	}
	var rows []ProbeRow
	var commands []string
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("probe: %w", err)
		}
		p := &record.Probe{}
		if err := json.Unmarshal(data, p); err != nil {
			return fmt.Errorf("%s is no record of a probe (%w): remove it", path, err)
		}
		if len(p.Seeds) == 0 {
			return fmt.Errorf("%s is a record without any seed: remove it", path)
		}
		rows = append(rows, ProbeRows(p)...)
		if p.Command != "" && !slices.Contains(commands, p.Command) {
			commands = append(commands, p.Command)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	var md strings.Builder
	fmt.Fprint(&md, "# Linear probes of teachers\n\n| data | test images | teacher | seeds | teacher, test accuracy % | random weights % | gain, points |\n|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		name := r.Dataset
		if r.Phantom {
			name += " (phantom)"
		}
		fmt.Fprintf(&md, "| %s | %s %s | %s | %d | %.1f | %s | %s |\n", name, r.TestImages, r.Images, r.Teacher, r.Seeds, r.Mean, number(r.Random), difference(r.Gain, r.GainHalf, r.Verdict))
	}
	fmt.Fprint(&md, "\nMultinomial logistic regression on the frozen, standardised pooled feature; its penalty is chosen on validation images. "+
		"Random weights: the same network, weights drawn from the seed. Each seed draws the split where none is published, nine tenths of the images "+
		"beside the test part, and the random weights. Gain: mean of the differences at the same seed with its 95 % t-interval, which says nothing "+
		"about other test images, and the p-value of the t-test or that it is within noise. Clean: test images whose pixels are in no other part.\n")
	if len(commands) > 0 {
		fmt.Fprintf(&md, "\nCommands:\n\n```\n%s\n```\n", strings.Join(commands, "\n"))
	}
	return writeTable(dir, rows, md.String())
}

func number(v float64) string {
	if math.IsNaN(v) {
		return ""
	}
	return fmt.Sprintf("%.1f", v)
}

// String is a line for people.
func (r ProbeRow) String() string {
	text := fmt.Sprintf("%s on %s, %s %s test images, %d seeds: %.1f %%", r.Teacher, r.Dataset, r.TestImages, r.Images, r.Seeds, r.Mean)
	if !math.IsNaN(r.Random) {
		text += fmt.Sprintf("; random weights %.1f %%; gain %s", r.Random, difference(r.Gain, r.GainHalf, r.Verdict))
	}
	return text
}
