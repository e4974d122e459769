package dataset

import (
	"path/filepath"
	"slices"
)

// btc is the brain-tumour classification set of Bhuvaji et al. (2020), magnetic-resonance images with a published test
// part.
var btc = layout{
	name:  "btc",
	about: "{Training,Testing}/{glioma_tumor,meningioma_tumor,no_tumor,pituitary_tumor}",
	looks: func(root string, top folder) bool {
		for _, part := range []string{btcParts[Train], btcParts[Test]} {
			if f, err := readFolder(filepath.Join(root, part)); err == nil && len(f.without("", btcClasses)) < len(btcClasses) {
				return true
			}
		}
		return false
	},
	read: func(root string, o Options) (*listing, error) {
		return readNamedParts(root, btcParts, btcClasses, nil, o)
	},
	published: map[Split]map[string]int{
		Train: {"glioma_tumor": 826, "meningioma_tumor": 822, "no_tumor": 395, "pituitary_tumor": 827},
		Test:  {"glioma_tumor": 100, "meningioma_tumor": 115, "no_tumor": 105, "pituitary_tumor": 74},
	},
}

var (
	btcClasses = []string{"glioma_tumor", "meningioma_tumor", "no_tumor", "pituitary_tumor"}
	btcParts   = map[Split]string{Train: "Training", Test: "Testing"}
)

// readNamedParts reads ROOT/PART/CLASS/IMAGE where the names of all parts and classes are known. A class folder may also
// bear a name that also gives for the class.
func readNamedParts(root string, parts map[Split]string, classes []string, also map[string]string, o Options) (*listing, error) {
	top, err := readFolder(root)
	if err != nil {
		return nil, err
	}
	l := &listing{source: newSource(root, o.Limits), classes: classes}
	var names []string
	var missing missingParts
	for _, part := range []Split{Train, Val, Test} {
		name := parts[part]
		if name == "" {
			continue
		}
		names = append(names, name)
		if !slices.Contains(top.dirs, name) {
			missing = append(missing, name)
			continue
		}
		below, err := readFolder(filepath.Join(root, name))
		if err != nil {
			return nil, err
		}
		var folders []string
		for _, class := range classes {
			found := slices.DeleteFunc([]string{class, also[class]}, func(f string) bool { return !slices.Contains(below.dirs, f) })
			if len(found) == 0 {
				missing = append(missing, name+"/"+class)
			}
			for _, f := range found {
				if err := l.addClass(name+"/"+f, class, part); err != nil {
					return nil, err
				}
			}
			folders = append(folders, found...)
		}
		l.leaveOut(name+"/", below, folders)
	}
	if len(missing) > 0 {
		return nil, missing
	}
	l.leaveOut("", top, names)
	return l, l.check()
}
