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
