package rdlib

import (
	"context"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"

	"gonum.org/v1/gonum/mat"

	"rd/rdlib/dataset"
	"rd/rdlib/foundation"
	"rd/rdlib/model"
	"rd/rdlib/record"
)

// captionWords is the output under which captions are fed to training.
const captionWords = "words"

// captions are bags of words of a corpus's images, train.Features of its training images. They are the same for every view.
type captions struct {
	words       []string // the vocabulary, in alphabetical order
	train, test [][]float32
}

// readCaptions reads the captions of all sets; every image must have one.
func readCaptions(c *corpus) (*captions, error) {
	var texts []map[string]string
	for _, set := range c.sets {
		t, err := dataset.ReadCaptions(set.data.Root)
		if err != nil {
			return nil, asInput(err)
		}
		texts = append(texts, t)
	}
	collect := func(m *images) ([][]string, error) {
		var all [][]string
		for _, image := range m.list {
			path := c.sets[image.set].data.Items[image.item].Path
			text, ok := texts[image.set][path]
			if !ok {
				return nil, &InputError{fmt.Errorf("%s of %s has no caption in %s: add one, or remove the image", path, c.sets[image.set].data.Root, dataset.CaptionsFile)}
			}
			all = append(all, strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }))
		}
		return all, nil
	}
	train, err := collect(&c.train)
	if err != nil {
		return nil, err
	}
	test, err := collect(&c.test)
	if err != nil {
		return nil, err
	}
	vocabulary := map[string]bool{}
	for _, words := range train {
		for _, w := range words {
			vocabulary[w] = true
		}
	}
	words := slices.Sorted(maps.Keys(vocabulary))
	bags := func(texts [][]string) [][]float32 {
		all := make([][]float32, len(texts))
		for i, text := range texts {
			all[i] = make([]float32, len(words))
			for _, w := range text {
				if k, known := slices.BinarySearch(words, w); known {
					all[i][k]++
				}
			}
		}
		return all
	}
	return &captions{words, bags(train), bags(test)}, nil
}

// Shape is that of one bag of words.
func (c *captions) Shape(string) []int { return []int{len(c.words)} }

// Read gives the bag of words of training image i.
func (c *captions) Read(i, _ int, _ string, dst []float32) error {
	copy(dst, c.train[i])
	return nil
}

// SameForAllViews says that captions do not depend on how an image is seen.
func (c *captions) SameForAllViews() bool { return true }

// among is how many captions an image chooses from when retrieval is tested.
const among = 64

// retrieve tests how many held-out images find their own caption: in groups of 64 drawn by the seed, the caption whose
// embedding W·words + b has the largest cosine with the image's pooled feature; another image's caption of the same words
// is right too.
func (p *pretraining) retrieve(ctx context.Context, path string, text model.Weights) (*record.Retrieval, error) {
	features, err := pooledFeatures(ctx, path, p.session.threads, &p.corpus.test)
	if err != nil {
		return nil, err
	}
	weight, bias := text["0.weight"], text["0.bias"]
	width := weight.Shape[0]
	embed := func(bag []float32) []float64 {
		v := make([]float64, width)
		for d := range v {
			v[d] = float64(bias.Data[d])
			for k, count := range bag {
				v[d] += float64(weight.Data[d*len(bag)+k]) * float64(count)
			}
		}
		return v
	}
	order := rand.New(rand.NewPCG(p.options.Seed, 0)).Perm(len(features))
	r := &record.Retrieval{Among: min(among, len(order))}
	for first := 0; first+r.Among <= len(order); first += r.Among {
		group := order[first : first+r.Among]
		embedded := make([][]float64, len(group))
		for k, i := range group {
			embedded[k] = embed(p.captions.test[i])
		}
		for _, i := range group {
			image := make([]float64, width)
			for d, v := range features[i] {
				image[d] = float64(v)
			}
			best, top := 0, math.Inf(-1)
			for k := range group {
				if c := cosine(image, embedded[k]); c > top {
					best, top = k, c
				}
			}
			if slices.Equal(p.captions.test[group[best]], p.captions.test[i]) {
				r.Correct++
			}
			r.Total++
		}
	}
	return r, nil
}

func cosine(a, b []float64) float64 {
	x, y := mat.NewVecDense(len(a), a), mat.NewVecDense(len(b), b)
	return mat.Dot(x, y) / max(mat.Norm(x, 2)*mat.Norm(y, 2), 1e-12)
}

// pooledFeatures runs an ONNX teacher over images prepared for it, [image][D].
func pooledFeatures(ctx context.Context, path string, threads int, source dataset.Source) ([][]float32, error) {
	t, err := foundation.Open(path, foundation.Options{Threads: threads})
	if err != nil {
		return nil, err
	}
	defer t.Close()
	return teacherFeatures(ctx, t, source)
}

// teacherFeatures are a teacher's pooled features of images prepared for it, [image][D].
func teacherFeatures(ctx context.Context, t *foundation.Teacher, source dataset.Source) ([][]float32, error) {
	const chunk = 256
	size := t.Preprocess().Len()
	var rows [][]float32
	for first := 0; first < source.Len(); first += chunk {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		n := min(chunk, source.Len()-first)
		batch := make([]float32, n*size)
		for k := range n {
			if err := source.Tensor(first+k, false, batch[k*size:(k+1)*size]); err != nil {
				return nil, err
			}
		}
		features, err := t.Features(batch, n)
		if err != nil {
			return nil, err
		}
		pooled := features[foundation.Pooled]
		width := len(pooled.Data) / n
		for k := range n {
			rows = append(rows, pooled.Data[k*width:(k+1)*width])
		}
	}
	return rows, nil
}
