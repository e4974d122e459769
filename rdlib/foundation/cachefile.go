package foundation

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"

	"github.com/cespare/xxhash/v2"
)

// A feature cache is one little-endian file:
//
//	 0  magic, 8 bytes: cacheMagic, or partialMagic while it is being computed
//	 8  version, 4 bytes
//	12  length of the description, 4 bytes
//	16  xxhash64 of the description
//	24  offset of the checksums
//	32  xxhash64 of the checksums; 0 while it is being computed
//	40  offset of the data, a multiple of dataAlignment
//	48  size of the file
//	56  xxhash64 of bytes 0…55
//	64  the description, JSON (Meta)
//	    checksums: xxhash64 of each block of the data; 0 where it is still to be computed
//	    data: for each item, for each view, each output's values in row-major order
//
// Items come in blocks, the unit of checksums and of what an interrupted computation keeps. Nothing in the file depends
// on when, where or on how many threads it was computed.
const (
	cacheMagic    = "RDFEAT\r\n" // a transfer that changes line ends is noticed
	partialMagic  = "RDPART\r\n"
	cacheVersion  = 1
	headerSize    = 64
	dataAlignment = 4096
)

// layout is where things lie in the file.
type layout struct {
	meta        []byte // JSON
	checksums   int64  // offset
	data        int64  // offset
	size        int64  // of the file
	blocks      int
	blockBytes  int64 // of all blocks but the last
	recordBytes int64 // of one item under one view
	itemBytes   int64
	offsets     map[string]int64 // of an output within a record
	valueBytes  int64            // 4 or 2
}

// plan lays out a file for a description. Sizes that overflow or make no sense are an error.
func (m Meta) plan() (layout, error) {
	l := layout{offsets: map[string]int64{}, valueBytes: 4}
	if m.Key.Half {
		l.valueBytes = 2
	}
	if m.Key.Items < 1 || m.Key.Views < 1 || m.Key.Views > len(ViewNames) || m.Block < 1 || len(m.Outputs) == 0 {
		return l, fmt.Errorf("%d items, %d views, blocks of %d, %d outputs make no cache", m.Key.Items, m.Key.Views, m.Block, len(m.Outputs))
	}
	for _, o := range m.Outputs {
		values := int64(1)
		for _, d := range o.Shape {
			if d < 1 || values > math.MaxInt32/int64(d) {
				return l, fmt.Errorf("output %s has the shape %v", o.Name, o.Shape)
			}
			values *= int64(d)
		}
		l.offsets[o.Name] = l.recordBytes
		l.recordBytes += values * l.valueBytes
	}
	l.itemBytes = l.recordBytes * int64(m.Key.Views)
	if int64(m.Key.Items) > math.MaxInt/2/l.itemBytes {
		return l, fmt.Errorf("%d items of %d bytes are too many", m.Key.Items, l.itemBytes)
	}
	l.blocks = (m.Key.Items + m.Block - 1) / m.Block
	l.blockBytes = l.itemBytes * int64(m.Block)
	var err error
	if l.meta, err = json.Marshal(m); err != nil {
		return l, err
	}
	l.checksums = roundUp(headerSize+int64(len(l.meta)), 8)
	l.data = roundUp(l.checksums+8*int64(l.blocks), dataAlignment)
	l.size = l.data + l.itemBytes*int64(m.Key.Items)
	return l, nil
}

func roundUp(n, to int64) int64 { return (n + to - 1) / to * to }

// block returns where block b lies in the file.
func (l layout) block(b int) (start, end int64) {
	start = l.data + int64(b)*l.blockBytes
	return start, min(start+l.blockBytes, l.size)
}

// header encodes the first headerSize bytes.
func (l layout) header(magic string, preamble uint64) []byte {
	h := make([]byte, headerSize)
	copy(h, magic)
	binary.LittleEndian.PutUint32(h[8:], cacheVersion)
	binary.LittleEndian.PutUint32(h[12:], uint32(len(l.meta)))
	binary.LittleEndian.PutUint64(h[16:], xxhash.Sum64(l.meta))
	binary.LittleEndian.PutUint64(h[24:], uint64(l.checksums))
	binary.LittleEndian.PutUint64(h[32:], preamble)
	binary.LittleEndian.PutUint64(h[40:], uint64(l.data))
	binary.LittleEndian.PutUint64(h[48:], uint64(l.size))
	binary.LittleEndian.PutUint64(h[56:], xxhash.Sum64(h[:56]))
	return h
}

// preamble is what lies between the header and the data: description, checksums and what fills up to the alignment.
func (l layout) preamble(sums []uint64) []byte {
	p := make([]byte, l.data-headerSize)
	copy(p, l.meta)
	for i, sum := range sums {
		binary.LittleEndian.PutUint64(p[l.checksums-headerSize+8*int64(i):], sum)
	}
	return p
}

// checksum is xxhash64, with the one value that means "not computed yet" moved away.
func checksum(data []byte) uint64 {
	return max(1, xxhash.Sum64(data))
}

// parseHeader reads the description off the beginning of a complete cache, as far as it is given, and checks everything
// that can be checked without the data. fileSize is the size on disk.
func parseHeader(head []byte, fileSize int64) (m Meta, l layout, preamble uint64, err error) {
	if len(head) < headerSize {
		return m, l, 0, fmt.Errorf("it has only %d bytes: cut short", len(head))
	}
	switch string(head[:8]) {
	case cacheMagic:
	case partialMagic:
		return m, l, 0, fmt.Errorf("it was never completed")
	default:
		return m, l, 0, fmt.Errorf("it does not begin as a feature cache does")
	}
	if xxhash.Sum64(head[:56]) != binary.LittleEndian.Uint64(head[56:]) {
		return m, l, 0, fmt.Errorf("its header was changed")
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != cacheVersion {
		return m, l, 0, fmt.Errorf("it is of version %d, and this program reads version %d", v, cacheVersion)
	}
	if size := binary.LittleEndian.Uint64(head[48:]); size != uint64(fileSize) {
		return m, l, 0, fmt.Errorf("it has %d bytes and should have %d: cut short or extended", fileSize, size)
	}
	length := int64(binary.LittleEndian.Uint32(head[12:]))
	if headerSize+length > int64(len(head)) {
		return m, l, 0, fmt.Errorf("its description is cut short")
	}
	text := head[headerSize : headerSize+length]
	if xxhash.Sum64(text) != binary.LittleEndian.Uint64(head[16:]) {
		return m, l, 0, fmt.Errorf("its description was changed")
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, l, 0, fmt.Errorf("its description: %w", err)
	}
	if l, err = m.plan(); err != nil {
		return m, l, 0, fmt.Errorf("its description: %w", err)
	}
	l.meta = text
	l.checksums = int64(binary.LittleEndian.Uint64(head[24:]))
	l.data = int64(binary.LittleEndian.Uint64(head[40:]))
	if l.checksums < headerSize+length || l.checksums+8*int64(l.blocks) > l.data || l.data+l.itemBytes*int64(m.Key.Items) != fileSize {
		return m, l, 0, fmt.Errorf("its parts do not add up")
	}
	l.size = fileSize
	return m, l, binary.LittleEndian.Uint64(head[32:]), nil
}
