package kafkalog

import (
	"encoding/binary"
	"math"
)

// wireReader reads Kafka's flexible encoding (unsigned varints, compact arrays, tagged fields) from one frame. After the
// first fault every read returns zero and bad is set, so that callers check once. Lengths are checked against what is
// left before anything is sliced or allocated.
type wireReader struct {
	b   []byte
	bad bool
}

func (r *wireReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	t := r.b[:n:n]
	r.b = r.b[n:]
	return t
}

func (r *wireReader) int16() int16 {
	if t := r.take(2); t != nil {
		return int16(binary.BigEndian.Uint16(t))
	}
	return 0
}

func (r *wireReader) int32() int32 {
	if t := r.take(4); t != nil {
		return int32(binary.BigEndian.Uint32(t))
	}
	return 0
}

func (r *wireReader) int64() int64 {
	if t := r.take(8); t != nil {
		return int64(binary.BigEndian.Uint64(t))
	}
	return 0
}

func (r *wireReader) bool() bool {
	t := r.take(1)
	return t != nil && t[0] != 0
}

func (r *wireReader) id() (id [16]byte) {
	copy(id[:], r.take(len(id)))
	return id
}

func (r *wireReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// length reads a compact length: one more than it is, 0 for null, which is returned as -1.
func (r *wireReader) length() int {
	v := r.uvarint()
	if v > math.MaxInt32 {
		r.bad, r.b = true, nil
		return -1
	}
	return int(v) - 1
}

// array reads the length of a compact array whose elements take at least least bytes each; null counts as empty.
func (r *wireReader) array(least int) int {
	n := r.length()
	if n > len(r.b)/least {
		r.bad, r.b = true, nil
	}
	if r.bad {
		return 0
	}
	return max(n, 0)
}

// bytes reads compact bytes, nil for null.
func (r *wireReader) bytes() []byte {
	n := r.length()
	if n < 0 {
		return nil
	}
	return r.take(n)
}

func (r *wireReader) string() string { return string(r.bytes()) }

// int32s steps over a compact array of int32.
func (r *wireReader) skipInt32s() { r.take(4 * r.array(4)) }

// tags steps over tagged fields: whatever a newer broker adds, we do not need it.
func (r *wireReader) tags() {
	for range r.uvarint() {
		r.uvarint()
		n := r.uvarint()
		if n > uint64(len(r.b)) {
			r.bad, r.b = true, nil
		}
		if r.bad {
			return
		}
		r.take(int(n))
	}
}

// The writing side appends to a byte slice.

func appendInt16(b []byte, v int16) []byte { return binary.BigEndian.AppendUint16(b, uint16(v)) }
func appendInt32(b []byte, v int32) []byte { return binary.BigEndian.AppendUint32(b, uint32(v)) }
func appendInt64(b []byte, v int64) []byte { return binary.BigEndian.AppendUint64(b, uint64(v)) }

// appendLength appends the length of a compact array, string or bytes.
func appendLength(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)+1) }

func appendCompactString(b []byte, s string) []byte { return append(appendLength(b, len(s)), s...) }

// appendNoTags appends an empty section of tagged fields.
func appendNoTags(b []byte) []byte { return append(b, 0) }

// correlation is sent with every raw request and expected back. One number is enough: a connection carries one request
// at a time and is closed after the first failure, so an answer cannot be another request's.
const correlation = 1

// beginRequest appends the frame's size (to be set by endRequest) and the header of a request in flexible encoding.
func beginRequest(b []byte, api, version int16, clientID string) []byte {
	b = append(b, 0, 0, 0, 0)
	b = appendInt16(b, api)
	b = appendInt16(b, version)
	b = appendInt32(b, correlation)
	b = appendInt16(b, int16(len(clientID))) // the client id alone has kept its old form
	b = append(b, clientID...)
	return appendNoTags(b)
}

// endRequest sets the size of the frame that b consists of.
func endRequest(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}
