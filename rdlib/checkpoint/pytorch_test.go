package checkpoint

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"rd/rdlib/model"
)

// TestRealPyTorchFiles reads what PyTorch itself wrote, in every type and protocol: the fixtures of gopickle's tests.
func TestRealPyTorchFiles(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/nlpodyssey/gopickle").Output()
	if err != nil {
		t.Skipf("gopickle's files are not at hand: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "pytorch", "testdata", "tensor_*.pt"))
	if err != nil || len(files) == 0 {
		t.Skipf("gopickle's files are not at hand: %v", err)
	}
	read := 0
	for _, path := range files {
		format, err := Sniff(path)
		if err != nil {
			t.Fatal(err)
		}
		if format == "" && strings.Contains(path, "_proto1.") {
			continue // nothing tells a pickle of protocol 1 from other bytes
		}
		open := openZip
		if format == PyTorchLegacy {
			open = openLegacy
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		root, source, err := open(file, info.Size())
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		x, ok := root.(*tensor)
		if !ok {
			t.Errorf("%s holds a %T", path, root)
			continue
		}
		weights, err := materialise(map[string]*tensor{"x": x}, source)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		want := []float64{1, -2, 3, -4}
		switch {
		case strings.Contains(path, "float"):
			want = []float64{1.2, -3.4, 5.6, -7.8}
		case strings.Contains(path, "uint8"):
			want = []float64{1, 10, 100, 255}
		case strings.Contains(path, "bool"):
			want = []float64{1, 0, 1, 0}
		}
		for i, v := range weights["x"].Data {
			if d := float64(v) - want[i]; d > 0.02 || d < -0.02 {
				t.Errorf("%s: %v, want %v", path, weights["x"], want)
				break
			}
		}
		if elements := len(weights["x"].Data); elements != 4 {
			t.Errorf("%s: %d elements", path, elements)
		}
		read++
	}
	if read < 40 {
		t.Errorf("%d files were read of %d", read, len(files))
	}
}

// small are weights of a network of few parameters.
func small(t testing.TB) (*model.Network, model.Weights) {
	t.Helper()
	net, err := model.New("resnet18", model.Config{Classes: 3, Width: 0.0625, Blocks: []int{1}})
	if err != nil {
		t.Fatal(err)
	}
	return net, net.Init(3)
}

func TestReadPyTorch(t *testing.T) {
	_, w := small(t)
	var f torchFile
	state := pyOrderedDict(f.stateDict(w)...)
	args := pyGlobal("argparse", "Namespace") + ")\x81" + pyDict(pyText("lr"), pyInt(1)) + "b"
	for name, c := range map[string]struct {
		root, wrapper, other string
	}{
		"bare":           {state, "", "[]"},
		"state_dict":     {pyDict(pyText("state_dict"), state, pyText("epoch"), pyInt(3)), "state_dict", "[epoch]"},
		"model":          {pyDict(pyText("args"), args, pyText("model"), state, pyText("optimizer"), pyDict(pyInt(0), state)), "model", "[args optimizer]"},
		"model, inside":  {pyDict(pyText("checkpoint"), pyDict(pyText("weights"), state)), "checkpoint.weights", "[]"},
		"model, and ema": {pyDict(pyText("model"), state, pyText("model_ema"), state), "model", "[model_ema]"},
	} {
		for format, data := range map[Format][]byte{PyTorch: f.zip(t, c.root), PyTorchLegacy: f.legacy(c.root)} {
			file, err := Read(writeFile(t, data), "")
			if err != nil {
				t.Errorf("%s, %s: %v", name, format, err)
				continue
			}
			if file.Format != format || file.Wrapper != c.wrapper || fmt.Sprint(file.Other) != c.other {
				t.Errorf("%s: format %q, wrapper %q, other %v", name, file.Format, file.Wrapper, file.Other)
			}
			if !reflect.DeepEqual(file.Weights, w) {
				t.Errorf("%s, %s: other weights were read than written", name, format)
			}
		}
	}
	path := writeFile(t, f.zip(t, pyDict(pyText("teacher"), state, pyText("student"), state)))
	if _, err := Read(path, ""); err == nil || !strings.Contains(err.Error(), `"student"`) || !strings.Contains(err.Error(), "say which") {
		t.Errorf("of two that are equally usual one was taken: %v", err)
	}
	if file, err := Read(path, "student"); err != nil || file.Wrapper != "student" {
		t.Errorf("the key was not taken: %v", err)
	}
	if _, err := Read(path, "encoder"); err == nil || !strings.Contains(err.Error(), `none under "encoder"`) {
		t.Errorf("a key that is not there: %v", err)
	}
}

// TestStridesAndTypes: a transposed view, an offset, and each type of number.
func TestStridesAndTypes(t *testing.T) {
	var f torchFile
	matrix := f.add(floatBytes([]float32{0, 1, 2, 3, 4, 5, 6}), 4)
	halves := f.add([]byte{0x00, 0x3c, 0x00, 0xc0}, 2)    // 1, -2
	brains := f.add([]byte{0x80, 0x3f, 0x00, 0xc0}, 2)    // 1, -2
	double := f.add([]byte{0, 0, 0, 0, 0, 0, 0, 0xc0}, 8) // -2
	path := writeFile(t, f.zip(t, pyDict(
		pyText("turned"), pyTensor(pyStorage("FloatStorage", matrix, 7), 1, []int{3, 2}, []int{1, 3}),
		pyText("tied"), pyTensor(pyStorage("FloatStorage", matrix, 7), 0, []int{7}, []int{1}),
		pyText("half"), pyTensor(pyStorage("HalfStorage", halves, 2), 0, []int{2}, []int{1}),
		pyText("brain"), pyTensor(pyStorage("BFloat16Storage", brains, 2), 0, []int{2}, []int{1}),
		pyText("double"), pyTensor(pyStorage("DoubleStorage", double, 1), 0, nil, nil),
	)))
	file, err := Read(path, "")
	if err != nil {
		t.Fatal(err)
	}
	want := model.Weights{
		"turned": {Shape: []int{3, 2}, Data: []float32{1, 4, 2, 5, 3, 6}},
		"tied":   {Shape: []int{7}, Data: []float32{0, 1, 2, 3, 4, 5, 6}},
		"half":   {Shape: []int{2}, Data: []float32{1, -2}},
		"brain":  {Shape: []int{2}, Data: []float32{1, -2}},
		"double": {Shape: []int{}, Data: []float32{-2}},
	}
	if !reflect.DeepEqual(file.Weights, want) {
		t.Errorf("read %v, want %v", file.Weights, want)
	}
}

// TestCodeIsRefused: whatever asks for a class or function that is no part of weights is refused before anything else.
func TestCodeIsRefused(t *testing.T) {
	_, w := small(t)
	for name, value := range map[string]string{
		"os.system":                     pyCall(pyGlobal("os", "system"), pyText("touch /tmp/rd-was-here")),
		"posix.system":                  "cposix\nsystem\n" + pyTuple(pyText("touch /tmp/rd-was-here")) + "R",
		"builtins.eval":                 pyText("builtins") + pyText("eval") + "\x93" + pyTuple(pyText("1")) + "R",
		"builtins.getattr":              pyCall(pyGlobal("builtins", "getattr"), pyText("a"), pyText("b")),
		"subprocess.Popen":              "(" + pyText("ls") + "isubprocess\nPopen\n",
		"torch.hub.load":                pyGlobal("torch", "hub.load"),
		"torch.load":                    pyGlobal("torch", "load"),
		"torchvision.models.vgg.VGG":    pyGlobal("torchvision.models.vgg", "VGG") + ")\x81",
		"torch.nn.modules.conv.Conv2d":  pyGlobal("torch.nn.modules.conv", "Conv2d") + ")\x81",
		"numpy.testing._private.runstr": pyGlobal("numpy.testing._private", "runstr"),
	} {
		var f torchFile
		root := pyDict(append(f.stateDict(w), pyText("x"), value)...)
		plain := writeFile(t, pickled(root))
		for _, path := range []string{writeFile(t, f.zip(t, root)), writeFile(t, f.legacy(root)), plain} {
			if _, err := Read(path, ""); !errors.Is(err, ErrCode) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: error %v, want a refusal that names it and the file", name, err)
			}
		}
	}
	var out bytes.Buffer
	archive := zip.NewWriter(&out)
	for _, name := range []string{"net/data.pkl", "net/constants.pkl", "net/code/__torch__.py"} {
		if _, err := archive.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	archive.Close()
	if _, err := Read(writeFile(t, out.Bytes()), ""); !errors.Is(err, ErrCode) || !strings.Contains(err.Error(), "TorchScript") {
		t.Errorf("TorchScript: %v", err)
	}
	if _, err := os.Stat("/tmp/rd-was-here"); err == nil {
		t.Fatal("a pickle was run")
	}
}

// TestCutShort: at whatever byte a file ends, there is an error that names it, and no panic.
func TestCutShort(t *testing.T) {
	_, w := small(t)
	few := model.Weights{"conv1.weight": w["conv1.weight"], "bn1.running_var": w["bn1.running_var"]}
	var f torchFile
	root := pyOrderedDict(f.stateDict(few)...)
	safe := filepath.Join(t.TempDir(), "w.safetensors")
	if err := model.SaveSafetensors(safe, few, nil); err != nil {
		t.Fatal(err)
	}
	tensors, err := os.ReadFile(safe)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cut")
	for _, whole := range [][]byte{f.zip(t, root), f.legacy(root), tensors} {
		for n := 0; n < len(whole); n += 1 + n/64 {
			if err := os.WriteFile(path, whole[:n], 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := Read(path, ""); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), path) {
				t.Fatalf("%d bytes of %d: %v", n, len(whole), err)
			}
		}
		if file, err := Read(writeFile(t, whole), ""); err != nil || !reflect.DeepEqual(file.Weights, few) {
			t.Fatalf("the whole file: %v", err)
		}
	}
}

// TestDamaged: files with bytes changed at random are read, or refused, but never make a panic.
func TestDamaged(t *testing.T) {
	_, w := small(t)
	few := model.Weights{"conv1.weight": {Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}}, "bn1.running_var": w["bn1.running_var"]}
	var f torchFile
	root := pyDict(pyText("state_dict"), pyOrderedDict(f.stateDict(few)...), pyText("args"), pyGlobal("argparse", "Namespace")+")\x81"+pyDict()+"b")
	rng := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "damaged")
	refused := 0
	for range 4000 {
		data := pickled(root)
		for range 1 + rng.IntN(4) {
			data[rng.IntN(len(data))] = byte(rng.IntN(256))
		}
		if value, _, err := unpickle(data, readStorage); err != nil {
			refused++
		} else {
			new(File).find(value, "")
		}
		whole := f.legacy(root)
		whole[len(legacyStart)+rng.IntN(len(whole)-len(legacyStart))] ^= byte(1 + rng.IntN(255))
		if rng.IntN(8) == 0 {
			if err := os.WriteFile(path, whole, 0o644); err != nil {
				t.Fatal(err)
			}
			Read(path, "")
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}

// TestLies: lengths and sizes that are not true are not believed.
func TestLies(t *testing.T) {
	for want, value := range map[string]string{
		"cut short":                 "X\xff\xff\xff\x7fabc",
		"cut short or":              "\x8d\xff\xff\xff\xff\xff\xff\xff\x7fabc",
		"cut short or d":            "\x95\xff\xff\xff\xff\xff\xff\xff\x7fabc",
		"the code 0x97":             "\x97",
		"the code 0x82":             "\x82\x01",
		"the code 0xff":             "\xff",
		"damaged":                   pyDict(pyText("odd")),
		"no storage of a tensor":    pyInt(1) + "Q",
		"is described by":           pyTuple(pyText("storage"), pyInt(1), pyText("0"), pyText("cpu"), pyInt(4)) + "Q",
		"a tensor is made of 1":     pyCall(pyGlobal("torch._utils", "_rebuild_tensor_v2"), pyInt(1)),
		"a tensor is made of int":   pyCall(pyGlobal("torch._utils", "_rebuild_tensor_v2"), pyInt(1), pyInt(2), pyInt(3), pyInt(4)),
		"a parameter of nothing":    pyCall(pyGlobal("torch._utils", "_rebuild_parameter")),
		"holds a int":               pyInt(7),
		"no tensors by name":        pyDict(pyText("a"), pyInt(1)),
		"reaches beyond":            pyDict(pyText("x"), pyTensor(pyStorage("FloatStorage", "0", 4), 1, []int{2, 2}, []int{2, 1})),
		"reaches beyond its":        pyDict(pyText("x"), pyTensor(pyStorage("FloatStorage", "0", 4), 0, []int{1 << 20, 1 << 20}, []int{0, 0})),
		"reaches beyond its storag": pyDict(pyText("x"), pyTensor(pyStorage("FloatStorage", "0", 4), 0, []int{1 << 30, 1 << 30, 1 << 30}, []int{1, 1, 1})),
		"the tensors in it need 20": pyDict(pyText("x"), pyTensor(pyStorage("FloatStorage", "0", 5), 0, []int{5}, []int{1})),
		"no entry data/7":           pyDict(pyText("x"), pyTensor(pyStorage("FloatStorage", "7", 4), 0, []int{4}, []int{1})),
		"of two types": pyDict(pyText("x"), pyTensor(pyStorage("FloatStorage", "0", 4), 0, []int{4}, []int{1}),
			pyText("y"), pyTensor(pyStorage("HalfStorage", "0", 8), 0, []int{8}, []int{1})),
	} {
		var f torchFile
		f.add(floatBytes([]float32{1, 2, 3, 4}), 4)
		path := writeFile(t, f.zip(t, value))
		if _, err := Read(path, ""); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	// A dictionary that holds itself, and many tensors of one storage.
	var f torchFile
	f.add(floatBytes([]float32{1, 2, 3, 4}), 4)
	itself := "}q\x00(" + strings.Repeat(pyText("again")+"h\x00", 50) + "u"
	if _, err := Read(writeFile(t, f.zip(t, itself)), ""); !errors.Is(err, ErrFormat) {
		t.Errorf("a dictionary of itself: %v", err)
	}
	var many []string
	for i := range 50 {
		many = append(many, pyText(fmt.Sprint("x", i)), pyTensor(pyStorage("FloatStorage", "0", 4), 0, []int{4}, []int{1}))
	}
	if _, err := Read(writeFile(t, f.zip(t, pyDict(many...))), ""); err == nil || !strings.Contains(err.Error(), "no weights") {
		t.Errorf("fifty tensors of one storage: %v", err)
	}
	// An entry whose bytes do not have the archive's sum.
	data := f.zip(t, pyDict(pyText("x"), pyTensor(pyStorage("FloatStorage", "0", 4), 0, []int{4}, []int{1})))
	at := bytes.Index(data, floatBytes([]float32{1, 2, 3, 4}))
	data[at] ^= 1
	if _, err := Read(writeFile(t, data), ""); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a changed weight: %v", err)
	}
}

func TestOtherFiles(t *testing.T) {
	for _, data := range []string{"", "text", "\x89HDF\r\n\x1a\n and so on", strings.Repeat("\x00", 600), "PK\x03\x04", "PK\x03\x04 no archive"} {
		path := writeFile(t, []byte(data))
		if _, err := Read(path, ""); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", data, err)
		}
	}
	if _, err := Read(filepath.Join(t.TempDir(), "missing"), ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}
