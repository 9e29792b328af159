package view

import (
	"math/bits"
	"slices"
)

// Most columns of the second class are read of few of its rows: what only calls have, of the calls. Such a column is put by
// of the rows that pass a filter of a state that reads it, unless more than half of a chunk's do: then of all of these. It is
// brought together of those that pass only.

// need is which rows have to have some columns of a class: those that pass any of these filters.
type need struct {
	mask    []passWord // by filter/passBits
	columns []int      // indices in class.columns
}

// needsOf returns the columns of a class by who reads them. All of its states have filters.
func (b *binding) needsOf(c *class) []need {
	var needs []need
	for i, column := range c.columns {
		mask := make([]passWord, len(c.some))
		for _, at := range c.states {
			if st := &b.states[at]; slices.Contains(st.in, column) {
				mask[st.filter/passBits] |= 1 << (st.filter % passBits)
			}
		}
		at := slices.IndexFunc(needs, func(n need) bool { return slices.Equal(n.mask, mask) })
		if at < 0 {
			at = len(needs)
			needs = append(needs, need{mask: mask})
		}
		needs[at].columns = append(needs[at].columns, i)
	}
	return needs
}

// words returns a word for each row and a mask: the row has the need if its word has one of the mask's bits. Mostly these are
// the one word of filters that there is; of several, memory takes words that are 1 where the row has it.
func (n *need) words(passes [][]passWord, rows int, memory *[]passWord) (words []passWord, mask passWord) {
	if len(n.mask) == 1 {
		return passes[0][:rows], n.mask[0]
	}
	all := slices.Grow((*memory)[:0], rows)[:rows]
	for row := range all {
		all[row] = 0
		for i, mask := range n.mask {
			if passes[i][row]&mask != 0 {
				all[row] = 1
			}
		}
	}
	*memory = all
	return all, 1
}

// subset is some of the rows of a chunk, or all.
type subset struct {
	words  []uint64 // a bit for each row; nil for all rows
	before []int32  // by word: how many rows of the subset there are before it
}

// size returns how many bytes of memory it takes.
func (s *subset) size() int64 { return 12 * int64(len(s.words)) }

// subsetOf returns which of a chunk's rows have a need, and appends to list these of rows, which are those
// of the chunk where they came from. If most have it all do. words and mask are those of need.words.
func subsetOf(words []passWord, mask passWord, rows, list []int32) (s subset, needed, longer []int32) {
	n := (len(rows) + 63) / 64
	s, had := subset{words: make([]uint64, n), before: make([]int32, n)}, len(list)
	for i := range n {
		has := uint64(0)
		for row, word := range words[i*64 : min((i+1)*64, len(rows))] {
			if word&mask != 0 {
				has |= 1 << row
			}
		}
		s.words[i], s.before[i] = has, int32(len(list)-had)
		for ; has != 0; has &= has - 1 {
			list = append(list, rows[i*64+bits.TrailingZeros64(has)])
		}
	}
	if needed = list[had:]; 2*len(needed) > len(rows) {
		return subset{}, rows, list[:had]
	}
	return s, needed, list
}

// at returns how many rows of the subset there are before a row that is one of it.
func (s *subset) at(row int32) int32 {
	if s.words == nil {
		return row
	}
	return s.before[row/64] + int32(bits.OnesCount64(s.words[row/64]&(1<<(row%64)-1)))
}
