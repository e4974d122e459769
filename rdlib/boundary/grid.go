package boundary

import "fmt"

// The resolution and the margin of the paper's Figure 2.
const (
	Resolution = 500
	Margin     = 0.1
)

// maxResolution guards against a number typed wrong.
const maxResolution = 4096

// Grid is a square number of points that are spread evenly over a rectangle of a plane, its edges included.
type Grid struct {
	Min, Max   Point
	Resolution int // points along each side
}

// Grid covers the three images and, beyond them on each side, the share margin of the range they take up on that axis.
func (p *Plane) Grid(resolution int, margin float64) (Grid, error) {
	if err := checkResolution(resolution); err != nil {
		return Grid{}, err
	}
	if !(margin >= 0 && margin <= 10) {
		return Grid{}, fmt.Errorf("margin %v: 0 to 10 times the images' range are possible", margin)
	}
	a, b, c := p.Corners[0], p.Corners[1], p.Corners[2]
	left, right := min(a.X, b.X, c.X), max(a.X, b.X, c.X)
	bottom, top := min(a.Y, b.Y, c.Y), max(a.Y, b.Y, c.Y)
	x, y := margin*(right-left), margin*(top-bottom)
	return Grid{Min: Point{left - x, bottom - y}, Max: Point{right + x, top + y}, Resolution: resolution}, nil
}

func checkResolution(resolution int) error {
	if resolution < 2 || resolution > maxResolution {
		return fmt.Errorf("resolution %d: 2 to %d points a side are possible", resolution, maxResolution)
	}
	return nil
}

// At is a point of the grid; column and row count from Min.
func (g Grid) At(column, row int) Point {
	last := float64(g.Resolution - 1)
	s, t := float64(column)/last, float64(row)/last
	return Point{g.Min.X + s*(g.Max.X-g.Min.X), g.Min.Y + t*(g.Max.Y-g.Min.Y)}
}

// Points is how many there are.
func (g Grid) Points() int { return g.Resolution * g.Resolution }
