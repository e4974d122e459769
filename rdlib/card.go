package rdlib

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/markdown"
	"rd/rdlib/record"
	"rd/rdlib/stat"
)

// card is a model card; all that others named is escaped.
var card = template.Must(template.New("card").Funcs(template.FuncMap{"esc": markdown.Escape, "code": markdown.Code, "share": share, "percent": percent}).Parse(
	`# Model card: {{esc .Config.Student}} for {{esc .Config.Dataset.Name}}

{{if .Config.Dataset.Phantom}}**Trained on phantoms, synthetic images. It knows nothing of real ones, and none of the numbers below is about real images.**

{{end}}` + "`student.onnx`" + ` classifies an image as one of {{len .Classes}} classes:{{range $i, $c := .Classes}}{{if $i}},{{end}} {{esc $c}}{{end}}. It is {{esc .Config.Student}}{{if ne .Config.Width 1.0}} of width {{.Config.Width}}{{end}}, trained by the method {{esc .Config.Method}}{{with .Teacher}} from the frozen teacher {{esc .Name}}{{end}}. Its input is an image of {{.Input.Height}}×{{.Input.Width}} pixels, {{esc .Input.Channels}}, {{esc .Input.Resize}}; preprocessing and class names are in the file.

## Intended use

Research on knowledge distillation, and on images like those it was trained on. It is no medical device: nothing it says is a diagnosis, and no decision about a person may rest on it.

## Data

{{.Counts.Train}} training, {{.Counts.Validation}} validation and {{.Counts.Test}} test images of {{esc .Config.Dataset.Name}}{{if .Config.Dataset.Phantom}} (phantom){{end}}, split seed {{.Config.Seeds.Split}}; every file is named in ` + "`manifest.json`" + ` (sha256 {{.Config.Dataset.Manifest}}).
{{- if .Counts.Unused}} {{.Counts.Unused}} further training images were not used: it was trained on a share of {{.Config.Dataset.TrainShare}}.{{end}}
{{- if .Counts.Skipped}} {{.Counts.Skipped}} unreadable images were left out.{{end}}
{{- if .Counts.Dropped}} {{.Counts.Dropped}} test images were left out, whose pixels are in another part.{{end}}
{{- if .Leaks}} The pixels of {{len .Leaks}} test images are in the training or validation part too.{{end}}

## Metrics

On the test images, after the last epoch, with 95 % intervals by Wilson's method:

| measure | value |
| --- | --- |
| accuracy | {{share .Last.TestCorrect .Last.TestTotal}} |
{{if .Leaks}}| accuracy without the images that are in another part | {{share .CleanCorrect .CleanTotal}} |
{{end}}{{with .Confusion}}| balanced accuracy | {{percent .BalancedAccuracy}} |
| macro-F1 | {{percent .MacroF1}} |
{{end}}
| class | test images named right |
| --- | --- |
{{range .PerClass}}| {{esc .Name}} | {{share .Right .Total}} |
{{end}}
The intervals hold for these test images and this one training run: other seeds, and images from elsewhere, differ by more.

## Limits

{{range .Limits}}- {{.}}
{{end}}
## Teacher

{{with .Teacher}}{{esc .Name}}, sha256 {{esc .SHA256}}{{if .Phantom}}, pre-trained on phantoms{{end}}. It is not part of the student.
{{with $.Side}}{{with .Pretraining}}{{if .Data}}
Pre-trained on: {{esc .Data}}.
{{end}}{{end}}{{end}}
Licence: {{if $.Licence}}{{esc $.Licence}}. It may bind the student too.{{else}}not stated beside the teacher's file. Find it out before passing the student on: it may bind the student too.{{end}}
{{else}}None: the student was trained on the labels alone.
{{end}}
## Provenance

| what | value |
| --- | --- |
| cell | {{.Key}} |
| result, sha256 | {{.ResultSHA256}} |
| seeds | split {{.Config.Seeds.Split}}, initialisation {{.Config.Seeds.Init}}, order {{.Config.Seeds.Order}}, augmentation {{.Config.Seeds.Augmentation}} |
| training | {{.Config.Steps}} steps of {{.Config.Batch}} images, {{esc .Config.Optimizer.Name}}, learning rate {{.Config.Optimizer.LearningRate}}, weight decay {{.Config.Optimizer.WeightDecay}}, {{esc .Config.Optimizer.Schedule}} schedule |
| options of the method | {{esc .Options}} |
| backend | {{esc .Config.Backend.Name}}, {{esc .Config.Backend.Version}}, threads: {{.Config.Backend.Threads}} |
| started | {{esc .Run.Started}} |

{{with .Run.Command}}Command:

{{code .}}

{{end}}Everything is in ` + "`record.json`" + `, each test image's prediction included.
`))

