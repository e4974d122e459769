// Package backend chooses and opens the engine that GoMLX graphs run on: XLA on a GPU, XLA on the processor, ONNX
// Runtime, or pure Go. It looks only at what is on the machine and never downloads anything.
package backend

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/go-xla/compute/xla"
	"github.com/gomlx/gomlx/support/exceptions"

	"rd/rdlib/backend/ortengine"
	"rd/rdlib/backend/ortlib"
	"rd/rdlib/spelling"
)

// Names of the backends, in order of preference.
const (
	CUDA   = "xla:cuda" // XLA on an NVIDIA GPU
	XLACPU = "xla:cpu"  // XLA on the processor
	ONNX   = "onnx"     // ONNX Runtime on the processor
	Go     = "go"       // pure Go: always there, very slow for convolutions
)

// Env names the environment variable, GoMLX's own, that overrides the choice where Options.Name is empty: one of the names
// above, "xla" for the first PJRT plugin found, or "xla:" and the absolute path of a plugin; XLA's options may follow, as in
// "xla:cuda,preallocate=true".
const Env = compute.ConfigEnvVar

// Options configure Open.
type Options struct {
	Name    string // "": the environment variable's, else the first available
	Threads int    // of an operation, on ONNX Runtime and Go; 0: one per processor
	Spin    bool   // idle threads of ONNX Runtime wait awake: a little faster alone on a machine, much slower on a shared one
	Profile string // prefix of the profile files ONNX Runtime writes when a session ends (see Profile); "": none
}

// Open opens a backend.
func Open(o Options) (compute.Backend, error) {
	name, origin := o.Name, ""
	if name == "" {
		if name = strings.TrimSpace(os.Getenv(Env)); name != "" {
			origin = Env + "="
		}
	}
	if name == "" {
		infos := Detect()
		name = infos[slices.IndexFunc(infos, func(i Info) bool { return i.Available })].Name
		b, err := open(name, o)
		if err != nil {
			return nil, fmt.Errorf("%w (set %s to another backend, %s or %s, to do without it)", err, Env, ONNX, Go)
		}
		return b, nil
	}
	b, err := open(name, o)
	if err != nil && origin != "" {
		return nil, fmt.Errorf("%s%s: %w", origin, name, err)
	}
	return b, err
}

func open(name string, o Options) (compute.Backend, error) {
	if o.Threads < 0 {
		return nil, fmt.Errorf("%d threads: give 1 or more, or 0 for one per processor", o.Threads)
	}
	kind, config, _ := strings.Cut(name, ":")
	if o.Profile != "" && kind != ONNX {
		return nil, fmt.Errorf("a profile can be had of the backend %s only, not of %s", ONNX, name)
	}
	switch kind {
	case "xla":
		return openXLA(config)
	case ONNX:
		if config != "" && config != "cpu" {
			return nil, fmt.Errorf("backend %q: %s runs on the processor here and takes no configuration", name, ONNX)
		}
		return ortengine.New(ortengine.Options{Threads: o.Threads, Spin: o.Spin, Profile: o.Profile})
	case Go:
		if config != "" {
			return nil, fmt.Errorf("backend %q: %s takes no configuration", name, Go)
		}
		return openGo(o.Threads)
	}
	return nil, unknown(name)
}

func unknown(name string) error {
	known := []string{CUDA, XLACPU, ONNX, Go}
	return fmt.Errorf("unknown backend %q: did you mean %q? There are %s, and xla:/path/of/a/pjrt_plugin.so", name, spelling.Nearest(name, known), strings.Join(known, ", "))
}

// openXLA opens the PJRT plugin that config names: "cuda", "cpu", "" for the first found, or a path; options follow a comma.
func openXLA(config string) (backend compute.Backend, err error) {
	name, options, _ := strings.Cut(config, ",")
	path := name
	if !filepath.IsAbs(name) {
		plugins := PJRTPlugins()
		i := slices.IndexFunc(plugins, func(p Plugin) bool { return p.Name == name || name == "" })
		if i < 0 {
			return nil, fmt.Errorf("no PJRT plugin %q was found: %s", name, pluginRemedy(name))
		}
		path = plugins[i].Path
	}
	if err := checkPlugin(path); err != nil {
		return nil, err
	}
	if options != "" {
		path += "," + options
	}
	// An absolute path keeps go-xla from installing anything.
	xla.EnableAutoInstall(false)
	if thrown := exceptions.TryCatch[error](func() { backend, err = xla.New(path) }); thrown != nil {
		err = thrown
	}
	if err != nil {
		return nil, fmt.Errorf("open the PJRT plugin %s: %w", path, err)
	}
	return backend, nil
}

// goThreads remembers the thread counts of open Go backends, which do not tell.
var goThreads sync.Map // compute.Backend → int

