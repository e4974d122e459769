package deploy

import (
	"fmt"
	"strings"

	"rd/rdlib/record"
	"rd/rdlib/stat"
)

// Card is a student's model card in Markdown, made from its record: what it was trained on and how, what it reaches on the test
// images and how sure that is, and what it is not for.
func Card(r *record.Record) (string, error) {
	c, last := r.Result.Config, r.Result.Last
	low, high, err := stat.Wilson(last.TestCorrect, last.TestTotal)
	if err != nil {
		return "", fmt.Errorf("model card: %w", err)
	}
	var labels, classes []int
	for _, p := range r.Result.Predictions {
		labels, classes = append(labels, p.Label), append(classes, p.Class)
	}
	confusion, err := stat.NewConfusion(labels, classes, len(r.Result.Classes))
	if err != nil {
		return "", fmt.Errorf("model card: %w", err)
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# %s, trained on %s by %s", c.Student, c.Dataset.Name, c.Method)
	line("")
	line("For research. It is no medical device, and what it says is no diagnosis.")
	if c.Dataset.Phantom {
		line("**Its training images are phantoms (synthetic): it must not be used on real images.**")
	}
	line("")
	line("- Classes: %s.", strings.Join(r.Result.Classes, ", "))
	line("- Images: %d to train, %d to validate, %d to test; the split is that of the manifest %.12s….", r.Result.Counts.Train, r.Result.Counts.Validation, r.Result.Counts.Test, c.Dataset.Manifest)
	if n := len(r.Leaks); n > 0 {
		correct, total := r.WithoutLeaks()
		line("- %d test images have the pixels of a training or validation image; without them %d of %d are right.", n, correct, total)
	}
	if t := r.Result.Teacher; t != nil {
		kind := ""
		if t.Phantom {
			kind = ", pre-trained on phantoms"
		}
		line("- Teacher: %s (sha256 %.12s…)%s.", t.Name, t.SHA256, kind)
		if t.SawData {
			line("- The teacher has seen this data set in pre-training: the accuracy says nothing about new images.")
		}
	}
	line("- Training: %d steps of %d images, seed %d.", c.Steps, c.Batch, c.Seeds.Init)
	line("- Test accuracy: %.1f %% (%d of %d, 95 %% interval %.1f to %.1f), balanced accuracy %.1f %%.", 100*last.TestAccuracy, last.TestCorrect, last.TestTotal, 100*low, 100*high, 100*confusion.BalancedAccuracy())
	line("- Recall by class:%s.", recalls(r.Result.Classes, confusion.Recall()))
	line("- One seed and one split: another run may differ by more than the interval.")
	return b.String(), nil
}

func recalls(classes []string, values []float64) string {
	parts := make([]string, len(classes))
	for i, class := range classes {
		parts[i] = fmt.Sprintf(" %s %.1f %%", class, 100*values[i])
	}
	return strings.Join(parts, ",")
}
