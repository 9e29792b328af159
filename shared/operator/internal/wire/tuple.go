package wire

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// The first bytes of members. An integer of n bytes begins with tagZero+n, or tagZero−n if it is negative.
const (
	tagNull  = 0x00
	tagBytes = 0x01
	tagZero  = 0x80

	escape    = 0x00 // what follows in a string: escaped = it was a zero byte, endBytes = the string ends
	escaped   = 0xff
	endBytes  = 0x01
	maxIntLen = 8
)

// Member is the type of one member of a tuple: bytes, or integers from Low to High.
type Member struct {
	Bytes     bool
	Low, High int64
}

// MemberOf returns the member that holds values of a field; of the field only type and enum count.
func MemberOf(f *schema.Field) Member {
	if f.Type.IsBytes() {
		return Member{Bytes: true}
	}
	low, high := column.Range(f)
	return Member{Low: low, High: high}
}

// Tuple is the types of a tuple.
type Tuple []Member

// Append appends row of the columns, which are in the order of the tuple. A missing value is a null.
func (t Tuple) Append(dst []byte, cols []*column.Column, row int) []byte {
	for i, m := range t {
		switch c := cols[i]; {
		case !c.Present(row):
			dst = AppendNull(dst)
		case m.Bytes:
			dst = AppendBytes(dst, c.BytesAt(row))
		default:
			dst = AppendInt(dst, c.Ints[row])
		}
	}
	return dst
}

// AppendNull appends a member without a value.
func AppendNull(dst []byte) []byte { return append(dst, tagNull) }

// AppendInt appends a member that holds v.
func AppendInt(dst []byte, v int64) []byte {
	mag, tag := uint64(v), byte(tagZero)
	n := (bits.Len64(mag) + 7) / 8
	if v < 0 {
		mag = -mag
		n = (bits.Len64(mag) + 7) / 8
		mag = ^mag
		tag -= byte(n)
	} else {
		tag += byte(n)
	}
	dst = append(dst, tag)
	for shift := 8 * (n - 1); shift >= 0; shift -= 8 {
		dst = append(dst, byte(mag>>shift))
	}
	return dst
}

// AppendBytes appends a member that holds s.
func AppendBytes(dst, s []byte) []byte {
	dst = append(dst, tagBytes)
	for {
		i := bytes.IndexByte(s, escape)
		if i < 0 {
			dst = append(dst, s...)
			return append(dst, escape, endBytes)
		}
		dst = append(append(dst, s[:i]...), escape, escaped)
		s = s[i+1:]
	}
}

// Tuple reads a tuple of the types t and returns its bytes, which alias the input. With nullable, members may be null,
// but not all; otherwise none may.
func (r *Reader) Tuple(t Tuple, nullable bool) []byte {
	from, nulls := r.at, 0
	if n := t.Short(r.Rest()); n > 0 {
		r.at += n
		return r.b[from:r.at:r.at]
	}
	for i := range t {
		m := &t[i]
		if r.Null() {
			nulls++
			continue
		}
		if m.Bytes {
			r.skipBytes()
			continue
		}
		if v := r.Int(); v < m.Low || v > m.High {
			r.Fail()
		}
	}
	if r.bad || nulls > 0 && (!nullable || nulls == len(t)) {
		r.Fail()
		return nil
	}
	return r.b[from:r.at:r.at]
}

// Null reads a member without a value if one is next, and tells whether it did.
func (r *Reader) Null() bool {
	if r.at == len(r.b) || r.b[r.at] != tagNull {
		return false
	}
	r.at++
	return true
}

// Nulls reads a tuple of n nulls if that is next, and returns its bytes, which alias the input, and whether it did.
func (r *Reader) Nulls(n int) (tuple []byte, ok bool) {
	b := r.Rest()
	if len(b) < n {
		return nil, false
	}
	for _, tag := range b[:n] {
		if tag != tagNull {
			return nil, false
		}
	}
	r.at += n
	return b[:n:n], true
}

