package experiments

import (
	"fmt"
	"strings"

	"rd/rdlib/model"
	"rd/rdlib/record"
)

// Group is a row of Table 3, a student on a data set with a teacher, and the records of its methods.
type Group struct {
	Dataset, Student, Teacher string // as tables call them
	Parameters                int64  // trainable ones of the student, with the classes of the data set
	Series                    []Series
}

// Series are the records of one method by seed, at least one.
type Series struct {
	Method  string // as profiles name it
	Label   string // as tables do
	Records []*record.Record
}

// Groups lists the rows of Table 3 that have records, each with the methods that have some, in the order of the profile. A
// row that has records of methods without a teacher alone is left out where another of its data set and student is there.
func (r *Results) Groups() ([]Group, error) {
	var groups []Group
	m := r.plan.Matrix
	alone := false // the last group has no method with a teacher
	for _, row := range r.plan.rows(3) {
		g := Group{Dataset: row.entry.Name, Student: paperName(row.student), Teacher: row.teacher.label()}
		taught := false
		for _, method := range m.Methods {
			if method.ablates() {
				continue
			}
			s := Series{Method: method.Name, Label: methodLabel(method.Name)}
			teacher := ""
			if m.needsTeacher(method) {
				teacher = row.teacher.Name
			}
			for seed := range uint64(r.seeds) {
				if rec := r.records[Cell{Dataset: row.dataset, Student: row.student, Method: method.Name, Teacher: teacher, Seed: seed + 1}]; rec != nil {
					s.Records = append(s.Records, rec)
				}
			}
			if len(s.Records) > 0 {
				g.Series = append(g.Series, s)
				taught = taught || teacher != ""
			}
		}
		if len(g.Series) == 0 {
			continue
		}
		var err error
		if g.Parameters, err = parametersOf(row.student, g.Series[0].Records[0]); err != nil {
			return nil, err
		}
		last := len(groups) - 1
		switch same := last >= 0 && groups[last].Dataset == g.Dataset && groups[last].Student == g.Student; {
		case same && !taught:
		case same && alone:
			groups[last], alone = g, false
		default:
			groups, alone = append(groups, g), !taught
		}
	}
	return groups, nil
}

// methodLabel is what figures and headings of tables call a method.
func methodLabel(method string) string {
	return strings.ReplaceAll(paperName(method), "_", " ")
}

// parametersOf counts those of the student of a record.
func parametersOf(student string, rec *record.Record) (int64, error) {
	network, err := model.New(student, model.Config{Classes: max(2, len(rec.Result.Classes)), Width: rec.Result.Config.Width})
	if err != nil {
		return 0, fmt.Errorf("student of a record: %w", err)
	}
	const size = 64 // of an image; parameters do not depend on it
	cost, err := network.Cost(3, size, size)
	return cost.Parameters, err
}

// Title says what the records are of: the kind of data, and the profile.
func (r *Results) Title() string { return fmt.Sprintf("%s (%s)", r.data(), r.plan.Matrix.Name) }

// Accuracy is the test accuracy of a record, in per cent, that tables show.
func (r *Results) Accuracy(rec *record.Record) float64 { return r.outcome(rec) }
