package distill

import (
	"math/rand/v2"
)

// A Keeper is a Method that has more than networks: variables of its own, or random numbers that every step is fed.
type Keeper interface {
	Method
	// Variables describes the variables, by name.
	Variables(Context) map[string]Variable
	// Draws describes the random numbers, by name.
	Draws(Context) map[string]Draw
}

// A Variable is an array a method keeps from step to step: a parameter that belongs to no network, which the optimizer
// trains, or a state that the loss itself renews by Step.Assign. Checkpoints hold both.
type Variable struct {
	Shape     []int
	Trainable bool
	// Init returns the values before the first step; what random gives follows from the initialisation seed and the name.
	Init func(random *rand.Rand) []float32
}

// A Draw is an array of random numbers that every step of the student is fed.
type Draw struct {
	Shape []int // the batch axis included
	// Fill draws one step's numbers for the training images of the batch; what random gives follows from the augmentation
	// seed, the phase, the step and the name, so that a run that was stopped goes on with the same numbers.
	Fill func(random *rand.Rand, items []int, values []float32)
}
