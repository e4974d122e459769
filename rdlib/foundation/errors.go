package foundation

import "errors"

// Errors that callers tell apart with errors.Is. Each is wrapped with the file concerned and the remedy.
var (
	// ErrModel marks a file that cannot serve as a teacher: missing, garbage, cut short, without a float image input, or
	// failing the shape check.
	ErrModel = errors.New("unusable teacher")
	// ErrSideCar marks a side-car that cannot be read or contradicts the model.
	ErrSideCar = errors.New("unusable side-car")
	// ErrCheck marks a model that does not reproduce the check vector of its side-car.
	ErrCheck = errors.New("check vector not reproduced")
	// ErrMismatch marks a feature cache that is sound but of something else: another teacher, other images, another
	// preprocessing, other views or outputs. Compute it again.
	ErrMismatch = errors.New("feature cache is of something else")
	// ErrCorrupt marks a feature cache that was cut short, changed or never completed. Compute it again.
	ErrCorrupt = errors.New("damaged feature cache")
	// ErrClosed is returned when a teacher or cache is used after Close.
	ErrClosed = errors.New("already closed")
	// ErrNoSpace marks a disk without room for a feature cache.
	ErrNoSpace = errors.New("not enough disk space")
)
