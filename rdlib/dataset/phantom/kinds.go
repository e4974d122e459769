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

// outcome of a draw with probability p.
func (p *painting) chance(probability float64) bool { return p.rng.Float64() < probability }

// fill visits the pixels of a closed shape: inside falls from 1 to 0 around the border over edge (in parts of the radius).
func (p *painting) fill(b body, edge float64, paint func(i int, inside, x, y float64)) {
	s := &canvas{size: p.size}
	s.each(b, 1+edge, func(i int, r float64) {
		x, y := (float64(i%p.size)+0.5)/float64(p.size), (float64(i/p.size)+0.5)/float64(p.size)
		paint(i, smooth((1+edge-r)/(2*edge)), x, y)
	})
}

// towards moves all channels of a pixel to a colour, or a grey value, by a share.
func (p *painting) towards(i int, share float64, colour ...float64) {
	for c := range p.channels {
		p.channels[c][i] = mix(p.channels[c][i], colour[min(c, len(colour)-1)], share)
	}
}
