package phantom

import (
	"image"
	"math"
	"math/rand/v2"
	"slices"
)

// ChestXRayVersion changes whenever the same options give other images.
const ChestXRayVersion = 2

// ChestXRay holds everything that decides how chestxray images look, and how far the four classes overlap. Brightness is
// in parts of the display's range.
type ChestXRay struct {
	Scale     Uniform `json:"scale"`     // of the chest, 1 fills the image
	Turn      Normal  `json:"turn"`      // radians
	Breath    Uniform `json:"breath"`    // height of the lungs, 1 is a full breath
	Heart     Uniform `json:"heart"`     // size, 1 is even
	Tissue    Uniform `json:"tissue"`    // brightness of soft tissue
	Air       Uniform `json:"air"`       // brightness that the lungs lack
	Bone      Uniform `json:"bone"`      // brightness of ribs above what they cross
	Vessels   Uniform `json:"vessels"`   // brightness of the vessels
	Breast    float64 `json:"breast"`    // probability of the shadows of breasts
	Leads     float64 `json:"leads"`     // probability of cables across the chest
	Mottle    Uniform `json:"mottle"`    // slow variation
	Contrast  Uniform `json:"contrast"`  // of the display
	Noise     Uniform `json:"noise"`     // standard deviation
	Blur      Uniform `json:"blur"`      // in 1/96 of the side
	Collimate float64 `json:"collimate"` // probability of black borders

	Covid     Opacities `json:"covid"`     // hazy patches in both lungs, outside and below
	Pneumonia Opacities `json:"pneumonia"` // a dense area, mostly of one lung
	Nodular   Opacities `json:"nodular"`   // tuberculosis: small spots above
	Haze      Opacities `json:"haze"`      // and the cloud that they lie in
	Cavity    float64   `json:"cavity"`    // probability of a ring there
	Scars     float64   `json:"scars"`     // probability of lines from there to the hilum
	Effusion  float64   `json:"effusion"`  // probability of fluid at the base of a lung, in pneumonia and tuberculosis
	// Atypical is the probability that an image shows what another class's images show.
	Atypical float64 `json:"atypical"`
	// Faint is the probability that a finding has FaintShare of its density.
	Faint      float64 `json:"faint"`
	FaintShare float64 `json:"faint_share"`
	// Mimic is the probability that a normal chest has a faint shadow or thick vessels.
	Mimic float64 `json:"mimic"`
}

