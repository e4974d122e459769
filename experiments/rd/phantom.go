package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rd/rdlib"
	"rd/rdlib/dataset/phantom"
)

// allKinds is the --kind that writes every kind, each to a folder of its own.
const allKinds = "all"

// phantomKind is what --kind names.
type phantomKind struct {
	name, shows string
	write       func(dir string, o phantom.Options) error
}

func phantomCommand() *cobra.Command {
	var out, kind, task string
	var downstream, corpora []phantomKind
	for _, k := range phantom.Kinds() {
		downstream = append(downstream, phantomKind{k.Name, k.Shows + ": " + strings.Join(k.Classes(), ", "), k.Write})
	}
	for _, c := range phantom.Corpora() {
		corpora = append(corpora, phantomKind{c.Name, "shapes in " + c.Article, func(dir string, o phantom.Options) error {
			if task == "" {
				return c.Write(dir, o)
			}
			return c.WriteTask(dir, phantom.Task(task), o)
		}})
	}
	var o phantom.Options
	var pretraining bool
	cmd := &cobra.Command{
		Use:   "phantom --out DIR",
		Short: "Write synthetic images in the classes of a published data set, to try everything without data",
		Long: `phantom writes synthetic images in class folders, and PHANTOM.json, which marks them as such.

Kinds, named as the data sets whose classes they have:
` + describeKinds(downstream) + `
With --pretraining, corpora for a miniature teacher, whose classes are shapes and no diagnoses, with captions.csv:
` + describeKinds(corpora) + `
--kind all writes each to a folder of its own below --out.`,
		Args: exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if err := required(map[string]string{"--out": out}); err != nil {
				return err
			}
			if o.Size < 16 || o.PerClass < 2 {
				return &rdlib.UsageError{Err: fmt.Errorf("--size %d, --per-class %d: at least 16 and 2 are needed", o.Size, o.PerClass)}
			}
			if task != "" && (!pretraining || !slices.Contains(phantom.Tasks, phantom.Task(task))) {
				return &rdlib.UsageError{Err: fmt.Errorf("--task %q: with --pretraining there are %v", task, phantom.Tasks)}
			}
			kinds := downstream
			if pretraining {
				kinds = corpora
			}
			if kind == "" {
				kind = kinds[0].name
			}
			known := false
			for _, k := range kinds {
				dir := out
				switch kind {
				case allKinds:
					dir = filepath.Join(out, k.name)
				case k.name:
				default:
					continue
				}
				if err := k.write(dir, o); err != nil {
					return err
				}
				fmt.Printf("phantom (synthetic) images: %s\n", dir)
				known = true
			}
			if !known {
				return &rdlib.UsageError{Err: fmt.Errorf("--kind %q: there are %s and %s", kind, kindNames(kinds), allKinds)}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "folder to write to (required)")
	f.StringVar(&kind, "kind", "", "one of the kinds above, or "+allKinds+" (default: the first)")
	f.IntVar(&o.Size, "size", 64, "height and width, pixels")
	f.IntVar(&o.PerClass, "per-class", 200, "images of each class")
	f.Uint64Var(&o.Seed, "seed", 1, "seed")
	f.BoolVar(&pretraining, "pretraining", false, "a pre-training corpus instead, whose classes are other ones, with captions")
	f.StringVar(&task, "task", "", fmt.Sprintf("of a pre-training corpus: what its folders say, of images of its own: %v (default: shapes, without the corpus's name)", phantom.Tasks))
	return cmd
}

func kindNames(kinds []phantomKind) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = k.name
	}
	return strings.Join(names, ", ")
}

// describeKinds is a line for each kind.
func describeKinds(kinds []phantomKind) string {
	var lines strings.Builder
	for _, k := range kinds {
		fmt.Fprintf(&lines, "  %-11s %s\n", k.name, k.shows)
	}
	return lines.String()
}
