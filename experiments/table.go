package experiments

import (
	"bytes"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/go-gota/gota/dataframe"
	"github.com/google/renameio/v2"
	"gonum.org/v1/gonum/stat"

	"rd/rdlib/record"
	rdstat "rd/rdlib/stat"
)

// Row is one student and method of a comparison: accuracies in per cent over the seeds that are done.
type Row struct {
	Student    string  `dataframe:"student"`
	Method     string  `dataframe:"method"`
	Teacher    string  `dataframe:"teacher"`
	Seeds      int     `dataframe:"seeds"`
	TestImages int     `dataframe:"test_images"`
	Last       float64 `dataframe:"last_mean"`
	LastSD     float64 `dataframe:"last_sd"`
	Best       float64 `dataframe:"best_mean"`
	BestSD     float64 `dataframe:"best_sd"`
	Gain       float64 `dataframe:"gain_over_scratch"` // mean over seeds of the paired difference of Last; NaN without a pair
	GainHalf   float64 `dataframe:"gain_half_width"`   // half width of its 95 % t-interval; NaN below two pairs
	Verdict    string  `dataframe:"-"`                 // on Gain
	Steps      int     `dataframe:"steps"`
	// Of the test images whose pixels are in no other part, where some are: how many, and the last epoch's accuracy and
	// gain on them; empty and NaN elsewhere.
	CleanImages   string  `dataframe:"clean_test_images"` // "153–154" where splits differ
	Clean         float64 `dataframe:"clean_last_mean"`
	CleanSD       float64 `dataframe:"clean_last_sd"`
	CleanGain     float64 `dataframe:"clean_gain_over_scratch"`
	CleanGainHalf float64 `dataframe:"clean_gain_half_width"`
	CleanVerdict  string  `dataframe:"-"`
}

// cleanAccuracy is the last student's accuracy in per cent on the test images that are in no other part, and how many
// they are.
func cleanAccuracy(r *record.Record) (accuracy float64, images int) {
	correct, images := r.WithoutLeaks()
	return 100 * float64(correct) / float64(images), images
}

// leaks is whether any record has test images that are in another part.
func leaks(records map[Cell]*record.Record) bool {
	for _, r := range records {
		if r != nil && len(r.Leaks) > 0 {
			return true
		}
	}
	return false
}

// Rows summarises the records of a comparison, in the order of the spec; a row without records has zero seeds.
func Rows(spec *Spec, records map[Cell]*record.Record) []Row {
	var rows []Row
	marked := leaks(records)
	for _, student := range spec.Students {
		for _, v := range spec.Variants() {
			row := Row{Student: student, Method: v.Method, Teacher: v.Teacher}
			var last, best, gain, clean, cleanGain []float64
			var cleanImages []int
			for seed := range uint64(spec.Seeds) {
				r := records[Cell{Student: student, Method: v.Method, Seed: seed + 1, Teacher: v.Teacher}]
				if r == nil {
					continue
				}
				row.Seeds++
				row.TestImages, row.Steps = r.Result.Last.TestTotal, r.Result.Config.Steps
				last = append(last, 100*r.Result.Last.TestAccuracy)
				best = append(best, 100*r.Result.Best.TestAccuracy)
				accuracy := math.NaN()
				if marked {
					var images int
					accuracy, images = cleanAccuracy(r)
					clean, cleanImages = append(clean, accuracy), append(cleanImages, images)
				}
				if base := records[Cell{Student: student, Method: "scratch", Seed: seed + 1}]; base != nil && v.Method != "scratch" {
					gain = append(gain, 100*(r.Result.Last.TestAccuracy-base.Result.Last.TestAccuracy))
					if marked {
						before, _ := cleanAccuracy(base)
						cleanGain = append(cleanGain, accuracy-before)
					}
				}
			}
			row.Last, row.LastSD = stat.MeanStdDev(last, nil)
			row.Best, row.BestSD = stat.MeanStdDev(best, nil)
			row.CleanImages = span(cleanImages)
			row.Clean, row.CleanSD = stat.MeanStdDev(clean, nil)
			row.CleanGain, row.CleanGainHalf = rdstat.MeanInterval(cleanGain)
			row.Gain, row.GainHalf = rdstat.MeanInterval(gain)
			_, row.Verdict = overSeeds(gain)
			_, row.CleanVerdict = overSeeds(cleanGain)
			rows = append(rows, row)
		}
	}
	return rows
}

