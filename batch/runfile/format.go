package runfile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
)

// Codec is the number of the only codec there is; it is the last byte of both magics.
const Codec = 1

var (
	// ErrDamaged is the class of errors about a file that is no run file, or not the one that was asked for.
	ErrDamaged = errors.New("damaged run file")
	// ErrCodec is the class of errors about a file of an unknown codec.
	ErrCodec = errors.New("unknown run file codec")
)

// cure is what helps against a damaged run file. It is said with every such error.
const cure = "restore it from a backup of the state folder, or let batch rebuild the view"

// BlockSize is how many bytes of rows make a block full. A block holds whole rows, at least one.
const BlockSize = 64 << 10

// The fixed ends of a file.
const (
	headMagic  = "tmrun\x00\x00\x01"
	tailMagic  = "nurmt\x00\x00\x01"
	tailLength = 8 + 4 + len(tailMagic) // length of the index, its checksum, magic
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Meta says which file it is.
type Meta struct {
	Identity string // of the generation
	Run      int64
	Lane     int
	Lanes    int
}

func (m *Meta) valid() bool {
	return manifest.ValidIdentity(m.Identity) && m.Run > 0 && lane.ValidLanes(m.Lanes) && m.Lane >= 0 && m.Lane < m.Lanes
}

// ranges returns how many of the 256 hash ranges a lane holds, and first which is its first.
func (m *Meta) ranges() (first, n int) {
	n = lane.MaxLanes / m.Lanes
	return m.Lane * n, n
}

// Summary is what a file says.
type Summary struct {
	Rows  int64
	Bytes int64 // on disk
	// Digest of the rows: SHA-256, in hex, over the digests of the lane's hash ranges.
	Digest string
	// Ranges are the rows and digests of the hash ranges of the lane, in order.
	Ranges []RangeSummary
}

// RangeSummary is what a file says of one of the 256 hash ranges: the SHA-256 over its rows.
type RangeSummary struct {
	Rows   int64
	Digest [sha256.Size]byte
}

// fileDigest returns the digest over the digests of the ranges, each with its number of rows before it.
func fileDigest(ranges []RangeSummary) string {
	h := sha256.New()
	var rows [8]byte
	for i := range ranges {
		binary.BigEndian.PutUint64(rows[:], uint64(ranges[i].Rows))
		h.Write(rows[:])
		h.Write(ranges[i].Digest[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// block is one entry of the index.
type block struct {
	bytes int64 // length in the file
	rows  int64
	crc   uint32

	at    int64 // where it begins in the file
	first int64 // number of its first row
}

// index is what stands behind the blocks.
type index struct {
	meta   Meta
	blocks []block
	ranges []RangeSummary
}

// append appends the index as it stands in the file:
//
//	index  = length identity run lane lanes n block^n range^(256/lanes)
//	block  = bytes rows crc32c(4 bytes, big endian)
//	range  = rows sha256(32 bytes)
func (x *index) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(x.meta.Identity)))
	dst = append(dst, x.meta.Identity...)
	dst = binary.AppendUvarint(dst, uint64(x.meta.Run))
	dst = binary.AppendUvarint(dst, uint64(x.meta.Lane))
	dst = binary.AppendUvarint(dst, uint64(x.meta.Lanes))
	dst = binary.AppendUvarint(dst, uint64(len(x.blocks)))
	for i := range x.blocks {
		dst = binary.AppendUvarint(dst, uint64(x.blocks[i].bytes))
		dst = binary.AppendUvarint(dst, uint64(x.blocks[i].rows))
		dst = binary.BigEndian.AppendUint32(dst, x.blocks[i].crc)
	}
	for i := range x.ranges {
		dst = binary.AppendUvarint(dst, uint64(x.ranges[i].Rows))
		dst = append(dst, x.ranges[i].Digest[:]...)
	}
	return dst
}

// tail returns the fixed end of a file with this index.
func tail(enc []byte) []byte {
	b := binary.BigEndian.AppendUint64(nil, uint64(len(enc)))
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(enc, castagnoli))
	return append(b, tailMagic...)
}

// parseIndex reads an index whose blocks must fill the file from the head magic to end.
func parseIndex(enc []byte, end int64) (*index, error) {
	c := cursor{b: enc}
	x := &index{meta: Meta{
		Identity: string(c.bytes(manifest.IdentityLength)),
		Run:      int64(c.uvarint(position.MaxOffset)),
		Lane:     int(c.uvarint(lane.MaxLanes)),
		Lanes:    int(c.uvarint(lane.MaxLanes)),
	}}
	if c.bad || !x.meta.valid() {
		return nil, fmt.Errorf("%w: index of lane %d of %d", ErrDamaged, x.meta.Lane, x.meta.Lanes)
	}
	at, first := int64(len(headMagic)), int64(0)
	for range c.uvarint(uint64(len(enc))) {
		b := block{bytes: int64(c.uvarint(position.MaxOffset)), rows: int64(c.uvarint(position.MaxOffset)), at: at, first: first}
		if crc := c.take(4); !c.bad {
			b.crc = binary.BigEndian.Uint32(crc)
		}
		at, first = at+b.bytes, first+b.rows
		if c.bad || b.rows == 0 || at > end {
			return nil, fmt.Errorf("%w: block %d in the index", ErrDamaged, len(x.blocks))
		}
		x.blocks = append(x.blocks, b)
	}
	_, n := x.meta.ranges()
	var rows int64
	for range n {
		r := RangeSummary{Rows: int64(c.uvarint(position.MaxOffset))}
		copy(r.Digest[:], c.take(sha256.Size))
		rows += r.Rows
		x.ranges = append(x.ranges, r)
	}
	if c.bad || len(c.b) > 0 || at != end || rows != first {
		return nil, fmt.Errorf("%w: index: %d rows in blocks, %d in ranges, blocks end at %d, want %d", ErrDamaged, first, rows, at, end)
	}
	return x, nil
}

func (x *index) summary(size int64) Summary {
	s := Summary{Bytes: size, Digest: fileDigest(x.ranges), Ranges: x.ranges}
	for i := range x.ranges {
		s.Rows += x.ranges[i].Rows
	}
	return s
}
