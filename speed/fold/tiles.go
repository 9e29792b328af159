package fold

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// What is kept for the next flush is bounded: after a store was away one flush is large, the next ones are not.
const (
	maxKeptArenaBytes = 8 << 20
	maxKeptTiles      = 1 << 16
)

// tileBuffer encodes the tiles of one flush into arenas, which are used again by the next. What they hold stays where it
// was when they grow: slices of it are good until the next flush.
type tileBuffer struct {
	arena   []byte
	changes []lane.RowChange
	fields  []lane.Field
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
	if t.changes, t.fields = t.changes[:0], t.fields[:0]; cap(t.fields) > maxKeptTiles {
		t.changes, t.fields = nil, nil
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

// rows groups the entries by key: an entity with tiles in two open blocks is one row. The slices stay valid until reset.
func (t *tileBuffer) rows() []lane.RowChange {
	if len(t.entries) == 0 {
		return nil
	}
	if t.entries[0].name != t.entries[len(t.entries)-1].name {
		slices.SortFunc(t.entries, func(a, b entry) int {
			return cmp.Or(bytes.Compare(a.key.of(t.arena), b.key.of(t.arena)), cmp.Compare(a.value.from, b.value.from))
		})
	}
	from := len(t.changes)
	for i := 0; i < len(t.entries); {
		first, key := len(t.fields), t.entries[i].key.of(t.arena)
		for ; i < len(t.entries) && bytes.Equal(key, t.entries[i].key.of(t.arena)); i++ {
			t.fields = append(t.fields, lane.Field{Name: t.entries[i].name, Value: t.entries[i].value.of(t.arena)})
		}
		t.changes = append(t.changes, lane.RowChange{Key: key, Set: t.fields[first:len(t.fields):len(t.fields)]})
	}
	return t.changes[from:len(t.changes):len(t.changes)]
}
