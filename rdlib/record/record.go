// Package record defines what a cell leaves behind: one JSON file with a `result` part that is a pure function of the
// cell's configuration (hashed, the same bit for bit when the cell is run again on the same backend) and a `run` part
// (time, memory, host) that is not.
package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Version of the record's layout.
const Version = 1

// Record is one cell's file.
type Record struct {
	Result       Result `json:"result"`
	ResultSHA256 string `json:"result_sha256"` // of the result's canonical JSON
	// Leaks are the paths of the test images whose pixels are in the training or validation part too. They follow from the
	// data set alone and stand outside the result, as does all that was not known when the first records were made.
	Leaks []string `json:"leaks,omitempty"`
	Run   Run      `json:"run"`
}

// Result is reproducible: configuration, seeds, curves, predictions.
type Result struct {
	Version     int          `json:"version"`
	Key         string       `json:"key"` // sha256 of the configuration
	Config      Config       `json:"config"`
	Counts      Counts       `json:"counts"`
	Teacher     *Teacher     `json:"teacher,omitempty"` // provenance; nil when the method needs none
	Curves      []Epoch      `json:"curves"`
	Last        Outcome      `json:"last"` // the headline: the student after the last step
	Best        Outcome      `json:"best"` // the student of the epoch with the best validation accuracy, never chosen on test; Last without validation images
	Classes     []string     `json:"classes"`
	Predictions []Prediction `json:"predictions"`           // of the last student on the test images
	Pretraining *Pretraining `json:"pretraining,omitempty"` // of a foundation model's record only
}

// Config is everything that decides the result; its hash is the cell's key.
type Config struct {
	Dataset   Dataset   `json:"dataset"`
	TeacherID string    `json:"teacher_sha256,omitempty"`
	Initial   string    `json:"initial_sha256,omitempty"` // of the weights training starts from, where they are not drawn
	Features  *Features `json:"features,omitempty"`
	Student   string    `json:"student"`
	Width     float64   `json:"width"`
	Network   any       `json:"network,omitempty"` // the architecture's other choices, of a foundation model
	Method    string    `json:"method"`
	Options   any       `json:"options"`           // the method's, resolved: every default written out
	Input     any       `json:"input"`             // the student's preprocessing
	Views     int       `json:"views"`             // 1: the image; 2: and its mirror image; the teacher sees the same
	Augment   any       `json:"augment,omitempty"` // of the training images
	Copies    int       `json:"copies,omitempty"`  // of each training image in its batch; 0 is 1
	Epochs    int       `json:"epochs,omitempty"`
	Steps     int       `json:"steps"` // optimizer steps of the student
	Batch     int       `json:"batch"`
	Optimizer Optimizer `json:"optimizer"`
	Seeds     Seeds     `json:"seeds"`
	Backend   Backend   `json:"backend"`
}

// Dataset names the images of a cell.
type Dataset struct {
	Name     string `json:"name"`
	Phantom  bool   `json:"phantom"` // synthetic images
	Manifest string `json:"manifest_sha256"`
	// DropLeaks: test images whose pixels are in the training or validation part were left out.
	DropLeaks bool `json:"drop_leaks,omitempty"`
	// TrainShare is the share of the training part that was trained on, see dataset.Reduced; 0: all of it.
	TrainShare float64 `json:"train_share,omitempty"`
}

// Features says how the teacher's features were computed.
type Features struct {
	Input   any      `json:"input"` // the teacher's preprocessing
	Outputs []string `json:"outputs"`
	Half    bool     `json:"half"`
}

// Optimizer is AdamW's setting.
type Optimizer struct {
	Name         string  `json:"name"`
	LearningRate float64 `json:"learning_rate"`
	WeightDecay  float64 `json:"weight_decay"`
	Beta1        float64 `json:"beta1"`
	Beta2        float64 `json:"beta2"`
	Epsilon      float64 `json:"epsilon"`
	Schedule     string  `json:"schedule"`
}

// Seeds are separate so that one can be varied with the others fixed.
type Seeds struct {
	Split        uint64 `json:"split"`
	Init         uint64 `json:"init"`
	Order        uint64 `json:"order"`
	Augmentation uint64 `json:"augmentation"`
}

// SameSeeds are the seeds that one number stands for.
func SameSeeds(n uint64) Seeds { return Seeds{Split: n, Init: n, Order: n, Augmentation: n} }

// Backend is part of the key: results are bit-exact on one backend and thread count only.
type Backend struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Threads int    `json:"threads"`
}

