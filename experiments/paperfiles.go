package experiments

import "io/fs"

// PaperFiles are table1.csv … table6.csv, the paper's tables as printed, and claims.csv, what its text says of them that can be
// checked.
func PaperFiles() fs.FS {
	files, err := fs.Sub(paperFiles, "paper")
	if err != nil {
		panic(err) // it is part of the program
	}
	return files
}
