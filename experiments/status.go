package experiments

import (
	"os"
	"strings"
	"time"

	"rd/rdlib/lockfile"
)

// Status says of each cell of a plan how far it is.
type Status struct {
	Profile string       `json:"profile"`
	Out     string       `json:"out"`
	Counts  StatusCounts `json:"counts"`
	Cells   []CellStatus `json:"cells"`
	// Strange says of each record that is not counted why; Missing what data sets and teachers are not there.
	Strange []string `json:"strange,omitempty"`
	Missing []string `json:"missing,omitempty"`
}

// StatusCounts are numbers of cells.
type StatusCounts struct {
	Done    int `json:"done"`
	Running int `json:"running"`
	Failed  int `json:"failed"`
	Missing int `json:"missing"`
}

// CellStatus is one cell's.
type CellStatus struct {
	Dataset  string     `json:"dataset"`
	Student  string     `json:"student"`
	Method   string     `json:"method"`
	Teacher  string     `json:"teacher,omitempty"`
	Seed     uint64     `json:"seed"`
	Share    int        `json:"share,omitempty"` // of the training images, per cent
	State    string     `json:"state"`           // done, running, failed or missing
	By       string     `json:"by,omitempty"`
	Error    string     `json:"error,omitempty"`
	Failed   *time.Time `json:"failed,omitempty"`
	Record   string     `json:"record,omitempty"`
	Accuracy *float64   `json:"accuracy,omitempty"` // in per cent, as the tables report it
}

// Status looks at the cells of a plan.
func (p *Plan) Status(store *Store) (*Status, error) {
	r, err := p.Results(store)
	if err != nil {
		return nil, err
	}
	s := &Status{Profile: p.Matrix.Name, Out: store.dir, Cells: []CellStatus{}, Strange: r.Strange, Missing: p.Missing}
	for _, c := range p.Cells {
		cell := CellStatus{Dataset: c.Dataset, Student: c.Student, Method: c.Method, Teacher: c.Teacher, Seed: c.Seed, Share: c.Share}
		rec, failure := r.of(c).records[c], r.of(c).failed[c]
		switch {
		case rec != nil:
			accuracy := r.outcome(rec)
			cell.State, cell.Record, cell.Accuracy = "done", store.recordPath(c), &accuracy
			s.Counts.Done++
		case lockfile.Held(store.claim(c)):
			cell.State = "running"
			if by, err := os.ReadFile(store.claim(c)); err == nil {
				cell.By = strings.TrimSpace(string(by))
			}
			s.Counts.Running++
		case failure != nil:
			cell.State, cell.Error, cell.Failed = "failed", failure.Error, &failure.Time
			s.Counts.Failed++
		default:
			cell.State = "missing"
			s.Counts.Missing++
		}
		s.Cells = append(s.Cells, cell)
	}
	return s, nil
}
