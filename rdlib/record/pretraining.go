package record

// Pretraining says what a foundation model was pre-trained on and what it learnt there.
type Pretraining struct {
	Sets []PretrainingSet `json:"sets"`
	// Target names the data set whose images were kept out; "" when none was named.
	Target string `json:"target,omitempty"`
	// Retrieval is how many held-out images found their caption among those of a group; nil without captions.
	Retrieval *Retrieval `json:"retrieval,omitempty"`
}

// PretrainingSet is one data set of a pre-training.
type PretrainingSet struct {
	Name       string   `json:"name"`
	Phantom    bool     `json:"phantom"`
	Manifest   string   `json:"manifest_sha256"`
	Classes    []string `json:"classes"`
	Train      int      `json:"train"`      // images trained on
	Test       int      `json:"test"`       // images held out
	Duplicates int      `json:"duplicates"` // left out: their pixels came before, in this set or another
	InTarget   int      `json:"in_target"`  // left out: the target holds the same pixels
	// TestCorrect is how many of the held-out images the set's own head names right; nil where labels were not learnt.
	TestCorrect *int `json:"test_correct,omitempty"`
}

// Retrieval counts images that found their own caption.
type Retrieval struct {
	Correct int `json:"correct"`
	Total   int `json:"total"`
	Among   int `json:"among"` // captions to choose from; captions of the same words count as one's own
}
