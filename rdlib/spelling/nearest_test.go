package spelling

import "testing"

func TestNearest(t *testing.T) {
	known := []string{"resnet18", "ShuffleNet", "mobilenet"}
	for name, want := range map[string]string{"resnet": "resnet18", "shufflnet": "ShuffleNet", "MOBILNET": "mobilenet", "mobilenet": "mobilenet"} {
		if got := Nearest(name, known); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if got := Nearest("x", nil); got != "" {
		t.Errorf("nearest of nothing: %q", got)
	}
}

func TestMisspelt(t *testing.T) {
	known := []string{"input", "outputs", "licence"}
	for name, want := range map[string]string{"inptu": "input", "license": "licence", "ouputs": "outputs", "Input": "", "input": "", "shapes_at_96": "", "note": ""} {
		if got := Misspelt(name, known); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
