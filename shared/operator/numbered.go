package operator

import (
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
)

// numbered gives the tuples that rows hold in some columns numbers, equal ones the same. All slots share them.
type numbered struct {
	arena.Keys
	tuple  wire.Tuple
	recent recent
	quick  bool // whether recent serves tuples of these types
	buf    []byte
}

func newNumbered(inputs []Input) numbered {
	return numbered{Keys: arena.NewKeys(), tuple: tupleOf(inputs), quick: remembered(inputs)}
}

// of returns the number of the tuple that row of the columns has, in which nothing is null.
func (n *numbered) of(cols []*column.Column, row int) uint64 {
	if !n.quick {
		return n.ID(n.bytes(cols, row))
	}
	e := n.recent.find(cols, row)
	if e.number == 0 {
		e.number = n.ID(n.bytes(cols, row)) + 1
	}
	return e.number - 1
}

// bytes returns the tuple's bytes; they are valid until the next call.
func (n *numbered) bytes(cols []*column.Column, row int) []byte {
	n.buf = n.tuple.Append(n.buf[:0], cols, row)
	return n.buf
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
