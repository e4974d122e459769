package phantom

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"runtime"
	"testing"
)

// fixed are the hashes of the first two images of each class, 48 pixels, seed 1. An image may change only with its
// generator's version.
var fixed = map[string]struct {
	version int
	hash    string
}{
	"btc":               {2, "810372bc718e2331"},
	"busi":              {1, "031b6918749f4a9d"},
	"chestxray":         {2, "ba9f7fab41c40f1c"},
	"covid_ct":          {2, "b385bbacb3526dd8"},
	"ct corpus":         {2, "86db5696881e4d7a"},
	"isic2018":          {3, "540942441591a60a"},
	"mri corpus":        {2, "75b804a3b3358294"},
	"skin corpus":       {2, "ee5699e5cd71ae63"},
	"ultrasound corpus": {2, "c705017b629f9da2"},
	"xray corpus":       {2, "c793e5811bd42d9d"},
}

//go:noinline
func product(a, b, c float64) float64 { return a*b + c }

// fuses is whether this processor's compiler joins a product and a sum into one rounding: then a pixel in a million may
// differ by one.
func fuses() bool {
	a := 1 + math.Pow(2, -30)
	return product(a, a, -1-math.Pow(2, -29)) != 0
}

func TestImagesAreFixed(t *testing.T) {
	if runtime.GOARCH != "amd64" || fuses() {
		t.Skip("the hashes are those of amd64 without fused products")
	}
	for name, kind := range kinds {
		sum := sha256.New()
		for class := range kind.generator.classes {
			for i := range 2 {
				sum.Write(pixels(kind.generator, Options{Size: 48, Seed: 1}, class, i))
			}
		}
		got, want := hex.EncodeToString(sum.Sum(nil))[:16], fixed[name]
		if got != want.hash || kind.generator.version != want.version {
			t.Errorf("%q: {%d, %q}, fixed is %v", name, kind.generator.version, got, want)
		}
	}
}
