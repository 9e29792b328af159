package arena

import (
	"encoding/binary"
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/invariant"
)

// A blob's word: up to maxInline bytes lie in the word itself, their number in its top byte; of a longer one the word
// holds outside in the top byte and where it lies, in units of blobUnit bytes. No blob at all is 0.
const (
	maxInline = 7
	outside   = 0xff << 56
	blobUnit  = 8 // bytes
	lengthLen = 4 // bytes in front of a blob outside that hold its length
	blobSizes = 32
)

// Blobs holds byte strings that come and go, each known by one word.
type Blobs struct {
	b    []byte
	free [blobSizes][]uint64 // by class: room for blobUnit<<class bytes
	in   [maxInline]byte     // what Bytes returns of a blob that lies in its word
}

// sizeClass returns the class of the room for a blob of n bytes outside.
func sizeClass(n int) int { return bits.Len(uint(lengthLen+n-1) / blobUnit) }

// Put returns the word of a copy of v, which is not empty.
func (a *Blobs) Put(v []byte) uint64 {
	if len(v) <= maxInline {
		word := uint64(len(v)) << 56
		for i, b := range v {
			word |= uint64(b) << (8 * i)
		}
		return word
	}
	at := a.take(sizeClass(len(v)))
	a.fill(at, v)
	return outside | at
}

// Replace frees word and returns that of a copy of v, in the same room if it fits.
func (a *Blobs) Replace(word uint64, v []byte) uint64 {
	if len(v) > maxInline && word >= outside {
		if at := word &^ outside; sizeClass(len(v)) == sizeClass(a.length(at)) {
			a.fill(at, v)
			return word
		}
	}
	a.Free(word)
	return a.Put(v)
}

// Free gives the room of a blob back.
func (a *Blobs) Free(word uint64) {
	if word < outside {
		return
	}
	at := word &^ outside
	class := sizeClass(a.length(at))
	a.free[class] = append(a.free[class], at)
}

// Bytes returns a blob; it is valid until the next call of any method.
func (a *Blobs) Bytes(word uint64) []byte {
	if word >= outside {
		at := word &^ outside
		from := at*blobUnit + lengthLen
		return a.b[from : from+uint64(a.length(at))]
	}
	binary.LittleEndian.PutUint32(a.in[:], uint32(word))
	a.in[4], a.in[5], a.in[6] = byte(word>>32), byte(word>>40), byte(word>>48)
	return a.in[:word>>56]
}

// Reset forgets all blobs and keeps the memory.
func (a *Blobs) Reset() {
	a.b = a.b[:0]
	for i := range a.free {
		a.free[i] = a.free[i][:0]
	}
}

// Size returns the memory in use, roughly.
func (a *Blobs) Size() int64 { return int64(len(a.b)) }

func (a *Blobs) length(at uint64) int { return int(binary.LittleEndian.Uint32(a.b[at*blobUnit:])) }

func (a *Blobs) fill(at uint64, v []byte) {
	binary.LittleEndian.PutUint32(a.b[at*blobUnit:], uint32(len(v)))
	copy(a.b[at*blobUnit+lengthLen:], v)
}

func (a *Blobs) take(class int) uint64 {
	if class >= blobSizes {
		invariant.Fail("taking room for a blob of class %d", class)
	}
	if free := a.free[class]; len(free) > 0 {
		a.free[class] = free[:len(free)-1]
		return free[len(free)-1]
	}
	at, n := len(a.b), blobUnit<<class
	a.b = grow(a.b, n)[:at+n]
	return uint64(at / blobUnit)
}
