package dataset

import (
	"errors"
	"fmt"
)

// What can be wrong with one image file; tell them apart with errors.Is.
var (
	ErrMissing     = errors.New("is missing")
	ErrUnreadable  = errors.New("cannot be read")
	ErrEmpty       = errors.New("is empty")
	ErrTruncated   = errors.New("is cut short")
	ErrDamaged     = errors.New("is damaged")
	ErrNotImage    = errors.New("is not an image")
	ErrTooLarge    = errors.New("is too large")
	ErrUnsupported = errors.New("is of an unsupported kind")
)

var remedies = map[error]string{
	ErrMissing:     "restore it, or take it off the list that names it",
	ErrUnreadable:  "check its permissions, and that it is a plain file",
	ErrEmpty:       "copy or download it again, or delete it",
	ErrTruncated:   "copy or download it again, or delete it",
	ErrDamaged:     "copy or download it again, or delete it",
	ErrNotImage:    "leave it out, or keep it elsewhere",
	ErrTooLarge:    "scale it down, or raise the limit if you trust it",
	ErrUnsupported: "convert it to PNG",
}

// ImageError says what is wrong with one image file and what to do. It matches Kind and Cause under errors.Is.
type ImageError struct {
	Path  string
	Kind  error // one of the errors above
	Cause error // what the file system or the decoder said; may be nil
}

func (e *ImageError) Error() string {
	if e.Cause == nil {
		return fmt.Sprintf("%s %v: %s", e.Path, e.Kind, remedies[e.Kind])
	}
	return fmt.Sprintf("%s %v (%v): %s", e.Path, e.Kind, e.Cause, remedies[e.Kind])
}

// Unwrap returns the kind and the cause.
func (e *ImageError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Cause}
}
