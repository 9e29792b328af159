package fold

import (
	"bytes"
	"slices"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// maxKeptArenaBytes bounds what is kept of an arena for the next flush: after a store was away one flush is large, the
// next ones are not.
const maxKeptArenaBytes = 8 << 20

// tileBuffer encodes the tiles of one flush into one arena, which is used again by the next.
type tileBuffer struct {
	arena   []byte
	entries []entry // of the lane being encoded
}

// entry is one tile of the lane being encoded.
type entry struct {
	key, value span
	name       string
}

type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to:s.to] }

// reset begins a flush.
func (t *tileBuffer) reset() {
	if t.arena = t.arena[:0]; cap(t.arena) > maxKeptArenaBytes {
		t.arena = nil
	}
}

// begin begins a lane.
func (t *tileBuffer) begin() { t.entries = t.entries[:0] }

// add encodes the tile of a slot. The blocks of a lane come one after the other.
func (t *tileBuffer) add(b *block, slot int) {
	e := entry{name: b.name}
	a := t.arena
	e.key.from = len(a)
	a = append(a, b.fold.Key(slot)...)
	e.key.to, e.value.from = len(a), len(a)
	a = b.fold.AppendBody(append(a, b.header...), slot)
	e.value.to = len(a)
	t.arena = a
	t.entries = append(t.entries, e)
}

// rows groups the entries by key: an entity with tiles in two open blocks is one row. The slices stay valid until the
// arena is reset, also when it grows: they then keep the memory that it had.
func (t *tileBuffer) rows() []lane.RowChange {
	if len(t.entries) == 0 {
		return nil
	}
	if t.entries[0].name != t.entries[len(t.entries)-1].name {
		slices.SortStableFunc(t.entries, func(a, b entry) int { return bytes.Compare(a.key.of(t.arena), b.key.of(t.arena)) })
	}
	rows := make([]lane.RowChange, 0, len(t.entries))
	fields := make([]lane.Field, len(t.entries))
	for i, e := range t.entries {
		fields[i] = lane.Field{Name: e.name, Value: e.value.of(t.arena)}
		if i > 0 && bytes.Equal(e.key.of(t.arena), t.entries[i-1].key.of(t.arena)) {
			last := &rows[len(rows)-1]
			last.Set = append(last.Set, fields[i])
			continue
		}
		rows = append(rows, lane.RowChange{Key: e.key.of(t.arena), Set: fields[i : i+1 : i+1]})
	}
	return rows
}
