package phantom

import "math"

// fields are the backgrounds beside ultrasound.
var fields = []field{
	{"ct", "a ct-like slice", false, 0x63742d6c696b65, paintCT},
	{"mri", "an mri-like slice", false, 0x6d72692d6c696b, paintMRI},
	{"xray", "an x-ray-like picture", false, 0x787261792d6c69, paintXRay},
	{"skin", "a skin-like picture", true, 0x736b696e2d6c69, paintSkin},
}

// grey makes room for one channel.
func (p *painting) grey() []float64 {
	p.channels = [][]float64{make([]float64, p.size*p.size)}
	return p.channels[0]
}

// within is a place whose distance from the middle is at most so much of the half side.
func (p *painting) within(reach float64) func() (x, y float64) {
	return func() (x, y float64) {
		angle, r := 2*math.Pi*p.rng.Float64(), reach/2*math.Sqrt(p.rng.Float64())
		return 0.5 + r*math.Cos(angle), 0.5 + r*math.Sin(angle)
	}
}

// grain adds Gaussian noise of a standard deviation to all channels alike.
func (p *painting) grain(sd float64) {
	for i := range p.size * p.size {
		v := sd * p.rng.NormFloat64()
		for c := range p.channels {
			p.channels[c][i] += v
		}
	}
}

// oval is 1 inside an ellipse and falls to 0 over edge (in parts of the radius) around its border.
func oval(x, y, cx, cy, a, b, edge float64) float64 {
	return smooth((1 + edge - math.Hypot((x-cx)/a, (y-cy)/b)) / (2 * edge))
}

// paintCT draws a body with two dark hollows, bright lines in them and a bright column.
func paintCT(p *painting) {
	v, rng := p.grey(), p.rng
	flow, mottle := newNoise(rng), newNoise(rng)
	a, b := Uniform{0.42, 0.49}.draw(rng), Uniform{0.32, 0.44}.draw(rng)
	tissue, air := Uniform{0.5, 0.68}.draw(rng), Uniform{0.08, 0.26}.draw(rng)
	lungA, lungB, apart := Uniform{0.12, 0.17}.draw(rng), Uniform{0.17, 0.28}.draw(rng), Uniform{0.18, 0.23}.draw(rng)
	lines := Uniform{0.08, 0.35}.draw(rng)
	p.each(func(i int, x, y float64) {
		wx, wy := x+0.03*flow.at(4*x, 4*y), y+0.03*flow.at(4*x+9, 4*y)
		inside := oval(wx, wy, 0.5, 0.5, a, b, 0.03)
		hollow := max(oval(wx, wy, 0.5-apart, 0.48, lungA, lungB, 0.06), oval(wx, wy, 0.5+apart, 0.48, lungA, lungB, 0.06))
		ridge := 1 - math.Abs(mottle.at(11*x, 11*y))
		level := tissue + 0.05*mottle.at(6*x, 6*y) + 0.3*oval(x, y, 0.5, 0.5+0.75*b, 0.06, 0.06, 0.2)
		level = mix(level, air+lines*math.Pow(ridge, 8), hollow)
		v[i] = mix(0.02, level, inside)
	})
	p.place = func() (x, y float64) {
		side := 1.0
		if rng.IntN(2) == 0 {
			side = -1
		}
		return 0.5 + side*apart + 0.06*(2*rng.Float64()-1), 0.48 + 0.14*(2*rng.Float64()-1)
	}
	p.grain(Uniform{0.01, 0.06}.draw(rng))
}

// paintMRI draws a head: a bright rim, folded grey inside, two dark hollows near the middle.
func paintMRI(p *painting) {
	v, rng := p.grey(), p.rng
	folds, shade := newNoise(rng), newNoise(rng)
	a, b := Uniform{0.33, 0.44}.draw(rng), Uniform{0.4, 0.47}.draw(rng)
	matter, rim := Uniform{0.3, 0.55}.draw(rng), Uniform{0.5, 0.95}.draw(rng)
	depth, bias := Uniform{0.06, 0.2}.draw(rng), Uniform{-0.15, 0.15}.draw(rng)
	hollow := Uniform{0.02, 0.07}.draw(rng)
	p.each(func(i int, x, y float64) {
		r := math.Hypot((x-0.5)/a, (y-0.5)/b)
		t := (r - 0.96) / 0.05
		dark := (r - 0.85) / 0.05
		fold := math.Abs(folds.at(14*x+2*shade.at(3*x, 3*y), 14*y))
		level := matter + depth*(fold-0.4)*smooth(2*r) + 0.05*shade.at(5*x, 5*y)
		middle := max(oval(x, y, 0.5-1.3*hollow, 0.48, hollow, 3*hollow, 0.3), oval(x, y, 0.5+1.3*hollow, 0.48, hollow, 3*hollow, 0.3))
		level = mix(level, 0.1, middle)
		level = mix(level, 0.06, math.Exp(-dark*dark))
		level = level*smooth((1.02-r)/0.06) + rim*math.Exp(-t*t)
		v[i] = level * (1 + bias*(x-0.5) + bias*(y-0.5))
	})
	p.place = p.within(0.55)
	p.grain(Uniform{0.01, 0.05}.draw(rng))
}

