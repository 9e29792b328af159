package runfile

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// Limits of one row. A key is bounded by what stores take, a tile by what an operator may hold, and a row's superseded
// fields by the blocks between two cuts.
const (
	MaxKey        = 1 << 16
	MaxTile       = 1 << 28
	MaxSuperseded = 1 << 24
)

// Row is one row of change: the tile that a run brings to an entity's row, and the fields that it makes unnecessary.
type Row struct {
	Hash       uint64 // of the key (view.Hash)
	Key        []byte
	Tile       []byte        // with its header
	Superseded []tile.Header // in the order that compareHeaders gives; none twice
}

// appendRow appends the row as it stands in a block, which is also what digests are made of:
//
//	row = hash (8 bytes, big endian) length key length tile n superseded^n
//
// with unsigned varints, and superseded headers as in a tile, but without the codec.
func appendRow(dst []byte, r *Row) []byte {
	dst = binary.BigEndian.AppendUint64(dst, r.Hash)
	dst = binary.AppendUvarint(dst, uint64(len(r.Key)))
	dst = append(dst, r.Key...)
	dst = binary.AppendUvarint(dst, uint64(len(r.Tile)))
	dst = append(dst, r.Tile...)
	dst = binary.AppendUvarint(dst, uint64(len(r.Superseded)))
	for _, h := range r.Superseded {
		dst = append(dst, byte(h.Kind))
		if h.Kind == tile.KindBlock {
			dst = binary.AppendUvarint(dst, uint64(h.Source))
			dst = binary.AppendUvarint(dst, uint64(h.Partition))
			dst = binary.AppendUvarint(dst, uint64(h.Block))
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(h.Run))
	}
	return dst
}

// errRow says that a block does not hold a row where one is due.
var errRow = errors.New("no row")

// parseRow reads the row at the start of b into r, whose slices alias b but for Superseded, and returns what follows.
func parseRow(b []byte, r *Row) ([]byte, error) {
	if len(b) < 8 {
		return nil, errRow
	}
	c := cursor{b: b[8:]}
	r.Hash = binary.BigEndian.Uint64(b)
	r.Key = c.bytes(MaxKey)
	r.Tile = c.bytes(MaxTile)
	n := c.uvarint(MaxSuperseded)
	r.Superseded = r.Superseded[:0]
	for i := range int(n) {
		r.Superseded = append(r.Superseded, tile.Header{})
		h := &r.Superseded[i]
		c.header(h)
		if c.bad || (i > 0 && compareHeaders(&r.Superseded[i-1], h) >= 0) {
			return nil, fmt.Errorf("%w: superseded fields", errRow)
		}
	}
	if c.bad || len(r.Key) == 0 {
		return nil, errRow
	}
	return c.b, nil
}

// compareHeaders orders fields by kind, then by place.
func compareHeaders(a, b *tile.Header) int {
	switch {
	case a.Kind != b.Kind:
		return cmp.Compare(a.Kind, b.Kind)
	case a.Source != b.Source:
		return cmp.Compare(a.Source, b.Source)
	case a.Partition != b.Partition:
		return cmp.Compare(a.Partition, b.Partition)
	case a.Block != b.Block:
		return cmp.Compare(a.Block, b.Block)
	default:
		return cmp.Compare(a.Run, b.Run)
	}
}

// cursor takes varints and bytes off a slice; bad stays set after the first that does not read.
type cursor struct {
	b   []byte
	bad bool
}

// uvarint reads a number up to limit in its shortest form.
func (c *cursor) uvarint(limit uint64) uint64 {
	if len(c.b) > 0 && c.b[0] < 1<<7 && uint64(c.b[0]) <= limit { // as most are
		v := uint64(c.b[0])
		c.b = c.b[1:]
		return v
	}
	v, n := binary.Uvarint(c.b)
	if n <= 0 || v > limit || (n > 1 && c.b[n-1] == 0) {
		c.b, c.bad = nil, true
		return 0
	}
	c.b = c.b[n:]
	return v
}

// take returns the next n bytes.
func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.b, c.bad = nil, true
		return nil
	}
	s := c.b[:n:n]
	c.b = c.b[n:]
	return s
}

// bytes reads a length up to limit and as many bytes.
func (c *cursor) bytes(limit uint64) []byte { return c.take(c.uvarint(limit)) }

// header reads a field's header into h, which is empty.
func (c *cursor) header(h *tile.Header) {
	if kind := c.take(1); !c.bad {
		h.Kind = tile.Kind(kind[0])
	}
	switch h.Kind {
	case tile.KindBlock:
		h.Source = int(c.uvarint(1 << 16))
		h.Partition = int32(c.uvarint(1<<31 - 1))
		h.Block = int64(c.uvarint(position.MaxOffset))
	case tile.KindDelta, tile.KindBase:
		h.Run = int64(c.uvarint(position.MaxOffset))
	default:
		c.bad = true
	}
}