// DefaultChestXRay is fixed.
var DefaultChestXRay = ChestXRay{
	Scale:     Uniform{0.95, 1.1},
	Turn:      Normal{0, 0.025, -0.07, 0.07},
	Breath:    Uniform{0.82, 1.05},
	Heart:     Uniform{0.85, 1.25},
	Tissue:    Uniform{0.55, 0.72},
	Air:       Uniform{0.3, 0.46},
	Bone:      Uniform{0.06, 0.11},
	Vessels:   Uniform{0.05, 0.12},
	Breast:    0.4,
	Leads:     0.2,
	Mottle:    Uniform{0.01, 0.03},
	Contrast:  Uniform{0.85, 1.2},
	Noise:     Uniform{0.008, 0.025},
	Blur:      Uniform{0.3, 0.6},
	Collimate: 0.2,
	Covid: Opacities{
		Count: Normal{6, 2, 3, 10}, HalfWidth: Normal{0.09, 0.025, 0.04, 0.15}, Aspect: Normal{1.2, 0.3, 0.6, 2},
		Density: Normal{0.26, 0.05, 0.1, 0.4}, Spread: 0.03, Edge: Normal{0.7, 0.15, 0.4, 0.95}, Angles: Normal{0.15, 0.07, 0, 0.3},
		Patchy: Normal{0.5, 0.2, 0, 1}, Reticular: Normal{0.03, 0.02, 0, 0.08}, Peripheral: Normal{0.9, 0.4, -0.2, 2}, Down: Normal{0.8, 0.5, -0.5, 2},
	},
	Pneumonia: Opacities{
		Count: Normal{1.6, 0.8, 1, 3}, HalfWidth: Normal{0.14, 0.035, 0.06, 0.2}, Aspect: Normal{0.9, 0.25, 0.5, 1.6},
		Density: Normal{0.36, 0.05, 0.18, 0.48}, Spread: 0.03, Edge: Normal{0.38, 0.13, 0.15, 0.7}, Angles: Normal{0.15, 0.07, 0, 0.3},
		Patchy: Normal{0.25, 0.15, 0, 0.7}, Reticular: Normal{0.01, 0.02, 0, 0.06}, Peripheral: Normal{-0.4, 0.6, -1.5, 1}, Down: Normal{0.6, 0.8, -1.5, 2},
		OneSided: 0.9,
	},
	Nodular: Opacities{
		Count: Normal{12, 3, 5, 20}, HalfWidth: Normal{0.022, 0.006, 0.01, 0.04}, Aspect: Normal{1, 0.2, 0.6, 1.5},
		Density: Normal{0.26, 0.05, 0.1, 0.4}, Spread: 0.04, Edge: Normal{0.35, 0.1, 0.15, 0.7}, Angles: Normal{0.1, 0.05, 0, 0.3},
		Peripheral: Normal{0, 0.4, -1, 1}, Down: Normal{-1.4, 0.5, -2.5, 0}, OneSided: 0.6,
	},
	Haze: Opacities{
		Count: Normal{2, 1, 1, 4}, HalfWidth: Normal{0.07, 0.02, 0.03, 0.12}, Aspect: Normal{1, 0.25, 0.6, 1.6},
		Density: Normal{0.24, 0.05, 0.08, 0.38}, Spread: 0.03, Edge: Normal{0.6, 0.15, 0.3, 0.9}, Angles: Normal{0.15, 0.07, 0, 0.3},
		Patchy: Normal{0.6, 0.2, 0, 1}, Peripheral: Normal{0.2, 0.4, -1, 1}, Down: Normal{-1.8, 0.5, -3, -0.5}, OneSided: 0.6,
	},
	Cavity:     0.5,
	Scars:      0.4,
	Effusion:   0.12,
	Atypical:   0.05,
	Faint:      0.06,
	FaintShare: 0.4,
	Mimic:      0.15,
}

// chestClasses are spelt as the published folders are.
var chestClasses = []string{"COVID19", "NORMAL", "PNEUMONIA", "TURBERCULOSIS"}

var chestGenerator = generator{
	name: "chest X-ray", version: ChestXRayVersion, classes: chestClasses, parameters: DefaultChestXRay, stream: 0x63686573747872,
	draw: func(class, size int, rng *rand.Rand) (image.Image, description) {
		return DefaultChestXRay.draw(class, size, rng), description{}
	},
}

// draw makes one image of a class.
func (c ChestXRay) draw(class, size int, rng *rand.Rand) image.Image {
	name := chestClasses[class]
	if rng.Float64() < c.Atypical {
		others := slices.DeleteFunc(slices.Clone(chestClasses), func(other string) bool { return other == name })
		name = others[rng.IntN(len(others))]
	}
	t := newThorax(c, size, rng)
	share := 1.0
	if rng.Float64() < c.Faint {
		share = c.FaintShare
	}
	fluid := rng.Float64() < c.Effusion
	switch name {
	case "COVID19":
		t.opacities(c.Covid, share)
	case "NORMAL":
		if rng.Float64() < c.Mimic {
			pattern := []Opacities{c.Covid, c.Pneumonia, c.Haze}[rng.IntN(3)]
			pattern.Count = Normal{1, 0, 1, 1}
			t.opacities(pattern, 0.6*c.FaintShare+0.2)
		}
	case "PNEUMONIA":
		t.opacities(c.Pneumonia, share)
		if fluid {
			t.effusion()
		}
	case "TURBERCULOSIS":
		t.opacities(c.Haze, share)
		t.opacities(c.Nodular, share)
		if rng.Float64() < c.Cavity {
			t.cavity(c.Haze, share)
		}
		if rng.Float64() < c.Scars {
			t.scars(share)
		}
		if fluid {
			t.effusion()
		}
	}
	return t.expose(c)
}

// thorax is a frontal X-ray whose values are brightness: how much of the beam is lost. Its own coordinates are the image's,
// before it is turned and scaled about the middle of the chest; x grows towards the patient's left.
type thorax struct {
	*lungs
	x, y, scale float64
	sin, cos    float64
	breath      float64
	heart       float64
	width       float64 // half width of the two lungs together
	air, bone   float64
	dome        [2]float64 // height of the diaphragm at its top, right and left of the patient
}

