package operatortest

import (
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
)

// arranged folds the rows as a full run does, one partition after the other, all rows of an entity side by side, many in
// one call, and wants the bytes of one fold.
func (l *laws) arranged() error {
	s := l.op.NewStates()
	for range 3 {
		s.Reset()
		s.Grow(l.world.entities)
		newest := make([]int64, l.world.entities)
		for _, at := range l.rng.Perm(len(l.world.batches)) {
			l.foldArranged(s, l.world.batches[at], newest)
		}
		for entity, want := range l.whole {
			got := s.AppendState(nil, int32(entity), l.world.newest[entity])
			if err := same(fmt.Sprintf("entity %d, its rows side by side,", entity), got, want); err != nil {
				return err
			}
		}
	}
	return nil
}

// foldArranged folds the rows of a batch into s and moves newest on, by entity.
func (l *laws) foldArranged(s operator.States, b *batch, newest []int64) {
	order, slots := l.arrange(b, newest)
	rows := operator.Rows{
		Time: column.GatherRows(nil, b.time, order), Offset: column.GatherRows(nil, b.offset, order),
		Source: b.source, Partition: b.partition, Newest: newest,
	}
	for _, from := range b.cols {
		c := column.NewColumn(from.Type, from.Scale)
		if l.rng.IntN(2) == 0 {
			c.Gather(from, order)
		} else {
			for _, row := range order {
				c.AppendFrom(from, int(row))
			}
		}
		rows.In = append(rows.In, &c)
	}
	most := 1 + l.rng.IntN(len(order)+1) // in one call
	for at := 0; at < len(order); at += most {
		rows.Slot = slots[at:min(at+most, len(order))]
		rows.Row = rows.Row[:0]
		for i := range rows.Slot {
			rows.Row = append(rows.Row, int32(at+i))
		}
		s.Fold(&rows)
	}
}

// arrange returns the rows of a batch that are folded, entity by entity in a random order, and whose they are. Now and then an
// entity comes twice. All rows count for newest.
func (l *laws) arrange(b *batch, newest []int64) (order, slots []int32) {
	type turn struct{ row, entity int32 }
	var turns []turn
	rank := l.rng.Perm(2 * l.world.entities)
	halves := 1 + l.rng.IntN(2)
	for _, r := range l.world.rows {
		if r.batch != b {
			continue
		}
		newest[r.entity] = max(newest[r.entity], r.time())
		if r.folded {
			turns = append(turns, turn{r.at, int32(r.entity)})
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int {
		return rank[halves*int(a.entity)+int(a.row)%halves] - rank[halves*int(b.entity)+int(b.row)%halves]
	})
	for _, t := range turns {
		order, slots = append(order, t.row), append(slots, t.entity)
	}
	return order, slots
}
