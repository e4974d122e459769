package phantom

import (
	"math"
	"math/rand/v2"
)

// Tissue says how the layers of the breast look: skin, subcutaneous fat with bright septa, glandular tissue, muscle.
type Tissue struct {
	Skin        Uniform `json:"skin"`         // thickness
	Fat         Uniform `json:"fat"`          // depth of its lower border
	Gland       Uniform `json:"gland"`        // depth of its lower border
	Undulation  Uniform `json:"undulation"`   // amplitude of the borders
	SkinLevel   Uniform `json:"skin_level"`   // dB
	FatLevel    Uniform `json:"fat_level"`    // dB
	GlandLevel  Uniform `json:"gland_level"`  // dB
	MuscleLevel Uniform `json:"muscle_level"` // dB
	Septa       Uniform `json:"septa"`        // brightness of the septa in fat, dB
	Fibres      Uniform `json:"fibres"`       // brightness of the fibres in gland and muscle, dB
	Mottle      Uniform `json:"mottle"`       // slow variation of all tissue, dB
	Lobules     Normal  `json:"lobules"`      // number of dark fat lobules
	LobuleSize  Uniform `json:"lobule_size"`  // half width
	LobuleDepth Uniform `json:"lobule_depth"` // contrast, dB below the tissue
	Shadows     Normal  `json:"shadows"`      // number of shadows that begin at septa
	ShadowDepth Uniform `json:"shadow_depth"` // dB
}

// scene is a map of echogenicity in dB.
type scene struct {
	*canvas
	rng *rand.Rand
}

// newScene draws tissue without any lesion.
func newScene(size int, t Tissue, rng *rand.Rand) *scene {
	s := &scene{canvas: newCanvas(size), rng: rng}
	borders, fine, coarse, warp := newNoise(rng), newNoise(rng), newNoise(rng), newNoise(rng)
	skin, fat, gland := t.Skin.draw(rng), t.Fat.draw(rng), t.Gland.draw(rng)
	undulation := t.Undulation.draw(rng)
	skinLevel, fatLevel, glandLevel, muscleLevel := t.SkinLevel.draw(rng), t.FatLevel.draw(rng), t.GlandLevel.draw(rng), t.MuscleLevel.draw(rng)
	septa, fibres, mottle := t.Septa.draw(rng), t.Fibres.draw(rng), t.Mottle.draw(rng)
	slope := 0.08 * rng.NormFloat64()
	for py := range size {
		y := (float64(py) + 0.5) / float64(size)
		for px := range size {
			x := (float64(px) + 0.5) / float64(size)
			fatEnd := fat + undulation*borders.at(3*x, 0.5)
			glandEnd := gland + undulation*borders.at(2.5*x, 7.5) + slope*(x-0.5)
			inFat := smooth((y - skin) / 0.015)
			inGland := smooth((y-fatEnd)/0.04 + 0.5)
			inMuscle := smooth((y-glandEnd)/0.12 + 0.5)
			level := mix(mix(mix(skinLevel, fatLevel, inFat), glandLevel, inGland), muscleLevel, inMuscle)
			// Fibres: thin bright ridges, long along the surface, bent by slow noise, and broken where patch is low.
			bend := 0.8*warp.at(3*x, 4*y) + slope*x*4
			patch := smooth(0.6 + 0.9*warp.at(5*x+11, 9*y+4))
			ridge := 1 - math.Abs(fine.at(3*x, 15*y+2.5*bend))
			ridge *= ridge * ridge * ridge
			streak := 1 - math.Abs(coarse.at(1.5*x, 20*y+2*bend))
			streak *= streak * streak
			net := 1 - math.Abs(fine.at(5*x+bend+9, 12*y+1.5*bend+5))
			net *= net * net * net
			level += inFat * (1 - inGland) * septa * patch * net
			level += inGland * (1 - inMuscle) * fibres * (patch*ridge - 0.25)
			level += inMuscle * fibres * (patch*streak - 0.3)
			level += mottle * (coarse.at(4*x+3, 4*y) + 0.5*fine.at(9*x, 9*y+3))
			s.v[py*size+px] = level
		}
	}
	for range int(math.Round(t.Lobules.draw(rng))) {
		s.lobule(t.LobuleSize.draw(rng), t.LobuleDepth.draw(rng))
	}
	for range int(math.Round(t.Shadows.draw(rng))) {
		s.shadow(rng.Float64(), Uniform{0.05, 0.5}.draw(rng), Uniform{0.015, 0.06}.draw(rng), -t.ShadowDepth.draw(rng))
	}
	return s
}

// lobule adds a dark fat lobule with blurred borders somewhere below the skin.
func (s *scene) lobule(halfWidth, depth float64) {
	shape := newOutline(s.rng, Outline{Lobulation: 0.12})
	body := body{
		x: Uniform{0.05, 0.95}.draw(s.rng), y: Uniform{0.15, 0.8}.draw(s.rng),
		halfWidth: halfWidth, halfHeight: halfWidth * Uniform{0.35, 0.7}.draw(s.rng),
		tilt: 0.3 * s.rng.NormFloat64(), shape: shape,
	}
	edge := 0.35
	s.each(body, 1+edge, func(i int, r float64) {
		s.v[i] -= depth * smooth((1+edge-r)/(2*edge))
	})
}

// shadow adds db (negative: darker) below (x, y) in a beam of the given half width.
func (s *scene) shadow(x, y, halfWidth, db float64) {
	ragged := newNoise(s.rng)
	for py := int(max(y, 0) * float64(s.size)); py < s.size; py++ {
		row := (float64(py) + 0.5) / float64(s.size)
		along := db * smooth((row-y)/0.1) * (1 - 0.35*smooth((row-y-0.2)/0.5))
		sway := 0.25 * ragged.at(3*row, 0.5)
		for px := range s.size {
			column := (float64(px) + 0.5) / float64(s.size)
			across := (column-x)/halfWidth + sway
			if across > -2.5 && across < 2.5 {
				s.v[py*s.size+px] += along * math.Exp(-across*across*across*across/2) * (0.8 + 0.5*ragged.at(20*column, 4*row))
			}
		}
	}
}