func openGo(threads int) (compute.Backend, error) {
	// One operation at a time: in parallel, convolutions on two cores may wait for workers that wait for them.
	b, err := gobackend.New("ops_sequential")
	if err != nil {
		return nil, fmt.Errorf("open the Go backend: %w", err)
	}
	if threads == 0 {
		threads = runtime.NumCPU()
	} else if err := limitWorkers(b, threads); err != nil {
		return nil, err
	}
	goThreads.Store(b, threads)
	return b, nil
}

// limitWorkers sets the size of the Go backend's worker pool. Its configuration string can do that too, but then prints to standard
// output, and its type is private to GoMLX.
func limitWorkers(b compute.Backend, threads int) error {
	workers := reflect.Indirect(reflect.ValueOf(b)).FieldByName("Workers")
	if !workers.IsValid() {
		return errors.New("this version of the Go backend has no worker pool to limit: leave the number of threads at 0")
	}
	set := workers.MethodByName("SetMaxParallelism")
	if !set.IsValid() && workers.CanAddr() {
		set = workers.Addr().MethodByName("SetMaxParallelism")
	}
	if !set.IsValid() {
		return errors.New("this version of the Go backend cannot limit its worker pool: leave the number of threads at 0")
	}
	set.Call([]reflect.Value{reflect.ValueOf(threads)})
	return nil
}

// NameOf returns the name of an open backend: one of the constants, or "xla:" and a plugin's name.
func NameOf(b compute.Backend) string {
	switch b := b.(type) {
	case *xla.Backend:
		return "xla:" + pluginName(b.PluginName())
	case *ortengine.Backend:
		return ONNX
	}
	if isGo(b) {
		return Go
	}
	return b.Name()
}

// isGo tells GoMLX's pure Go backend, whose type is private and whose Name is a title, by where it is defined.
func isGo(b compute.Backend) bool {
	return strings.HasSuffix(reflect.Indirect(reflect.ValueOf(b)).Type().PkgPath(), "/gobackend")
}

// VersionOf returns the version of an open backend's engine: ONNX Runtime's, the PJRT plugin's description, or the module's.
func VersionOf(b compute.Backend) string {
	switch b := b.(type) {
	case *xla.Backend:
		return b.Description()
	case *ortengine.Backend:
		return b.Version()
	}
	return moduleVersion("github.com/gomlx/compute")
}

// ThreadsOf returns how many processor threads an open backend runs an operation on; 0 for a GPU.
func ThreadsOf(b compute.Backend) int {
	switch b := b.(type) {
	case *xla.Backend:
		if b.IsCUDA() {
			return 0
		}
	case *ortengine.Backend:
		return b.Threads()
	}
	if threads, ok := goThreads.Load(b); ok {
		return threads.(int)
	}
	return runtime.NumCPU()
}

// moduleVersion returns the version of a module linked into this program, "" when the program does not know.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, module := range info.Deps {
		if module.Path == path {
			return module.Version
		}
	}
	return ""
}

// Info says whether a backend can be used on this machine.
type Info struct {
	Name      string `json:"name"`
	Available bool   `json:"available"`
	Version   string `json:"version"`
	Detail    string `json:"detail"`           // what was found, or why nothing was
	Remedy    string `json:"remedy,omitempty"` // what to do, if it is not available
}

// Detect lists the backends in order of preference. It opens none of them.
func Detect() []Info {
	plugins := PJRTPlugins()
	return []Info{detectXLA(CUDA, plugins), detectXLA(XLACPU, plugins), detectONNX(), {
		Name: Go, Available: true, Version: moduleVersion("github.com/gomlx/compute"), Detail: "pure Go, always there, very slow for convolutions",
	}}
}

func detectXLA(name string, plugins []Plugin) Info {
	_, want, _ := strings.Cut(name, ":")
	i := slices.IndexFunc(plugins, func(p Plugin) bool { return p.Name == want })
	if i < 0 {
		return Info{Name: name, Detail: "no PJRT plugin found", Remedy: pluginRemedy(want)}
	}
	info := Info{Name: name, Detail: plugins[i].Path, Version: moduleVersion("github.com/gomlx/go-xla")}
	switch err := checkPlugin(plugins[i].Path); {
	case err != nil:
		info.Detail, info.Remedy = err.Error(), pluginRemedy(want)
	case name == CUDA && !hasNVIDIADevice():
		info.Detail, info.Remedy = plugins[i].Path+" is there, but no NVIDIA GPU", "run on a machine with an NVIDIA GPU and its driver"
	default:
		info.Available = true
	}
	return info
}

func detectONNX() Info {
	library, err := ortlib.Find()
	if err != nil {
		return Info{Name: ONNX, Version: library.Version, Detail: err.Error(), Remedy: "run `make setup`, or set " + ortlib.PathEnv}
	}
	return Info{Name: ONNX, Available: true, Version: library.Version, Detail: library.Path + " (" + library.Source + ")"}
}

func hasNVIDIADevice() bool {
	devices, _ := filepath.Glob("/dev/nvidia[0-9]*")
	return len(devices) > 0
}
