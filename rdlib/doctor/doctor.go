// Package doctor reports what a machine offers to the project: toolchain, processor, memory, backends, GPUs, ONNX
// Runtime, Jupyter and data, and for what is missing the command that supplies it. It only looks: nothing is downloaded,
// installed or changed, and a probe that hangs is given up after a few seconds.
package doctor

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"

	"rd/rdlib/backend"
	"rd/rdlib/backend/ortlib"
)

// probeTimeout is how long one external program may take to answer.
const probeTimeout = 5 * time.Second

// Options of Collect.
type Options struct {
	Data string // folder of data sets; "" for none
}

// Report is what was found. Sizes are in bytes unless the name says otherwise.
type Report struct {
	Backends    []backend.Info   `json:"backends"` // in order of preference
	Default     string           `json:"default"`  // the backend used when none is asked for; "" when none is available
	Go          GoInfo           `json:"go"`
	CPU         CPU              `json:"cpu"`
	Memory      Memory           `json:"memory"`
	Disk        Disk             `json:"disk"`
	ONNXRuntime Library          `json:"onnxruntime"`
	Plugins     []backend.Plugin `json:"pjrt_plugins"`
	GPUs        []GPU            `json:"gpus"`
	GPUDetail   string           `json:"gpu_detail,omitempty"` // why there are none
	Tools       []Tool           `json:"tools"`                // Python, Jupyter, GoNB
	Data        []DataFolder     `json:"data"`
	DataRemedy  string           `json:"data_remedy,omitempty"` // set when no data was found
}

// Tool is an external program or package. Remedy is empty when it is available.
type Tool struct {
	Name      string `json:"name"`
	Available bool   `json:"available"`
	Version   string `json:"version,omitempty"`
	Path      string `json:"path,omitempty"`
	Detail    string `json:"detail,omitempty"`
	Remedy    string `json:"remedy,omitempty"`
}

// Library is the ONNX Runtime library that would be opened.
type Library struct {
	Available bool   `json:"available"`
	Path      string `json:"path,omitempty"`
	Version   string `json:"version,omitempty"`
	Source    string `json:"source,omitempty"`
	Problem   string `json:"problem,omitempty"` // with its remedy
}

// Collect looks at the machine. It returns no error: what cannot be found out is reported as missing.
func Collect(ctx context.Context, o Options) Report {
	root, _ := ortlib.ProjectRoot()
	r := Report{
		Backends:    backend.Detect(),
		Plugins:     append([]backend.Plugin{}, backend.PJRTPlugins()...),
		Go:          goInfo(ctx),
		CPU:         cpuInfo(),
		Memory:      memoryInfo(),
		Disk:        diskInfo(root),
		ONNXRuntime: libraryInfo(),
		Tools:       tools(ctx, root),
	}
	r.Default = defaultBackend(os.Getenv(backend.Env), r.Backends)
	r.GPUs, r.GPUDetail = gpus(ctx)
	r.Data, r.DataRemedy = dataFolders(o.Data)
	return r
}

// defaultBackend names what an unspecified backend resolves to: GOMLX_BACKEND's, without its options, or the first
// available. A plugin's path stays as it is.
func defaultBackend(env string, infos []backend.Info) string {
	if env != "" {
		name, _, _ := strings.Cut(env, ",")
		for _, info := range infos {
			if info.Name == name || name == "xla" && info.Available && strings.HasPrefix(info.Name, "xla:") {
				return info.Name
			}
		}
		return name
	}
	for _, info := range infos {
		if info.Available {
			return info.Name
		}
	}
	return ""
}

func libraryInfo() Library {
	lib, err := ortlib.Find()
	if err != nil {
		return Library{Path: lib.Path, Version: lib.Version, Source: lib.Source, Problem: err.Error()}
	}
	return Library{Available: true, Path: lib.Path, Version: lib.Version, Source: lib.Source}
}

// output runs a program and returns what it prints, without outer blanks.
func output(ctx context.Context, program string, arguments ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, program, arguments...)
	command.WaitDelay = time.Second // a child that keeps the pipe open must not hold us
	out, err := command.Output()
	return strings.TrimSpace(string(out)), err
}

// goInfo asks the go command, which a machine that only runs bin/rd lacks.
func goInfo(ctx context.Context) GoInfo {
	info := GoInfo{Built: builtWith}
	path, err := exec.LookPath("go")
	if err != nil {
		info.Remedy = "needed to build and for notebooks: https://go.dev/dl"
		return info
	}
	info.Path = path
	out, err := output(ctx, path, "env", "GOVERSION", "GOFLAGS", "CGO_ENABLED")
	if err != nil {
		info.Remedy = path + " env fails: reinstall Go from https://go.dev/dl"
		return info
	}
	lines := append(strings.Split(out, "\n"), "", "", "")
	info.Version, info.Flags, info.CGO = lines[0], lines[1], lines[2] == "1"
	if strings.Contains(info.Flags, "-mod=mod") {
		info.Remedy = "GOFLAGS=-mod=mod breaks notebooks: unset it"
	}
	return info
}
