package ortengine

import "slices"

// batchLast lays x [n, c, h, w] out as [c, h·w, n].
func (f *Function) batchLast(x *node) *node {
	d := dimsOf(x)
	if known := f.batchLastOf[x]; known != nil {
		return f.reshape(known, d[1], d[2]*d[3], d[0])
	}
	y := f.reshape(f.transpose(f.reshape(x, d[0], d[1]*d[2]*d[3]), 1, 0), d[1], d[2]*d[3], d[0])
	f.batchLastOf[x] = y
	return y
}

// batchFirst is the inverse: [c, h·w, n] in any shape → [n, c, h, w].
func (f *Function) batchFirst(y *node, dims []int) *node {
	x := f.reshape(f.transpose(f.reshape(y, dims[1]*dims[2]*dims[3], dims[0]), 1, 0), dims...)
	f.batchLastOf[x] = y
	return x
}

// rows lays x [n, c, h, w] out as a matrix [c, h·w·n].
func (f *Function) rows(x *node) *node {
	d := dimsOf(x)
	return f.reshape(f.batchLast(x), d[1], d[2]*d[3]*d[0])
}

// columnsKey tells which columns of x are meant.
type columnsKey struct {
	x *node
	c convolution
}

// columns lays out, for every output pixel, the input values that its window covers: [c·kh·kw, oh·ow·n].
func (f *Function) columns(c convolution, x *node) *node {
	c.o, c.after = 0, [2]int{}
	key := columnsKey{x, c}
	if known := f.columnsOf[key]; known != nil {
		return known
	}
	if c.taps() == 1 && c.before == [2]int{} && !c.strided() {
		f.columnsOf[key] = f.rows(x)
	} else {
		f.columnsOf[key] = f.reshape(f.pick(f.batchLast(x), c.covered()), c.c*c.taps(), c.pixels()*c.n)
	}
	return f.columnsOf[key]
}

// outside stands for a pixel of the padding.
const outside = -1

// covered lists, for each tap and output pixel, the input pixel that it covers.
func (c convolution) covered() []int {
	pixels := make([]int, 0, c.taps()*c.pixels())
	for i := range c.kh {
		for j := range c.kw {
			for r := range c.oh {
				for s := range c.ow {
					row, column := r*c.stride[0]+i*c.dilation[0]-c.before[0], s*c.stride[1]+j*c.dilation[1]-c.before[1]
					if row < 0 || row >= c.h || column < 0 || column >= c.w {
						pixels = append(pixels, outside)
					} else {
						pixels = append(pixels, row*c.w+column)
					}
				}
			}
		}
	}
	return pixels
}

// pick selects entries of the middle axis of x [c, pixels, n]; those outside are 0.
func (f *Function) pick(x *node, pixels []int) *node {
	if slices.Contains(pixels, outside) {
		return f.pickFrom(f.withOutside(x, 0), pixels, dimsOf(x)[1])
	}
	return f.pickFrom(x, pixels, outside)
}

// withOutside adds one entry to the middle axis of x [c, pixels, n], of the given value.
func (f *Function) withOutside(x *node, value float32) *node {
	d := dimsOf(x)
	inputs := []*node{x, f.ints(0, 0, 0, 0, 1, 0)}
	if value != 0 {
		inputs = append(inputs, f.constant([]float32{value}))
	}
	return f.op("Pad", []int{d[0], d[1] + 1, d[2]}, inputs)
}

// pickFrom selects entries of the middle axis of x; that at index zero stands for those outside.
func (f *Function) pickFrom(x *node, pixels []int, zero int) *node {
	d := dimsOf(x)
	indices := make([]int64, len(pixels))
	for i, p := range pixels {
		indices[i] = int64(p)
		if p == outside {
			indices[i] = int64(zero)
		}
	}
	return f.op("Gather", []int{d[0], len(pixels), d[2]}, []*node{x, f.constant(indices, len(indices))}, intAttr("axis", 1))
}

// scatter is the transpose of columns: it adds up, for every input pixel, the values of all windows that cover it:
// [c·kh·kw, oh·ow·n] → [c, h·w, n].
func (f *Function) scatter(c convolution, columns *node) *node {
	covering, covered := make([][]int, c.h*c.w), c.covered()
	most := 0
	for i, pixel := range covered {
		if pixel != outside {
			covering[pixel] = append(covering[pixel], i)
			most = max(most, len(covering[pixel]))
		}
	}
	values := f.reshape(columns, c.c, c.taps()*c.pixels(), c.n)
	padded := f.withOutside(values, 0)
	var terms []*node
	for k := range max(most, 1) {
		pixels := make([]int, len(covering))
		for p, entries := range covering {
			pixels[p] = outside
			if k < len(entries) {
				pixels[p] = entries[k]
			}
		}
		if slices.Contains(pixels, outside) {
			terms = append(terms, f.pickFrom(padded, pixels, len(covered)))
		} else {
			terms = append(terms, f.pickFrom(values, pixels, outside))
		}
	}
	return f.sum(terms...)
}
