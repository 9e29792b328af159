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

// Reader takes primitives off a slice. Bad stays set after the first one that is not there or not in its one canonical
// form, and everything read from then on is zero.
type Reader struct {
	B   []byte
	Bad bool
}

// Done tells whether everything was read and all of it was good.
func (r *Reader) Done() bool { return !r.Bad && len(r.B) == 0 }

// Fail marks the input as bad.
func (r *Reader) Fail() { r.Bad, r.B = true, nil }

// Uvarint reads an unsigned integer of at most limit.
func (r *Reader) Uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(r.B)
	if n <= 0 || v > limit || (n > 1 && r.B[n-1] == 0) {
		r.Fail()
		return 0
	}
	r.B = r.B[n:]
	return v
}

// Varint reads a signed 64-bit integer.
func (r *Reader) Varint() int64 {
	z := r.Uvarint(1<<64 - 1)
	return int64(z>>1) ^ -int64(z&1)
}

// maxWideBytes is the length of the longest varint of 128 bits; its last byte holds two bits.
const maxWideBytes = 19

// Wide reads a signed 128-bit integer.
func (r *Reader) Wide() wide.Int {
	var hi, lo uint64
	for i := 0; ; i++ {
		if i == len(r.B) || i == maxWideBytes {
			r.Fail()
			return wide.Int{}
		}
		b := r.B[i]
		bits := uint64(b & 0x7f)
		if shift := 7 * i; shift < 64 {
			lo |= bits << shift
			hi |= bits >> (64 - shift) // a shift by 64 or more is 0
		} else {
			hi |= bits << (shift - 64)
		}
		if b < 0x80 {
			if (i > 0 && b == 0) || (i == maxWideBytes-1 && b > 3) {
				r.Fail()
				return wide.Int{}
			}
			r.B = r.B[i+1:]
			sign := -(lo & 1)
			return wide.Int{Hi: int64(hi>>1 ^ sign), Lo: (lo>>1 | hi<<63) ^ sign}
		}
	}
}
