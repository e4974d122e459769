package experiments

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"rd/rdlib/dataset"
)

// paperDatasets are the names that the paper's Table 1 has for data sets its other tables name otherwise.
var paperDatasets = map[string]string{"ISIC": "ISIC2018"}

// Table1 is what the data sets hold, as they were found on disk.
func (r *Results) Table1() *Table {
	t := &Table{
		Number: 1, Title: fmt.Sprintf("Data sets as found on disk, %s (%s)", r.data(), r.plan.Matrix.Name), Labels: []string{"data set", "task", "modality"},
		Columns: []string{"classes", "images", "training", "validation", "test", "pictures twice or more", "pictures with several labels", "test images in another part", "parts"},
		Same:    "images",
	}
	paper := paperTable(1)
	for _, d := range r.plan.Matrix.Datasets {
		printed := d.Name
		if other, ok := paperDatasets[d.Name]; ok {
			printed = other
		}
		row := map[string]string{"dataset": printed}
		task, modality := paperText(paper, "task", row), paperText(paper, "modality", row)
		if r.plan.Data == Phantom {
			modality = strings.TrimSpace(modality + " (phantom)")
		}
		name := folderOf(d.Name, r.plan.Data)
		found, why := r.datasetRecord(name)
		values := make([]Value, len(t.Columns))
		for i := range values {
			values[i] = absent(NotRun, math.NaN())
			values[i].Whole = true
		}
		values[0].Paper, values[1].Paper = paperValue(paper, "classes", row), paperValue(paper, "data_size", row)
		if why != "" {
			t.Notes = append(t.Notes, d.Name+": "+why)
		}
		if found != nil {
			numbers := []int{len(found.Classes), found.Images}
			if p := found.Parts; p != nil {
				numbers = append(numbers, p.Train, p.Validation, p.Test, found.ByPixels.Pictures, found.Conflicts, p.Leaks)
				values[8].State, values[8].Text = Done, p.origin()
			} else {
				values[8].State, values[8].Text = Failed, "unusable: "+found.Unusable
			}
			for i, n := range numbers {
				values[i].State, values[i].Mean, values[i].SameAs = Done, float64(n), r.plan.Data == Real
			}
			values[0].Records = []string{r.link(r.store.datasetPath(name))}
			t.Notes = append(t.Notes, found.note(d.Name))
		}
		t.Rows = append(t.Rows, TableRow{[]string{d.Name, task, modality}, values})
	}
	t.Notes = append(t.Notes,
		"Task and modality are as the paper names them. Images are those that can be read; pictures are told apart by their decoded pixels.",
		"Of BUSI the paper prints the size of the training part, and of ChestXray 14 classes, where its accuracies are those of a public set of four.")
	for _, missing := range r.plan.Missing {
		if strings.HasPrefix(missing, "data set ") {
			t.Notes = append(t.Notes, missing)
		}
	}
	t.Notes = append(t.Notes, fmt.Sprintf("Command: %s --table 1.", r.plan.Command()))
	return t
}

// origin says which parts came with the data set.
func (p *DatasetParts) origin() string {
	var published []string
	for _, part := range []struct {
		split dataset.Split
		name  string
	}{{dataset.Train, "training"}, {dataset.Val, "validation"}, {dataset.Test, "test"}} {
		if slices.Contains(p.Published, part.split) {
			published = append(published, part.name)
		}
	}
	switch len(published) {
	case 0:
		return fmt.Sprintf("drawn, seed %d", p.Seed)
	case 3:
		return "published"
	}
	return fmt.Sprintf("%s published, the rest drawn, seed %d", strings.Join(published, " and "), p.Seed)
}

// note tells in a sentence the images of each class and what is wrong.
func (r *DatasetRecord) note(name string) string {
	var classes []string
	counts := map[string]int{}
	for _, c := range r.Counts {
		counts[c.Class] += c.Images
	}
	for _, class := range r.Classes {
		classes = append(classes, fmt.Sprintf("%s %d", class, counts[class]))
	}
	text := fmt.Sprintf("%s: %s", name, strings.Join(classes, ", "))
	if len(r.Findings) > 0 {
		text += "; " + strings.Join(r.Findings, ", ")
	}
	if r.Parts != nil && r.Parts.Dropped > 0 {
		text += fmt.Sprintf("; %d test images left out, whose pixels are in another part", r.Parts.Dropped)
	}
	return text + "."
}
