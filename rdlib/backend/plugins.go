package backend

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"rd/rdlib/backend/ortlib"
)

// Plugin is a PJRT plugin, the shared library that makes XLA run on some device.
type Plugin struct {
	Name string `json:"name"` // "cuda", "cpu", …
	Path string `json:"path"`
}

// PluginPathEnv names the environment variable with folders to search first, separated by colons.
const PluginPathEnv = "PJRT_PLUGIN_LIBRARY_PATH"

// PJRTPlugins lists the plugins found, in order: in the folders of PJRT_PLUGIN_LIBRARY_PATH, in those where go-xla installs them,
// in those of LD_LIBRARY_PATH, and in site-packages/jax_plugins of every Python found (the project's .venv, an active virtual environment, those on PATH).
func PJRTPlugins() []Plugin {
	var patterns []string
	for _, folder := range pluginFolders() {
		for _, name := range []string{"pjrt_c_api_*_plugin", "pjrt-plugin-*", "pjrt_plugin_*"} {
			patterns = append(patterns, filepath.Join(folder, name+libraryExtension()))
		}
	}
	for _, packages := range sitePackages() {
		// JAX: jax_plugins/xla_cuda13/xla_cuda_plugin.so
		patterns = append(patterns, filepath.Join(packages, "jax_plugins", "*", "*plugin*"+libraryExtension()))
	}
	var plugins []Plugin
	for _, pattern := range patterns {
		matches, _ := filepath.Glob(pattern)
		slices.Sort(matches)
		slices.Reverse(matches) // newest version first
		for _, path := range matches {
			if name := pluginName(path); name != "" && !slices.ContainsFunc(plugins, func(p Plugin) bool { return p.Path == path }) {
				plugins = append(plugins, Plugin{Name: name, Path: path})
			}
		}
	}
	rank := func(p Plugin) int { return slices.Index([]string{"cpu", "cuda"}, p.Name) }
	slices.SortStableFunc(plugins, func(a, b Plugin) int { return rank(b) - rank(a) })
	return plugins
}

// pluginFile matches the file names of PJRT plugins; the device is in one of the groups.
var pluginFile = regexp.MustCompile(`^(?:pjrt_c_api_(.+)_plugin|pjrt[-_]plugin[-_](.+)|xla_(.+)_plugin)\.(?:so|dylib|dll)$`)

// pluginVersion is what follows the device in a file name, as in cuda12 or cpu_v0.83.1.
var pluginVersion = regexp.MustCompile(`[-_]?v?[0-9][0-9.]*$`)

// pluginName returns the device a plugin is for, from its file name; "" if the file is no plugin.
func pluginName(path string) string {
	match := pluginFile.FindStringSubmatch(filepath.Base(path))
	if match == nil {
		return ""
	}
	return pluginVersion.ReplaceAllString(match[1]+match[2]+match[3], "")
}

func libraryExtension() string {
	switch runtime.GOOS {
	case "darwin":
		return ".dylib"
	case "windows":
		return ".dll"
	}
	return ".so"
}

func pluginFolders() []string {
	folders := filepath.SplitList(os.Getenv(PluginPathEnv))
	if home, err := os.UserHomeDir(); err == nil {
		folders = append(folders, filepath.Join(home, ".local", "lib", "go-xla"), filepath.Join(home, ".local", "lib", "go-xla", "nvidia"))
	}
	folders = append(folders, "/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia")
	folders = append(folders, filepath.SplitList(os.Getenv("LD_LIBRARY_PATH"))...)
	return slices.DeleteFunc(folders, func(f string) bool { return !filepath.IsAbs(f) })
}

// sitePackages lists the package folders of every Python found, without starting any.
func sitePackages() []string {
	var prefixes []string
	if root, err := ortlib.ProjectRoot(); err == nil {
		prefixes = append(prefixes, filepath.Join(root, ".venv"))
	}
	prefixes = append(prefixes, os.Getenv("VIRTUAL_ENV"), os.Getenv("CONDA_PREFIX"))
	for _, program := range []string{"python3", "python"} {
		if path, err := exec.LookPath(program); err == nil {
			prefixes = append(prefixes, filepath.Dir(filepath.Dir(path)))
			if real, err := filepath.EvalSymlinks(path); err == nil {
				prefixes = append(prefixes, filepath.Dir(filepath.Dir(real)))
			}
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		prefixes = append(prefixes, filepath.Join(home, ".local"))
	}
	prefixes = append(prefixes, "/usr/local", "/usr")
	var folders []string
	for _, prefix := range prefixes {
		if prefix == "" {
			continue
		}
		for _, name := range []string{"site-packages", "dist-packages"} {
			for _, pattern := range []string{filepath.Join(prefix, "lib", "python3*", name), filepath.Join(prefix, "lib64", "python3*", name)} {
				matches, _ := filepath.Glob(pattern)
				folders = append(folders, matches...)
			}
		}
	}
	for _, folder := range filepath.SplitList(os.Getenv("PYTHONPATH")) {
		folders = append(folders, folder)
	}
	return folders
}

// checkPlugin reads the library's symbols, without loading it, and says what keeps it from being a PJRT plugin.
func checkPlugin(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("the PJRT plugin cannot be read: %w", err)
	}
	if info.IsDir() {
		return fmt.Errorf("the PJRT plugin %s is a folder: give the path of the shared library", path)
	}
	if runtime.GOOS != "linux" {
		return nil
	}
	library, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("the PJRT plugin %s is not a shared library: %w", path, err)
	}
	defer library.Close()
	symbols, err := library.DynamicSymbols()
	if err != nil || !slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == "GetPjrtApi" && s.Section != elf.SHN_UNDEF }) {
		return fmt.Errorf("%s is not a PJRT plugin: it exports no GetPjrtApi", path)
	}
	return nil
}

func pluginRemedy(name string) string {
	folder := PluginPathEnv + " to the folder of pjrt_c_api_" + strings.TrimSpace(name) + "_plugin" + libraryExtension()
	switch name {
	case "cuda":
		return "`pip install jax-cuda13-pjrt` (or -cuda12-) on a machine with an NVIDIA GPU, or set " + folder
	case "":
		return "set " + PluginPathEnv + " to the folder of one"
	}
	return "set " + folder
}