func (t *thorax) to(x, y float64) point {
	a, b := (x-0.5)*t.scale, (y-0.5)*t.scale
	return point{t.x + a*t.cos - b*t.sin, t.y + a*t.sin + b*t.cos}
}

func (t *thorax) from(x, y float64) (u, v float64) {
	dx, dy := x-t.x, y-t.y
	return 0.5 + (dx*t.cos+dy*t.sin)/t.scale, 0.5 + (dy*t.cos-dx*t.sin)/t.scale
}

// line is a smooth line near places in the chest's coordinates.
func (t *thorax) line(places ...point) []point {
	line := make([]point, len(places))
	for i, p := range places {
		line[i] = t.to(p.x, p.y)
	}
	return rounded(rounded(line))
}

// oval is an ellipse in the chest's coordinates.
func (t *thorax) oval(x, y, halfWidth, halfHeight, tilt float64) body {
	at := t.to(x, y)
	return body{at.x, at.y, halfWidth * t.scale, halfHeight * t.scale, tilt + math.Atan2(t.sin, t.cos), &ellipse}
}

const lungTop = 0.115

// bottom is where the lung ends at a distance from the midline: the dome of the diaphragm, then the costophrenic angle.
func (t *thorax) bottom(distance float64, side int) float64 {
	along := (distance - 0.17) / 0.17
	return t.dome[side] + 0.10*max(along, 0)*max(along, 0) + 0.025*along*along
}

// lateral is the distance from the midline to the outer border of a lung at a height.
func (t *thorax) lateral(y float64, side int) float64 {
	down := min(max((y-lungTop)/(t.dome[side]+0.1-lungTop), 0), 1.2)
	up := max(1-down, 0)
	return t.width * math.Sqrt(1-up*up*math.Sqrt(up))
}

// medial is the distance from the midline to the inner border of a lung at a height: mediastinum, great vessels and heart.
func (t *thorax) medial(y float64, side int) float64 {
	border := 0.052 + 0.02*smooth((0.22-y)/0.1)
	bulge := func(at, reach, amount float64) {
		d := (y - at) / reach
		if d > -1 && d < 1 {
			border = max(border, amount*math.Sqrt(1-d*d))
		}
	}
	low := t.dome[side] - 0.13
	if side == 1 {
		bulge(0.3, 0.06, 0.085)              // aortic arch
		bulge(0.42, 0.09, 0.075)             // pulmonary trunk
		bulge(low+0.02, 0.2, 0.195*t.heart)  // left ventricle
		bulge(low-0.12, 0.14, 0.115*t.heart) // left atrium
	} else {
		bulge(0.36, 0.12, 0.065)
		bulge(low+0.02, 0.17, 0.11*t.heart) // right atrium
	}
	return border
}

