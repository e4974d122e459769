package dataset

import (
	"context"
	"errors"
	"runtime"
	"sync"
)

// checked is what decoding a file once tells.
type checked struct {
	sha256 string // of the bytes; "" when they cannot be read
	pixels string // PixelHash; "" when they cannot be decoded
	err    *ImageError
}

// checkImages decodes every file once. It returns early only when ctx ends.
func checkImages(ctx context.Context, s *source, paths []string, o Options) ([]checked, error) {
	results := make([]checked, len(paths))
	err := forEach(ctx, len(paths), o.Workers, o.Progress, func(i int) error {
		img, sha, err := s.decode(paths[i])
		results[i].sha256 = sha
		if err != nil {
			errors.As(err, &results[i].err)
			return nil
		}
		results[i].pixels = PixelHash(img)
		return nil
	})
	return results, err
}

// forEach calls do(0) … do(n−1) on workers goroutines (0: one per processor), stops at the first error or when ctx ends,
// and reports progress, one call at a time.
func forEach(ctx context.Context, n, workers int, progress func(done, total int), do func(i int) error) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		group sync.WaitGroup
		lock  sync.Mutex
		next  int
		done  int
	)
	for range min(workers, n) {
		group.Go(func() {
			for ctx.Err() == nil {
				lock.Lock()
				i := next
				next++
				lock.Unlock()
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					cancel(err)
					return
				}
				lock.Lock()
				done++
				if progress != nil {
					progress(done, n)
				}
				lock.Unlock()
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}
