package phantom

// Kind is a phantom of one of the paper's data sets: its classes, synthetic images.
type Kind struct {
	Name  string // of the data set
	Shows string // what the images resemble
	write func(dir string, o Options) error
}

// Kinds are all of them, in the paper's order.
func Kinds() []Kind {
	of := func(g generator) func(string, Options) error {
		return func(dir string, o Options) error { return write(dir, g, o) }
	}
	return []Kind{
		{"busi", "breast ultrasound", BreastUltrasound},
		{"covid_ct", "CT slices of lungs", of(covidGenerator)},
		{"btc", "MRI slices of heads", of(brainGenerator)},
		{"isic2018", "dermoscopy", of(skinGenerator)},
		{"chestxray", "chest X-rays", of(chestGenerator)},
	}
}

// Write makes DIR/CLASS/phantom_NNNN.png and the marker PHANTOM.json. Folders that exist are treated as by
// BreastUltrasound.
func (k Kind) Write(dir string, o Options) error { return k.write(dir, o) }

// outcome of a draw with probability p.
func (p *painting) chance(probability float64) bool { return p.rng.Float64() < probability }

// fill visits the pixels of a closed shape: inside falls from 1 to 0 around the border over edge (in parts of the radius).
func (p *painting) fill(b body, edge float64, paint func(i int, inside, x, y float64)) {
	s := &scene{size: p.size}
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
