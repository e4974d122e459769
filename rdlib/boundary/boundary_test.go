package boundary

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// random returns three images of n values.
func random(n int, seed uint64) (images [3][]float32) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for k := range images {
		images[k] = make([]float32, n)
		for i := range images[k] {
			images[k][i] = float32(rng.NormFloat64())
		}
	}
	return images
}

func plane(t *testing.T, images [3][]float32) *Plane {
	t.Helper()
	p, err := NewPlane(images[0], images[1], images[2])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func at(p *Plane, x, y float64) []float32 {
	image := make([]float32, p.Len())
	p.Image(Point{x, y}, image)
	return image
}

func distance(a, b []float32) float64 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum)
}

// TestCornersReproduce: at its own place each image comes back, bit for bit.
func TestCornersReproduce(t *testing.T) {
	for seed := range uint64(20) {
		images := random(3*7*5, seed)
		p := plane(t, images)
		for k, corner := range p.Corners {
			if got := at(p, corner.X, corner.Y); !slices.Equal(got, images[k]) {
				t.Fatalf("seed %d: image %d at %v differs by %g", seed, k+1, corner, distance(got, images[k]))
			}
		}
		if p.Corners[0] != (Point{}) || p.Corners[1].Y != 0 {
			t.Errorf("the first image is not the origin, or the second is not on the axis: %v", p.Corners)
		}
	}
}

// TestAxesAreOrthonormal: a step along an axis is as long as its coordinate says, and the axes are at a right angle.
func TestAxesAreOrthonormal(t *testing.T) {
	images := random(3*16*12, 4)
	p := plane(t, images)
	origin, right, up, far := at(p, 0, 0), at(p, 1, 0), at(p, 0, 1), at(p, 3, 4)
	for what, pair := range map[string][2]float64{
		"a step along x":     {distance(origin, right), 1},
		"a step along y":     {distance(origin, up), 1},
		"the diagonal":       {distance(right, up), math.Sqrt2},
		"the point (3, 4)":   {distance(origin, far), 5},
		"images 1 and 2":     {distance(images[0], images[1]), p.Corners[1].X},
		"images 1 and 3":     {distance(images[0], images[2]), math.Hypot(p.Corners[2].X, p.Corners[2].Y)},
		"images 2 and 3":     {distance(images[1], images[2]), math.Hypot(p.Corners[2].X-p.Corners[1].X, p.Corners[2].Y)},
		"weights, their sum": {sum(p.Weights(Point{-2.5, 7})), 1},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-5 {
			t.Errorf("%s: %g, want %g", what, pair[0], pair[1])
		}
	}
}

func sum(w [3]float64) float64 { return w[0] + w[1] + w[2] }

func TestRefusedTriplets(t *testing.T) {
	x := random(30, 2)
	middle := make([]float32, 30)
	for i := range middle {
		middle[i] = x[0][i] + 0.5*(x[1][i]-x[0][i])
	}
	infinite := slices.Clone(x[2])
	infinite[3] = float32(math.NaN())
	for _, c := range []struct {
		images [3][]float32
		is     error
		says   string
	}{
		{[3][]float32{x[0], slices.Clone(x[0]), x[2]}, ErrIdentical, "1 and 2"},
		{[3][]float32{x[0], x[1], slices.Clone(x[0])}, ErrIdentical, "1 and 3"},
		{[3][]float32{x[0], x[1], slices.Clone(x[1])}, ErrIdentical, "2 and 3"},
		{[3][]float32{x[0], x[1], middle}, ErrOneLine, "one line"},
		{[3][]float32{x[0], x[1], infinite}, nil, "not finite"},
		{[3][]float32{x[0], x[1], x[2][:29]}, nil, "one size"},
		{[3][]float32{nil, nil, nil}, nil, "not empty"},
	} {
		_, err := NewPlane(c.images[0], c.images[1], c.images[2])
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("want an error with %q, got %v", c.says, err)
		}
	}
}

