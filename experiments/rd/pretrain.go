package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"rd/rdlib"
)

func pretrainCommand() *cobra.Command {
	var o rdlib.PretrainOptions
	var session sessionFlags
	var out string
	cmd := &cobra.Command{
		Use:   "pretrain --data DIR --out TEACHER.onnx",
		Short: "Train a miniature teacher, supervised, and write it as an ONNX black box with its side-car",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(map[string]string{"--data": o.Data, "--out": out}); err != nil {
				return err
			}
			if err := positive(cmd.Flags()); err != nil {
				return err
			}
			s, err := session.open()
			if err != nil {
				return err
			}
			defer s.Close()
			sideCar, err := s.Pretrain(cmd.Context(), o, out)
			if err != nil {
				return err
			}
			fmt.Printf("teacher:  %s\nside-car: %s\n", out, sideCar)
			return nil
		},
	}
	f := cmd.Flags()
	session.add(f)
	f.StringVar(&o.Data, "data", "", "folder of class folders (required)")
	f.StringVar(&out, "out", "", "ONNX file to write (required)")
	f.StringVar(&o.Name, "name", "miniature teacher", "name in the side-car")
	f.StringVar(&o.Architecture, "arch", "resnet18", "resnet18, shufflenet or mobilenet")
	f.Float64Var(&o.Width, "width", 0.5, "width multiplier")
	f.IntVar(&o.Size, "size", 64, "height and width of the images")
	f.IntVar(&o.Steps, "steps", 200, "optimizer steps")
	f.IntVar(&o.Batch, "batch", 32, "images a step")
	f.Uint64Var(&o.Seed, "seed", 7, "seed")
	return cmd
}
