package nn

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"

	"rd/rdlib/backend/ortengine"
)

// largerCases have the shapes of the students, with fewer channels, so that every way of spelling a convolution is taken.
func largerCases() []layerCase {
	same := func(s, p, groups int) Conv2DOptions {
		return Conv2DOptions{Stride: [2]int{s, s}, Padding: [2]int{p, p}, Groups: groups}
	}
	return []layerCase{
		conv(4, 3, 32, 32, 8, 7, 7, same(2, 3, 1)),
		conv(4, 16, 16, 16, 16, 3, 3, same(1, 1, 1)),
		conv(4, 16, 16, 12, 24, 3, 3, same(2, 1, 1)),
		conv(4, 16, 16, 16, 24, 1, 1, same(2, 0, 1)),
		conv(4, 32, 2, 2, 32, 3, 3, same(1, 1, 1)),
		conv(4, 32, 4, 4, 48, 3, 3, same(2, 1, 1)),
		conv(4, 32, 3, 3, 48, 3, 3, same(2, 1, 1)),
		conv(4, 32, 8, 8, 48, 1, 1, same(1, 0, 1)),
		conv(4, 32, 2, 2, 48, 1, 1, same(1, 0, 1)),
		conv(4, 24, 16, 16, 24, 3, 3, same(1, 1, 24)),
		conv(4, 24, 16, 16, 24, 3, 3, same(2, 1, 24)),
		conv(4, 24, 15, 13, 24, 3, 3, same(2, 1, 24)),
		conv(4, 24, 2, 2, 24, 3, 3, same(1, 1, 24)),
		conv(4, 24, 9, 9, 24, 5, 5, same(1, 2, 24)),
		conv(3, 32, 9, 11, 32, 3, 3, same(2, 1, 32)),
		conv(2, 16, 8, 8, 16, 3, 3, same(1, 1, 16)),
		conv(2, 16, 12, 12, 16, 3, 3, same(1, 1, 1)),
		conv(2, 16, 12, 12, 16, 3, 3, same(1, 2, 1)),
	}
}

func TestGradientsOnONNXRuntimeMatchGo(t *testing.T) {
	onnx, err := ortengine.New(ortengine.Options{})
	if err != nil {
		t.Skip(err)
	}
	defer onnx.Finalize()
	reference := goBackend(t)
	for _, c := range append(layerCases(), largerCases()...) {
		t.Run(c.name, func(t *testing.T) {
			want := c.gradients(t, reference, c.arguments(dtypes.Float32))
			got := c.gradients(t, onnx, c.arguments(dtypes.Float32))
			for i := range want {
				name := "output"
				if i > 0 {
					name = fmt.Sprintf("gradient of argument %d", i-1)
				}
				a, b := tensors.MustCopyFlatData[float32](want[i]), tensors.MustCopyFlatData[float32](got[i])
				var largest, worst float64
				for k := range a {
					largest = max(largest, math.Abs(float64(a[k])))
					worst = max(worst, math.Abs(float64(a[k]-b[k])))
				}
				if !(worst <= 1e-4*largest) {
					t.Errorf("%s is off by %.3g where the largest value is %.3g", name, worst, largest)
				}
			}
		})
	}
}
