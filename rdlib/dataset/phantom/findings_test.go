package phantom

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

const sizeOfTests = 64

func stream(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 3)) }

// changed counts the pixels that differ by more than a threshold, and says where they lie on average.
func changed(before, after []float64, threshold float64) (n int, x, y float64) {
	for i := range before {
		if math.Abs(after[i]-before[i]) > threshold {
			n++
			x += float64(i%sizeOfTests) / sizeOfTests
			y += float64(i/sizeOfTests) / sizeOfTests
		}
	}
	return n, x / float64(max(n, 1)), y / float64(max(n, 1))
}

// Both lungs are there, and opacities make them denser and change nothing else.
func TestOpacitiesLieInLungs(t *testing.T) {
	for seed := range uint64(30) {
		ct, xray := newChest(DefaultLungCT, sizeOfTests, stream(seed)), newThorax(DefaultChestXRay, sizeOfTests, stream(seed))
		checkOpacities(t, "CT", seed, ct.lungs, func() { ct.opacities(DefaultLungCT.Covid) })
		checkOpacities(t, "X-ray", seed, xray.lungs, func() { xray.opacities(DefaultChestXRay.Covid, 1) })
	}
}

func checkOpacities(t *testing.T, name string, seed uint64, l *lungs, add func()) {
	t.Helper()
	left, right := 0.0, 0.0
	for i, part := range l.inside.v {
		if i%sizeOfTests < sizeOfTests/2 {
			left += part
		} else {
			right += part
		}
	}
	if percent := sizeOfTests * sizeOfTests / 100.0; left < 2*percent || right < 2*percent || left+right > 60*percent {
		t.Errorf("%s, seed %d: the lungs are %.0f and %.0f pixels", name, seed, left, right)
	}
	before := slices.Clone(l.v)
	add()
	gain, touched := 0.0, 0
	for i := range before {
		if l.v[i] == before[i] {
			continue
		}
		if l.inside.v[i] == 0 {
			t.Fatalf("%s, seed %d: an opacity outside the lungs", name, seed)
		}
		gain += l.v[i] - before[i]
		touched++
	}
	if gain <= 0 || touched < 20 {
		t.Errorf("%s, seed %d: %d pixels gain %v", name, seed, touched, gain)
	}
}

// Tumours show in every view that has them; the pituitary's lie at the sella.
func TestTumoursLieWhereTheyGrow(t *testing.T) {
	m := DefaultBrainMRI
	for seed := range uint64(25) {
		for view := highSlice; view <= coronalSlice; view++ {
			h := newHead(m, view, sizeOfTests, stream(seed))
			if h.hasSella != (view >= lowSlice) {
				t.Fatalf("view %d: sella %v", view, h.hasSella)
			}
			before := slices.Clone(h.v)
			h.meningioma(m.Meningioma, 0.9)
			if n, _, _ := changed(before, h.v, 0.1); n < 8 {
				t.Errorf("view %d, seed %d: a meningioma of %d pixels", view, seed, n)
			}
			before = slices.Clone(h.v)
			h.glioma(m, 0.9)
			if n, _, _ := changed(before, h.v, 0.05); n < 8 {
				t.Errorf("view %d, seed %d: a glioma of %d pixels", view, seed, n)
			}
			for i, part := range h.inside.v {
				if part == 0 && h.v[i] != before[i] {
					t.Fatalf("view %d, seed %d: a glioma outside the skull", view, seed)
				}
			}
			if !h.hasSella {
				continue
			}
			before = slices.Clone(h.v)
			h.pituitary(m.Pituitary, 0.9)
			if n, x, y := changed(before, h.v, 0.05); n > 0 && math.Hypot(x-h.sella.x, y-h.sella.y) > 0.12 {
				t.Errorf("view %d, seed %d: a tumour of the pituitary %.2f from the sella", view, seed, math.Hypot(x-h.sella.x, y-h.sella.y))
			}
		}
	}
}

// Pigments look as they do on skin: melanin brown, deep melanin bluish, blood red.
func TestPigmentsHaveTheirColours(t *testing.T) {
	d := DefaultDermoscopy
	d.Hairs, d.Corners, d.Bubbles, d.Ruler, d.Noise = Normal{}, 0, 0, 0, Uniform{}
	d.Cast, d.Tan, d.Flush, d.Mottle = Normal{}, Uniform{0.1, 0.1}, Uniform{0.1, 0.1}, Uniform{}
	mean := func(add func(s *skin)) (c [3]float64) {
		s := newSkin(d, 32, stream(1))
		add(s)
		img := s.photograph(d)
		for y := range 32 {
			for x := range 32 {
				r, g, b, _ := img.At(x, y).RGBA()
				for k, v := range []uint32{r, g, b} {
					c[k] += float64(v) / (0xffff * 32 * 32)
				}
			}
		}
		return c
	}
	raise := func(c *canvas) {
		for i := range c.v {
			c.v[i]++
		}
	}
	bare := mean(func(*skin) {})
	brown, blue, red := mean(func(s *skin) { raise(s.melanin) }), mean(func(s *skin) { raise(s.deep) }), mean(func(s *skin) { raise(s.blood) })
	for name, c := range map[string][3]float64{"melanin": brown, "deep melanin": blue, "blood": red} {
		if c[0] >= bare[0] || c[1] >= bare[1] || c[2] >= bare[2] {
			t.Errorf("%s brightens: %v over %v", name, c, bare)
		}
	}
	if !(brown[0] > brown[1] && brown[1] > brown[2]) || !(blue[2] > blue[0]) || !(red[0] > 1.8*red[1] && red[2] > red[1]) {
		t.Errorf("melanin %v, deep %v, blood %v", brown, blue, red)
	}
}

// The borders of Worley's cells are as far from two points, and the nearest is never farther than the second.
func TestCells(t *testing.T) {
	c := newCells(stream(4))
	for k := range 2000 {
		x, y := 0.017*float64(k), 0.31*float64(k%97)
		first, second := c.at(x, y)
		if !(first >= 0 && first <= second && first < 1.5) {
			t.Fatalf("at (%v, %v): %v, %v", x, y, first, second)
		}
		again, _ := c.at(x+lattice, y-lattice)
		if math.Abs(again-first) > 1e-9 {
			t.Fatalf("not periodic at (%v, %v)", x, y)
		}
	}
}
