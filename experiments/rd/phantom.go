package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rd/rdlib"
	"rd/rdlib/dataset/phantom"
)

func phantomCommand() *cobra.Command {
	var out string
	var o phantom.Options
	var pretraining bool
	var kind string
	kinds, corpora := map[string]func(string, phantom.Options) error{}, map[string]func(string, phantom.Options) error{}
	var names, corpusNames []string
	for _, k := range phantom.Kinds() {
		kinds[k.Name] = k.Write
		names = append(names, k.Name)
	}
	for _, c := range phantom.Corpora() {
		corpora[c.Name] = c.Write
		corpusNames = append(corpusNames, c.Name)
	}
	cmd := &cobra.Command{
		Use:   "phantom --out DIR",
		Short: "Write synthetic images in the classes of a published data set, to try everything without data",
		Args:  exactly(0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if err := required(map[string]string{"--out": out}); err != nil {
				return err
			}
			if o.Size < 16 || o.PerClass < 2 {
				return &rdlib.UsageError{Err: fmt.Errorf("--size %d, --per-class %d: at least 16 and 2 are needed", o.Size, o.PerClass)}
			}
			known, list := kinds, names
			if pretraining {
				known, list = corpora, corpusNames
			}
			if kind == "" {
				kind = list[0]
			}
			write, ok := known[kind]
			if !ok {
				return &rdlib.UsageError{Err: fmt.Errorf("--kind %q: there are %s", kind, strings.Join(list, ", "))}
			}
			if err := write(out, o); err != nil {
				return err
			}
			fmt.Printf("phantom (synthetic) images: %s\n", out)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&out, "out", "", "folder to write to (required)")
	f.IntVar(&o.Size, "size", 64, "height and width, pixels")
	f.IntVar(&o.PerClass, "per-class", 200, "images of each class")
	f.Uint64Var(&o.Seed, "seed", 1, "seed")
	f.BoolVar(&pretraining, "pretraining", false, "a pre-training corpus instead, whose classes are other ones, with captions")
	f.StringVar(&kind, "kind", "", "what the images resemble: "+strings.Join(names, ", ")+"; with --pretraining "+strings.Join(corpusNames, ", ")+" (default: the first)")
	return cmd
}
