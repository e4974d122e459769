package experiments

import (
	"embed"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/go-gota/gota/dataframe"
	"github.com/go-gota/gota/series"
)

// paperFiles hold every number that the paper's tables print, as printed.
//
//go:embed paper/*.csv
var paperFiles embed.FS

// paperTeachers are the foundation models of the paper's tables.
var paperTeachers = []string{"PMC-CLIP", "RadDenseNet", "LVM-Med"}

// paperTable reads one of the paper's tables; every value is a text.
func paperTable(number int) dataframe.DataFrame {
	file, err := paperFiles.Open(fmt.Sprintf("paper/table%d.csv", number))
	if err != nil {
		panic(err) // it is part of the program
	}
	defer file.Close()
	table := dataframe.ReadCSV(file, dataframe.DefaultType(series.String), dataframe.DetectTypes(false))
	if table.Err != nil {
		panic(table.Err)
	}
	return table
}

// paperNames are the names that the paper's tables have for students and methods.
var paperNames = map[string]string{
	"resnet18": "ResNet18", "shufflenet": "ShuffleNet", "mobilenet": "MobileNet", "scratch": "student_scratch", "finetuned": "teacher_finetuned",
	"vid": "VID", "semckd": "SemCKD", "crd": "CRD", "hint": "Hint", "mgd": "MGD", "norm": "NORM", "rd": "RD",
	"lvm_med_vit_b": "LVM-Med", "adaptformer": "AdaptFormer", "melo": "MeLo", "vpt": "VPT", "vqt": "VQT", "lpt": "LPT",
	"kd": "KD", "at": "AT", "sp": "SP", "rkd": "RKD", "direct": "direct",
}

// paperName is the paper's name for a student or method, or else its own.
func paperName(name string) string {
	if known, ok := paperNames[name]; ok {
		return known
	}
	return name
}

// paperValue is the number in a column of the row whose other columns have the given values; NaN where there is none.
func paperValue(table dataframe.DataFrame, column string, row map[string]string) float64 {
	if found := paperElement(table, column, row); found != nil {
		return found.Float()
	}
	return math.NaN()
}

// paperText is the text there; "" where there is none.
func paperText(table dataframe.DataFrame, column string, row map[string]string) string {
	if found := paperElement(table, column, row); found != nil {
		return found.String()
	}
	return ""
}

// paperElement is what stands there; nil where there is no such column or row.
func paperElement(table dataframe.DataFrame, column string, row map[string]string) series.Element {
	names := table.Names()
	at := slices.Index(names, column)
	if at < 0 {
		return nil
	}
rows:
	for i := range table.Nrow() {
		for name, want := range row {
			if k := slices.Index(names, name); k < 0 || !strings.EqualFold(table.Elem(i, k).String(), want) {
				continue rows
			}
		}
		return table.Elem(i, at)
	}
	return nil
}
