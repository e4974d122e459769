package train

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"rd/rdlib/record"
)

// Schedules are the learning-rate schedules; the paper states none.
var Schedules = []string{"cosine", "constant", "warmup-cosine"}

// warmup is the share of the steps over which warmup-cosine rises.
const warmup = 0.05

// DefaultOptimizer is AdamW with the paper's learning rate; weight decay is PyTorch's default, the schedule cosine.
func DefaultOptimizer() record.Optimizer {
	return record.Optimizer{Name: "adamw", LearningRate: 5e-3, WeightDecay: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Schedule: "cosine"}
}

// learningRate is the rate of step (from 0) of steps.
//
//	cosine:        ½·lr·(1 + cos(π·step/steps))   (Loshchilov & Hutter 2017, without restarts)
//	constant:      lr
//	warmup-cosine: cosine, times (step+1)/(0.05·steps) over the first twentieth of the steps
func learningRate(o record.Optimizer, step, steps int) float64 {
	switch o.Schedule {
	case "constant":
		return o.LearningRate
	case "warmup-cosine":
		rise := min(1, float64(step+1)/(warmup*float64(steps)))
		return rise * 0.5 * o.LearningRate * (1 + math.Cos(math.Pi*float64(step)/float64(steps)))
	}
	return 0.5 * o.LearningRate * (1 + math.Cos(math.Pi*float64(step)/float64(steps)))
}

// fraction is how far training has come at step (from 0) of steps: 0 at the first, 1 at the last.
func fraction(step, steps int) float64 {
	if steps <= 1 {
		return 0
	}
	return float64(step) / float64(steps-1)
}

// CheckOptimizer says what of an optimizer setting makes no sense.
func CheckOptimizer(o record.Optimizer) error {
	switch {
	case o.Name != "adamw":
		return fmt.Errorf("unknown optimizer %q: there is adamw", o.Name)
	case !slices.Contains(Schedules, o.Schedule):
		return fmt.Errorf("unknown learning-rate schedule %q: there are %s", o.Schedule, strings.Join(Schedules, ", "))
	case !(o.LearningRate > 0) || math.IsInf(o.LearningRate, 0):
		return fmt.Errorf("learning rate %v: it must be above 0", o.LearningRate)
	case !(o.WeightDecay >= 0) || math.IsInf(o.WeightDecay, 0):
		return fmt.Errorf("weight decay %v: it must not be negative", o.WeightDecay)
	}
	return nil
}
