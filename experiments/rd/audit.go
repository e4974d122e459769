package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"rd/experiments"
	"rd/experiments/audit"
	"rd/rdlib"
)

func auditCommand() *cobra.Command {
	var o audit.Options
	var asJSON, strict bool
	cmd := &cobra.Command{
		Use:   "audit [FILES]",
		Short: "Check published tables of accuracies against themselves",
		Long: `audit reads tables as CSV files, one line of headings and a line for each row, and checks them against themselves and each other:

  - each accuracy is k/n for the test images of its data set, rounded or, which is told, truncated. n is found from the accuracies, as the
    smallest that explains at least 90 % of a data set's, where neither --images nor a column "n" or "test images" gives it; of a mean
    over m seeds (column "seeds", or "METHOD n") it is k/(m·n)
  - averages (rows or columns of that name) are those of their cells
  - gains (a table with a column for each data set and a row for each teacher) are those of the accuracies,
    and so are those of one row over another (columns "row", "gain" and "gain over")
  - no column is there twice, for two methods or two data sets
  - in how many rows the method that is claimed to be the best is so

Columns are known by their headings: "dataset", "student", "teacher" (or "foundation model"), "… scratch" for the student
alone; other columns of decimal numbers are methods. Files of one folder are one publication and are compared with each other. What the text of a publication
says of its tables may stand in a file with the columns table,claim,subject, the claim being "best" or "compares".
Without FILES the paper's own tables are audited.

The exit code is 0 also when something was found, and 3 when a file cannot be read, or, with --strict, when anything was found.`,
		RunE: func(cmd *cobra.Command, files []string) error {
			reports, err := auditFiles(files, o)
			if err != nil {
				return err
			}
			findings := []audit.Finding{}
			for _, r := range reports {
				findings = append(findings, r.Findings...)
			}
			if asJSON {
				err = printJSON(map[string]any{"findings": findings})
			} else {
				err = writeFindings(os.Stdout, reports, len(findings))
			}
			if err == nil && strict && len(findings) > 0 {
				err = &rdlib.InputError{Err: fmt.Errorf("findings of the audit: %d", len(findings))}
			}
			return err
		},
	}
	f := cmd.Flags()
	f.BoolVar(&asJSON, "json", false, "print one line of JSON")
	f.BoolVar(&strict, "strict", false, "exit with code 3 when anything was found")
	f.StringToIntVar(&o.Images, "images", nil, "number of test images of a data set, as DATASET=N")
	return cmd
}

// auditFiles audits the files of each folder together, or the paper's.
func auditFiles(files []string, o audit.Options) ([]*audit.Report, error) {
	open := func(path string) (fs.File, error) { return os.Open(path) }
	if len(files) == 0 {
		paper := experiments.PaperFiles()
		names, err := fs.Glob(paper, "*.csv")
		if err != nil {
			return nil, err
		}
		files, open = names, paper.Open
	}
	folders := map[string][]*audit.Table{}
	var order []string
	for _, path := range files {
		table, err := readTable(path, open)
		if err != nil {
			return nil, &rdlib.InputError{Err: err}
		}
		folder := filepath.Dir(path)
		if folders[folder] == nil {
			order = append(order, folder)
		}
		folders[folder] = append(folders[folder], table)
	}
	var reports []*audit.Report
	for _, folder := range order {
		for _, table := range folders[folder] {
			if len(order) > 1 {
				table.Name = filepath.ToSlash(filepath.Join(folder, table.Name))
			}
		}
		report, err := audit.Run(folders[folder], o)
		switch {
		case errors.Is(err, audit.ErrOptions):
			return nil, &rdlib.UsageError{Err: err}
		case err != nil:
			return nil, &rdlib.InputError{Err: err}
		}
		reports = append(reports, report)
	}
	return reports, nil
}

// readTable reads a table, which is called like its file without extension.
func readTable(path string, open func(string) (fs.File, error)) (*audit.Table, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	table, err := audit.Read(path, file)
	if err != nil {
		return nil, err
	}
	table.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return table, nil
}

// writeFindings writes for people what was found.
func writeFindings(w io.Writer, reports []*audit.Report, findings int) error {
	var b strings.Builder
	for _, r := range reports {
		for _, size := range r.Sizes {
			fmt.Fprintln(&b, size)
		}
	}
	if b.Len() > 0 {
		fmt.Fprintln(&b)
	}
	table := tabwriter.NewWriter(&b, 0, 4, 2, ' ', 0)
	for _, r := range reports {
		for _, f := range r.Findings {
			fmt.Fprintf(table, "%s\t%s\t%s\n", f.Table, f.Kind, f.Detail)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if findings == 0 {
		fmt.Fprintln(&b, "nothing was found")
	} else {
		fmt.Fprintf(&b, "\nfindings: %d\n", findings)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return errors.Join(errors.New("write to standard output"), err)
	}
	return nil
}