// Render writes table.md and table.csv of a comparison from its records.
func Render(spec *Spec) error {
	records, err := Records(spec)
	if err != nil {
		return err
	}
	rows := Rows(spec, records)
	against, err := spec.against(records)
	if err != nil {
		return err
	}
	return writeTable(spec.Out, rows, markdown(spec, rows, records, against))
}

// writeTable writes rows, a slice of structs, as DIR/table.csv, and the text as DIR/table.md.
func writeTable(dir string, rows any, text string) error {
	var csv bytes.Buffer
	if err := dataframe.LoadStructs(rows).WriteCSV(&csv); err != nil {
		return fmt.Errorf("table of %s: %w", dir, err)
	}
	for name, data := range map[string][]byte{"table.csv": csv.Bytes(), "table.md": []byte(text)} {
		if err := renameio.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", filepath.Join(dir, name), err)
		}
	}
	return nil
}

// against is, in Markdown, what RD has more than each other method of the same student and teacher; "" where there is none.
func (s *Spec) against(records map[Cell]*record.Record) (string, error) {
	var names []string
	var groups [][]Pair
	for _, student := range s.Students {
		for _, rd := range s.Variants() {
			for _, other := range s.Variants() {
				if rd.Method != "rd" || other.Method == "rd" || other.Teacher != "" && other.Teacher != rd.Teacher {
					continue
				}
				pairs := pairsOf(records, s.Seeds, Cell{Student: student, Method: rd.Method, Teacher: rd.Teacher}, Cell{Student: student, Method: other.Method, Teacher: other.Teacher})
				if len(pairs) > 0 {
					names, groups = append(names, fmt.Sprintf("%s | %s | %s", student, rd, other)), append(groups, pairs)
				}
			}
		}
	}
	if len(groups) == 0 {
		return "", nil
	}
	found, err := tallies(groups)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintln(&b, "\nRD against the other methods at the same seed, last epoch:")
	fmt.Fprintln(&b, "\n| student | method | against | seeds | difference, points | on the same test images |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|")
	for i, pairs := range groups {
		var differences []float64
		for _, p := range pairs {
			differences = append(differences, p.First.Accuracy-p.Second.Accuracy)
		}
		mean, half := rdstat.MeanInterval(differences)
		_, said := overSeeds(differences)
		fmt.Fprintf(&b, "| %s | %d | %s | %s |\n", names[i], len(pairs), difference(mean, half, said), found[i])
	}
	fmt.Fprintf(&b, "\nOn the same test images: McNemar's exact test of each seed, with Holm's correction for all tests of this list, p being the smallest; “%s”: none has p below %.2f.\n", withinNoise, significance)
	return b.String(), nil
}

