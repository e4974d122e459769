package doctor

import (
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"
)

// builtWith is the release this program was compiled with.
var builtWith = runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH

// GoInfo is the Go toolchain on PATH, and the one this program was built with.
type GoInfo struct {
	Version string `json:"version"` // "" when there is none on PATH
	Flags   string `json:"goflags"`
	CGO     bool   `json:"cgo"`
	Path    string `json:"path,omitempty"`
	Built   string `json:"built_with"`
	Remedy  string `json:"remedy,omitempty"`
}

// CPU is the processor. Usable counts the processors this process may run on.
type CPU struct {
	Model    string   `json:"model"`
	Cores    int      `json:"cores"`
	Usable   int      `json:"usable"`
	Features []string `json:"features"`
}

// Memory in bytes.
type Memory struct {
	Total     uint64 `json:"total"`
	Available uint64 `json:"available"`
}

// Disk is the file system of the project (or of the working directory), in bytes.
type Disk struct {
	Path  string `json:"path"`
	Total uint64 `json:"total"`
	Free  uint64 `json:"free"`
}

// speedFeatures are the instruction sets that decide how fast the backends' kernels run.
var speedFeatures = []string{
	"avx", "avx2", "fma", "f16c", "avx_vnni", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx512_bf16",
	"amx_tile", "amx_bf16", "asimd", "asimdhp", "sve",
}

func cpuInfo() CPU {
	info := CPU{Usable: runtime.NumCPU(), Features: []string{}}
	info.Cores, _ = cpu.Counts(false)
	processors, err := cpu.Info()
	if err != nil || len(processors) == 0 {
		return info
	}
	info.Model = strings.Join(strings.Fields(processors[0].ModelName), " ")
	for _, feature := range speedFeatures {
		if slices.Contains(processors[0].Flags, feature) {
			info.Features = append(info.Features, feature)
		}
	}
	return info
}

func memoryInfo() Memory {
	m, err := mem.VirtualMemory()
	if err != nil {
		return Memory{}
	}
	return Memory{Total: m.Total, Available: m.Available}
}

func diskInfo(folder string) Disk {
	if folder == "" {
		folder, _ = os.Getwd()
	}
	usage, err := disk.Usage(folder)
	if err != nil {
		return Disk{Path: folder}
	}
	return Disk{Path: folder, Total: usage.Total, Free: usage.Free}
}
