package main

import (
	"encoding/json"
	"fmt"
	"os"
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
