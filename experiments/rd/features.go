package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"rd/rdlib"
	"rd/rdlib/foundation"
)

func featuresCommand() *cobra.Command {
	var o rdlib.Options
	var session sessionFlags
	var teachers []string
	var stages, list, asJSON bool
	cmd := &cobra.Command{
		Use:   "features --data DIR --teacher A.onnx [--teacher B.onnx …]",
		Short: "Compute and cache the features of one or several teachers, or list what is cached",
		Long: `features runs teachers over all images of a folder and keeps their features for training; each image is decoded once for
all teachers. Training computes what it lacks by itself: this command is for several teachers at once, for all stage maps at
once (--stages), and for knowing the size beforehand. Run the same command again to continue one that was stopped.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if list {
				return listCaches(session.cache, asJSON)
			}
			if err := required(map[string]string{"--data": o.Data, "--teacher": strings.Join(teachers, "")}); err != nil {
				return err
			}
			if err := positive(cmd.Flags()); err != nil {
				return err
			}
			session.backend = "go" // nothing is trained
			s, err := session.open()
			if err != nil {
				return err
			}
			defer s.Close()
			caches, err := s.Features(cmd.Context(), o, teachers, stages)
			if err != nil {
				return err
			}
			var rows []cacheRow
			for _, c := range caches {
				rows = append(rows, newCacheRow(foundation.FoundCache{Path: c.Path(), Bytes: c.Bytes(), Meta: c.Meta()}))
			}
			return printCaches(rows, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Data, "data", "", "folder of images, in a published layout or in class folders, or a CSV file (required)")
	layoutFlag(f, &o.Layout)
	f.StringArrayVar(&teachers, "teacher", nil, "foundation model, an ONNX file; may be given several times (required)")
	f.IntVar(&o.TeacherSize, "teacher-size", 0, "height and width of the teachers' images (0: each side-car's, else its graph's)")
	f.BoolVar(&stages, "stages", false, "keep the maps of all stages, which some methods need, beside feature map and pooled feature")
	f.IntVar(&o.Views, "views", 2, "views of an image: 1 as it is, 2 and its mirror image")
	f.BoolVar(&o.Half, "half", false, "keep half precision")
	f.BoolVar(&o.Strict, "strict", false, "stop at an unreadable image instead of leaving it out")
	f.IntVar(&session.threads, "threads", 0, "threads (0: one per processor); results do not depend on it")
	session.addCache(f)
	f.BoolVar(&list, "list", false, "list the caches instead")
	f.BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// cacheRow is a cache as `rd features` shows it.
type cacheRow struct {
	Path    string           `json:"path"`
	Bytes   int64            `json:"bytes"`
	Teacher string           `json:"teacher,omitempty"`
	SHA256  string           `json:"teacher_sha256,omitempty"`
	Images  int              `json:"images,omitempty"`
	Views   int              `json:"views,omitempty"`
	Size    []int            `json:"size,omitempty"` // height, width
	Half    bool             `json:"half"`
	Outputs map[string][]int `json:"outputs,omitempty"`
	Damaged string           `json:"damaged,omitempty"`

	names []string // of the outputs, in the file's order
}

func newCacheRow(c foundation.FoundCache) cacheRow {
	if c.Damaged != nil {
		return cacheRow{Path: c.Path, Bytes: c.Bytes, Damaged: c.Damaged.Error()}
	}
	m := c.Meta
	row := cacheRow{
		Path: c.Path, Bytes: c.Bytes, Teacher: m.Name, SHA256: m.Key.Teacher, Images: m.Key.Items, Views: m.Key.Views,
		Size: []int{m.Key.Preprocess.Height, m.Key.Preprocess.Width}, Half: m.Key.Half, Outputs: map[string][]int{}, names: m.Key.Outputs,
	}
	for _, o := range m.Outputs {
		row.Outputs[o.Name] = o.Shape
	}
	return row
}

// listCaches shows the caches of a folder by their headers; their data are not read.
func listCaches(folder string, asJSON bool) error {
	folder, err := rdlib.CacheFolder(folder)
	if err != nil {
		return err
	}
	found, err := foundation.FindCaches(folder)
	if err != nil {
		return err
	}
	if len(found) == 0 && !asJSON {
		fmt.Printf("no caches in %s\n", folder)
		return nil
	}
	rows := []cacheRow{}
	for _, c := range found {
		rows = append(rows, newCacheRow(c))
	}
	return printCaches(rows, asJSON)
}

func printCaches(rows []cacheRow, asJSON bool) error {
	if asJSON {
		return printJSON(rows)
	}
	return writeCaches(os.Stdout, rows)
}

func writeCaches(w io.Writer, rows []cacheRow) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "teacher\timages\tviews\tsize\tprecision\tbytes\toutputs\tfile")
	for _, r := range rows {
		if r.Damaged != "" {
			fmt.Fprintf(table, "damaged\t\t\t\t\t%s\t\t%s\n", foundation.BytesText(r.Bytes), r.Path)
			continue
		}
		precision := "single"
		if r.Half {
			precision = "half"
		}
		var outputs []string
		for _, name := range r.names {
			outputs = append(outputs, fmt.Sprintf("%s %v", name, r.Outputs[name]))
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d×%d\t%s\t%s\t%s\t%s\n", r.Teacher, r.Images, r.Views, r.Size[0], r.Size[1], precision,
			foundation.BytesText(r.Bytes), strings.Join(outputs, ", "), r.Path)
	}
	return table.Flush()
}
