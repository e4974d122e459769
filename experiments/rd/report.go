package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"rd/experiments/report"
)

func reportCommand() *cobra.Command {
	var results, figures, out string
	var latex bool
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Put all tables and figures of folders of results on one page",
		Long: `report collects the tables (Markdown), figures (SVG) and records (JSON) below a folder of results, and further figures, and
writes one page of HTML that needs no other file; records are linked. Nothing is computed, and the same files give the same
page. With --latex it also writes paper/paper.tex beside the page, a document of the same tables and figures for pdflatex or tectonic.`,
		Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				out = filepath.Join(results, "index.html")
			}
			if !cmd.Flags().Changed("figures") {
				if _, err := os.Stat(figures); errors.Is(err, fs.ErrNotExist) {
					figures = ""
				}
			}
			if err := report.WriteHTML(results, figures, out); err != nil {
				return err
			}
			fmt.Printf("page: %s\n", out)
			if !latex {
				return nil
			}
			paper := filepath.Join(filepath.Dir(out), "paper", "paper.tex")
			if err := report.WriteLaTeX(results, figures, paper); err != nil {
				return err
			}
			fmt.Printf("LaTeX: %s\n", paper)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&results, "results", "results", "folder of results: records, tables and figures of profiles and comparisons")
	f.StringVar(&figures, "figures", "figures", `folder of further figures; "": none`)
	f.StringVar(&out, "out", "", "page to write (default: index.html in the folder of results)")
	f.BoolVar(&latex, "latex", false, "write paper/paper.tex beside the page, too")
	return cmd
}