// classCount is how many of a class's test images are named right.
type classCount struct {
	Name         string
	Right, Total int
}

// ModelCard describes a student in Markdown, from its record and its teacher's side-car, which may be nil. A record whose
// predictions do not fit its classes is an error.
func ModelCard(r *record.Record, side *foundation.SideCar) (string, error) {
	data := struct {
		*record.Record
		record.Result
		Side                     *foundation.SideCar
		Licence, Options         string
		Input                    dataset.Preprocess
		CleanCorrect, CleanTotal int
		Confusion                stat.Confusion
		PerClass                 []classCount
		Limits                   []string
	}{Record: r, Result: r.Result, Side: side}
	if err := again(r.Result.Config.Input, &data.Input); err != nil {
		return "", fmt.Errorf("model card: input: %w", err)
	}
	options, err := json.Marshal(r.Result.Config.Options)
	if err != nil {
		return "", fmt.Errorf("model card: options: %w", err)
	}
	data.Options = string(options)
	if side != nil {
		data.Licence = side.Licence
	}
	data.CleanCorrect, data.CleanTotal = r.WithoutLeaks()
	if len(r.Result.Predictions) > 0 {
		var labels, predicted []int
		for _, p := range r.Result.Predictions {
			labels, predicted = append(labels, p.Label), append(predicted, p.Class)
		}
		if data.Confusion, err = stat.NewConfusion(labels, predicted, len(r.Result.Classes)); err != nil {
			return "", fmt.Errorf("model card: predictions: %w", err)
		}
		for i, row := range data.Confusion {
			c := classCount{Name: r.Result.Classes[i], Right: row[i]}
			for _, n := range row {
				c.Total += n
			}
			data.PerClass = append(data.PerClass, c)
		}
	}
	data.Limits = limits(r, data.PerClass)
	var b strings.Builder
	if err := card.Execute(&b, data); err != nil {
		return "", fmt.Errorf("model card: %w", err)
	}
	return b.String(), nil
}

// again decodes what a record holds as its own type, whether it was read from a file or not.
func again(value, into any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// limits are what a user of the student should know, in Markdown.
func limits(r *record.Record, classes []classCount) []string {
	var lines []string
	if r.Result.Config.Dataset.Phantom {
		lines = append(lines, "Synthetic images: it cannot be used on real ones.")
	}
	if t := r.Result.Teacher; t != nil && t.SawData {
		lines = append(lines, "The teacher has seen this data set in pre-training: the numbers above say nothing about new images.")
	}
	if n := len(r.Leaks); n > 0 {
		lines = append(lines, fmt.Sprintf("Pixels of %d test images are in the training or validation part: the accuracy on all of them is too high.", n))
	}
	for _, c := range classes {
		if c.Total == 0 {
			lines = append(lines, "No test image is of class "+markdown.Escape(c.Name)+": nothing is known of it.")
		}
	}
	if len(r.Result.Predictions) > 0 {
		if class, all := onlyClass(r.Result.Predictions); all {
			lines = append(lines, "It calls every test image "+markdown.Escape(r.Result.Classes[class])+".")
		}
	}
	return append(lines,
		"It knows its classes alone, and gives one of them to any image whatever.",
		"Its probabilities are not calibrated.",
		"Training and test images come from one source; other devices, clinics and groups of people were not tried.")
}

// share writes a share with its interval.
func share(right, total int) string {
	low, high, err := stat.Wilson(right, total)
	if err != nil {
		return "no test image"
	}
	return fmt.Sprintf("%.1f %% (%d of %d; %.1f–%.1f %%)", 100*float64(right)/float64(total), right, total, 100*low, 100*high)
}

func percent(v float64) string { return fmt.Sprintf("%.1f %%", 100*v) }
