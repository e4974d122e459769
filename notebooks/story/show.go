package story

import (
	"math"
	"slices"
	"strings"

	"rd/rdlib"
	"rd/rdlib/notebook"
	"rd/rdlib/record"
	"rd/rdlib/stat"
)

// Row is a student in a table.
type Row struct {
	Student  string  `dataframe:"student"`
	Right    int     `dataframe:"right"`
	Images   int     `dataframe:"test images"`
	Accuracy float64 `dataframe:"accuracy %"`
	Low      float64 `dataframe:"95 % from"`
	High     float64 `dataframe:"to"`
}

// Accuracy is the last epoch's accuracy on the test images, with Wilson's interval.
func Accuracy(name string, r *record.Record) Row {
	last := r.Result.Last
	low, high, err := stat.Wilson(last.TestCorrect, last.TestTotal)
	notebook.Check(err)
	return Row{name, last.TestCorrect, last.TestTotal, 100 * last.TestAccuracy, 100 * low, 100 * high}
}

// Part is a term of the loss, epoch by epoch, of the phase in which the student is trained.
func Part(r *record.Record, part, name string, factor float64) notebook.Line {
	line := notebook.Line{Name: name}
	for _, e := range r.Result.Curves {
		if e.Phase != r.Result.Curves[len(r.Result.Curves)-1].Phase {
			continue
		}
		value, ok := e.Parts[part]
		if !ok {
			value = math.NaN()
		}
		line.X, line.Y = append(line.X, float64(e.Epoch)), append(line.Y, factor*value)
	}
	return line
}

// Answer is a class and how probable a student holds it to be.
type Answer struct {
	Class       string  `dataframe:"class"`
	Probability float64 `dataframe:"probability"`
}

// Answers are a prediction's, the most probable class first.
func Answers(p rdlib.Prediction) []Answer {
	var answers []Answer
	for class, probability := range p.Probabilities {
		answers = append(answers, Answer{class, float64(probability)})
	}
	slices.SortFunc(answers, func(a, b Answer) int {
		if a.Probability != b.Probability {
			if a.Probability > b.Probability {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Class, b.Class)
	})
	return answers
}
