package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"rd/figures"
	"rd/rdlib"
	"rd/rdlib/boundary"
)

func boundariesCommand() *cobra.Command {
	var o rdlib.BoundaryOptions
	var out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "boundaries --data DIR --model student.onnx [--model …] [--reference student.onnx] --out BASE",
		Short: "Draw the decision regions of exported students on planes through three test images, and measure how far they agree",
		Long: `boundaries lays planes through triplets of test images, of three classes where there are as many, and asks each exported student
for the class of every point there. It draws the first few planes, a row for each and a column for each student, as
BASE.pdf, BASE.svg and BASE.png, and prints how far each student agrees with the reference: the share of points of the same
class, and the mean overlap of the regions (IoU), over all triplets, with a 95 % interval.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			model := ""
			if len(o.Models) > 0 {
				model = o.Models[0]
			}
			if err := required(map[string]string{"--data": o.Data, "--model": model, "--out": out}); err != nil {
				return err
			}
			if err := positive(cmd.Flags()); err != nil {
				return err
			}
			study, err := rdlib.Boundaries(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := figures.Boundaries(study, out); err != nil {
				return err
			}
			if asJSON {
				return printJSON(study)
			}
			printAgreements(study)
			fmt.Printf("figure: %s.pdf, .svg, .png\n", out)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Data, "data", "", "folder of images, in a published layout or in class folders, or a CSV file (required)")
	layoutFlag(f, &o.Layout)
	f.StringArrayVar(&o.Models, "model", nil, "exported student; may be given several times (required)")
	f.StringVar(&o.Reference, "reference", "", "exported student that the others are compared with (default: --teacher, else the first --model)")
	f.StringVar(&o.Teacher, "teacher", "", "foundation model, an ONNX file, as the reference: by its logits where it was adapted to the images, else by a linear classifier on its frozen features")
	f.StringVar(&out, "out", "", "figure to write, without extension (required)")
	f.IntVar(&o.Triplets, "triplets", 20, "triplets of test images to measure agreement on")
	f.IntVar(&o.Study.Rows, "rows", 3, "triplets to draw, the first ones")
	f.IntVar(&o.Study.Resolution, "resolution", boundary.Resolution, "points along each side of a plane that is drawn")
	f.IntVar(&o.Study.Coarse, "agreement-resolution", 0, fmt.Sprintf("points along each side of a plane that is measured (0: %d, or --resolution where that is less)", boundary.Coarse))
	f.Uint64Var(&o.Seed, "seed", 1, "seed of the triplets")
	f.Uint64Var(&o.SplitSeed, "split-seed", 1, "seed of the split that the students were trained on, where none is published")
	f.IntVar(&o.Threads, "threads", 0, "threads (0: one per processor)")
	f.BoolVar(&asJSON, "json", false, "print JSON, triplet by triplet")
	return cmd
}

// printAgreements tells how far each model agrees with the reference.
func printAgreements(study *boundary.Study) {
	for _, m := range study.Models {
		if m.Reference {
			fmt.Printf("reference: %s (%s)\n", m.Name, m.File)
			continue
		}
		fmt.Printf("%s: agreement %s, IoU %s (%s)\n", m.Name, m.Agreement, m.IoU, m.File)
	}
	if len(study.Models) > 1 {
		fmt.Printf("over %d triplets of test images, %d×%d points each; in brackets the 95 %% interval of the mean\n", study.Triplets, study.Coarse, study.Coarse)
	}
}
