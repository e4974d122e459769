package ortengine

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Profile sums up where the time of a session's runs went.
type Profile struct {
	Path string        // the file read
	Runs int           // how often the graph ran
	Run  time.Duration // mean time of a run
	Ops  []OpTime      // by time, longest first
}

// OpTime is the time one type of ONNX operation took.
type OpTime struct {
	Op    string
	Calls int           // per run
	Time  time.Duration // mean per run
	Share float64       // of the time of all operations
}

// profileEvent is an event of the trace ONNX Runtime writes, in Chrome's format.
type profileEvent struct {
	Category string `json:"cat"`
	Name     string `json:"name"`
	Duration int64  `json:"dur"` // microseconds
	Args     struct {
		Op string `json:"op_name"`
	} `json:"args"`
}

// ReadProfiles reads the profiles of all sessions whose Options.Profile was prefix, longest total time first. The files are complete
// only after the executables were finalised.
func ReadProfiles(prefix string) ([]Profile, error) {
	paths, err := filepath.Glob(globEscaper.Replace(prefix) + "_*.json")
	if err != nil || len(paths) == 0 {
		return nil, fmt.Errorf("no profile %s_*.json was written: ONNX Runtime does so when a session ends", prefix)
	}
	var profiles []Profile
	for _, path := range paths {
		p, err := readProfile(path)
		if err != nil {
			return nil, err
		}
		profiles = append(profiles, p)
	}
	slices.SortFunc(profiles, func(a, b Profile) int {
		return cmp.Compare(b.Run*time.Duration(b.Runs), a.Run*time.Duration(a.Runs))
	})
	return profiles, nil
}

var globEscaper = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

func readProfile(path string) (Profile, error) {
	p := Profile{Path: path}
	data, err := os.ReadFile(path)
	if err != nil {
		return p, err
	}
	var events []profileEvent
	if err := json.Unmarshal(data, &events); err != nil {
		return p, fmt.Errorf("profile %s is not complete: %w", path, err)
	}
	ops := make(map[string]*OpTime)
	var total time.Duration
	for _, e := range events {
		duration := time.Duration(e.Duration) * time.Microsecond
		switch {
		case e.Category == "Session" && e.Name == "model_run":
			p.Runs++
			p.Run += duration
		case e.Category == "Node" && strings.HasSuffix(e.Name, "_kernel_time"):
			op := ops[e.Args.Op]
			if op == nil {
				op = &OpTime{Op: e.Args.Op}
				ops[e.Args.Op] = op
			}
			op.Calls++
			op.Time += duration
			total += duration
		}
	}
	if p.Runs == 0 {
		return p, nil
	}
	p.Run /= time.Duration(p.Runs)
	for _, op := range ops {
		op.Share = float64(op.Time) / float64(total)
		op.Calls /= p.Runs
		op.Time /= time.Duration(p.Runs)
		p.Ops = append(p.Ops, *op)
	}
	slices.SortFunc(p.Ops, func(a, b OpTime) int { return cmp.Or(cmp.Compare(b.Time, a.Time), cmp.Compare(a.Op, b.Op)) })
	return p, nil
}

// Write prints the profile as a table.
func (p Profile) Write(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "operation\tcalls\tms\tshare\t\n")
	for _, op := range p.Ops {
		fmt.Fprintf(table, "%s\t%d\t%.3f\t%.1f %%\t\n", op.Op, op.Calls, op.Time.Seconds()*1e3, op.Share*100)
	}
	fmt.Fprintf(table, "whole run, mean of %d\t\t%.3f\t\t\n", p.Runs, p.Run.Seconds()*1e3)
	return table.Flush()
}