// paintXRay draws two dark areas crossed by bright ribs, a bright middle and a bright bottom.
func paintXRay(p *painting) {
	v, rng := p.grey(), p.rng
	soft, fine := newNoise(rng), newNoise(rng)
	apart, lungA, lungB := Uniform{0.2, 0.25}.draw(rng), Uniform{0.14, 0.19}.draw(rng), Uniform{0.28, 0.38}.draw(rng)
	dark, light := Uniform{0.15, 0.35}.draw(rng), Uniform{0.55, 0.8}.draw(rng)
	ribs, slope := Uniform{0.03, 0.12}.draw(rng), Uniform{0.3, 0.8}.draw(rng)
	count, phase := Uniform{7, 10}.draw(rng), 2*math.Pi*rng.Float64()
	heart := Uniform{0.1, 0.17}.draw(rng)
	p.each(func(i int, x, y float64) {
		wx := x + 0.02*soft.at(3*x, 3*y)
		lung := max(oval(wx, y, 0.5-apart, 0.45, lungA, lungB, 0.12), oval(wx, y, 0.5+apart, 0.45, lungA, lungB, 0.12))
		level := light + 0.06*soft.at(4*x, 4*y) + 0.12*oval(x, y, 0.5, 0.5, 0.05, 0.6, 0.3)
		arc := y + slope*(math.Abs(x-0.5)-0.2)*math.Abs(x-0.5)*2
		rib := math.Max(0, math.Sin(2*math.Pi*count*arc+phase))
		lungLevel := dark + ribs*rib + 0.06*math.Pow(1-math.Abs(fine.at(12*x, 12*y)), 6)
		level = mix(level, lungLevel, lung)
		level = mix(level, light, 0.9*oval(x, y, 0.54, 0.62, heart, 0.9*heart, 0.15))
		v[i] = mix(level, light, smooth((y-0.86)/0.1))
	})
	p.place = func() (x, y float64) {
		side := 1.0
		if rng.IntN(2) == 0 {
			side = -1
		}
		return 0.5 + side*apart + 0.08*(2*rng.Float64()-1), 0.45 + 0.2*(2*rng.Float64()-1)
	}
	p.grain(Uniform{0.005, 0.04}.draw(rng))
}

// paintSkin draws coloured skin with a soft pattern, sometimes hairs and dark corners. Objects have one of the hues.
func paintSkin(p *painting) {
	rng := p.rng
	n := p.size * p.size
	p.channels = [][]float64{make([]float64, n), make([]float64, n), make([]float64, n)}
	pattern, patches := newNoise(rng), newNoise(rng)
	red := Uniform{0.66, 0.92}.draw(rng)
	green, blue := red*Uniform{0.6, 0.85}.draw(rng), red*Uniform{0.5, 0.8}.draw(rng)
	lines, blotch, corners := Uniform{0.01, 0.05}.draw(rng), Uniform{0.02, 0.08}.draw(rng), 0.0
	if rng.IntN(3) == 0 {
		corners = Uniform{0.3, 0.9}.draw(rng)
	}
	p.each(func(i int, x, y float64) {
		v := lines*pattern.at(24*x, 24*y) + blotch*patches.at(4*x, 4*y)
		shade := 1 - corners*smooth((math.Hypot(x-0.5, y-0.5)-0.42)/0.25)
		for c, base := range []float64{red, green, blue} {
			p.channels[c][i] = (base + v) * shade
		}
	})
	for range max(0, rng.IntN(9)-4) {
		p.hair()
	}
	p.hue = hues[rng.IntN(len(hues))]
	p.place = p.within(0.45)
	p.grain(Uniform{0.005, 0.025}.draw(rng))
}

// hair draws a thin dark curve from border to border.
func (p *painting) hair() {
	rng := p.rng
	x, y := rng.Float64(), rng.Float64()
	angle, bend, dark := 2*math.Pi*rng.Float64(), Uniform{-2, 2}.draw(rng), Uniform{0.25, 0.6}.draw(rng)
	step := 0.4 / float64(p.size)
	for range int(Uniform{0.4, 1.2}.draw(rng) / step) {
		x, y, angle = x+step*math.Cos(angle), y+step*math.Sin(angle), angle+bend*step
		px, py := int(x*float64(p.size)), int(y*float64(p.size))
		if px >= 0 && py >= 0 && px < p.size && py < p.size {
			for c := range p.channels {
				v := &p.channels[c][py*p.size+px]
				*v = mix(*v, (1-dark)**v, 0.5)
			}
		}
	}
}
