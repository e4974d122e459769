package record

// Probe is what linear probes say of a teacher's pooled feature on one data set: for each seed, the teacher's, and that of
// the same network with random weights drawn from the seed, on the same images.
type Probe struct {
	Version int         `json:"version"`
	Dataset string      `json:"dataset"`
	Phantom bool        `json:"phantom"` // synthetic images
	Classes []string    `json:"classes"`
	Teacher string      `json:"teacher"`
	SHA256  string      `json:"teacher_sha256"` // of the ONNX file
	Random  string      `json:"random"`         // the architecture drawn at random; "" for none
	Input   any         `json:"input"`          // preprocessing
	Share   float64     `json:"share"`          // of the images that are not tested, drawn by the seed
	Seeds   []ProbeSeed `json:"seeds"`
	Command string      `json:"command,omitempty"`
}

// ProbeSeed is the outcome of one seed, which draws the split where none is published, the images that are not tested
// and are used, and the random weights.
type ProbeSeed struct {
	Seed     uint64        `json:"seed"`
	Manifest string        `json:"manifest_sha256"`
	Total    int           `json:"total"`           // test images
	Clean    int           `json:"clean,omitempty"` // those whose pixels are in no other part; 0 where all are
	Teacher  ProbeOutcome  `json:"teacher"`
	Random   *ProbeOutcome `json:"random,omitempty"`
}

// ProbeOutcome counts right answers on the test images.
type ProbeOutcome struct {
	Penalty float64 `json:"penalty"` // of the weights, chosen on validation images
	Correct int     `json:"correct"`
	Clean   int     `json:"clean,omitempty"` // among the clean ones
}
