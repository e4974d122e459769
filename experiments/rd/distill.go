package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"rd/figures"
	"rd/rdlib"
	"rd/rdlib/dataset"
	"rd/rdlib/model"
	"rd/rdlib/record"
	"rd/rdlib/train"
)

// sessionFlags are shared by every command that trains.
type sessionFlags struct {
	backend, cache string
	threads        int
	yes            bool
}

func (s *sessionFlags) add(f *pflag.FlagSet) {
	f.StringVar(&s.backend, "backend", "", "xla:cuda, xla:cpu, onnx or go (default: GOMLX_BACKEND, else the best at hand)")
	f.IntVar(&s.threads, "threads", 0, "threads of the backend (0: one per processor); results are bit-exact per thread count")
	s.addCache(f)
}

// addCache adds the flags of the teacher's features.
func (s *sessionFlags) addCache(f *pflag.FlagSet) {
	f.BoolVar(&s.yes, "yes", false, fmt.Sprintf("compute teacher features of more than %d GB without asking", rdlib.LargeCache/1_000_000_000))
	f.StringVar(&s.cache, "cache", os.Getenv("RD_CACHE"), "folder of cached teacher features (default: RD_CACHE, else the user's cache folder)")
}

func (s *sessionFlags) open() (*rdlib.Session, error) {
	return rdlib.OpenSession(rdlib.SessionOptions{Backend: s.backend, Threads: s.threads, Cache: s.cache, Log: os.Stderr, Confirm: s.confirm})
}

// confirm asks on a terminal; elsewhere, without --yes, the answer is no.
func (s *sessionFlags) confirm(ctx context.Context, question string) bool {
	if s.yes || !term.IsTerminal(int(os.Stdin.Fd())) {
		return s.yes
	}
	fmt.Fprintf(os.Stderr, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		var word string
		fmt.Scanln(&word)
		answer <- strings.ToLower(word)
	}()
	select {
	case <-ctx.Done():
		return false
	case word := <-answer:
		return word == "y" || word == "yes"
	}
}

// trainingFlags are the options of a cell.
func trainingFlags(f *pflag.FlagSet, o *rdlib.Options) {
	o.Optimizer = train.DefaultOptimizer()
	f.StringVar(&o.Data, "data", "", "folder of images, in a published layout or in class folders, or a CSV file (required)")
	layoutFlag(f, &o.Layout)
	f.IntVar(&o.Size, "size", 64, "height and width of the student's images")
	f.IntVar(&o.TeacherSize, "teacher-size", 0, "height and width of the teacher's images (0: its side-car's, else --size)")
	f.IntVar(&o.Epochs, "epochs", 0, "epochs to train (default 240, the paper's, unless --steps is given)")
	f.IntVar(&o.Steps, "steps", 0, "optimizer steps to train, instead of --epochs")
	f.IntVar(&o.Batch, "batch", 32, "images a step")
	f.IntVar(&o.Views, "views", 0, "views of an image: 1 as it is, 2 and its mirror image (0: 2, or 1 with --augment)")
	augmentFlag(f, &o.Augment, "for methods without a teacher")
	f.Float64Var(&o.Width, "width", 1, "width multiplier of the student")
	f.BoolVar(&o.Half, "half", false, "cache the teacher's features in half precision")
	f.BoolVar(&o.Strict, "strict", false, "stop at an unreadable image instead of leaving it out")
	f.BoolVar(&o.DropLeaks, "drop-leaks", false, "leave test images out whose pixels are in the training or validation part")
	shareFlag(f, &o.TrainShare)
	f.Float64Var(&o.Optimizer.LearningRate, "lr", o.Optimizer.LearningRate, "AdamW's learning rate")
	f.Float64Var(&o.Optimizer.WeightDecay, "weight-decay", o.Optimizer.WeightDecay, "AdamW's weight decay")
	f.StringVar(&o.Optimizer.Schedule, "schedule", o.Optimizer.Schedule, "learning-rate schedule: "+strings.Join(train.Schedules, " or "))
	f.DurationVar(&o.CheckpointEvery, "checkpoint-every", time.Minute, "time between checkpoints")
	f.StringToStringVar(&o.MethodOptions, "set", nil, "options of the method, name=value, as 'rd methods' lists them")
}

// augmentFlag chooses one of the named augmentations.
func augmentFlag(f *pflag.FlagSet, field **dataset.Augmentation, when string) {
	presets := slices.Sorted(maps.Keys(dataset.Augmentations))
	f.Func("augment", "augmentation of the training images, "+when+": "+strings.Join(presets, " or "), func(name string) error {
		a, known := dataset.Augmentations[name]
		if !known {
			return fmt.Errorf("there are %s", strings.Join(presets, " and "))
		}
		*field = &a
		return nil
	})
}

