package phantom

import "slices"

// Kind is a phantom of one published data set: its classes, synthetic images.
type Kind struct {
	Name      string // of the data set
	Shows     string // what the images resemble
	generator generator
}

// Kinds are all of them, in the paper's order.
func Kinds() []Kind {
	return []Kind{
		{"busi", "breast ultrasound", breastGenerator},
		{"covid_ct", "axial CT of the lungs", lungCTGenerator},
		{"btc", "MRI of the head", brainGenerator},
		{"isic2018", "dermoscopy", skinGenerator},
		{"chestxray", "frontal chest X-ray", chestGenerator},
	}
}

// Classes are the names of the class folders.
func (k Kind) Classes() []string { return slices.Clone(k.generator.classes) }

// Write makes DIR/CLASS/phantom_NNNN.png and the marker PHANTOM.json. Folders that exist are treated as by
// BreastUltrasound.
func (k Kind) Write(dir string, o Options) error { return write(dir, k.generator, o) }
