package wire

import (
	"encoding/binary"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
)

// AppendVarint appends v in zigzag form.
func AppendVarint(dst []byte, v int64) []byte { return binary.AppendVarint(dst, v) }

// AppendUvarint appends v.
func AppendUvarint(dst []byte, v uint64) []byte { return binary.AppendUvarint(dst, v) }

// AppendWide appends a 128-bit integer in zigzag form; one that fits into 64 bits has the form of AppendVarint.
func AppendWide(dst []byte, v wide.Int) []byte {
	sign := uint64(v.Hi >> 63)
	hi := (uint64(v.Hi)<<1 | v.Lo>>63) ^ sign
	lo := v.Lo<<1 ^ sign
	for hi != 0 {
		dst = append(dst, byte(lo)|0x80)
		lo, hi = lo>>7|hi<<57, hi>>7
	}
	return binary.AppendUvarint(dst, lo)
}

// Reader takes primitives off a slice. It is bad after the first one that is not there or not in its one canonical form,
// and everything read from then on is zero. It is passed through interfaces, so a caller that reads often keeps one and
// opens it again.
type Reader struct {
	b   []byte
	at  int // what was read; a place moves without the write barrier that a shrinking slice pays
	bad bool
}

// NewReader returns a reader of b.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Open begins to read b.
func (r *Reader) Open(b []byte) { r.b, r.at, r.bad = b, 0, false }

// Len returns the number of bytes left.
func (r *Reader) Len() int { return len(r.b) - r.at }

// Bad tells whether something read was not good.
func (r *Reader) Bad() bool { return r.bad }

// Done tells whether everything was read and all of it was good.
func (r *Reader) Done() bool { return !r.bad && r.at == len(r.b) }

// Fail marks the input as bad.
func (r *Reader) Fail() { r.b, r.at, r.bad = nil, 0, true }

// Rest returns what is left, none after a failure.
func (r *Reader) Rest() []byte { return r.b[r.at:] }

// Skip moves on by n bytes, of which there must be so many.
func (r *Reader) Skip(n int) { r.at += n }

// Short reads an unsigned integer if one of a single byte is next, and tells whether it did: it is small enough to be
// compiled into loops, for which most numbers are so short.
func (r *Reader) Short() (v uint64, ok bool) {
	if r.at >= len(r.b) || r.b[r.at] >= 0x80 {
		return 0, false
	}
	v = uint64(r.b[r.at])
	r.at++
	return v, true
}

// Uvarint reads an unsigned integer of at most limit.
func (r *Reader) Uvarint(limit uint64) uint64 {
	if r.at < len(r.b) {
		if v := uint64(r.b[r.at]); v < 0x80 && v <= limit {
			r.at++
			return v
		}
	}
	v, n := binary.Uvarint(r.b[r.at:])
	if n <= 0 || v > limit || (n > 1 && r.b[r.at+n-1] == 0) {
		r.Fail()
		return 0
	}
	r.at += n
	return v
}

// Varint reads a signed 64-bit integer.
func (r *Reader) Varint() int64 {
	z := r.Uvarint(1<<64 - 1)
	return int64(z>>1) ^ -int64(z&1)
}

// maxWideBytes is the length of the longest varint of 128 bits; its last byte holds two bits.
const maxWideBytes = 19

// Wide reads a signed 128-bit integer. One that fits into 64 bits, as nearly all do, is read as such.
func (r *Reader) Wide() wide.Int {
	if z, ok := r.Short(); ok {
		return wide.Of(int64(z>>1) ^ -int64(z&1))
	}
	if z, n := binary.Uvarint(r.b[r.at:]); n > 1 && r.b[r.at+n-1] != 0 {
		r.at += n
		return wide.Of(int64(z>>1) ^ -int64(z&1))
	}
	return r.widest()
}

// widest reads digit by digit what may have more than 64 bits.
func (r *Reader) widest() wide.Int {
	var hi, lo uint64
	for i, b := range r.b[r.at:] {
		if i == maxWideBytes {
			break
		}
		bits := uint64(b & 0x7f)
		if shift := 7 * i; shift < 64 {
			lo |= bits << shift
			hi |= bits >> (64 - shift) // a shift by 64 or more is 0
		} else {
			hi |= bits << (shift - 64)
		}
		if b >= 0x80 {
			continue
		}
		if (i > 0 && b == 0) || (i == maxWideBytes-1 && b > 3) {
			break
		}
		r.at += i + 1
		sign := -(lo & 1)
		return wide.Int{Hi: int64(hi>>1 ^ sign), Lo: (lo>>1 | hi<<63) ^ sign}
	}
	r.Fail()
	return wide.Int{}
}
