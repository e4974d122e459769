package checkpoint

import (
	"regexp"
	"slices"
	"strings"
)

// A translation turns a name of a publication, its wrapper removed, into the architecture's own; names that it does not
// concern stay.
type translation func(name string) string

// translations are those of the known publications; the first changes nothing.
var translations = []translation{
	func(name string) string { return name },
	denseNames,
	residualNames,
}

// oldDenseName matches the names in torchvision's early DenseNets, whose layers had a dot before their number.
var oldDenseName = regexp.MustCompile(`^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..*)$`)

// denseNames are of torchvision's early DenseNets, and of one cut into its children, as RadImageNet publishes it.
func denseNames(name string) string {
	if m := oldDenseName.FindStringSubmatch(name); m != nil {
		name = m[1] + m[2]
	}
	if rest, ok := strings.CutPrefix(name, "0."); ok {
		return "features." + rest
	}
	return name
}

// children are those of a torchvision ResNet that have parameters, by their number.
var children = map[string]string{"0.": "conv1.", "1.": "bn1.", "4.": "layer1.", "5.": "layer2.", "6.": "layer3.", "7.": "layer4."}

// residualNames are of a ResNet cut into its children, as RadImageNet publishes it.
func residualNames(name string) string {
	if len(name) > 2 {
		if own, ok := children[name[:2]]; ok {
			return own + name[2:]
		}
	}
	return name
}

// naming says how the names of a file become an architecture's.
type naming struct {
	prefix    string // of the names that are meant
	translate translation
}

// of returns the architecture's name of a file's; false for a name outside the prefix.
func (n naming) of(name string) (string, bool) {
	rest, ok := strings.CutPrefix(name, n.prefix)
	return n.translate(rest), ok
}

// maxWrappers bounds how many dotted parts a wrapper's name has.
const maxWrappers = 4

// prefixes returns the dotted beginnings that names have, the empty one first, then by their length.
func prefixes(names []string) []string {
	list := []string{""}
	seen := map[string]bool{"": true}
	for _, name := range names {
		at := 0
		for range maxWrappers {
			dot := strings.IndexByte(name[at:], '.')
			if dot < 0 {
				break
			}
			at += dot + 1
			if prefix := name[:at]; !seen[prefix] {
				seen[prefix] = true
				list = append(list, prefix)
			}
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return len(a) - len(b) })
	return list
}

// bestNaming is the naming by which most names of a file are among the expected; of equals, the one that removes and
// changes least.
func bestNaming(names []string, expected map[string]bool) naming {
	best, most := naming{"", translations[0]}, -1
	for _, prefix := range prefixes(names) {
		var under int
		for _, name := range names {
			if strings.HasPrefix(name, prefix) {
				under++
			}
		}
		if under <= most {
			continue
		}
		for _, translate := range translations {
			n, matches := naming{prefix, translate}, 0
			for _, name := range names {
				if own, ok := n.of(name); ok && expected[own] {
					matches++
				}
			}
			if matches > most {
				best, most = n, matches
			}
		}
	}
	return best
}

// towers are the names of image encoders in files that hold more, such as a text encoder.
var towers = []string{"visual", "image_encoder", "vision_model", "vision_tower", "vision_encoder"}

// tower reports whether a prefix names the image encoder of a larger model, whose other parts are no mistake.
func (n naming) tower() bool {
	return slices.ContainsFunc(strings.Split(n.prefix, "."), func(part string) bool { return slices.Contains(towers, part) })
}