func layoutFlag(f *pflag.FlagSet, layout *string) {
	f.StringVar(layout, "layout", "", "how the data are arranged: "+strings.Join(dataset.LayoutNames(), ", ")+" (default: recognised)")
}

func distillCommand() *cobra.Command {
	var o rdlib.Options
	var session sessionFlags
	var seed uint64
	var out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "distill --data DIR --teacher FILE.onnx --out DIR",
		Short: "Train a small student from a frozen teacher on your images and write it as verified ONNX",
		Long: `distill trains a student on a folder of images and writes to --out: student.onnx (preprocessing and class names in its
metadata), student.safetensors, record.json, manifest.json, model-card.md and confusion.{pdf,svg,png}. The exported student is run again over
the test images and must agree with training. Run the same command again to continue one that was stopped.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(map[string]string{"--data": o.Data, "--out": out}); err != nil {
				return err
			}
			if err := positive(cmd.Flags()); err != nil {
				return err
			}
			split := o.Seeds.Split
			o.Seeds = record.SameSeeds(seed)
			if cmd.Flags().Changed("split-seed") {
				o.Seeds.Split = split
			}
			o.Command = commandLine("rd")
			s, err := session.open()
			if err != nil {
				return err
			}
			defer s.Close()
			r, err := s.Distill(cmd.Context(), o, out)
			if err != nil {
				return err
			}
			if err := figures.ConfusionMatrix(&r.Result, filepath.Join(out, "confusion")); err != nil {
				return err
			}
			path := filepath.Join(out, rdlib.RecordFile)
			if asJSON {
				fmt.Println(path)
				return nil
			}
			last, best := r.Result.Last, r.Result.Best
			fmt.Printf("test accuracy %.1f %% (%d of %d) after the last epoch", 100*last.TestAccuracy, last.TestCorrect, last.TestTotal)
			if best.ValidationAccuracy != nil {
				fmt.Printf("; %.1f %% at epoch %d, the best on validation", 100*best.TestAccuracy, best.Epoch)
			}
			fmt.Println()
			if n := len(r.Leaks); n > 0 {
				correct, total := r.WithoutLeaks()
				fmt.Printf("%d of the test images have the pixels of a training or validation image; without them %d of %d are right\n", n, correct, total)
			}
			fmt.Printf("student: %s\nrecord:  %s (result %.12s)\n", filepath.Join(out, rdlib.StudentFile), path, r.ResultSHA256)
			return nil
		},
	}
	f := cmd.Flags()
	trainingFlags(f, &o)
	f.StringVar(&o.Teacher, "teacher", "", "foundation model, an ONNX file (required by methods with a teacher)")
	session.add(f)
	f.StringVar(&o.Student, "student", "resnet18", studentHelp())
	f.StringVar(&o.Method, "method", "rd", "rd, or one of those it is compared with; see 'rd methods'")
	f.Uint64Var(&seed, "seed", 1, "seed of split, initialisation, order and augmentation")
	f.Uint64Var(&o.Seeds.Split, "split-seed", 0, "seed of the split alone, where it is not --seed")
	f.StringVar(&out, "out", "", "folder to write to (required)")
	f.BoolVar(&asJSON, "json", false, "print the record's path as the last line")
	return cmd
}

// shareFlag is the share of the training images.
func shareFlag(f *pflag.FlagSet, share *float64) {
	f.Float64Var(share, "train-share", 1, "share of the training images to train on, above 0 and at most 1, of each class; those of a smaller share are among those of a larger one")
}

// positive refuses numbers that were given and mean nothing; left out, each has its default.
func positive(flags *pflag.FlagSet) error {
	for _, name := range []string{"size", "teacher-size", "epochs", "steps", "batch", "views", "width", "train-share", "seeds", "workers", "triplets", "rows", "resolution"} {
		flag := flags.Lookup(name)
		if flag == nil || !flag.Changed {
			continue
		}
		if value, err := strconv.ParseFloat(flag.Value.String(), 64); err != nil || !(value > 0) {
			return &rdlib.UsageError{Err: fmt.Errorf("--%s %s: it must be above 0", name, flag.Value)}
		}
	}
	return nil
}

// required names the flags that were left empty.
func required(flags map[string]string) error {
	var missing []string
	for name, value := range flags {
		if value == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	return &rdlib.UsageError{Err: fmt.Errorf("%s must be given", strings.Join(missing, " and "))}
}

// studentHelp says what --student takes.
func studentHelp() string {
	return strings.Join(model.Students(), ", ") + "; the architectures of teachers train too: " + strings.Join(model.Teachers(), ", ")
}
