package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"rd/rdlib"
	"rd/rdlib/peft"
	"rd/rdlib/record"
)

func adaptCommand() *cobra.Command {
	var o rdlib.Options
	var session sessionFlags
	var seed uint64
	var out string
	cmd := &cobra.Command{
		Use:   "adapt --data DIR --teacher FILE.onnx --method METHOD --out ADAPTED.onnx",
		Short: "Adapt a teacher that can be opened to your images, as a whole or by a few parameters of its own",
		Long: `adapt trains a teacher on a folder of images and writes it as a black box again, with logits of your classes beside its features: students
learn from these with --set teacher-logits=given. The teacher's architecture and weights must be known beside it, as 'rd pretrain' and
'rd teacher export' write them. finetune takes any architecture, the other methods vision transformers: vit, and vit_sam, LVM-Med's encoder. Without
a class token they read the mean over the patches' tokens. Methods and their options:

  finetune: every parameter of the teacher

` + peft.Describe().String(),
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(map[string]string{"--data": o.Data, "--teacher": o.Teacher, "--out": out}); err != nil {
				return err
			}
			if filepath.Ext(out) != ".onnx" {
				return &rdlib.UsageError{Err: fmt.Errorf("--out %s: it must end in .onnx", out)}
			}
			if err := positive(cmd.Flags()); err != nil {
				return err
			}
			o.Seeds = record.SameSeeds(seed)
			o.Command = commandLine("bin/rd")
			s, err := session.open()
			if err != nil {
				return err
			}
			defer s.Close()
			r, err := s.Adapt(cmd.Context(), o, out)
			if err != nil {
				return err
			}
			last := r.Result.Last
			fmt.Printf("test accuracy of the teacher itself %.1f %% (%d of %d)\nteacher: %s\nrecord:  %s (result %.12s)\n",
				100*last.TestAccuracy, last.TestCorrect, last.TestTotal, out, rdlib.PretrainRecord(out), r.ResultSHA256)
			return nil
		},
	}
	f := cmd.Flags()
	o.Optimizer = rdlib.DefaultPretraining()
	o.Optimizer.WeightDecay = 0.01
	f.StringVar(&o.Data, "data", "", "folder of images, in a published layout or in class folders, or a CSV file (required)")
	layoutFlag(f, &o.Layout)
	f.StringVar(&o.Teacher, "teacher", "", "foundation model, an ONNX file with its architecture and weights beside it (required)")
	f.StringVar(&o.Method, "method", "melo", strings.Join(rdlib.Adaptations(), ", "))
	f.StringToStringVar(&o.MethodOptions, "set", nil, "options of the method, name=value")
	f.StringVar(&out, "out", "", "ONNX file to write (required)")
	f.IntVar(&o.Epochs, "epochs", 0, "epochs to train (default 240, the paper's, unless --steps is given)")
	f.IntVar(&o.Steps, "steps", 0, "optimizer steps to train, instead of --epochs")
	f.IntVar(&o.Batch, "batch", 32, "images a step")
	shareFlag(f, &o.TrainShare)
	f.BoolVar(&o.DropLeaks, "drop-leaks", false, "leave test images out whose pixels are in the training or validation part")
	f.Float64Var(&o.Optimizer.LearningRate, "lr", o.Optimizer.LearningRate, "AdamW's learning rate")
	f.Float64Var(&o.Optimizer.WeightDecay, "weight-decay", o.Optimizer.WeightDecay, "AdamW's weight decay")
	f.StringVar(&o.Optimizer.Schedule, "schedule", o.Optimizer.Schedule, "learning-rate schedule")
	f.Uint64Var(&seed, "seed", 1, "seed of split, initialisation, order and augmentation")
	session.add(f)
	return cmd
}
