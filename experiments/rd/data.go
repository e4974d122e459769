package main

import (
	"bytes"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"rd/rdlib"
	"rd/rdlib/dataset"
	"rd/rdlib/progress"
)

func dataVerifyCommand() *cobra.Command {
	var o dataset.Options
	var asJSON, strict bool
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Find what is wrong with a data set: counts, unreadable files, duplicates, label conflicts, leaks",
		Long: `verify reads every image of a data set and compares: its counts with the published ones, its images with each other, by bytes
and by decoded pixels, within and across classes and parts. It changes nothing. Only parts that the data set publishes are
looked at; where none are, the split is drawn when training starts.

The exit code is 0 also when something was found, and 3 when the data set cannot be used, or, with --strict, when anything
was found.`,
		Args: exactly(1, "one folder or CSV file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := dataset.CheckLayout(o.Layout); err != nil {
				return &rdlib.UsageError{Err: err}
			}
			o.Progress = progress.Callback(os.Stderr, "checking images", "images")
			v, err := dataset.Verify(cmd.Context(), args[0], o)
			if err != nil {
				return badData(err)
			}
			if asJSON {
				err = printJSON(v)
			} else {
				err = writeVerification(os.Stdout, v)
			}
			switch findings := v.Findings(); {
			case err != nil:
				return err
			case v.Unusable != "":
				return &rdlib.InputError{Err: errors.New(v.Unusable)}
			case strict && len(findings) > 0:
				return &rdlib.InputError{Err: fmt.Errorf("%s: %s", args[0], strings.Join(findings, ", "))}
			}
			return nil
		},
	}
	f := cmd.Flags()
	layoutFlag(f, &o.Layout)
	f.BoolVar(&asJSON, "json", false, "print JSON, in which every image concerned is named")
	f.BoolVar(&strict, "strict", false, "exit with code 3 when anything was found")
	return cmd
}

func dataSheetCommand() *cobra.Command {
	var o dataset.Options
	var out string
	var perClass, tile int
	cmd := &cobra.Command{
		Use:   "sheet DIR --out FILE.png",
		Short: "Draw a contact sheet, one row of images for each class",
		Args:  exactly(1, "one folder or CSV file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := required(map[string]string{"--out": out}); err != nil {
				return err
			}
			if err := dataset.CheckLayout(o.Layout); err != nil {
				return &rdlib.UsageError{Err: err}
			}
			if perClass < 1 || perClass > 100 || tile < 8 || tile > 1024 {
				return &rdlib.UsageError{Err: fmt.Errorf("--per-class %d, --size %d: 1 to 100 images of 8 to 1024 pixels are possible", perClass, tile)}
			}
			o.Progress = progress.Callback(os.Stderr, "checking images", "images")
			d, err := dataset.Open(cmd.Context(), args[0], o)
			if err != nil {
				return badData(err)
			}
			sheet, err := dataset.ContactSheet(d, perClass, tile)
			if err != nil {
				return badData(err)
			}
			var b bytes.Buffer
			encoder := png.Encoder{CompressionLevel: png.BestCompression}
			if err := encoder.Encode(&b, sheet); err != nil {
				return fmt.Errorf("encode %s: %w", out, err)
			}
			if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
				return fmt.Errorf("write %s: %w", out, err)
			}
			if err := renameio.WriteFile(out, b.Bytes(), 0o644); err != nil {
				return fmt.Errorf("write %s: %w", out, err)
			}
			fmt.Printf("%s\n%s\n", d.Summary(), out)
			return nil
		},
	}
	f := cmd.Flags()
	layoutFlag(f, &o.Layout)
	f.StringVar(&out, "out", "", "PNG file to write (required)")
	f.IntVar(&perClass, "per-class", 8, "images of each class")
	f.IntVar(&tile, "size", 96, "height and width of each image, pixels")
	return cmd
}

// badData marks an error of the data as bad input.
func badData(err error) error {
	var image *dataset.ImageError
	if errors.Is(err, dataset.ErrDataset) || errors.As(err, &image) {
		return &rdlib.InputError{Err: err}
	}
	return err
}

// shownExamples is how many images a report for people names of each kind.
const shownExamples = 3

