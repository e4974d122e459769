package dataset

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync"
)

// checked is what decoding a file once tells.
type checked struct {
	sha256 string // of the bytes; "" when they cannot be read
	err    *ImageError
}

// checkImages decodes every file once. It returns early only when ctx ends.
func checkImages(ctx context.Context, root string, paths []string, o Options) ([]checked, error) {
	results := make([]checked, len(paths))
	err := forEach(ctx, len(paths), o.Workers, o.Progress, func(i int) error {
		_, sha, err := decodeHashed(filepath.Join(root, filepath.FromSlash(paths[i])), o.Limits)
		results[i].sha256 = sha
		if err != nil {
			errors.As(err, &results[i].err)
			results[i].err.Path = paths[i]
			var where *fs.PathError // names the file again, with its absolute path
			if errors.As(results[i].err.Cause, &where) {
				results[i].err.Cause = where.Err
			}
		}
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
