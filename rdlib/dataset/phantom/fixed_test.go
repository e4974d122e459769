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
	"ct corpus":         {3, "77346c2fe5c30514"},
	"isic2018":          {3, "540942441591a60a"},
	"mri corpus":        {3, "57b14a3ba466a31f"},
	"skin corpus":       {3, "2515e9587dbce0fb"},
	"ultrasound corpus": {3, "c705017b629f9da2"},
	"xray corpus":       {3, "e4f5236ddc0999bb"},
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