// writeVerification writes what was found on a page.
func writeVerification(w io.Writer, v *dataset.Verification) error {
	var b strings.Builder
	kind := ""
	if v.Phantom {
		kind = " (phantom)"
	}
	fmt.Fprintf(&b, "%s%s: layout %s, %s\n%d images that can be read in %s\n\n", v.Name, kind, v.Layout, v.About, v.Images, v.Root)
	if err := writeCounts(&b, v); err != nil {
		return err
	}
	section(&b, "unreadable files", len(v.Unreadable), func(i int) string { return v.Unreadable[i].Reason })
	section(&b, "names listed twice", len(v.ListedTwice), func(i int) string { return v.ListedTwice[i] })
	if err := writeCopies(&b, v); err != nil {
		return err
	}
	section(&b, "pictures with several labels", len(v.Conflicts), func(i int) string { return copies(v.Conflicts[i].Images) })
	bytes := 0
	for _, leak := range v.Leaks {
		if leak.SameBytes {
			bytes++
		}
	}
	heading := "test images whose pixels are in training"
	if bytes > 0 {
		heading += fmt.Sprintf(" (%d with the same bytes)", bytes)
	}
	section(&b, heading, len(v.Leaks), func(i int) string {
		return copies(append([]dataset.Copy{v.Leaks[i].Test}, v.Leaks[i].Learnt...))
	})
	if v.Counts[0].Split == "" {
		fmt.Fprintln(&b, "  no part is published: the split is drawn, and looked at, when training starts")
	}
	section(&b, "groups on both sides of the split", len(v.SplitGroups), func(i int) string { return v.SplitGroups[i] })
	if g := v.Ignored; g.Masks+g.Hidden+g.Other > 0 {
		fmt.Fprintf(&b, "left out: %d masks, %d hidden files, %d other files or folders", g.Masks, g.Hidden, g.Other)
		if len(g.Examples) > 0 {
			fmt.Fprintf(&b, ", such as %s", g.Examples[0])
		}
		fmt.Fprintln(&b)
	}
	for _, note := range v.Notes {
		fmt.Fprintf(&b, "note: %s\n", note)
	}
	if findings := v.Findings(); len(findings) == 0 {
		fmt.Fprintln(&b, "\nnothing was found")
	} else {
		fmt.Fprintf(&b, "\nfound: %s\n", strings.Join(findings, ", "))
	}
	if v.Unusable != "" {
		fmt.Fprintf(&b, "cannot be used: %s\n", v.Unusable)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeCounts writes the table of images by part and class.
func writeCounts(w io.Writer, v *dataset.Verification) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "part\tclass\timages\tpublished")
	compared, differs := false, false
	for _, c := range v.Counts {
		part, class, published, mark := string(c.Split), c.Class, "", ""
		if part == "" {
			part = "all"
		}
		if class == "" {
			class = "(total)"
		}
		if c.Published != nil {
			compared = true
			published = fmt.Sprint(*c.Published)
		}
		if c.Differs() {
			differs = true
			mark = fmt.Sprintf("(%+d)", c.Images-*c.Published)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\n", part, class, c.Images, strings.TrimSpace(published+"  "+mark))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	switch {
	case v.Phantom:
		fmt.Fprintln(w, "synthetic images: there is no published count to compare with")
	case !compared:
		fmt.Fprintln(w, "this layout is no publication: there is no count to compare with")
	case differs:
		fmt.Fprintln(w, "some counts are not as published, which a subset, a mirror or what is listed below may explain")
	default:
		fmt.Fprintln(w, "all counts are as published")
	}
	fmt.Fprintln(w)
	return nil
}

// writeCopies writes how many pictures are there more than once, and where.
func writeCopies(w io.Writer, v *dataset.Verification) error {
	fmt.Fprintf(w, "pictures that are there more than once: %d by decoded pixels, %d by bytes\n", v.ByPixels.Pictures, v.ByBytes.Pictures)
	if v.ByPixels.Pictures == 0 {
		return nil
	}
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "  \tby pixels\tby bytes")
	for _, row := range []struct {
		where         string
		pixels, bytes int
	}{
		{"within a class and part", v.ByPixels.Within, v.ByBytes.Within},
		{"across parts", v.ByPixels.AcrossParts, v.ByBytes.AcrossParts},
		{"across classes", v.ByPixels.AcrossClasses, v.ByBytes.AcrossClasses},
		{"across parts and classes", v.ByPixels.AcrossBoth, v.ByBytes.AcrossBoth},
		{"their images", v.ByPixels.Images, v.ByBytes.Images},
	} {
		fmt.Fprintf(table, "  %s\t%d\t%d\n", row.where, row.pixels, row.bytes)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	examples(w, len(v.Duplicates), func(i int) string { return copies(v.Duplicates[i].Images) })
	return nil
}

// section writes a heading with a number, and a few examples.
func section(w io.Writer, heading string, n int, example func(i int) string) {
	fmt.Fprintf(w, "%s: %d\n", heading, n)
	examples(w, n, example)
}

func examples(w io.Writer, n int, example func(i int) string) {
	for i := range min(n, shownExamples) {
		fmt.Fprintf(w, "  %s\n", example(i))
	}
	if n > shownExamples {
		fmt.Fprintf(w, "  and %d more (--json names them)\n", n-shownExamples)
	}
}

// copies names a few of the images with the same pixels.
func copies(images []dataset.Copy) string {
	var names []string
	for _, c := range images[:min(len(images), shownExamples)] {
		names = append(names, c.Path)
	}
	text := strings.Join(names, " = ")
	if n := len(images) - len(names); n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}
