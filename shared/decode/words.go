package decode

import (
	"encoding/binary"
	"math/bits"
)

// words finds a word among those declared (member names of one object, values of one enum) without allocating. It is a
// hash table over the length and both ends of a word, whose multiplier is chosen at compile time so that the declared
// words collide as little as possible.
type words struct {
	list       []string
	slots      []uint16 // 1 + index into list, 0 for none; a power of two long, at most half full
	multiplier uint64
	shift      int
}

// multiplierTrials bounds the search for a multiplier without collisions; with none, probing finds the rest.
const multiplierTrials = 64

// newWords builds the table of list, whose words differ; at most schema.MaxEnumValues of them.
func newWords(list []string) words {
	size := 4
	for size < 4*len(list) {
		size *= 2
	}
	best, fewest := uint64(0), len(list)+1
	w := words{list: list, slots: make([]uint16, size), shift: 64 - bits.TrailingZeros(uint(size))}
	for trial := range uint64(multiplierTrials) {
		w.multiplier = (trial+1)*0x9e3779b97f4a7c15 | 1
		if n := w.collisions(); n < fewest {
			best, fewest = w.multiplier, n
		}
		if fewest == 0 {
			break
		}
	}
	w.multiplier = best
	w.fill()
	return w
}

func (w *words) collisions() int {
	n, taken := 0, make([]bool, len(w.slots))
	for _, word := range w.list {
		slot := w.slot([]byte(word))
		if taken[slot] {
			n++
		}
		taken[slot] = true
	}
	return n
}

func (w *words) fill() {
	for i, word := range w.list {
		slot := w.slot([]byte(word))
		for w.slots[slot] != 0 {
			slot = (slot + 1) & (len(w.slots) - 1)
		}
		w.slots[slot] = uint16(i + 1)
	}
}

// slot mixes the length and the first and last bytes of a word: declared names rarely share all of them.
func (w *words) slot(word []byte) int {
	n := len(word)
	var ends uint64
	switch {
	case n >= 8:
		ends = binary.LittleEndian.Uint64(word) ^ bits.RotateLeft64(binary.LittleEndian.Uint64(word[n-8:]), 29)
	case n >= 4:
		ends = uint64(binary.LittleEndian.Uint32(word)) | uint64(binary.LittleEndian.Uint32(word[n-4:]))<<32
	case n > 0:
		ends = uint64(word[0]) | uint64(word[n/2])<<8 | uint64(word[n-1])<<16
	}
	return int((ends ^ uint64(n)) * w.multiplier >> w.shift)
}

// find returns the index of word, -1 if it is not in the list.
func (w *words) find(word []byte) int {
	for slot := w.slot(word); w.slots[slot] != 0; slot = (slot + 1) & (len(w.slots) - 1) {
		if at := int(w.slots[slot]) - 1; w.list[at] == string(word) {
			return at
		}
	}
	return -1
}