// newThorax draws a healthy chest.
func newThorax(c ChestXRay, size int, rng *rand.Rand) *thorax {
	t := &thorax{lungs: newLungs(size, rng), x: 0.5 + 0.015*rng.NormFloat64(), y: 0.5 + 0.02*rng.NormFloat64(),
		scale: c.Scale.draw(rng), breath: c.Breath.draw(rng), heart: c.Heart.draw(rng), width: Uniform{0.35, 0.4}.draw(rng),
		air: c.Air.draw(rng), bone: c.Bone.draw(rng)}
	t.sin, t.cos = math.Sincos(c.Turn.draw(rng))
	t.dome[0] = lungTop + 0.6*t.breath + 0.01*rng.NormFloat64()
	t.dome[1] = t.dome[0] + Uniform{0, 0.04}.draw(rng)
	tissue := c.Tissue.draw(rng)
	slow, fine := newNoise(rng), newNoise(rng)
	mottle := c.Mottle.draw(rng)
	trunk := Uniform{0.45, 0.56}.draw(rng)
	low := t.dome[1] - 0.11
	tiltSin, tiltCos := math.Sincos(Uniform{0.3, 0.6}.draw(rng))
	t.fill(func(px, py float64) float64 {
		x, y := t.from(px, py)
		distance := math.Abs(x - 0.5)
		side := 0
		if x > 0.5 {
			side = 1
		}
		// The body: neck, shoulders, trunk.
		half := mix(0.1, 0.62, smooth((y+0.01)/0.17))
		half = mix(half, trunk, smooth((y-0.25)/0.25))
		i := int(py*float64(size))*size + int(px*float64(size))
		edge := half - distance
		t.depth.v[i] = -1
		if edge < -0.01 {
			return 0.01
		}
		level := tissue * (1 - 0.35*distance*distance/(half*half)) * smooth((edge+0.01)/0.05)
		level += 0.12 * smooth((y-t.dome[side]-0.02)/0.15) // abdomen
		level += 0.08 * smooth((0.062-distance)/0.03)      // spine and mediastinum
		// Lungs.
		outer := t.lateral(y, side) - distance
		inner := distance - t.medial(y, side) - 0.004*slow.at(12*y, 5)
		depth := min(min(outer, inner), min(t.bottom(distance, side)-y, y-lungTop+0.02))
		t.depth.v[i] = depth * t.scale
		part := smooth(depth*t.scale*float64(size)/2.5 + 0.5)
		t.inside.v[i] = part
		thick := 0.72 + 0.28*smooth(outer/0.12) - 0.1*smooth((y-0.5)/0.3)
		level -= t.air * part * thick
		// The heart shows behind the lung's border, and through the diaphragm's shadow.
		hx, hy := x-0.545, y-low
		r := math.Hypot((hx*tiltCos+hy*tiltSin)/(0.15*t.heart), (hy*tiltCos-hx*tiltSin)/(0.13*t.heart))
		level += 0.10 * smooth((1.1-r)/0.25)
		level += mottle*(slow.at(6*x, 6*y)+0.6*fine.at(15*x, 15*y)) + 0.5*mottle*part*fine.at(28*x, 28*y)
		return level
	})
	t.skeleton()
	t.airway()
	t.hila(c.Vessels.draw(rng))
	if rng.Float64() < c.Breast {
		amount, r := Uniform{0.03, 0.09}.draw(rng), Uniform{0.14, 0.2}.draw(rng)
		for _, side := range []float64{-1, 1} {
			t.deepen(t.oval(0.5+side*0.24, 0.62, r, 1.05*r, 0), 0.25, amount)
		}
	}
	// Gas in the stomach.
	if rng.Float64() < 0.6 {
		t.deepen(t.oval(0.5+Uniform{0.12, 0.2}.draw(rng), t.dome[1]+0.055, 0.06, 0.03, 0.2*rng.NormFloat64()), 0.3, -Uniform{0.08, 0.25}.draw(rng))
	}
	return t
}

// over adds a layer's values to the image.
func (t *thorax) over(draw func(layer *canvas)) {
	layer := newCanvas(t.size)
	draw(layer)
	for i, v := range layer.v {
		t.v[i] += v
	}
}

