package stat

import (
	"fmt"
	"slices"
)

// Holm adjusts the p-values of a family of tests so that those at or below a level are significant at that level for the
// whole family (Holm, Scandinavian Journal of Statistics 6, 1979): the i-th smallest of m becomes the largest of min(1, (m−j+1)·p_j) over
// j ≤ i. The result is in the order of the input. A value outside [0, 1] is an error.
func Holm(p []float64) ([]float64, error) {
	order := make([]int, len(p))
	for i, v := range p {
		if !(v >= 0 && v <= 1) {
			return nil, fmt.Errorf("p-value %d is %v", i+1, v)
		}
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	adjusted := make([]float64, len(p))
	largest := 0.0
	for i, k := range order {
		largest = max(largest, min(1, float64(len(p)-i)*p[k]))
		adjusted[k] = largest
	}
	return adjusted, nil
}
