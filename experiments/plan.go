package experiments

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rd/rdlib"
	"rd/rdlib/distill"
	"rd/rdlib/spelling"
)

// Selection is the part of a matrix that one command is about.
type Selection struct {
	Root     string // folder of the real data; "": phantoms
	Work     string // folder of what is made on the way, where teachers' files are looked for after Root
	Tables   []int  // those to make; none: all of cells
	Seeds    int    // instead of the matrix's; 0: as it says
	Datasets []string
	Teachers []string
	Students []string
	Methods  []string
}

// Plan is a matrix on one kind of data: the rows of its tables and the cells to compute.
type Plan struct {
	Matrix *Matrix
	Data   string // Phantom or Real
	Cells  []Cell // to compute, in this order
	// Missing says of each data set and teacher that is not there what was looked for; their cells are not in Cells.
	Missing []string

	root    string
	work    string
	folders map[string]string // data set, as cells name it → folder of real images
	entries map[string]MatrixDataset
}

// Plan works out what a selection of the matrix computes. Names that the matrix does not have are errors.
func (m *Matrix) Plan(s Selection) (*Plan, error) {
	p := &Plan{Matrix: m, Data: Phantom, root: s.Root, work: s.Work, folders: map[string]string{}, entries: map[string]MatrixDataset{}}
	if s.Root != "" {
		p.Data = Real
		if info, err := os.Stat(s.Root); err != nil || !info.IsDir() {
			return nil, &rdlib.UsageError{Err: fmt.Errorf("--data %s: no such folder", s.Root)}
		}
	}
	if err := m.checkSelection(s); err != nil {
		return nil, &rdlib.UsageError{Err: err}
	}
	for _, d := range m.Datasets {
		p.entries[folderOf(d.Name, p.Data)] = d
	}
	if slices.Contains(s.Tables, 2) && len(p.ablated()) == 0 {
		return nil, &rdlib.UsageError{Err: fmt.Errorf("--table 2: %s computes no variant of rd or direct on %s images, of which that table is", m.Name, p.Data)}
	}
	absent := p.lookFor()
	wanted := p.wanted(s.Tables)
	for _, b := range m.blocks() {
		if s.Seeds > 0 {
			b.Seeds = s.Seeds
		}
		for _, c := range m.block(b, p.Data) {
			d := p.entries[c.Dataset]
			if !among(s.Datasets, d.Name) || !among(s.Students, c.Student) && c.Student != theTeacher || !among(s.Methods, c.Method) || c.Teacher != "" && !among(s.Teachers, c.Teacher) {
				continue
			}
			if wanted(c) && !absent[d.Name] && !absent[c.Teacher] {
				p.Cells = append(p.Cells, c)
			}
		}
	}
	if len(p.Cells) == 0 && !withoutCells(s.Tables) {
		return nil, &rdlib.UsageError{Err: errors.New(strings.Join(append([]string{"nothing of the matrix is left to compute"}, p.Missing...), "; "))}
	}
	return p, nil
}

// among is whether a list, empty for all, has a name.
func among(list []string, name string) bool { return len(list) == 0 || slices.Contains(list, name) }

func (m *Matrix) checkSelection(s Selection) error {
	for _, list := range []struct {
		flag         string
		names, known []string
	}{
		{"datasets", s.Datasets, names(m.Datasets, MatrixDataset.name)}, {"teachers", s.Teachers, names(m.Teachers, MatrixTeacher.name)},
		{"students", s.Students, m.Students}, {"methods", s.Methods, names(m.Methods, MatrixMethod.name)},
	} {
		for _, name := range list.names {
			if !slices.Contains(list.known, name) {
				return fmt.Errorf("--%s %s: did you mean %s? (%s has %s)", list.flag, name, spelling.Nearest(name, list.known), m.Name, strings.Join(list.known, ", "))
			}
		}
	}
	if s.Seeds < 0 || s.Seeds > maxSeeds {
		return fmt.Errorf("--seeds %d: 1 to %d are possible", s.Seeds, maxSeeds)
	}
	if m.Data == Real && s.Root == "" {
		return fmt.Errorf("profile %s is for real images: give their folder with --data", m.Name)
	}
	return nil
}

