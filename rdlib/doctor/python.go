package doctor

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// setupRemedy is what supplies everything the project pins.
const setupRemedy = "make setup"

// tools looks for what notebooks need: the project's .venv, Jupyter's parts in it, and the Go kernel.
func tools(ctx context.Context, root string) []Tool {
	python := venvPython(ctx, root)
	found := []Tool{python}
	for _, name := range []string{"jupyterlab", "nbclient", "nbconvert"} {
		found = append(found, distribution(root, name, python.Available))
	}
	gonb := Tool{Name: "gonb", Path: onPath("gonb")}
	if gonb.Path == "" && root != "" {
		gonb.Path = onPath(filepath.Join(root, "bin", "gonb")) // where make kernel puts it
	}
	if gonb.Available = gonb.Path != ""; gonb.Available {
		gonb.Version = moduleVersion(ctx, gonb.Path)
	} else {
		gonb.Remedy = "make kernel, in the clone (only for notebooks; make lab does it)"
	}
	return append(found, gonb)
}

func venvPython(ctx context.Context, root string) Tool {
	tool := Tool{Name: "python (.venv)", Remedy: setupRemedy}
	if root == "" {
		tool.Detail = "the clone of the project was not found from here"
		tool.Remedy = "run inside the clone"
		return tool
	}
	path := filepath.Join(root, ".venv", "bin", "python")
	if _, err := os.Stat(path); err != nil {
		return tool
	}
	version, err := output(ctx, path, "-I", "-c", "import platform; print(platform.python_version())")
	if err != nil {
		tool.Detail = path + " does not run"
		tool.Remedy = "rm -r .venv; make setup"
		return tool
	}
	return Tool{Name: tool.Name, Available: true, Path: path, Version: version}
}

// distribution reads a package's version off its metadata folder in the .venv, which is quicker than asking pip.
func distribution(root, name string, havePython bool) Tool {
	tool := Tool{Name: name, Remedy: setupRemedy}
	if root == "" || !havePython {
		return tool
	}
	folders, _ := filepath.Glob(filepath.Join(glob(root), ".venv", "lib", "python*", "site-packages", name+"-*.dist-info"))
	if len(folders) == 0 {
		return tool
	}
	version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(folders[0]), name+"-"), ".dist-info")
	return Tool{Name: name, Available: true, Path: filepath.Dir(folders[0]), Version: version}
}

// glob quotes a path for use at the head of a pattern.
func glob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// moduleVersion returns the version of the module that a Go program was built from, or "".
func moduleVersion(ctx context.Context, program string) string {
	compiler, err := exec.LookPath("go")
	if err != nil {
		return ""
	}
	out, err := output(ctx, compiler, "version", "-m", program)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) >= 3 && fields[0] == "mod" {
			return fields[2]
		}
	}
	return ""
}

func onPath(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}
