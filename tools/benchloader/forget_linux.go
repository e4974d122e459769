package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// forget takes a file out of the page cache, so that it is read from the disk again.
func forget(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	return file.Sync() == nil && unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED) == nil
}
