package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rd/rdlib"
	"rd/rdlib/checkpoint"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
)

func teacherInspectCommand() *cobra.Command {
	var asJSON bool
	var o rdlib.PublishedOptions
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "What a teacher takes and gives, or whose weights a file holds and whether they are complete",
		Long: `inspect tells of an ONNX model what it takes and gives, reads its side-car file, and checks that it computes what that says.
Of a file of weights (safetensors, or a PyTorch checkpoint, which is read and never run) it tells the architecture they belong
to, and every tensor that is missing, unexpected or of another shape.`,
		Args: exactly(1, "one file"),
		RunE: func(_ *cobra.Command, args []string) error {
			format, err := checkpoint.Sniff(args[0])
			if err != nil {
				return &rdlib.InputError{Err: err}
			}
			if format != "" || slices.Contains(weightEndings, filepath.Ext(args[0])) {
				o.Weights = args[0]
				report, err := rdlib.InspectWeights(o)
				if err != nil {
					return err
				}
				if err := show(report, asJSON); err != nil {
					return err
				}
				if err := report.Err(); err != nil {
					return &rdlib.InputError{Err: err}
				}
				return nil
			}
			report, err := foundation.Inspect(args[0])
			if err != nil {
				return &rdlib.InputError{Err: err}
			}
			if err := show(report, asJSON); err != nil {
				return err
			}
			if strings.HasPrefix(report.CheckState, "failed") {
				return fmt.Errorf("%s does not compute what its side-car says: copy both again", args[0])
			}
			return nil
		},
	}
	weightFlags(cmd.Flags(), &o)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// weightEndings are those of files of weights: what has one, and is none, is not taken for an ONNX model.
var weightEndings = []string{".safetensors", ".pth", ".pt", ".bin", ".ckpt"}

// show prints a report for people, or as JSON.
func show(report interface{ Write(io.Writer) error }, asJSON bool) error {
	if asJSON {
		return printJSON(report)
	}
	return report.Write(os.Stdout)
}

func teacherExportCommand() *cobra.Command {
	var o rdlib.PublishedOptions
	var session sessionFlags
	var out string
	cmd := &cobra.Command{
		Use:   "export --weights FILE --out TEACHER.onnx",
		Short: "Make a black-box teacher (ONNX with its side-car) of published weights",
		Long: `export makes a teacher of published weights, safetensors or a PyTorch checkpoint, which is read and never run: an ONNX file
without classifier, and its side-car with the preprocessing they were trained with. The architecture is recognised by names and
sizes; if any tensor is missing, unexpected or of another shape, all of them are listed and nothing is written. What is written
is run and compared with the network itself.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(map[string]string{"--weights": o.Weights, "--out": out}); err != nil {
				return err
			}
			s, err := session.open()
			if err != nil {
				return err
			}
			defer s.Close()
			car, err := s.ExportPublished(o, out)
			if err != nil {
				return err
			}
			fmt.Printf("%s\nteacher:  %s\nside-car: %s\n", car.Name, out, foundation.SideCarPath(out))
			return nil
		},
	}
	f := cmd.Flags()
	session.add(f)
	weightFlags(f, &o)
	f.StringVar(&o.Weights, "weights", "", "safetensors or PyTorch checkpoint (required)")
	f.StringVar(&out, "out", "", "ONNX file to write (required)")
	f.IntVar(&o.Size, "size", 0, "height and width of the images; positions are interpolated (default: what the weights were made for, else 224)")
	f.StringVar(&o.As, "as", "", "whose preprocessing and licence: "+strings.Join(checkpoint.PublicationNames(), ", ")+" (default: by names and sizes)")
	f.StringVar(&o.Name, "name", "", "name in the side-car (default: the publication's and the architecture's)")
	return cmd
}

// weightFlags are the options of reading weights.
func weightFlags(f *pflag.FlagSet, o *rdlib.PublishedOptions) {
	f.StringVar(&o.Architecture, "arch", "", "of weights: "+strings.Join(model.Teachers(), ", ")+" or a student (default: by names and sizes)")
	f.IntVar(&o.Heads, "heads", 0, "of weights: heads of each attention, which they do not always tell (default: what they tell, or 64 features a head)")
	f.StringVar(&o.Key, "key", "", "of a PyTorch checkpoint: the entry that holds the weights, where there are several")
	f.StringArrayVar(&o.Ignore, "ignore", nil, "of weights: tensors without use here, a pattern such as 'fc_norm.*'; may be given several times")
}