// Counts are numbers of images.
type Counts struct {
	Train      int `json:"train"` // that were trained on
	Validation int `json:"validation"`
	Test       int `json:"test"`
	Skipped    int `json:"skipped"`           // unreadable, left out
	Dropped    int `json:"dropped,omitempty"` // test images left out because of Dataset.DropLeaks
	Unused     int `json:"unused,omitempty"`  // training images left out because of Dataset.TrainShare
}

// Teacher is what is known of the foundation model.
type Teacher struct {
	Name    string           `json:"name"`
	SHA256  string           `json:"sha256"`
	Phantom bool             `json:"phantom"`            // pre-trained on synthetic images
	SawData bool             `json:"saw_data,omitempty"` // pre-trained on this data set, as far as its side-car says
	Shapes  map[string][]int `json:"shapes"`             // output → [C,h,w] or [D]
}

// Epoch is one point of the training curves.
type Epoch struct {
	Phase              string             `json:"phase"`
	Epoch              int                `json:"epoch"` // from 1, within the phase
	Step               int                `json:"step"`  // steps done in the phase
	Loss               float64            `json:"loss"`  // mean over the epoch's steps
	Parts              map[string]float64 `json:"parts,omitempty"`
	TrainAccuracy      float64            `json:"train_accuracy"`
	ValidationAccuracy *float64           `json:"validation_accuracy,omitempty"`
}

// Outcome is one student's performance; accuracies are fractions in [0,1].
type Outcome struct {
	Epoch              int      `json:"epoch"`
	Step               int      `json:"step"`
	ValidationAccuracy *float64 `json:"validation_accuracy,omitempty"` // nil without validation images
	TestAccuracy       float64  `json:"test_accuracy"`
	TestCorrect        int      `json:"test_correct"`
	TestTotal          int      `json:"test_total"`
}

// Prediction is one test image's.
type Prediction struct {
	Path          string    `json:"path"`
	Label         int       `json:"label"`
	Class         int       `json:"class"`
	Probabilities []float32 `json:"probabilities"`
}

// Run is what may differ between two runs of one cell.
type Run struct {
	Started        string  `json:"started"`
	Seconds        float64 `json:"seconds"` // training, evaluation included, summed over resumed parts
	SecondsPerStep float64 `json:"seconds_per_step"`
	WaitPerStep    float64 `json:"wait_per_step,omitempty"` // seconds a step waited for its images and features
	PeakRSSMiB     float64 `json:"peak_rss_mib"`
	Resumed        int     `json:"resumed"` // how often a checkpoint was continued
	Host           string  `json:"host"`
	CPU            string  `json:"cpu"`
	Go             string  `json:"go"`
	Command        string  `json:"command,omitempty"`
	ProfileMethod  string  `json:"profile_method,omitempty"` // what the profile calls the method, where that is not its own name
}

// WithoutLeaks counts the last student's test images whose pixels are in no other part, and those of them it names right.
func (r *Record) WithoutLeaks() (correct, total int) {
	leaks := map[string]bool{}
	for _, path := range r.Leaks {
		leaks[path] = true
	}
	for _, p := range r.Result.Predictions {
		switch {
		case leaks[p.Path]:
			continue
		case p.Class == p.Label:
			correct++
		}
		total++
	}
	return correct, total
}

// Key returns the sha256 of the configuration's JSON.
func (c Config) Key() (string, error) { return hash(c) }

// Seal fills in the result's hash.
func (r *Record) Seal() error {
	sum, err := hash(r.Result)
	r.ResultSHA256 = sum
	return err
}

func hash(v any) (string, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode for hashing: %w", err)
	}
	// Through a generic value and back, so that a record read from its file hashes as the one that was written.
	var generic any
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if err := decoder.Decode(&generic); err != nil {
		return "", err
	}
	if data, err = json.Marshal(generic); err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Write seals the record and writes it atomically: the file is either the old one or complete.
func (r *Record) Write(path string) error {
	if err := r.Seal(); err != nil {
		return fmt.Errorf("record %s: %w", path, err)
	}
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("record %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("record %s: %w", path, err)
	}
	if err := renameio.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("write record %s: %w (is the disk full?)", path, err)
	}
	return nil
}

// ErrDamaged is wrapped by Read when a record's content does not hash to what it says.
var ErrDamaged = errors.New("damaged record")

// Read reads a record and checks its hash. A missing file is os.ErrNotExist.
func Read(path string) (*Record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &Record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, fmt.Errorf("%w: %s: %v", ErrDamaged, path, err)
	}
	if sum, err := hash(r.Result); err != nil || sum != r.ResultSHA256 {
		return nil, fmt.Errorf("%w: %s does not match its own hash", ErrDamaged, path)
	}
	return r, nil
}