func markdown(spec *Spec, rows []Row, records map[Cell]*record.Record, against string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", spec.Title)
	fmt.Fprintln(&b, "| student | method | seeds | last epoch, test accuracy % | best epoch on validation, test accuracy % | gain over scratch, points |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|")
	for _, r := range rows {
		if r.Seeds == 0 {
			fmt.Fprintf(&b, "| %s | %s | 0 | not run | not run | |\n", r.Student, Variant{r.Method, r.Teacher})
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s |\n", r.Student, Variant{r.Method, r.Teacher}, r.Seeds, plusMinus(r.Last, r.LastSD), plusMinus(r.Best, r.BestSD), difference(r.Gain, r.GainHalf, r.Verdict))
	}
	if leaks(records) {
		fmt.Fprintln(&b, "\nThe same students on the test images whose pixels are in no other part:")
		fmt.Fprintln(&b, "\n| student | method | images | last epoch, test accuracy % | gain over scratch, points |")
		fmt.Fprintln(&b, "|---|---|---|---|---|")
		for _, r := range rows {
			if r.Seeds > 0 {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", r.Student, Variant{r.Method, r.Teacher}, r.CleanImages, plusMinus(r.Clean, r.CleanSD), difference(r.CleanGain, r.CleanGainHalf, r.CleanVerdict))
			}
		}
	}
	b.WriteString(against)
	fmt.Fprintf(&b, "\nMean ± standard deviation over seeds. Gain: mean of the differences to scratch at the same seed, with the half width of its 95 %% t-interval and the p-value of the t-test, or “%s”.\n", withinNoise)
	b.WriteString(provenance(spec, records))
	return b.String()
}

// span is the one number that all are, or the two ends of their range; "" of none.
func span(numbers []int) string {
	if len(numbers) == 0 {
		return ""
	}
	low, high := slices.Min(numbers), slices.Max(numbers)
	if low == high {
		return strconv.Itoa(low)
	}
	return fmt.Sprintf("%d–%d", low, high)
}

func plusMinus(mean, sd float64) string {
	if math.IsNaN(sd) {
		return fmt.Sprintf("%.1f", mean)
	}
	return fmt.Sprintf("%.1f ± %.1f", mean, sd)
}

// difference is a mean difference with the half width of its interval, and the verdict on it.
func difference(mean, half float64, verdict string) string {
	switch {
	case math.IsNaN(mean):
		return ""
	case math.IsNaN(half):
		return fmt.Sprintf("%+.1f, %s", mean, verdict)
	}
	return fmt.Sprintf("%+.1f ± %.1f, %s", mean, half, verdict)
}

// provenance says what the numbers were computed from, read off the records.
func provenance(spec *Spec, records map[Cell]*record.Record) string {
	var b strings.Builder
	var any *record.Record
	seconds := 0.0
	for _, cell := range spec.Cells() {
		if r := records[cell]; r != nil {
			seconds += r.Run.Seconds
			if any == nil || (any.Result.Teacher == nil && r.Result.Teacher != nil) {
				any = r
			}
		}
	}
	if any == nil {
		return ""
	}
	c := any.Result.Config
	note := ""
	if c.Dataset.Phantom {
		note = " These are phantoms, synthetic images: no claim about real data rests on them."
	}
	n := any.Result.Counts
	if n.Unused > 0 {
		note += fmt.Sprintf(" These are a share of %g of the training images; %d are not used.", c.Dataset.TrainShare, n.Unused)
	}
	if n.Dropped > 0 {
		note += fmt.Sprintf(" %d test images whose pixels are in another part were left out.", n.Dropped)
	}
	fmt.Fprintf(&b, "\n- Data: %s, %d training, %d validation and %d test images, %d unreadable ones left out.%s\n",
		c.Dataset.Name, n.Train, n.Validation, n.Test, n.Skipped, note)
	b.WriteString(teachersText(spec, records))
	if len(spec.Teachers) > 1 {
		fmt.Fprintf(&b, "- The students' images are cut and scaled as %s's.\n", teacherName(spec.Teachers[0]))
	}
	augmented := ""
	if c.Augment != nil {
		augmented = " augmented"
	}
	fmt.Fprintf(&b, "- Each student: %d steps of %d%s images, %s, learning rate %g, weight decay %g, %s schedule; %s %s, %d threads.\n",
		c.Steps, c.Batch, augmented, c.Optimizer.Name, c.Optimizer.LearningRate, c.Optimizer.WeightDecay, c.Optimizer.Schedule,
		c.Backend.Name, c.Backend.Version, c.Backend.Threads)
	if slices.Contains(spec.Methods, "direct") {
		fmt.Fprintln(&b, "- direct first trains the reprogramming module and the classifier on the teacher's features for as many steps, without the student.")
	}
	fmt.Fprintf(&b, "- Training took %.0f s in all. Records: `records/`.\n", seconds)
	if spec.Command != "" {
		fmt.Fprintf(&b, "- Command: `%s`\n", spec.Command)
	}
	return b.String()
}

// teachersText is a line for each teacher, with the first name that records give it.
func teachersText(spec *Spec, records map[Cell]*record.Record) string {
	var b strings.Builder
	told := map[string]bool{}
	for _, cell := range spec.Cells() {
		r := records[cell]
		if r == nil || r.Result.Teacher == nil || told[r.Result.Teacher.SHA256] {
			continue
		}
		t := r.Result.Teacher
		told[t.SHA256] = true
		pre, called := "", ""
		if t.Phantom {
			pre = ", pre-trained on phantoms"
		}
		if t.SawData {
			pre += ", which has seen these images in pre-training: what its students reach says nothing about new ones"
		}
		if cell.Teacher != "" && cell.Teacher != t.Name {
			called = cell.Teacher + ": "
		}
		fmt.Fprintf(&b, "- Teacher: %s%s%s (sha256 %.12s…), frozen, features cached, %d views.\n", called, t.Name, pre, t.SHA256, r.Result.Config.Views)
	}
	return b.String()
}
