package operator

import (
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// numbered gives the tuples that rows hold in some columns numbers, equal ones the same. All slots share them.
//
// Rows are prepared some hundreds at a time: their tuples are written and hashed, and what finding their numbers will read
// is read side by side. Tuples of few integers are mostly remembered, and need no writing; nor do those of one short string.
type numbered struct {
	arena.Keys
	tuple  wire.Tuple
	recent recent
	quick  bool // whether recent serves tuples of these types
	text   bool // whether tuples are one string, which is there

	// Of the rows that are prepared; without those of buf, ends and names if quick.
	cols  []*column.Column
	rows  []int32
	buf   []byte       // the tuples, one after the other, but for short texts
	ends  []int        // by row
	names []arena.Name // by row
	one   []byte       // scratch of bytes
	// touchedSum keeps reads that are made only to be made from being taken for superfluous.
	touchedSum uint64
}

// newNumbered returns an empty one. With nullable, members of tuples may be null.
func newNumbered(inputs []Input, nullable bool) numbered {
	return numbered{
		Keys: arena.NewKeys(), tuple: tupleOf(inputs), quick: !nullable && remembered(inputs),
		text: len(inputs) == 1 && inputs[0].Type.IsBytes(),
	}
}

// prepare makes the tuples that these rows of the columns have the ones that at and bytes are asked for. The columns and
// rows must stay as they are until then.
func (n *numbered) prepare(cols []*column.Column, rows []int32) {
	n.begin(cols, rows)
	if n.quick {
		return
	}
	n.touchValues()
	for _, row := range rows {
		from := len(n.buf)
		var name arena.Name
		if name, n.buf = n.nameOf(n.buf, row); len(n.buf) > from {
			name = n.Name(n.buf[from:])
		}
		n.ends = append(n.ends, len(n.buf))
		n.names = append(n.names, name)
	}
	n.touchedSum += n.Touch(n.names)
}

// begin is prepare for of alone: nothing is written and touched ahead, as is best for rows of which many are not asked for,
// or whose tuples and numbers are near.
func (n *numbered) begin(cols []*column.Column, rows []int32) {
	n.cols, n.rows = cols, rows
	n.buf, n.ends, n.names = n.buf[:0], n.ends[:0], n.names[:0]
}

// nameOf appends the tuple that row has to dst; but of a short text, which needs no writing, it returns the name.
func (n *numbered) nameOf(dst []byte, row int32) (name arena.Name, _ []byte) {
	if !n.text || !n.cols[0].Present(int(row)) {
		return name, n.tuple.Append(dst, n.cols, int(row))
	}
	v := n.cols[0].BytesAt(int(row))
	if low, high, size, ok := wire.BytesWords(v); ok {
		return arena.ShortName(low, high, size), dst
	}
	return name, wire.AppendBytes(dst, v)
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
		from := 0
		if i > 0 {
			from = n.ends[i-1]
		}
		if to := n.ends[i]; from < to {
			return n.IDOf(n.names[i], n.buf[from:to])
		}
		return n.IDOf(n.names[i], nil)
	}
	return n.remembered(n.rows[i])
}

// of returns the number of the tuple of a row, of the columns that were begun with.
func (n *numbered) of(row int32) uint64 {
	if n.quick {
		return n.remembered(row)
	}
	var name arena.Name
	if name, n.one = n.nameOf(n.one[:0], row); len(n.one) > 0 {
		return n.ID(n.one)
	}
	return n.IDOf(name, nil)
}

// remembered is of tuples that recent serves.
func (n *numbered) remembered(row int32) uint64 {
	e := n.recent.find(n.cols, int(row))
	if e.number == 0 {
		n.one = n.tuple.Append(n.one[:0], n.cols, int(row))
		e.number = n.ID(n.one) + 1
	}
	return e.number - 1
}

// bytes returns the tuple of the i-th of the rows; it is valid until the next call.
func (n *numbered) bytes(i int) []byte {
	n.one = n.tuple.Append(n.one[:0], n.cols, int(n.rows[i]))
	return n.one
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
