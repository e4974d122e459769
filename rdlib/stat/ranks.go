package stat

import (
	"math"
	"slices"
)

// midranks ranks values from 1 upwards. Values that lie within the tolerance of a smaller one share the mean of the ranks
// they take up together.
func midranks(values []float64, tolerance float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case values[a] < values[b]:
			return -1
		case values[a] > values[b]:
			return 1
		}
		return a - b
	})
	ranks := make([]float64, len(values))
	for first := 0; first < len(order); {
		last := first
		for last+1 < len(order) && values[order[last+1]]-values[order[first]] <= tolerance {
			last++
		}
		for _, i := range order[first : last+1] {
			ranks[i] = float64(first+last+2) / 2
		}
		first = last + 1
	}
	return ranks
}

// noise is the largest difference that float64 can leave between two differences that would be equal in exact
// arithmetic, for numbers of these magnitudes: accuracies such as 70.1 and 68.2 are not exact.
func noise(values ...[]float64) float64 {
	largest := 0.0
	for _, list := range values {
		for _, v := range list {
			largest = max(largest, math.Abs(v))
		}
	}
	return 1e-12 * largest
}
