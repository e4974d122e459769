// Package markdown writes text that others chose, such as names of classes and files, into Markdown.
package markdown

import "strings"

var escaper = strings.NewReplacer(`\`, `\\`, "|", `\|`, "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "~", `\~`,
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "\n", " ", "\r", " ")

// Escape returns text that Markdown shows as it is, within a line or a table: what would be markup is escaped, and line
// breaks become blanks.
func Escape(text string) string { return escaper.Replace(text) }

// Code is a block of text as it is, fenced by more backquotes than it has in a row.
func Code(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "\n" + text + "\n" + fence
}
