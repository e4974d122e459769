package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"rd/experiments"
	"rd/experiments/profiles"
)

func miniaturesCommand() *cobra.Command {
	var session sessionFlags
	var name, work, out string
	var perClass, seeds int
	cmd := &cobra.Command{
		Use:   "miniatures --out DIR",
		Short: "Pre-train the three miniature foundation models on phantoms and probe what they learnt",
		Long: `miniatures pre-trains three small stand-ins for the paper's foundation models on synthetic corpora: a CLIP-style ResNet on
images with captions (PMC-CLIP), a DenseNet on labels (RadDenseNet), a vision transformer without labels (LVM-Med). Then it
fits linear probes on the five phantoms, against the same networks with random weights, and writes records and a table.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(map[string]string{"--out": out}); err != nil {
				return err
			}
			if err := positive(cmd.Flags()); err != nil {
				return err
			}
			matrix, err := experiments.LoadMatrix(name)
			if err != nil {
				return err
			}
			s, err := session.open()
			if err != nil {
				return err
			}
			defer s.Close()
			if err := experiments.ProbeMiniatures(cmd.Context(), s, matrix, perClass, seeds, work, out, commandLine("bin/rd")); err != nil {
				return err
			}
			table, err := os.ReadFile(filepath.Join(out, "table.md"))
			if err == nil {
				fmt.Printf("%s", table)
			}
			return err
		},
	}
	f := cmd.Flags()
	session.add(f)
	f.StringVar(&name, "profile", "quick", "profile whose phantoms and miniatures they are: "+strings.Join(profiles.Names(), ", "))
	f.IntVar(&perClass, "per-class", 600, "images a class of the phantoms to probe on; students are trained on fewer, whose test says little about a point")
	f.IntVar(&seeds, "seeds", 5, "seeds 1 … N of the probes")
	f.StringVar(&work, "work", "runs", "folder of phantoms and teachers")
	f.StringVar(&out, "out", "", "folder of records and table (required)")
	return cmd
}
