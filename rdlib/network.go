package rdlib

import "rd/rdlib/model"

// newNetwork describes an architecture and checks that it takes images of size×size pixels. Every error is a usage error.
func newNetwork(name string, c model.Config, size int) (*model.Network, error) {
	c.Transformer.Height, c.Transformer.Width = size, size
	n, err := model.New(name, c)
	if err == nil {
		_, err = n.Shapes(3, size, size)
	}
	if err != nil {
		return nil, &UsageError{err}
	}
	return n, nil
}
