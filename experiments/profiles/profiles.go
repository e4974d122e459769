// Package profiles holds the matrices that come with the command rd, one YAML file each.
package profiles

import (
	"embed"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names lists the profiles, from the smallest on.
func Names() []string { return []string{"ci", "quick", "small", "paper"} }

// Read returns a profile's text and the name of its file in the sources.
func Read(name string) (text []byte, path string, err error) {
	path = strings.TrimSuffix(name, ".yaml") + ".yaml"
	text, err = files.ReadFile(path)
	return text, "experiments/profiles/" + path, err
}