// Int reads an integer member.
func (r *Reader) Int() int64 {
	b := r.Rest()
	if len(b) == 0 {
		r.Fail()
		return 0
	}
	if v, n := shortInt(b); n > 0 {
		r.at += n
		return v
	}
	n, negative := int(b[0])-tagZero, false
	if n < 0 {
		n, negative = -n, true
	}
	if n > maxIntLen || len(b) < 1+n {
		r.Fail()
		return 0
	}
	var v uint64
	for _, b := range b[1 : 1+n] {
		if negative {
			b = ^b
		}
		v = v<<8 | uint64(b)
	}
	shortest := (bits.Len64(v)+7)/8 == n
	if limit := uint64(1) << 63; !shortest || v > limit || (v == limit && !negative) {
		r.Fail()
		return 0
	}
	r.at += 1 + n
	if negative {
		return -int64(v)
	}
	return int64(v)
}

// The bytes of a word: their lowest and their highest bits.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
	wordLen  = 8
)

// Short returns the length of the tuple at the beginning of b if all its members are short integers, or bytes without zero
// bytes of which enough follows to look at them by words; otherwise 0: then Reader.Tuple tells what it is.
func (t Tuple) Short(b []byte) (n int) {
	for i := range t {
		m := &t[i]
		if n >= len(b) {
			return 0
		}
		if !m.Bytes {
			v, size := shortInt(b[n:])
			if size == 0 || v < m.Low || v > m.High {
				return 0
			}
			n += size
			continue
		}
		if b[n] != tagBytes || n+1+wordLen > len(b) {
			return 0
		}
		n++
		for {
			w := binary.LittleEndian.Uint64(b[n:])
			// The lowest of the bits that are left marks the first zero byte.
			if zeros := (w - lowBits) &^ w & highBits; zeros != 0 {
				n += bits.TrailingZeros64(zeros)/8 + 2
				break
			}
			if n += wordLen; n+wordLen > len(b) {
				return 0
			}
		}
		if n > len(b) || b[n-1] != endBytes {
			return 0
		}
	}
	return n
}

// shortInt reads an integer from 0 to 65,535, as most keys are; of any other n is 0.
func shortInt(b []byte) (v int64, n int) {
	switch {
	case b[0] == tagZero:
		return 0, 1
	case b[0] == tagZero+1 && len(b) > 1 && b[1] > 0:
		return int64(b[1]), 2
	case b[0] == tagZero+2 && len(b) > 2 && b[1] > 0:
		return int64(b[1])<<8 | int64(b[2]), 3
	}
	return 0, 0
}

// Bytes reads a bytes member and returns a copy of what it holds, appended to dst.
func (r *Reader) Bytes(dst []byte) []byte {
	return unescape(dst, r.skipBytes())
}

func unescape(dst, raw []byte) []byte {
	for {
		i := bytes.IndexByte(raw, escape)
		if i < 0 {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:i+1]...)
		raw = raw[i+2:]
	}
}

// Text reads a bytes member and returns what it holds: without zero bytes, as nearly always, what the input holds itself.
func (r *Reader) Text() []byte {
	raw := r.skipBytes()
	if bytes.IndexByte(raw, escape) < 0 {
		return raw
	}
	return unescape(nil, raw)
}

// String reads a bytes member and returns what it holds.
func (r *Reader) String() string {
	raw := r.skipBytes()
	if bytes.IndexByte(raw, escape) < 0 {
		return string(raw)
	}
	return string(unescape(nil, raw))
}

// skipBytes reads a bytes member and returns what stands between its first byte and its end, still escaped.
func (r *Reader) skipBytes() []byte {
	b := r.Rest()
	if len(b) == 0 || b[0] != tagBytes {
		r.Fail()
		return nil
	}
	b = b[1:]
	for at := 0; ; at += 2 {
		i := bytes.IndexByte(b[at:], escape)
		if i < 0 || at+i+1 == len(b) {
			break
		}
		at += i
		switch b[at+1] {
		case endBytes:
			r.at += 1 + at + 2
			return b[:at]
		case escaped:
		default:
			r.Fail()
			return nil
		}
	}
	r.Fail()
	return nil
}
