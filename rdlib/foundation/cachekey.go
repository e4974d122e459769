package foundation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"rd/rdlib/dataset"
)

// ViewNames are the views a cache can hold, in their order: a cache of two views holds the first two. The student sees
// an image under the same view as the teacher did.
var ViewNames = []string{"identity", "horizontal flip"}

// DefaultViews is how many views are cached unless asked otherwise.
const DefaultViews = 2

// CacheKey is everything that decides what a feature cache holds.
type CacheKey struct {
	Teacher    string             `json:"teacher_sha256"`  // Info.Identity
	Manifest   string             `json:"manifest_sha256"` // names the images and their order
	Items      int                `json:"items"`
	Preprocess dataset.Preprocess `json:"preprocess"`
	Views      int                `json:"views"`
	Outputs    []string           `json:"outputs"`
	Half       bool               `json:"half"` // stored as float16
}

// Hash is the sha256 of the key.
func (k CacheKey) Hash() string {
	data, err := json.Marshal(k)
	if err != nil {
		panic(fmt.Sprintf("a cache key without values JSON cannot write: %v", err)) // Preprocess.Validate excludes them
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// CacheExtension is how names of cache files end.
const CacheExtension = ".features"

// FileName is a name for the cache file: the teacher's name and the beginning of the key's hash.
func (k CacheKey) FileName(teacher string) string {
	safe := strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, teacher)
	return safe + "-" + k.Hash()[:16] + CacheExtension
}

// Serves tells whether a cache of key k holds what is wanted, and perhaps more outputs.
func (k CacheKey) Serves(want CacheKey) bool { return k.differs(want) == "" }

// differs says in what a cache of key k is not what is wanted, or "". A cache may hold more outputs than are wanted.
func (k CacheKey) differs(want CacheKey) string {
	var list []string
	add := func(what string, has, wants any) {
		list = append(list, fmt.Sprintf("its %s is %v and should be %v", what, has, wants))
	}
	if k.Teacher != want.Teacher {
		add("teacher (sha256)", short(k.Teacher), short(want.Teacher))
	}
	if k.Manifest != want.Manifest {
		add("manifest", short(k.Manifest), short(want.Manifest))
	}
	if k.Items != want.Items {
		add("number of images", k.Items, want.Items)
	}
	if a, b := k.Preprocess, want.Preprocess; a != b {
		switch {
		case a.Height != b.Height || a.Width != b.Width:
			add("size", Size{a.Height, a.Width}, Size{b.Height, b.Width})
		default:
			add("preprocessing", fmt.Sprintf("%+v", a), fmt.Sprintf("%+v", b))
		}
	}
	if k.Views != want.Views {
		add("number of views", k.Views, want.Views)
	}
	if k.Half != want.Half {
		add("precision", precision(k.Half), precision(want.Half))
	}
	for _, o := range want.Outputs {
		if !slices.Contains(k.Outputs, o) {
			list = append(list, fmt.Sprintf("it has no output %s (it has %s)", o, strings.Join(k.Outputs, ", ")))
		}
	}
	return strings.Join(list, "; ")
}

func short(hash string) string {
	if len(hash) > 12 {
		return hash[:12] + "…"
	}
	return hash
}

func precision(half bool) string {
	if half {
		return "float16"
	}
	return "float32"
}
