package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// printJSON writes one line of JSON to standard output.
func printJSON(v any) error {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// commandLine is the command as it was called, quoted for a shell, the program by the name given.
func commandLine(program string) string {
	words := []string{program}
	for _, arg := range os.Args[1:] {
		if !plainWord.MatchString(arg) {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}
