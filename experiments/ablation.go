package experiments

import (
	"cmp"
	"slices"

	"rd/rdlib/distill"
)

// ablates is whether a method is a variant of those that Table 2 takes apart. It is then no method of the other tables.
func (m MatrixMethod) ablates() bool {
	method := m.method()
	return method != m.Name && (method == "rd" || method == "direct")
}

// ablates is whether a cell is one of Table 2 alone.
func (p *Plan) ablates(c Cell) bool {
	method, _ := named(p.Matrix.Methods, MatrixMethod.name, c.Method)
	return method.ablates()
}

// ablated are the groups of cells with at least one that Table 2 alone has.
func (p *Plan) ablated() map[Cell]bool {
	groups := map[Cell]bool{}
	for _, c := range p.chosen() {
		if p.ablates(c) {
			groups[c.group()] = true
		}
	}
	return groups
}

// switches are what the paper's Table 2 turns on and off.
type switches struct{ direct, cotraining, kd, cka bool }

// before is what a row with the switches extends: the last that is on is off. ok is whether there is one to turn off.
func (s switches) before() (before switches, ok bool) {
	before = s
	switch {
	case s.cka:
		before.cka = false
	case s.kd:
		before.kd = false
	case s.cotraining:
		before.cotraining, before.direct = false, true
	default:
		return s, false
	}
	return before, true
}

// ablation is a row of Table 2: RD, direct reprogramming, or a variant of these.
type ablation struct {
	method MatrixMethod
	switches
	// open is whether it differs from the default in other options than the switches, such as those that the paper leaves open.
	open bool
}

// options are RD's with the switches, when all else is as in the default. φ that is not co-trained has learnt CE(y, z_t) before.
func (s switches) options(o distill.RDOptions) distill.RDOptions {
	o.KD, o.CKA, o.CoTrain = s.kd, s.cka, s.cotraining
	if s.direct {
		o.Alpha = 0
	}
	return o
}

// ablations are the rows of Table 2.
func (m *Matrix) ablations() []ablation {
	standard := m.defaultRD()
	var all []ablation
	for _, method := range m.Methods {
		built, err := distill.New(method.method(), m.methodOptions(method))
		if err != nil {
			continue // an adaptation
		}
		a := ablation{method: method}
		switch o := built.Options().(type) {
		case distill.RDOptions:
			a.switches = switches{direct: !o.CoTrain, cotraining: o.CoTrain, kd: o.KD && o.Beta > 0, cka: o.CKA && o.Beta > 0}
			a.open = o != a.options(standard)
		case distill.PhiOptions:
			a.direct = true
			a.open = o != standard.PhiOptions
		default:
			continue
		}
		all = append(all, a)
	}
	slices.SortStableFunc(all, func(a, b ablation) int { return cmp.Compare(a.place(), b.place()) })
	return all
}

// place is where a row stands: first the switches as the paper has them, then the open ones in the order of the matrix.
func (a ablation) place() int {
	if a.open {
		return 8
	}
	place := 0
	for i, on := range []bool{a.kd, a.cka, a.cotraining} {
		if on {
			place += 1 << i
		}
	}
	return place
}

// defaultRD are the options of the matrix's RD.
func (m *Matrix) defaultRD() distill.RDOptions {
	rd, _ := named(m.Methods, MatrixMethod.name, "rd")
	built, err := distill.New("rd", rd.Options)
	if err != nil {
		built, _ = distill.New("rd", nil)
	}
	return built.Options().(distill.RDOptions)
}

// extends is the row that a row of Table 2 is compared with: the one with a switch less, or, of an open row, the one
// with the same switches. ok is whether it is there.
func (a ablation) extends(all []ablation) (base ablation, ok bool) {
	wanted := a.switches
	if !a.open {
		if wanted, ok = a.before(); !ok {
			return base, false
		}
	}
	i := slices.IndexFunc(all, func(b ablation) bool { return b.switches == wanted && !b.open })
	if i < 0 {
		return base, false
	}
	return all[i], true
}
