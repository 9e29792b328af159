package fold

import (
	"bytes"
	"slices"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// tileBuffer encodes the tiles of one flush into one arena, which is used again by the next.
type tileBuffer struct {
	arena   []byte
	entries []entry // of the lane being encoded
}

type entry struct {
	key, name, value span
}

type span struct{ from, to int }

func (s span) of(b []byte) []byte { return b[s.from:s.to:s.to] }

func (t *tileBuffer) reset() { t.arena = t.arena[:0] }

func (t *tileBuffer) begin() { t.entries = t.entries[:0] }

func (t *tileBuffer) add(h tile.Header, f *view.Fold, slot int) {
	var e entry
	a := t.arena
	e.key.from = len(a)
	a = append(a, f.Key(slot)...)
	e.key.to, e.name.from = len(a), len(a)
	a = h.AppendName(a)
	e.name.to, e.value.from = len(a), len(a)
	a = f.AppendBody(h.Append(a), slot)
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
	slices.SortStableFunc(t.entries, func(a, b entry) int { return bytes.Compare(a.key.of(t.arena), b.key.of(t.arena)) })
	rows := make([]lane.RowChange, 0, len(t.entries))
	fields := make([]lane.Field, 0, len(t.entries))
	for i, e := range t.entries {
		fields = append(fields, lane.Field{Name: string(e.name.of(t.arena)), Value: e.value.of(t.arena)})
		if i > 0 && bytes.Equal(e.key.of(t.arena), t.entries[i-1].key.of(t.arena)) {
			last := &rows[len(rows)-1]
			last.Set = append(last.Set, fields[i])
			continue
		}
		rows = append(rows, lane.RowChange{Key: e.key.of(t.arena), Set: fields[i : i+1 : i+1]})
	}
	return rows
}