// skeleton adds spine, ribs, collar bones and shoulder blades.
func (t *thorax) skeleton() {
	rng, bone := t.rng, t.bone
	t.over(func(layer *canvas) {
		for k := range 16 {
			y := 0.04 + 0.058*float64(k)
			layer.cover(t.oval(0.5, y, 0.032, 0.021, 0), 0.2, func(i int, part float64) { layer.raise(i, 0.45*bone*part) })
		}
	})
	slope, phase := Uniform{0.08, 0.2}.draw(rng), Uniform{-0.01, 0.02}.draw(rng)
	gap := Uniform{0.068, 0.08}.draw(rng)
	outer, marrow, front := newCanvas(t.size), newCanvas(t.size), newCanvas(t.size)
	for side, sign := range []float64{-1, 1} {
		for k := range 10 {
			// Behind: from the spine outwards, over the top and down.
			y := 0.125 + phase + gap*float64(k)
			reach := t.lateral(y+0.05, side) + 0.015
			var line []point
			for s := range 9 {
				d := 0.04 + (reach-0.04)*float64(s)/8
				rise := (d - 0.13) / 0.2
				line = append(line, point{0.5 + sign*d, y + slope*d + 0.05*rise*rise*(0.6+0.1*float64(k)) - 0.02})
			}
			half := Uniform{0.012, 0.016}.draw(rng) * t.scale
			path := t.line(line...)
			outer.stroke(path, 0.9*half, half, bone)
			marrow.stroke(path, 0.5*half, 0.55*half, 0.3*bone) // the bone is denser along its borders
			// In front: from the outer border steeply down towards the breastbone, fading where it turns to cartilage.
			if k < 1 || k > 7 {
				continue
			}
			start := y + slope*reach + 0.06
			line = nil
			for s := range 7 {
				f := float64(s) / 6
				line = append(line, point{0.5 + sign*(reach-(reach-0.14)*f), start + 0.13*f - 0.03*f*f})
			}
			path = t.line(line...)
			for s := range len(path) - 1 {
				front.stroke(path[s:s+2], 1.15*half, 1.15*half, 0.6*bone*(1-float64(s)/float64(len(path))))
			}
		}
		lift := 0.03 * rng.NormFloat64()
		t.over(func(layer *canvas) {
			layer.stroke(t.line(point{0.5 + sign*0.035, 0.185}, point{0.5 + sign*0.12, 0.165 + lift/2}, point{0.5 + sign*0.25, 0.13 + lift}, point{0.5 + sign*0.38, 0.1 + lift}),
				0.017*t.scale, 0.013*t.scale, 1.3*bone)
		})
		t.over(func(layer *canvas) { // shoulder blade, its inner border over the lung
			out := Uniform{0.3, 0.4}.draw(rng)
			layer.stroke(t.line(point{0.5 + sign*(out-0.01), 0.17}, point{0.5 + sign*out, 0.33}, point{0.5 + sign*(out+0.05), 0.5}), 0.03*t.scale, 0.02*t.scale, 0.55*bone)
			layer.stroke(t.line(point{0.5 + sign*0.41, 0.14}, point{0.5 + sign*0.47, 0.3}, point{0.5 + sign*0.53, 0.62}), 0.035*t.scale, 0.03*t.scale, bone)
		})
	}
	for i := range t.v {
		t.v[i] += outer.v[i] - marrow.v[i] + front.v[i]
	}
}

// airway adds the windpipe and the main bronchi: air, seen through the spine.
func (t *thorax) airway() {
	sway := 0.008 * t.rng.NormFloat64()
	dark := newCanvas(t.size)
	dark.stroke(t.line(point{0.5, -0.02}, point{0.5 + sway, 0.2}, point{0.505 + sway, 0.37}), 0.017*t.scale, 0.015*t.scale, 0.13)
	dark.stroke(t.line(point{0.505, 0.36}, point{0.465, 0.43}), 0.012*t.scale, 0.011*t.scale, 0.1)
	dark.stroke(t.line(point{0.505, 0.36}, point{0.56, 0.43}), 0.011*t.scale, 0.009*t.scale, 0.1)
	for i, v := range dark.v {
		t.v[i] -= v
	}
}

// hila adds the roots of the lungs and the vessels that leave them.
func (t *thorax) hila(amount float64) {
	rng := t.rng
	vessels := newCanvas(t.size)
	form := Tree{Bend: 0.12, Spread: 0.33, Shrink: 0.82}
	for side, sign := range []float64{-1, 1} {
		y := 0.44 - 0.02*float64(side)
		at := t.to(0.5+sign*0.085, y)
		t.deepen(body{at.x, at.y, 0.035 * t.scale, 0.06 * t.scale, -sign * 0.3, newOutline(rng, Outline{Lobulation: 0.2})}, 0.6, 0.55*amount)
		for _, angle := range []float64{-1.15, -0.7, -0.2, 0.25, 0.65, 0.95, 1.25} {
			angle += 0.12 * rng.NormFloat64()
			if sign < 0 {
				angle = math.Pi - angle
			}
			vessels.tree(rng, form, at, angle, Uniform{0.09, 0.13}.draw(rng)*t.scale, Uniform{0.008, 0.012}.draw(rng)*t.scale, 4)
		}
	}
	vessels.soften(0.3)
	for i, part := range vessels.v {
		t.v[i] += amount * part * t.inside.v[i]
	}
}

// opacities adds a pattern of patches at a share of its density.
func (t *thorax) opacities(o Opacities, share float64) {
	// Where patches lie over each other they do not add up: air is displaced once.
	layer := newCanvas(t.size)
	t.lungs.opacities(o, func(i int, part, density float64) {
		layer.v[i] += (1 - layer.v[i]/0.5) * part * density * share
	})
	for i, v := range layer.v {
		t.v[i] += v
	}
}

