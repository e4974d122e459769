package foundation

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"

	"github.com/shirou/gopsutil/v4/disk"
)

// EstimateBytes is the size of the file BuildCache would write, known before anything is computed.
func (t *Teacher) EstimateBytes(items int, o BuildOptions) (int64, error) {
	meta, err := t.cacheMeta(items, o)
	if err != nil {
		return 0, err
	}
	l, err := meta.plan()
	if err != nil {
		return 0, fmt.Errorf("feature cache of teacher %s: %w", t.info.Name, err)
	}
	return l.size, nil
}

// BytesText writes a number of bytes for people: "1.02 MiB".
func BytesText(n int64) string { return bytesText(n) }

// freeBytes is what an ordinary user may still write to the disk of a folder.
func freeBytes(folder string) (uint64, error) {
	usage, err := disk.Usage(folder)
	if err != nil {
		return 0, err
	}
	return usage.Free, nil
}

// checkSpace refuses to begin what cannot end. Where the system does not tell, it lets through.
func checkSpace(path string, needed int64, free func(folder string) (uint64, error)) error {
	available, err := free(filepath.Dir(path))
	if err != nil || needed <= 0 || uint64(needed) <= available {
		return nil
	}
	return fmt.Errorf("%w: feature cache %s needs %s more, and %s is free; make room, cache fewer outputs or views, or use half precision",
		ErrNoSpace, path, bytesText(needed), bytesText(int64(min(available, 1<<62))))
}

// diskFull tells whether an error of the system means that there is no room left.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
