package markdown

import "testing"

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain", "a|b": `a\|b`, `a\|b`: `a\\\|b`, "<b>": "&lt;b&gt;", "&lt;": "&amp;lt;", "two\nlines\r": "two lines ",
		"*_`[x](y)~": "\\*\\_\\`\\[x\\](y)\\~", "grün": "grün",
	} {
		if got := Escape(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

func TestCode(t *testing.T) {
	if got, want := Code("rd a"), "```\nrd a\n```"; got != want {
		t.Errorf("%q", got)
	}
	if got, want := Code("a ```\nb"), "````\na ```\nb\n````"; got != want {
		t.Errorf("%q", got)
	}
}