// lookFor finds the folders of the real data and returns the names of data sets and teachers that are not there.
func (p *Plan) lookFor() map[string]bool {
	absent := map[string]bool{}
	if p.Data == Phantom {
		return absent
	}
	for _, d := range p.Matrix.Datasets {
		i := slices.IndexFunc(d.Folders, func(folder string) bool {
			info, err := os.Stat(filepath.Join(p.root, folder))
			return err == nil && info.IsDir()
		})
		if i < 0 {
			absent[d.Name] = true
			p.Missing = append(p.Missing, fmt.Sprintf("data set %s is not there: %s was looked for in %s", d.Name, strings.Join(d.Folders, ", "), p.root))
			continue
		}
		p.folders[folderOf(d.Name, Real)] = filepath.Join(p.root, d.Folders[i])
	}
	for _, t := range p.Matrix.Teachers {
		if t.Miniature {
			continue
		}
		if path := p.teacherFile(t); !isFile(path) {
			absent[t.Name] = true
			p.Missing = append(p.Missing, fmt.Sprintf("teacher %s is not there: %s was looked for in %s and %s", t.Name, t.File, p.root, p.work))
		}
	}
	return absent
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// localPath is whether a path stays below the folder that it is relative to.
func localPath(path string) bool { return filepath.IsLocal(filepath.FromSlash(path)) }

// blocks are those to compute; one of everything where the matrix chooses none.
func (m *Matrix) blocks() []Block {
	if len(m.Run) == 0 {
		return []Block{{}}
	}
	return m.Run
}

// chosen are the cells of the matrix's blocks, whatever part of them the plan computes.
func (p *Plan) chosen() []Cell {
	var cells []Cell
	for _, b := range p.Matrix.blocks() {
		cells = append(cells, p.Matrix.block(b, p.Data)...)
	}
	return cells
}

// block lists the cells of a block on one kind of data: row by row, methods without a teacher first, so that the first rows
// come early; the seeds of one row share compiled graphs.
func (m *Matrix) block(b Block, data string) []Cell {
	n := b.Seeds
	if n == 0 {
		n = m.Seeds
	}
	var cells []Cell
	shares := b.Shares
	if len(shares) == 0 {
		shares = []int{0}
	}
	add := func(dataset, student, method, teacher string) {
		for _, share := range shares {
			for seed := range n {
				cells = append(cells, Cell{Dataset: folderOf(dataset, data), Student: student, Method: method, Teacher: teacher, Seed: uint64(seed + 1), Share: share})
			}
		}
	}
	for _, d := range m.Datasets {
		if !among(b.Datasets, d.Name) || data == Phantom && d.Phantom == "" {
			continue
		}
		for _, student := range m.Students {
			if !among(b.Students, student) {
				continue
			}
			for _, method := range m.Methods {
				if among(b.Methods, method.Name) && !m.needsTeacher(method) {
					add(d.Name, student, method.Name, "")
				}
			}
			for _, t := range m.Teachers {
				if !among(b.Teachers, t.Name) || !t.teaches(d.Name, data) {
					continue
				}
				for _, method := range m.Methods {
					switch {
					case !among(b.Methods, method.Name) || !m.needsTeacher(method) || !m.canTeach(t, method.method()):
					case method.method() != rdlib.FineTune:
						add(d.Name, student, method.Name, t.Name)
					case student == firstOf(b.Students, m.Students): // once, whoever learns
						add(d.Name, theTeacher, method.Name, t.Name)
					}
				}
			}
		}
	}
	return cells
}

// shares are the shares of the training images that blocks have, per cent, in ascending order.
func (m *Matrix) shares() []int {
	var shares []int
	for _, b := range m.Run {
		shares = append(shares, b.Shares...)
	}
	slices.Sort(shares)
	return slices.Compact(shares)
}

// firstOf is the first name of all that a block has.
func firstOf(chosen, all []string) string {
	for _, name := range all {
		if among(chosen, name) {
			return name
		}
	}
	return ""
}

// needsTeacher is whether a method reads a teacher; one that is not known does, so that its error is told.
func (m *Matrix) needsTeacher(method MatrixMethod) bool {
	if needs, known := m.teacherNeeded[method.Name]; known {
		return needs
	}
	built, err := distill.New(method.method(), m.methodOptions(method))
	if m.teacherNeeded == nil {
		m.teacherNeeded = map[string]bool{}
	}
	m.teacherNeeded[method.Name] = err != nil || built.Needs().Teacher()
	return m.teacherNeeded[method.Name]
}
