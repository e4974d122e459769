package dataset

import (
	"path/filepath"
	"slices"
)

// busi is the breast-ultrasound set of Al-Dhabyani et al. (2020): no official split, masks beside the images.
var busi = layout{
	name:  "busi",
	about: "Dataset_BUSI_with_GT/{benign,malignant,normal}",
	looks: func(root string, top folder) bool {
		return filepath.Base(root) == "Dataset_BUSI_with_GT" || slices.Equal(top.dirs, busiClasses)
	},
	read: func(root string, o Options) (*listing, error) {
		top, err := readFolder(root)
		if err != nil {
			return nil, err
		}
		if missing := top.without("", busiClasses); len(missing) > 0 {
			return nil, missing
		}
		l := &listing{source: newSource(root, o.Limits), classes: busiClasses}
		l.leaveOut("", top, busiClasses)
		if err := l.addClasses("", busiClasses, ""); err != nil {
			return nil, err
		}
		return l, l.check()
	},
	published: map[Split]map[string]int{"": {"benign": 437, "malignant": 210, "normal": 133}},
}

var busiClasses = []string{"benign", "malignant", "normal"}
