package tile

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/position"
)

// Codec is the number of the only codec there is. Readers refuse others.
const Codec = 1

// ErrDamaged is the class of errors about bytes that are no canonical tile; ErrCodec of those of an unknown codec.
var (
	ErrDamaged = errors.New("damaged tile")
	ErrCodec   = errors.New("unknown tile codec")
)

// Kind says over which kind of stretch a tile aggregates.
type Kind byte

// The kinds of tiles.
const (
	KindBlock Kind = 'e' // one partition, one block, up to its last offset; written and rewritten by speed
	KindDelta Kind = 'd' // all partitions, between two cuts; by batch
	KindBase  Kind = 'b' // all partitions, everything below a cut; by batch
)

// Header names the stretch of the log that a tile is of.
type Header struct {
	Kind      Kind
	Source    int   // of a block tile: rank of the source in the view
	Partition int32 // of a block tile
	Block     int64 // of a block tile: the block's first offset
	Run       int64 // of a delta or a base
}

// Name returns the name of the tile's field in its row.
func (h Header) Name() string { return string(h.AppendName(nil)) }

// AppendName appends the name of the tile's field to dst.
func (h Header) AppendName(dst []byte) []byte {
	switch h.Kind {
	case KindBlock:
		return fmt.Appendf(dst, "e%d/%d/%d", h.Source, h.Partition, h.Block)
	case KindDelta, KindBase:
		return fmt.Appendf(dst, "%c%d", h.Kind, h.Run)
	}
	return fmt.Appendf(dst, "?%d", h.Kind)
}

// Append appends the header in its binary form to dst; a body follows.
func (h Header) Append(dst []byte) []byte {
	dst = append(dst, Codec, byte(h.Kind))
	if h.Kind == KindBlock {
		dst = binary.AppendUvarint(dst, uint64(h.Source))
		dst = binary.AppendUvarint(dst, uint64(h.Partition))
		return binary.AppendUvarint(dst, uint64(h.Block))
	}
	return binary.AppendUvarint(dst, uint64(h.Run))
}

// Pos is the entity's last event in one partition.
type Pos struct {
	Source    int   // rank of the source in the view
	Partition int32 //
	Last      int64 // offset
}

// Body is a parsed body. Its slices alias the bytes parsed.
type Body struct {
	Newest int64 // ms
	Events int64
	Pos    []Pos    // in order of (source, partition)
	States [][]byte // in the plan's order; empty = empty state
}

// Last returns the offset of the entity's last event in a partition, or -1.
func (b *Body) Last(source int, partition int32) int64 {
	for _, p := range b.Pos {
		if p.Source == source && p.Partition == partition {
			return p.Last
		}
	}
	return -1
}

// Append appends the body in its canonical form to dst.
func (b *Body) Append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(b.Newest))
	dst = binary.AppendUvarint(dst, uint64(b.Events))
	dst = binary.AppendUvarint(dst, uint64(len(b.Pos)))
	for _, p := range b.Pos {
		dst = binary.AppendUvarint(dst, uint64(p.Source))
		dst = binary.AppendUvarint(dst, uint64(p.Partition))
		dst = binary.AppendUvarint(dst, uint64(p.Last))
	}
	dst = binary.AppendUvarint(dst, uint64(len(b.States)))
	for _, s := range b.States {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// limits of what Parse believes before it allocates.
const (
	maxPositions = 1 << 16
	maxStates    = 1 << 16
	maxSource    = 1 << 16
	maxPartition = 1<<31 - 1
)

// ParseHeader reads the header of a tile and returns what follows it, the body. Errors are of class ErrDamaged or
// ErrCodec.
func ParseHeader(tile []byte) (h Header, body []byte, err error) {
	if len(tile) < 2 {
		return h, nil, fmt.Errorf("%w: %d bytes", ErrDamaged, len(tile))
	}
	if tile[0] != Codec {
		return h, nil, fmt.Errorf("%w %d: this tidemark reads codec %d", ErrCodec, tile[0], Codec)
	}
	h.Kind = Kind(tile[1])
	r := reader{b: tile[2:]}
	switch h.Kind {
	case KindBlock:
		h.Source = int(r.uvarint(maxSource))
		h.Partition = int32(r.uvarint(maxPartition))
		h.Block = int64(r.uvarint(position.MaxOffset))
	case KindDelta, KindBase:
		h.Run = int64(r.uvarint(position.MaxOffset))
	default:
		return h, nil, fmt.Errorf("%w: kind %d", ErrDamaged, tile[1])
	}
	if r.bad {
		return h, nil, fmt.Errorf("%w: header", ErrDamaged)
	}
	return h, r.b, nil
}

// ParseBody reads a body into b, reusing its slices. Errors are of class ErrDamaged.
func (b *Body) ParseBody(enc []byte) error {
	r := reader{b: enc}
	b.Newest = int64(r.uvarint(1<<62 - 1))
	b.Events = int64(r.uvarint(1<<62 - 1))
	n := int(r.uvarint(maxPositions))
	b.Pos = b.Pos[:0]
	for range n {
		p := Pos{Source: int(r.uvarint(maxSource)), Partition: int32(r.uvarint(maxPartition)), Last: int64(r.uvarint(position.MaxOffset))}
		if r.bad || (len(b.Pos) > 0 && !less(b.Pos[len(b.Pos)-1], p)) {
			return fmt.Errorf("%w: positions", ErrDamaged)
		}
		b.Pos = append(b.Pos, p)
	}
	m := int(r.uvarint(maxStates))
	b.States = b.States[:0]
	for range m {
		s := r.bytes(int(r.uvarint(uint64(len(r.b)))))
		if r.bad {
			break
		}
		b.States = append(b.States, s)
	}
	if r.bad || len(r.b) > 0 || b.Events == 0 || n == 0 {
		return fmt.Errorf("%w: body", ErrDamaged)
	}
	return nil
}

func less(a, b Pos) bool {
	return a.Source < b.Source || (a.Source == b.Source && a.Partition < b.Partition)
}

// reader takes varints and bytes off a slice; bad stays set after the first that does not read.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint(limit uint64) uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 && uint64(r.b[0]) <= limit { // as nearly all lengths of states are
		v := uint64(r.b[0])
		r.b = r.b[1:]
		return v
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > limit || (n > 1 && r.b[n-1] == 0) {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.bad = true
		return nil
	}
	s := r.b[:n:n]
	r.b = r.b[n:]
	return s
}
