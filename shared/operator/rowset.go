package operator

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"

	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
)

// rowSet numbers the tuples of a row that is read: equal ones the same, from 0 on in the order of their first appearance.
// It leaves their bytes where they lie, which must stay as they are until reset.
type rowSet struct {
	seed   maphash.Seed
	secret [2]uint64 // of the hash of short tuples
	tuples []rowTuple
	table  []uint32 // number + 1, 0 = free; linear probing, at most half full
}

// rowTuple is a tuple and the head of its bytes, see headOf.
type rowTuple struct {
	head  uint64
	bytes []byte
}

// minRowSet is the smallest table; a power of two, as all are.
const minRowSet = 16

func newRowSet() rowSet {
	seed := maphash.MakeSeed()
	return rowSet{
		seed: seed, table: make([]uint32, minRowSet),
		secret: [2]uint64{maphash.Bytes(seed, []byte{0}), maphash.Bytes(seed, []byte{1}) | 1<<63},
	}
}

// len returns the number of tuples.
func (s *rowSet) len() int { return len(s.tuples) }

// expect makes the table large enough for n more tuples; none may be added that were not expected.
func (s *rowSet) expect(n int) {
	need := 2 * (len(s.tuples) + n)
	if need <= len(s.table) {
		return
	}
	size := 1 << bits.Len(uint(need-1))
	clear(s.table)
	if size <= cap(s.table) {
		s.table = s.table[:size] // what lies behind the table is zero
	} else {
		s.table = make([]uint32, size)
	}
	for i := range s.tuples {
		t := &s.tuples[i]
		at := s.hash(t.head, t.bytes) & uint64(size-1)
		for s.table[at] != 0 {
			at = (at + 1) & uint64(size-1)
		}
		s.table[at] = uint32(i) + 1
	}
}

// number returns the number of a tuple of this head, and whether it is a new one.
func (s *rowSet) number(head uint64, tuple []byte) (number uint32, fresh bool) {
	mask := uint64(len(s.table) - 1)
	for at := s.hash(head, tuple) & mask; ; at = (at + 1) & mask {
		entry := s.table[at]
		if entry == 0 {
			s.tuples = append(s.tuples, rowTuple{head, tuple})
			s.table[at] = uint32(len(s.tuples))
			return uint32(len(s.tuples)) - 1, true
		}
		if t := &s.tuples[entry-1]; t.head == head && compareTails(t.bytes, tuple) == 0 {
			return entry - 1, false
		}
	}
}

// hash returns the hash of a tuple of this head. A head that holds all of the tuple is multiplied by a secret: to call the
// general function takes longer.
func (s *rowSet) hash(head uint64, tuple []byte) uint64 {
	if len(tuple) > arena.HeadBytes {
		return maphash.Bytes(s.seed, tuple)
	}
	hi, lo := bits.Mul64(head^s.secret[0], s.secret[1])
	return hi ^ lo
}

// reset forgets all tuples and keeps the memory.
func (s *rowSet) reset() {
	clear(s.tuples) // their bytes may go
	clear(s.table)
	s.tuples, s.table = s.tuples[:0], s.table[:minRowSet]
}

// headAt is headOf of b[at:at+size], at one go where enough of b follows.
func headAt(b []byte, at, size int) uint64 {
	if at+arena.HeadBytes > len(b) {
		return arena.HeadOf(b[at : at+size])
	}
	head := binary.BigEndian.Uint64(b[at:])
	if size < arena.HeadBytes {
		head &= ^uint64(0) << (8 * (arena.HeadBytes - size))
	}
	return head
}

// compareTails compares tuples of one head. None is the beginning of another one: those that a head holds are equal.
func compareTails(a, b []byte) int {
	if len(a) <= arena.HeadBytes || len(b) <= arena.HeadBytes {
		return 0
	}
	return bytes.Compare(a[arena.HeadBytes:], b[arena.HeadBytes:])
}
