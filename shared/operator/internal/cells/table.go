package cells

import (
	"math"
	"math/bits"
)

// table finds the entries of one run of sums by code and key. An entry that is not in it may be in the run all the same.
type table struct {
	places []place // a power of two, at most half of them used
	shift  int     // of a hash, for its place
	used   int
	turn   uint32 // of the places that count
	first  int    // entries before this one are not in the table
	twice  bool   // a cell was there twice: one of its entries is not in the table either
}

// place says which entry of the run was put there in a turn.
type place struct{ turn, at uint32 }

// minPlaces is the length of the smallest table.
const minPlaces = 32

// begin makes the table that of a run, of its entries from the first one on, to which so many rows will be added.
func (t *table) begin(all []uint64, first, rows int) {
	t.first, t.twice = first, false
	t.size(max(minPlaces, 2*(len(all)/sumStride-first)+rows))
	t.fill(all)
}

// size makes room for n places. None of them is of this turn: what lies there was put there in an earlier one.
func (t *table) size(n int) {
	n = 1 << bits.Len(uint(n-1))
	if n > cap(t.places) {
		t.places = make([]place, n)
	}
	t.places, t.shift = t.places[:n], 64-bits.TrailingZeros(uint(n))
	if t.turn == math.MaxUint32 {
		clear(t.places[:cap(t.places)])
		t.turn = 0
	}
	t.turn++
	t.used = 0
}

// fill puts all entries from the first one on into a table without any.
func (t *table) fill(all []uint64) {
	for at := t.first; at < len(all)/sumStride; at++ {
		if _, free, ok := t.find(all, all[at*sumStride], all[at*sumStride+1]); ok {
			t.twice = true
		} else {
			t.put(free, all, at)
		}
	}
}

// whole tells whether all entries of the run are in the table.
func (t *table) whole() bool { return t.first == 0 && !t.twice }

// find returns the entry of a code and a key, and whether it is in the table; if not, the place where it would be.
func (t *table) find(all []uint64, code, key uint64) (at int, free uint64, ok bool) {
	mask := uint64(len(t.places) - 1)
	for i := t.hash(code, key) & mask; ; i = (i + 1) & mask {
		p := t.places[i]
		if p.turn != t.turn {
			return 0, i, false
		}
		if w := all[int(p.at)*sumStride:]; w[1] == key && w[0] == code {
			return int(p.at), i, true
		}
	}
}

// put puts an entry into the table, the last one of all, at the place that find has returned.
func (t *table) put(free uint64, all []uint64, at int) {
	if t.used++; 2*t.used <= len(t.places) {
		t.places[free] = place{t.turn, uint32(at)}
		return
	}
	t.size(2 * len(t.places))
	t.fill(all[:(at+1)*sumStride])
}

// hash returns a place for a code and a key: the topmost bits of a product, which all bits count for.
func (t *table) hash(code, key uint64) uint64 {
	return (key ^ code*0xd6e8feb86659fd93) * 0x9e3779b97f4a7c15 >> t.shift
}

// bytes returns the memory in use, roughly.
func (t *table) bytes() int64 { return int64(len(t.places)) * 8 }

// reset keeps the memory.
func (t *table) reset() { t.places = t.places[:0] }
