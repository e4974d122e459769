package experiments

import (
	"maps"
	"slices"

	"rd/rdlib"
)

// tables are those that a matrix can fill.
var tables = map[int]func(*Results) *Table{1: (*Results).Table1, 2: (*Results).Table2, 3: (*Results).Table3, 4: (*Results).Table4, 5: (*Results).Table5}

// TableNumbers lists the tables that can be made.
func TableNumbers() []int { return slices.Sorted(maps.Keys(tables)) }

// tables are those of the numbers, or all that the plan's matrix can fill.
func (p *Plan) tables(numbers []int) []int {
	if len(numbers) > 0 {
		return numbers
	}
	numbers = TableNumbers()
	if len(p.ablated()) == 0 {
		numbers = slices.DeleteFunc(numbers, func(n int) bool { return n == 2 })
	}
	return numbers
}

// withoutCells is whether tables are asked for, and none of them is computed from cells.
func withoutCells(numbers []int) bool {
	return len(numbers) > 0 && !slices.ContainsFunc(numbers, func(n int) bool { return n != 1 })
}

// wanted is whether a cell is part of one of the tables asked for; none: of any. No table has students of a share of the
// training images.
func (p *Plan) wanted(numbers []int) func(Cell) bool {
	ablated := p.ablated()
	return func(c Cell) bool {
		method := p.Matrix.methodOf(c.Method)
		peft := adapts(method) && method != rdlib.FineTune
		return len(numbers) == 0 || c.Share == 0 &&
			(slices.Contains(numbers, 2) && (method == "direct" || method == "rd") && ablated[c.group()] ||
				slices.Contains(numbers, 3) && !peft && !p.ablates(c) ||
				slices.Contains(numbers, 4) && (peft || c.Method == "rd" && p.canAdapt(c.Teacher)) ||
				slices.Contains(numbers, 5) && (c.Method == "scratch" || c.Method == "rd"))
	}
}
