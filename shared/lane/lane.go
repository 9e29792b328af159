package lane

import (
	"fmt"
	"math/bits"
)

// DefaultLanes is the number of lanes of a generation that says nothing else.
const DefaultLanes = 16

// MaxLanes bounds the lanes of a generation: a lane is made of whole hash ranges.
const MaxLanes = 256

// ID names one lane: the namespace of its generation (job, view and the generation's random identity) and its number.
type ID struct {
	Namespace string
	N         int
}

// String returns namespace:NN, as it stands in the keys of stores.
func (id ID) String() string { return fmt.Sprintf("%s:%02x", id.Namespace, id.N) }

// Of returns the lane, out of n (a power of two up to MaxLanes), of a key with this hash: its topmost bits, so that a
// lane is a contiguous stretch of hashes and a file sorted by hash is sorted by lane.
func Of(hash uint64, n int) int { return int(hash >> (64 - bits.TrailingZeros(uint(n)))) }

// ValidLanes tells whether n can be a number of lanes.
func ValidLanes(n int) bool { return n > 0 && n <= MaxLanes && n&(n-1) == 0 }

// Range returns the hash range, 0 to 255, of a key with this hash.
func Range(hash uint64) int { return int(hash >> 56) }

// Incarnation is the random name of one filling of a lane: 10 characters of [a-z2-7]. It is part of every mark and of
// the keys of the rows, so that rows of an earlier filling are out of reach from the call on that begins the next.
type Incarnation string

// RowID names a row: an entity's key in an incarnation of a lane.
type RowID struct {
	Lane        ID
	Incarnation Incarnation
	Key         []byte // canonical entity key (package view)
}

// Field is one field of a row: a tile under its name. The name follows from the tile's header (tile.Header.Name).
type Field struct {
	Name  string
	Value []byte
}
