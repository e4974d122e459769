package train

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	gomodel "github.com/gomlx/gomlx/ml/model"

	"rd/rdlib/dataset"
	"rd/rdlib/record"
)

// evaluate returns the student's class probabilities of every image, [image][class]. The batch is the training batch;
// the last one is filled up, so that one graph serves all.
func (l *loop) evaluate(images dataset.Source) ([][]float32, error) {
	if l.eval == nil {
		exec, err := gomodel.NewExec(l.cell.Backend, l.store, func(scope *gomodel.Scope, x *graph.Node) *graph.Node { return l.evalGraph(scope, x) })
		if err != nil {
			return nil, fmt.Errorf("evaluation: %w", err)
		}
		l.eval = exec
	}
	size, n := l.cell.Channels*l.cell.Height*l.cell.Width, l.cell.Config.Batch
	flat := make([]float32, n*size)
	var probabilities [][]float32
	for _, batch := range dataset.EvaluationBatches(images.Len(), n) {
		if err := parallel(n, func(k int) error {
			return images.Tensor(batch.Items[k], false, flat[k*size:(k+1)*size])
		}); err != nil {
			return nil, err
		}
		input := tensors.FromFlatDataAndDimensions(flat, n, l.cell.Channels, l.cell.Height, l.cell.Width)
		var output *tensors.Tensor
		if err := catch("evaluation", func() (err error) { output, err = l.eval.Call1(input); return err }); err != nil {
			return nil, err
		}
		rows, err := tensors.CopyFlatData[float32](output)
		if err != nil {
			return nil, fmt.Errorf("evaluation: %w", err)
		}
		output.MustFinalizeAll()
		input.MustFinalizeAll()
		classes := len(rows) / n
		for k := range batch.Valid {
			probabilities = append(probabilities, rows[k*classes:(k+1)*classes:(k+1)*classes])
		}
	}
	return probabilities, nil
}

// ArgMax is the class of a row of probabilities; ties go to the first.
func ArgMax(row []float32) int {
	best := 0
	for i, p := range row {
		if p > row[best] {
			best = i
		}
	}
	return best
}

func correct(probabilities [][]float32, images dataset.Source) int {
	n := 0
	for i, row := range probabilities {
		if ArgMax(row) == images.Label(i) {
			n++
		}
	}
	return n
}

func accuracyOf(probabilities [][]float32, images dataset.Source) float64 {
	return float64(correct(probabilities, images)) / float64(images.Len())
}

// fill adds the accuracy on images; without any, what there is stays zero.
func fill(o *record.Outcome, probabilities [][]float32, images dataset.Source) {
	if images.Len() == 0 {
		return
	}
	o.TestCorrect, o.TestTotal = correct(probabilities, images), images.Len()
	o.TestAccuracy = float64(o.TestCorrect) / float64(o.TestTotal)
}
