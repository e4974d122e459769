// Package peer finds what the benchmarks compare with.
package peer

import (
	"errors"
	"os/exec"
)

// Torch returns the Python named, or the first of some, that has torch and torchvision.
func Torch(named string) (string, error) {
	candidates := []string{"python3", "/usr/bin/python3", ".venv/bin/python"}
	if named != "" {
		candidates = []string{named}
	}
	for _, python := range candidates {
		if exec.Command(python, "-c", "import torch, torchvision").Run() == nil {
			return python, nil
		}
	}
	return "", errors.New("PyTorch is not at hand (Debian: apt-get install python3-torch python3-torchvision): only rd is timed")
}
