package rdlib

import (
	"fmt"
	"strconv"
	"time"

	"rd/rdlib/deploy"
	"rd/rdlib/model"
)

// CostOptions say what of which networks is counted and measured.
type CostOptions struct {
	Models  []string // architectures, as model.New takes them
	Size    int      // height and width of the images
	Classes int
	Width   float64 // multiplier; 0 is 1
	Batches []int   // whose latency is measured; none: nothing is
	Runs    int     // of each measurement, at most
	Limit   time.Duration
	Threads int // 0: one per processor
}

// ModelCost is what one network costs at inference, without φ, which is gone by then.
type ModelCost struct {
	Model       string  `json:"model"`
	Parameters  int64   `json:"parameters"`
	MACs        int64   `json:"macs"`
	PaperParams float64 `json:"paper_params_m"` // in the paper's units, see model.Cost
	PaperFLOPs  float64 `json:"paper_flops_g"`
	ONNXBytes   int     `json:"onnx_bytes"`
	// Latency is by "batch1", "batch32", …, milliseconds a run.
	Latency map[string]deploy.Latency `json:"latency_ms"`
}

// Costs counts parameters and operations of networks from their descriptions, exports them with random weights and measures
// how long the exported models take.
func Costs(o CostOptions) ([]ModelCost, error) {
	if o.Classes < 1 || o.Size < 8 || o.Runs < 1 || o.Threads < 0 {
		return nil, usagef("size %d, classes %d, runs %d, threads %d: at least 8, 1, 1 and 0 are needed", o.Size, o.Classes, o.Runs, o.Threads)
	}
	var all []ModelCost
	for _, name := range o.Models {
		c := model.Config{Classes: o.Classes, Width: o.Width}
		if name == LVMMed {
			c.Windows.Neck = true // the published file has it, and the paper counts it
		}
		network, err := newNetwork(name, c, o.Size)
		if err != nil {
			return nil, err
		}
		cost, err := network.Cost(3, o.Size, o.Size)
		if err != nil {
			return nil, &UsageError{err}
		}
		if name == LVMMed { // a foundation model has no head
			head, bias := network.ClassifierParameters()
			for _, p := range network.Parameters() {
				if p.Name == head || p.Name == bias {
					n := int64(1)
					for _, d := range p.Shape {
						n *= int64(d)
					}
					cost.Parameters -= n
				}
			}
			cost.MACs -= int64(network.FeatureDim() * o.Classes)
		}
		m := ModelCost{
			Model: name, Parameters: cost.Parameters, MACs: cost.MACs, PaperParams: cost.PaperParams(), PaperFLOPs: cost.PaperFLOPs(),
			Latency: map[string]deploy.Latency{},
		}
		onnx, err := network.ONNX(network.Init(1), model.ONNXOptions{Sample: []int{3, o.Size, o.Size}, Outputs: []string{model.ONNXLogits}, Producer: "rd"})
		if err != nil {
			return nil, fmt.Errorf("export %s: %w", name, err)
		}
		m.ONNXBytes = len(onnx)
		for _, batch := range o.Batches {
			if m.Latency["batch"+strconv.Itoa(batch)], err = deploy.MeasureLatency(onnx, model.ONNXInput, model.ONNXLogits, batch, []int{3, o.Size, o.Size}, o.Threads, o.Runs, o.Limit); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		all = append(all, m)
	}
	return all, nil
}

// LVMMed is the architecture of LVM-Med's ViT-B.
const LVMMed = "lvm_med_vit_b"
