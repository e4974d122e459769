package foundation

import (
	"context"
	"fmt"

	"rd/rdlib/lockfile"
)

// lock makes this process the only one that computes the cache at path.
func lock(ctx context.Context, path string, notify func(string)) (unlock func(), err error) {
	l, err := lockfile.Wait(ctx, path+".lock", func() { notify(path + ": waiting for another process that is computing it") })
	if err != nil {
		return nil, fmt.Errorf("feature cache %s: %w", path, err)
	}
	return func() { l.Release() }, nil
}
