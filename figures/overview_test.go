package figures

import (
	"path/filepath"
	"slices"
	"testing"
)

func TestOverview(t *testing.T) {
	base := filepath.Join(t.TempDir(), "overview")
	if err := Overview(base); err != nil {
		t.Fatal(err)
	}
	rendered(t, base)
}

func TestFormulaParts(t *testing.T) {
	for text, want := range map[string][]string{"KL(z_t, z_s)": {"KL(z", "t", ", z", "s", ")"}, "φ": {"φ"}, "": nil, "x_": {"x"}, "_t": {"t"}} {
		parts, lowered := formulaParts(text)
		if !slices.Equal(parts, want) || len(lowered) != len(parts) {
			t.Errorf("%q is split into %q", text, parts)
		}
	}
	if formulaWidth("z_t", 8) >= formulaWidth("zt", 8) {
		t.Error("a lowered letter is not smaller")
	}
}
