package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestCommandLineSurvivesAShell(t *testing.T) {
	args := os.Args
	defer func() { os.Args = args }()
	os.Args = []string{"rd", "compare", "--title", "it's BUSI, $HOME", "--set", "a=b", ""}
	out, err := exec.Command("sh", "-c", `printf '%s|' `+strings.TrimPrefix(commandLine("rd"), "rd ")).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(out), strings.Join(os.Args[1:], "|")+"|"; got != want {
		t.Errorf("the shell sees %q, want %q", got, want)
	}
}