func TestGrid(t *testing.T) {
	p := plane(t, [3][]float32{{0, 0, 0}, {4, 0, 0}, {1, 2, 0}})
	g, err := p.Grid(5, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	near := func(a, b Point) bool { return math.Hypot(a.X-b.X, a.Y-b.Y) < 1e-12 }
	if !near(g.Min, Point{-0.4, -0.2}) || !near(g.Max, Point{4.4, 2.2}) {
		t.Errorf("the grid goes from %v to %v", g.Min, g.Max)
	}
	if !near(g.At(0, 0), g.Min) || !near(g.At(4, 4), g.Max) || !near(g.At(2, 2), Point{2, 1}) || g.Points() != 25 {
		t.Errorf("points %v, %v, %v of %d", g.At(0, 0), g.At(2, 2), g.At(4, 4), g.Points())
	}
	for _, bad := range []func() (Grid, error){
		func() (Grid, error) { return p.Grid(1, 0.1) },
		func() (Grid, error) { return p.Grid(5000, 0.1) },
		func() (Grid, error) { return p.Grid(10, -0.1) },
		func() (Grid, error) { return p.Grid(10, math.NaN()) },
	} {
		if _, err := bad(); err == nil {
			t.Error("a grid that makes no sense was made")
		}
	}
}

// nearest classifies an image by the nearest of three.
func nearest(images [3][]float32) Classify {
	return func(batch []float32) ([]int, error) {
		n := len(images[0])
		var classes []int
		for ; len(batch) > 0; batch = batch[n:] {
			best := 0
			for k := range images {
				if distance(batch[:n], images[k]) < distance(batch[:n], images[best]) {
					best = k
				}
			}
			classes = append(classes, best)
		}
		return classes, nil
	}
}

// TestDecide: the nearest of the three images divides the plane as the nearest of the three corners does.
func TestDecide(t *testing.T) {
	images := random(60, 8)
	p := plane(t, images)
	g, err := p.Grid(41, Margin)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	r, err := Decide(context.Background(), p, g, nearest(images), func(done, total int) {
		calls++
		if done > total || total != 41*41 {
			t.Errorf("%d of %d points are done", done, total)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls < 2 || len(r.Class) != g.Points() {
		t.Fatalf("%d points in %d batches", len(r.Class), calls)
	}
	for row := range 41 {
		for column := range 41 {
			pt := g.At(column, row)
			var d [3]float64
			for k, c := range p.Corners {
				d[k] = math.Hypot(pt.X-c.X, pt.Y-c.Y)
			}
			if class := r.Class[row*41+column]; d[class] > slices.Min(d[:])+1e-4 {
				t.Fatalf("point (%d, %d) has class %d; distances %v", column, row, class, d)
			}
		}
	}
}

func TestDecideFails(t *testing.T) {
	p := plane(t, random(12, 3))
	g, err := p.Grid(4, Margin)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	for says, classify := range map[string]Classify{
		"broken":     func([]float32) ([]int, error) { return nil, broken },
		"3 classes":  func([]float32) ([]int, error) { return make([]int, 3), nil },
		"class -1":   func(b []float32) ([]int, error) { return append(make([]int, len(b)/12-1), -1), nil },
		"class 9999": func(b []float32) ([]int, error) { return append(make([]int, len(b)/12-1), 99999), nil },
	} {
		if _, err := Decide(context.Background(), p, g, classify, nil); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want %q, got %v", says, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Decide(ctx, p, g, nearest(random(12, 3)), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after an interruption: %v", err)
	}
}

func TestAgreement(t *testing.T) {
	g := Grid{Max: Point{1, 1}, Resolution: 2}
	a := &Regions{g, []uint16{0, 0, 1, 1}}
	b := &Regions{g, []uint16{0, 1, 1, 1}}
	for _, c := range []struct {
		x, y           *Regions
		agreement, iou float64
	}{
		{a, a, 1, 1},
		{a, b, 0.75, (1.0/2 + 2.0/3) / 2},
		{b, a, 0.75, (1.0/2 + 2.0/3) / 2},
		{a, &Regions{g, []uint16{1, 1, 0, 0}}, 0, 0},
		{a, &Regions{g, []uint16{0, 0, 1, 5}}, 0.75, (1 + 1.0/2 + 0) / 3}, // a class that only one gives
	} {
		agreement, err := Agreement(c.x, c.y)
		if err != nil || agreement != c.agreement {
			t.Errorf("agreement %g, %v; want %g", agreement, err, c.agreement)
		}
		if iou, err := IoU(c.x, c.y); err != nil || math.Abs(iou-c.iou) > 1e-15 {
			t.Errorf("IoU %g, %v; want %g", iou, err, c.iou)
		}
	}
	other := &Regions{Grid{Max: Point{2, 1}, Resolution: 2}, a.Class}
	if _, err := Agreement(a, other); !errors.Is(err, ErrGrids) {
		t.Errorf("on different grids: %v", err)
	}
	if _, err := IoU(a, &Regions{Grid: g}); !errors.Is(err, ErrGrids) {
		t.Errorf("without points: %v", err)
	}
}

func TestTriplets(t *testing.T) {
	for _, c := range []struct {
		labels  []int
		classes int // in each triplet
	}{
		{[]int{0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2}, 3},
		{[]int{5, 5, 1, 7, 7, 2, 2, 2, 1}, 3},
		{[]int{0, 1, 1}, 2},
		{[]int{4, 4, 4, 4}, 1},
	} {
		triplets, err := Triplets(c.labels, 50, 9)
		if err != nil {
			t.Fatal(err)
		}
		used := map[int]int{}
		for _, tr := range triplets {
			classes := map[int]bool{}
			for _, i := range tr {
				classes[c.labels[i]] = true
				used[i]++
			}
			if tr[0] == tr[1] || tr[0] == tr[2] || tr[1] == tr[2] || len(classes) != c.classes {
				t.Fatalf("triplet %v of labels %v", tr, c.labels)
			}
		}
		if len(used) != len(c.labels) {
			t.Errorf("%d of %d images were drawn", len(used), len(c.labels))
		}
		again, _ := Triplets(c.labels, 50, 9)
		other, _ := Triplets(c.labels, 50, 10)
		if !slices.Equal(again, triplets) || len(c.labels) > 4 && slices.Equal(other, triplets) {
			t.Error("triplets do not follow from the seed")
		}
	}
	apart, err := Triplets([]int{0, 0, 0, 1, 1, 1, 2, 2, 2}, 3, 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, tr := range apart {
		for _, i := range tr {
			if seen[i] {
				t.Errorf("image %d is in two of %v, and there were enough", i, apart)
			}
			seen[i] = true
		}
	}
	for _, bad := range []struct {
		labels []int
		n      int
	}{{[]int{0, 1}, 1}, {[]int{0, 1, 2}, 0}} {
		if _, err := Triplets(bad.labels, bad.n, 1); err == nil {
			t.Errorf("%d triplets of %v", bad.n, bad.labels)
		}
	}
}

// pixels is a model of size×size values that names the class of the brightest third of the image.
func pixels(name string, size int, shift float32) Model {
	return Model{
		Name: name,
		Tensor: func(img image.Image) []float32 {
			values := make([]float32, size*size)
			for i := range values {
				x, y := i%size*img.Bounds().Dx()/size, i/size*img.Bounds().Dy()/size
				values[i] = float32(color.GrayModel.Convert(img.At(x, y)).(color.Gray).Y) / 255
			}
			return values
		},
		Classify: func(images []float32) ([]int, error) {
			var classes []int
			for ; len(images) > 0; images = images[size*size:] {
				var thirds [3]float32
				for i, v := range images[:size*size] {
					thirds[3*i/(size*size)] += v
				}
				thirds[0] += shift * float32(size*size)
				best := 0
				for k := range thirds {
					if thirds[k] > thirds[best] {
						best = k
					}
				}
				classes = append(classes, best)
			}
			return classes, nil
		},
	}
}

// blocks are triplets of images of 12×12 pixels, the k-th bright in its k-th third.
func blocks(n int) [][3]Image {
	var triplets [][3]Image
	for t := range n {
		var triplet [3]Image
		for k := range triplet {
			img := image.NewGray(image.Rect(0, 0, 12, 12))
			for i := range img.Pix {
				img.Pix[i] = uint8(20 + 7*t)
				if i/48 == k {
					img.Pix[i] = uint8(200 + 10*k)
				}
			}
			triplet[k] = Image{Name: fmt.Sprintf("%d.%d.png", t, k), Label: k, Open: func() (image.Image, error) { return img, nil }}
		}
		triplets = append(triplets, triplet)
	}
	return triplets
}

func TestCompare(t *testing.T) {
	models := []Model{pixels("reference", 12, 0), pixels("itself", 12, 0), pixels("small", 6, 0), pixels("biased", 12, 0.05)}
	last := 0
	s, err := Compare(context.Background(), models, blocks(5), Options{Rows: 2, Resolution: 30, Coarse: 20, Progress: func(done, total int) {
		if done <= last || done > total {
			t.Fatalf("progress went from %d to %d of %d", last, done, total)
		}
		last = done
	}})
	if err != nil {
		t.Fatal(err)
	}
	if want := 4*5*20*20 + 4*2*30*30; last != want {
		t.Errorf("%d points were told, want %d", last, want)
	}
	if len(s.Rows) != 2 || len(s.Rows[0].Regions) != 4 || len(s.Rows[1].Regions[3].Class) != 900 || s.Rows[0].Pictures[2] == nil {
		t.Fatalf("%d rows", len(s.Rows))
	}
	for m, mean := range map[int]float64{0: 1, 1: 1, 2: 1} { // a smaller form of the images shows the same points
		if got := s.Models[m].Agreement; got.Mean != mean || len(got.Each) != 5 || got.Interval[0] != 1 || s.Models[m].IoU.Mean != mean {
			t.Errorf("%s agrees with the reference in %+v", models[m].Name, got)
		}
	}
	if got := s.Models[3].Agreement; got.Mean >= 1 || got.Mean < 0.3 || got.Interval[0] >= got.Mean || got.Interval[1] <= got.Mean || got.Interval[1] > 1 {
		t.Errorf("a biased model agrees with the reference in %+v", got)
	}
	if !s.Models[0].Reference || s.Models[1].Reference {
		t.Error("the first model is the reference, and no other")
	}
	one, err := Compare(context.Background(), models[:1], blocks(1), Options{Rows: 9, Resolution: 10})
	if err != nil || one.Models[0].Agreement.Interval != nil || one.Coarse != 10 || len(one.Rows) != 1 {
		t.Errorf("one triplet and one model: %+v, %v", one, err)
	}
}

func TestCompareFails(t *testing.T) {
	same := blocks(1)
	same[0][2].Open = same[0][1].Open
	_, err := Compare(context.Background(), []Model{pixels("m", 12, 0)}, same, Options{Resolution: 5})
	if !errors.Is(err, ErrIdentical) || !strings.Contains(err.Error(), "0.2.png") || !strings.Contains(err.Error(), "2 and 3") {
		t.Errorf("identical images: %v", err)
	}
	// Images that only one of the models can tell apart.
	_, err = Compare(context.Background(), []Model{pixels("m", 12, 0), pixels("blind", 1, 0)}, blocks(1), Options{Resolution: 5})
	if err == nil || !strings.Contains(err.Error(), "blind") {
		t.Errorf("images that a model cannot tell apart: %v", err)
	}
	for _, o := range []Options{{Resolution: 1}, {Coarse: 1 << 20}, {Rows: -1}} {
		if _, err := Compare(context.Background(), []Model{pixels("m", 12, 0)}, blocks(1), o); err == nil {
			t.Errorf("%+v passed", o)
		}
	}
	if _, err := Compare(context.Background(), nil, nil, Options{}); err == nil {
		t.Error("nothing was compared with nothing")
	}
}
