package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rd/rdlib"
	"rd/rdlib/model"
	"rd/rdlib/record"
	"rd/rdlib/train"
)

func pretrainCommand() *cobra.Command {
	var o rdlib.PretrainOptions
	var session sessionFlags
	var out, pool string
	cmd := &cobra.Command{
		Use:   "pretrain --data DIR [--data DIR …] --out TEACHER.onnx",
		Short: "Pre-train a teacher on your own or synthetic images and write it as an ONNX black box",
		Long: `pretrain trains a network on one or more data sets and writes it as a black box for distillation: an ONNX file without
classifier, a side-car (FILE.onnx.json) with preprocessing, provenance and the data sets it has seen, and its record
(FILE.record.json). Objectives: supervised (the labels of all sets, a head for
each list of classes), self-supervised (two views of
each image, no labels), both, captions (captions.csv beside the images).

With --target DIR the images of that data set, recognised by their pixels, are never trained on, and the teacher is grey
where the target is. Test parts are held out and tell what was learnt. Run the same command again to continue a run that was
stopped, be it over many nights.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(map[string]string{"--data": strings.Join(o.Data, ""), "--out": out}); err != nil {
				return err
			}
			if err := positive(cmd.Flags()); err != nil {
				return err
			}
			if o.Name == "" {
				o.Name = strings.TrimSuffix(filepath.Base(out), ".onnx")
			}
			o.Network.Transformer.Pool = model.Pool(pool)
			o.Command = commandLine("bin/rd")
			s, err := session.open()
			if err != nil {
				return err
			}
			defer s.Close()
			r, err := s.Pretrain(cmd.Context(), o, out)
			if err != nil {
				return err
			}
			fmt.Printf("%s\nteacher: %s\nrecord:  %s (result %.12s)\n", learnt(r), out, rdlib.PretrainRecord(out), r.ResultSHA256)
			return nil
		},
	}
	f := cmd.Flags()
	o.Optimizer = rdlib.DefaultPretraining()
	session.add(f)
	f.StringArrayVar(&o.Data, "data", nil, "data set to train on; may be given several times (required)")
	f.StringVar(&o.Target, "target", "", "data set the teacher is meant for: none of its images is trained on")
	layoutFlag(f, &o.Layout)
	f.StringVar(&out, "out", "", "ONNX file to write (required)")
	f.StringVar(&o.Name, "name", "", "name in the side-car (default: the file's)")
	f.StringVar(&o.Objective, "objective", rdlib.Supervised, strings.Join(rdlib.Objectives, ", "))
	f.StringVar(&o.Architecture, "arch", "resnet18", "architecture: "+strings.Join(model.Names(), ", "))
	f.Float64Var(&o.Network.Width, "width", 1, "width multiplier")
	f.IntSliceVar(&o.Network.Blocks, "blocks", nil, "layers of each stage, of DenseNet and the ResNets (default: the architecture's)")
	t := &o.Network.Transformer
	f.IntVar(&t.Patch, "patch", 0, "of a vision transformer: side of a patch, pixels (default 16)")
	f.IntVar(&t.Dim, "dim", 0, "of a vision transformer: width of a token (default: 64 a head)")
	f.IntVar(&t.Depth, "depth", 0, "of a vision transformer: blocks (default 12)")
	f.IntVar(&t.Heads, "heads", 0, "of a vision transformer: heads (default 12)")
	f.StringVar(&pool, "pool", string(model.PoolToken), "of a vision transformer: pooled feature, token or mean")
	f.IntVar(&o.Size, "size", 64, "height and width of the images")
	f.StringVar(&o.Colour, "colour", "auto", "auto (grey where the target, or else every set, is grey), grey or rgb")
	f.IntVar(&o.Epochs, "epochs", 0, "epochs to train (this or --steps is required)")
	f.IntVar(&o.Steps, "steps", 0, "optimizer steps to train, instead of --epochs")
	f.IntVar(&o.Batch, "batch", 64, "images a step; each is seen twice where views are learnt")
	f.Float64Var(&o.Optimizer.LearningRate, "lr", o.Optimizer.LearningRate, "AdamW's learning rate")
	f.Float64Var(&o.Optimizer.WeightDecay, "weight-decay", o.Optimizer.WeightDecay, "AdamW's weight decay")
	f.StringVar(&o.Optimizer.Schedule, "schedule", o.Optimizer.Schedule, "learning-rate schedule: "+strings.Join(train.Schedules, ", "))
	augmentFlag(f, &o.Augment, "instead of the objective's own")
	f.Uint64Var(&o.Seed, "seed", 7, "seed")
	return cmd
}

// learnt says what a pre-training's record says of what was learnt, a line for each thing.
func learnt(r *record.Record) string {
	var lines []string
	for _, set := range r.Result.Pretraining.Sets {
		if set.TestCorrect != nil && set.Test > 0 {
			lines = append(lines, fmt.Sprintf("%s: %.1f %% of %d held-out images right among its %d classes", set.Name, 100*float64(*set.TestCorrect)/float64(set.Test), set.Test, len(set.Classes)))
		}
	}
	if q := r.Result.Pretraining.Retrieval; q != nil && q.Total > 0 {
		lines = append(lines, fmt.Sprintf("%.1f %% of %d held-out images find their caption among %d", 100*float64(q.Correct)/float64(q.Total), q.Total, q.Among))
	}
	if n := len(r.Result.Curves); n > 0 && !slices.Contains([]string{rdlib.Supervised, rdlib.Captions}, r.Result.Config.Method) {
		last := r.Result.Curves[n-1]
		lines = append(lines, fmt.Sprintf("last epoch: loss %.3f, %.1f %% right in training", last.Loss, 100*last.TrainAccuracy))
	}
	return strings.Join(lines, "\n")
}
