package operator

import (
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// numbered gives the tuples that rows hold in some columns numbers, equal ones the same. All slots share them.
//
// Rows are prepared some hundreds at a time: their tuples are written and hashed, and what finding their numbers will read
// is read side by side. Tuples of few integers are mostly remembered, and need no writing.
type numbered struct {
	arena.Keys
	tuple  wire.Tuple
	recent recent
	quick  bool // whether recent serves tuples of these types

	// Of the rows that are prepared; without those of buf, ends and hashes if quick.
	cols   []*column.Column
	rows   []int32
	buf    []byte   // the tuples, one after the other
	ends   []int    // by row
	hashes []uint64 // by row
	// touchedSum keeps reads that are made only to be made from being taken for superfluous.
	touchedSum uint64
}

// newNumbered returns an empty one. With nullable, members of tuples may be null.
func newNumbered(inputs []Input, nullable bool) numbered {
	return numbered{Keys: arena.NewKeys(), tuple: tupleOf(inputs), quick: !nullable && remembered(inputs)}
}

// prepare makes the tuples that these rows of the columns have the ones that at and bytes are asked for. The columns and
// rows must stay as they are until then.
func (n *numbered) prepare(cols []*column.Column, rows []int32) {
	n.cols, n.rows = cols, rows
	n.buf, n.ends, n.hashes = n.buf[:0], n.ends[:0], n.hashes[:0]
	if n.quick {
		return
	}
	n.touchValues()
	from := 0
	for _, row := range rows {
		n.buf = n.tuple.Append(n.buf, cols, int(row))
		n.ends = append(n.ends, len(n.buf))
		n.hashes = append(n.hashes, n.Hash(n.buf[from:]))
		from = len(n.buf)
	}
	n.touchedSum += n.Touch(n.hashes)
}

// touchValues reads the beginnings of the strings of dictionaries that the rows have, which lie anywhere in memory, side by
// side.
func (n *numbered) touchValues() {
	for _, c := range n.cols {
		if c.Index == nil {
			continue
		}
		for rows := n.rows; len(rows) > 0; {
			var from [touchRows]int32
			some := min(len(rows), touchRows)
			for i, row := range rows[:some] {
				from[i] = c.Offsets[c.Index[row]]
			}
			for _, at := range from[:some] {
				if int(at) < len(c.Bytes) { // not so for an empty string at the end
					n.touchedSum += uint64(c.Bytes[at])
				}
			}
			rows = rows[some:]
		}
	}
}

// touchRows is how many rows' strings are touched at a time: where they begin is held on the stack in between.
const touchRows = 256

// at returns the number of the tuple of the i-th of the rows. Nothing in it is null, unless nulls may be.
func (n *numbered) at(i int) uint64 {
	if !n.quick {
		return n.IDOf(n.hashes[i], n.bytes(i))
	}
	e := n.recent.find(n.cols, int(n.rows[i]))
	if e.number == 0 {
		e.number = n.ID(n.bytes(i)) + 1
	}
	return e.number - 1
}

// bytes returns the tuple of the i-th of the rows; it is valid until the next call.
func (n *numbered) bytes(i int) []byte {
	if n.quick {
		n.buf = n.tuple.Append(n.buf[:0], n.cols, int(n.rows[i]))
		return n.buf
	}
	from := 0
	if i > 0 {
		from = n.ends[i-1]
	}
	return n.buf[from:n.ends[i]]
}

// Reset forgets all tuples and keeps the memory.
func (n *numbered) Reset() {
	n.Keys.Reset()
	n.recent.reset()
}

// marks remembers which numbers were seen in this turn.
type marks struct {
	seen []uint32 // by number: the turn that saw it last
	turn uint32
}

// begin begins a turn of first, for numbers below n.
func (m *marks) begin(n int) {
	if n > len(m.seen) {
		m.seen = append(m.seen, make([]uint32, n-len(m.seen))...)
	}
	m.turn++
	if m.turn == 0 {
		clear(m.seen)
		m.turn = 1
	}
}

// first tells whether number is asked for the first time in this turn.
func (m *marks) first(number uint64) bool {
	first := m.seen[number] != m.turn
	m.seen[number] = m.turn
	return first
}
