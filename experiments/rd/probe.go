package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"rd/experiments"
	"rd/rdlib"
	"rd/rdlib/model"
)

func probeCommand() *cobra.Command {
	var o rdlib.ProbeOptions
	var session sessionFlags
	var data []string
	var out string
	cmd := &cobra.Command{
		Use:   "probe --data DIR [--data DIR …] --teacher FILE.onnx",
		Short: "Measure what a teacher's feature says about your classes: linear probes, against random weights",
		Long: `probe fits a linear classifier on the teacher's frozen pooled feature of your images, once per seed, and tests it on the
test part; beside it, the same on the same network with random weights. Only a teacher that beats its random weights has
anything to distil. Teachers of 'rd pretrain' know their network by their record; for another one give --arch and --width,
or there is no such comparison.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(map[string]string{"--data": strings.Join(data, ""), "--teacher": o.Teacher}); err != nil {
				return err
			}
			if err := positive(cmd.Flags()); err != nil {
				return err
			}
			o.Command = commandLine("bin/rd")
			s, err := session.open()
			if err != nil {
				return err
			}
			defer s.Close()
			for _, dir := range data {
				o.Data = dir
				p, err := s.Probe(cmd.Context(), o)
				if err != nil {
					return err
				}
				for _, row := range experiments.ProbeRows(p) {
					fmt.Println(row)
				}
				if out != "" {
					if err := experiments.WriteProbe(out, p); err != nil {
						return err
					}
				}
			}
			if out == "" {
				return nil
			}
			table, err := os.ReadFile(filepath.Join(out, "table.md"))
			if err == nil {
				fmt.Printf("\n%s", table)
			}
			return err
		},
	}
	f := cmd.Flags()
	session.add(f)
	f.StringArrayVar(&data, "data", nil, "data set to probe on; may be given several times (required)")
	layoutFlag(f, &o.Layout)
	f.StringVar(&o.Teacher, "teacher", "", "foundation model, an ONNX file (required)")
	f.IntVar(&o.Seeds, "seeds", 5, "seeds 1 … N")
	f.StringVar(&o.Architecture, "arch", "", "network to draw at random ("+strings.Join(model.Names(), ", ")+"; default: the one of the teacher's record)")
	f.Float64Var(&o.Network.Width, "width", 1, "width multiplier of --arch")
	f.StringVar(&out, "out", "", "folder of records, and a table of all that lie there")
	return cmd
}
