package operator

import "github.com/tidemark-io/tidemark/shared/column"

const (
	// recentKeys is how many keys recent remembers, a power of two: most traffic is about few of them.
	recentKeys = 1 << recentBits
	recentBits = 9
	// recentMembers is the longest tuple that it remembers.
	recentMembers = 2
)

// recent remembers the numbers of keys seen lately, by the values they are made of: writing a tuple, hashing it and
// finding its number costs several times as much as comparing two integers. It serves tuples of integers without nulls only.
type recent struct {
	entries []recentKey // recentKeys of them; none until the first key
	used    bool        // since the last reset
}

type recentKey struct {
	values [recentMembers]int64
	number uint64 // + 1, 0 = free
}

// remembered tells whether recent serves keys of these inputs.
func remembered(inputs []Input) bool {
	for i := range inputs {
		if inputs[i].Type.IsBytes() {
			return false
		}
	}
	return len(inputs) <= recentMembers
}

// find returns the entry of the key that row of the columns has. Its number is 0 if the key is not remembered; then the
// caller sets it.
func (r *recent) find(keys []*column.Column, row int) *recentKey {
	if r.entries == nil {
		r.entries = make([]recentKey, recentKeys)
	}
	r.used = true
	var values [recentMembers]int64
	hash := uint64(0)
	for i, c := range keys {
		values[i] = c.Ints[row]
		hash = (hash ^ uint64(values[i])) * 0x9e3779b97f4a7c15
	}
	e := &r.entries[hash>>(64-recentBits)]
	if e.values != values {
		e.values, e.number = values, 0
	}
	return e
}

// reset forgets all keys.
func (r *recent) reset() {
	if r.used {
		clear(r.entries)
		r.used = false
	}
}
