package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"rd/experiments"
)

func reproduceCommand() *cobra.Command {
	var session sessionFlags
	var name, work, out, figureFolder string
	cmd := &cobra.Command{
		Use:   "reproduce",
		Short: "Regenerate the comparison on phantoms, with a miniature teacher made on the way",
		Args:  exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			profile, err := experiments.FindProfile(name)
			if err != nil {
				return err
			}
			s, err := session.open()
			if err != nil {
				return err
			}
			defer s.Close()
			spec, err := experiments.Reproduce(cmd.Context(), s, profile, work, out)
			if err != nil {
				return err
			}
			return present(spec, filepath.Join(figureFolder, "comparison-"+profile.Name))
		},
	}
	f := cmd.Flags()
	session.add(f)
	f.StringVar(&name, "profile", "quick", "ci or quick")
	f.StringVar(&work, "work", "runs", "folder of phantoms and teacher")
	f.StringVar(&out, "out", "results", "folder of records and tables; each profile has one of its own in it")
	f.StringVar(&figureFolder, "figures", "figures", "folder of the figures")
	return cmd
}
