package deploy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	ort "github.com/yalue/onnxruntime_go"

	"rd/rdlib/backend/ortlib"
)

// Latency is how long one run of an ONNX model takes in ONNX Runtime on the CPU, in milliseconds.
type Latency struct {
	Median float64 `json:"median"`
	// Low and High are the quartiles.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	Runs int     `json:"runs"`
}

// MeasureLatency runs a serialised model with the input [batch, shape…] of random numbers and one output, on so many threads (0:
// one per processor): once before, and then runs times, or as often as fit into the time given, but three times at least.
func MeasureLatency(onnx []byte, input, output string, batch int, shape []int, threads, runs int, limit time.Duration) (Latency, error) {
	options, err := ortlib.SessionOptions(threads)
	if err != nil {
		return Latency{}, err
	}
	defer options.Destroy()
	session, err := ort.NewDynamicAdvancedSessionWithONNXData(onnx, []string{input}, []string{output}, options)
	if err != nil {
		return Latency{}, fmt.Errorf("measure latency: %w", err)
	}
	defer session.Destroy()
	dims, values := []int64{int64(batch)}, batch
	for _, d := range shape {
		dims, values = append(dims, int64(d)), values*d
	}
	data := make([]float32, values)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = float32(random.NormFloat64())
	}
	tensor, err := ort.NewTensor(ort.NewShape(dims...), data)
	if err != nil {
		return Latency{}, fmt.Errorf("measure latency: %w", err)
	}
	defer tensor.Destroy()
	var times []float64
	began := time.Now()
	for i := 0; i <= runs && (i < 4 || time.Since(began) < limit); i++ {
		outputs := []ort.Value{nil} // made by the run
		start := time.Now()
		err := session.Run([]ort.Value{tensor}, outputs)
		took := time.Since(start)
		if err != nil {
			return Latency{}, fmt.Errorf("measure latency: %w", err)
		}
		outputs[0].Destroy()
		if i > 0 {
			times = append(times, float64(took)/float64(time.Millisecond))
		}
	}
	slices.Sort(times)
	at := func(share float64) float64 { return times[int(share*float64(len(times)-1)+0.5)] }
	return Latency{Median: at(0.5), Low: at(0.25), High: at(0.75), Runs: len(times)}, nil
}

// RuntimeVersion is ONNX Runtime's, once it was used.
func RuntimeVersion() string { return ort.GetVersion() }