// effusion fills the base of one lung with fluid, higher at the outer border.
func (t *thorax) effusion() {
	side := t.rng.IntN(2)
	level, amount := t.dome[side]-Uniform{-0.02, 0.12}.draw(t.rng), 0.85*t.air
	for i := range t.v {
		x, y := t.from((float64(i%t.size)+0.5)/float64(t.size), (float64(i/t.size)+0.5)/float64(t.size))
		if (x > 0.5) != (side == 1) {
			continue
		}
		top := level - 0.5*max(math.Abs(x-0.5)-0.15, 0)
		t.v[i] += amount * t.inside.v[i] * smooth((y-top)/0.05)
	}
}

// cavity adds a ring with air inside, where a pattern lies.
func (t *thorax) cavity(o Opacities, share float64) {
	at, found := t.place(o.Peripheral.draw(t.rng), o.Down.draw(t.rng), 0)
	if !found {
		return
	}
	r := Uniform{0.03, 0.06}.draw(t.rng)
	b := body{at.x, at.y, r, r * Uniform{0.8, 1.2}.draw(t.rng), 0, newOutline(t.rng, Outline{Lobulation: 0.1, Angles: 0.05})}
	amount := share * Uniform{0.15, 0.28}.draw(t.rng)
	t.each(b, 1.6, func(i int, r float64) {
		wall := (r - 0.9) / 0.22
		t.v[i] += t.inside.v[i] * (amount*math.Exp(-wall*wall) - 0.06*smooth((0.9-r)/0.3))
	})
}

// scars adds lines between the top of a lung and its root.
func (t *thorax) scars(share float64) {
	sign := float64(2*t.rng.IntN(2) - 1)
	layer := newCanvas(t.size)
	for range 3 + t.rng.IntN(4) {
		from := t.to(0.5+sign*Uniform{0.1, 0.24}.draw(t.rng), Uniform{0.16, 0.28}.draw(t.rng))
		to := t.to(0.5+sign*0.1, 0.42)
		angle := math.Atan2(to.y-from.y, to.x-from.x)
		layer.stroke(wander(t.rng, from, angle, Uniform{0.1, 0.2}.draw(t.rng), 0.1, 5), 0.005, 0.003, 0.2*share)
	}
	for i, v := range layer.v {
		t.v[i] += v * t.inside.v[i]
	}
}

// expose adds what lies on the patient and shows the image.
func (t *thorax) expose(c ChestXRay) image.Image {
	rng := t.rng
	if rng.Float64() < c.Leads {
		t.over(func(layer *canvas) {
			for range 1 + rng.IntN(3) {
				at := point{Uniform{0.2, 0.8}.draw(rng), Uniform{0.2, 0.7}.draw(rng)}
				layer.stroke(rounded(wander(rng, at, 2*math.Pi*rng.Float64(), Uniform{0.3, 0.8}.draw(rng), 0.35, 9)), 0.004, 0.004, 0.2)
				layer.stroke([]point{at, at}, 0.014, 0.014, 0.3)
			}
		})
	}
	t.soften(c.Blur.draw(rng))
	noise := grain(t.size, 0.4, rng)
	amount, contrast := c.Noise.draw(rng), c.Contrast.draw(rng)
	for i := range t.v {
		t.v[i] = 0.48 + contrast*(t.v[i]+amount*noise.v[i]-0.48)
	}
	if rng.Float64() < 0.6 { // the letter that marks a side
		x, y := Uniform{0.05, 0.12}.draw(rng), Uniform{0.05, 0.12}.draw(rng)
		letter := newCanvas(t.size)
		letter.stroke([]point{{x, y}, {x, y + 0.055}}, 0.006, 0.006, 1)
		letter.stroke([]point{{x, y + 0.004}, {x + 0.028, y + 0.008}, {x + 0.028, y + 0.024}, {x, y + 0.028}, {x + 0.032, y + 0.055}}, 0.006, 0.006, 1)
		for i, part := range letter.v {
			t.v[i] = mix(t.v[i], 0.97, part)
		}
	}
	if rng.Float64() < c.Collimate {
		left, right, top := int(Uniform{0, 0.06}.draw(rng)*float64(t.size)), int(Uniform{0.94, 1}.draw(rng)*float64(t.size)), int(Uniform{0, 0.05}.draw(rng)*float64(t.size))
		for i := range t.v {
			if x := i % t.size; x < left || x >= right || i/t.size < top {
				t.v[i] = 0
			}
		}
	}
	return t.grey()
}
