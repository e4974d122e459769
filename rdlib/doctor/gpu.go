package doctor

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// GPU is one line of nvidia-smi.
type GPU struct {
	Name       string `json:"name"`
	MemoryMiB  int    `json:"memory_mib"`
	Driver     string `json:"driver"`
	Capability string `json:"compute_capability"`
}

// gpus asks nvidia-smi; when there are none, the second result says why.
func gpus(ctx context.Context) ([]GPU, string) {
	path, err := exec.LookPath("nvidia-smi")
	if err != nil {
		return []GPU{}, "nvidia-smi is not installed"
	}
	out, err := output(ctx, path, "--query-gpu=name,memory.total,driver_version,compute_cap", "--format=csv,noheader,nounits")
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "killed") {
			return []GPU{}, fmt.Sprintf("%s did not answer within %v: see the driver's log (dmesg)", path, probeTimeout)
		}
		return []GPU{}, fmt.Sprintf("%s fails (%v): is the driver loaded?", path, err)
	}
	return parseGPUs(out), ""
}

func parseGPUs(csv string) []GPU {
	found := []GPU{}
	for line := range strings.Lines(csv) {
		fields := strings.Split(line, ",")
		if len(fields) < 4 {
			continue
		}
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		memory, _ := strconv.Atoi(fields[1])
		found = append(found, GPU{Name: fields[0], MemoryMiB: memory, Driver: fields[2], Capability: fields[3]})
	}
	return found
}
