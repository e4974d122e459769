package notebook

import (
	"bytes"
	"image"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"rd/rdlib/progress"
	"rd/rdlib/record"
)

type row struct {
	Method   string
	Seeds    int
	Accuracy float64 `dataframe:"accuracy_%"`
}

var rows = []row{{"rd", 3, 75.51}, {"R&D <b>", 1, math.NaN()}}

// captured is what f shows outside a notebook.
func captured(t *testing.T, f func()) string {
	t.Helper()
	var b bytes.Buffer
	out = &b
	defer func() { out = os.Stdout }()
	f()
	return b.String()
}

func TestTableIsPlainTextOutsideANotebook(t *testing.T) {
	const want = "Method   Seeds  accuracy_%\nrd       3      75.5\nR&D <b>  1      –\n"
	if got := captured(t, func() { Table(rows) }); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := captured(t, func() { Table(rows, "Method") }); got != "Method\nrd\nR&D <b>\n" {
		t.Errorf("one column: got\n%s", got)
	}
}

func TestTableEscapes(t *testing.T) {
	df, err := Frame(rows)
	if err != nil {
		t.Fatal(err)
	}
	if html := tableHTML(df); !strings.Contains(html, "R&amp;D &lt;b&gt;") || !strings.Contains(html, `<td style="text-align:right">75.5</td>`) {
		t.Errorf("HTML: %s", html)
	}
	latex, err := LaTeX(rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`\begin{tabular}{lrr}`, `Method & Seeds & accuracy\_\% \\`, `R\&D <b> & 1 & -- \\`} {
		if !strings.Contains(latex, want) {
			t.Errorf("%q is not in\n%s", want, latex)
		}
	}
}

func TestFrameSaysWhatItCannotShow(t *testing.T) {
	for _, bad := range []any{nil, 3, []int{1}, []row{}, []struct{ A []int }{{}}} {
		if _, err := Frame(bad); err == nil {
			t.Errorf("%T %v: no error", bad, bad)
		}
	}
}

func TestPlotsAreTheSameEachTime(t *testing.T) {
	draw := func() []byte {
		p, err := NewPlot("a title", "x", "y", Line{Name: "one", Y: []float64{1, math.NaN(), 3}}, Line{Name: "two", X: []float64{0, 2}, Y: []float64{1, 1}})
		if err != nil {
			t.Fatal(err)
		}
		data, err := plotPNG(p)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	if !bytes.Equal(draw(), draw()) {
		t.Error("two plots of the same lines differ")
	}
	if _, err := NewPlot("", "", "", Line{X: []float64{1}, Y: []float64{1, 2}}); err == nil {
		t.Error("places and values of different number: no error")
	}
	if got := captured(t, func() { Plot("a title", "x", "y") }); got != "plot: a title\n" {
		t.Errorf("outside a notebook: %q", got)
	}
}

func TestGrid(t *testing.T) {
	images := []Captioned{{image.NewGray(image.Rect(0, 0, 8, 8)), "a"}, {image.NewRGBA(image.Rect(0, 0, 30, 20)), "b"}, {image.NewGray(image.Rect(3, 3, 9, 9)), "c"}}
	img, err := grid(2, images)
	if err != nil {
		t.Fatal(err)
	}
	if got := img.Bounds().Size(); got != image.Pt(2*116, 2*134) {
		t.Errorf("the grid has %v pixels", got)
	}
	if _, err := grid(2, nil); err == nil {
		t.Error("no images: no error")
	}
}

func TestCurveKeepsWhatIsThere(t *testing.T) {
	accuracy := 0.5
	first, second := record.Epoch{Epoch: 1, Loss: 2}, record.Epoch{Epoch: 2, Loss: 1, ValidationAccuracy: &accuracy}
	both := NewCurve("training")
	both.Add(first)
	both.Add(second)
	lines := both.all()
	if len(lines) != 3 || len(lines[0].Y) != 2 || len(lines[2].X) != 1 || lines[2].X[0] != 2 {
		t.Errorf("lines: %+v", lines)
	}
	// A run that was continued has seen the second epoch only.
	continued := NewCurve("training")
	continued.Add(second)
	if got := captured(t, func() { continued.Finish(&record.Record{Result: record.Result{Curves: []record.Epoch{first, second}}}) }); got != "plot: training\n" {
		t.Errorf("outside a notebook: %q", got)
	}
	if got := continued.all(); !reflect.DeepEqual(got, lines) {
		t.Errorf("after the end: %+v, want %+v", got, lines)
	}
}

func TestBar(t *testing.T) {
	html := barHTML(progress.State{What: "<student>", Done: 3, Total: 12, Rate: "5 images/s", Left: 90 * time.Second})
	for _, want := range []string{`value="3" max="12"`, "&lt;student&gt;", "3/12, 5 images/s, 1m30s left"} {
		if !strings.Contains(html, want) {
			t.Errorf("%q is not in %s", want, html)
		}
	}
}

func TestPivot(t *testing.T) {
	runs := []struct {
		Student, Method string
		Accuracy        float64
	}{{"b", "rd", 1}, {"a", "rd", 5}, {"b", "rd", 2}, {"b", "kd", 4}}
	pivot, err := Pivot(runs, "Student", "Method", "Accuracy")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tableText(pivot), "Student  rd    kd\nb        1.50  4\na        5.00  –"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if _, err := Pivot(runs, "Student", "Methods", "Accuracy"); err == nil {
		t.Error("a column that is not there: no error")
	}
}

func TestNumbersOfAColumn(t *testing.T) {
	for _, c := range []struct {
		value  float64
		column []float64
		want   string
	}{
		{2, []float64{2, 30}, "2"}, {1.25, []float64{1.25, 30}, "1.2"}, {-0.649, []float64{-0.649, 1.08}, "-0.65"}, {0.5, []float64{0.5, 0.25}, "0.500"},
		{1e-7, []float64{1e-7, 0.3}, "1e-07"}, {0, []float64{0, 0.5}, "0.000"}, {math.NaN(), []float64{math.NaN()}, "–"},
	} {
		if got := number(c.value, decimals(c.column)); got != c.want {
			t.Errorf("%v in %v: got %s, want %s", c.value, c.column, got, c.want)
		}
	}
}

func TestFrameOfAllKinds(t *testing.T) {
	rows := []struct {
		Seed   uint64
		Size   int8 `dataframe:"size, pixels"`
		Share  float32
		Done   bool
		Hidden []int `dataframe:"-"`
		inner  int
	}{{Seed: 7, Size: -2, Share: 0.25, Done: true}}
	df, err := Frame(rows)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tableText(df), "Seed  size, pixels  Share  Done\n7     -2            0.250  true"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
