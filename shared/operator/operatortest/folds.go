package operatortest

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/naive"
)

// fold folds rows into s, the slots being those of the entities, in calls of at most so many rows of one batch each.
// Rows of one batch keep their order; the batches' rows come as they come.
func (l *laws) fold(s operator.States, rows []row, slots []int32, batchRows int) {
	n := int32(0)
	for _, slot := range slots {
		n = max(n, slot+1)
	}
	s.Grow(int(n))
	newest := make([]int64, n)
	for len(rows) > 0 {
		first := rows[0].batch
		call := operator.Rows{
			Time: first.time, Offset: first.offset, Source: first.source, Partition: first.partition, Newest: newest, In: first.cols,
		}
		taken := 0
		for ; taken < min(len(rows), batchRows) && rows[taken].batch == first; taken++ {
			r := rows[taken]
			slot := slots[r.entity]
			newest[slot] = max(newest[slot], r.time())
			if r.folded {
				call.Row, call.Slot = append(call.Row, r.at), append(call.Slot, slot)
			}
		}
		rows = rows[taken:]
		s.Fold(&call)
	}
}

// slots numbers the entities as they are.
func (w *world) slots() []int32 {
	slots := make([]int32, w.entities)
	for i := range slots {
		slots[i] = int32(i)
	}
	return slots
}

// oneFold folds the whole world at once and compares the bytes with the naive twin's.
func (l *laws) oneFold() error {
	l.states = l.op.NewStates()
	l.fold(l.states, l.world.rows, l.world.slots(), len(l.world.rows)+1)
	for entity := range l.world.entities {
		newest := l.world.newest[entity]
		state := l.states.AppendState([]byte("in front"), int32(entity), newest)
		if !bytes.HasPrefix(state, []byte("in front")) {
			return errors.New("AppendState touched what stood before")
		}
		state = state[len("in front"):]
		l.whole = append(l.whole, state)
		if err := l.sameAsTwin(entity, state, newest); err != nil {
			return err
		}
	}
	return nil
}

// sameAsTwin compares a state with the naive twin's, if there is one.
func (l *laws) sameAsTwin(entity int, state []byte, newest int64) error {
	want, err := naive.State(l.kind.Name, l.cfg, l.world.events(entity), newest)
	if errors.Is(err, naive.ErrNoTwin) {
		return nil
	}
	if err != nil {
		return err
	}
	return same("state", state, want)
}

func same(what string, got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%s has %d bytes, want %d:\n got %x\nwant %x", what, len(got), len(want), got, want)
	}
	return nil
}

// part is the states of all entities over some of the rows, written down.
type part struct {
	newest []int64
	states [][]byte
}

// splits folds random parts of the world apart from each other, merges them in a random order, and wants the bytes of
// one fold.
func (l *laws) splits() error {
	for range 3 {
		parts := l.randomParts()
		for len(parts) > 1 {
			l.rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
			n := 2 + l.rng.IntN(min(3, len(parts)-1))
			merged, err := l.merge(parts[:n])
			if err != nil {
				return err
			}
			parts = append(parts[n:], merged)
		}
		for entity, want := range l.whole {
			if err := same(fmt.Sprintf("entity %d merged of parts", entity), parts[0].states[entity], want); err != nil {
				return err
			}
		}
	}
	return nil
}

// randomParts deals the rows out, and folds each part in its own way: slots in another order, calls of other sizes, room
// that was used before.
func (l *laws) randomParts() []part {
	dealt := make([][]row, 1+l.rng.IntN(6))
	stride := 1 + l.rng.IntN(20) // rows that stay together, as in a block
	for i, r := range l.world.rows {
		to := l.rng.IntN(len(dealt))
		if i%stride > 0 {
			to = i / stride % len(dealt)
		}
		dealt[to] = append(dealt[to], r)
	}
	used := l.op.NewStates()
	parts := make([]part, 0, len(dealt))
	for _, rows := range dealt {
		s := used
		if l.rng.IntN(2) == 0 {
			s = l.op.NewStates()
		}
		slots := make([]int32, l.world.entities)
		for i, slot := range l.rng.Perm(l.world.entities) {
			slots[i] = int32(2 * slot) // every other slot stays empty
		}
		l.fold(s, rows, slots, 1+l.rng.IntN(len(l.world.rows)+1))
		p := part{newest: l.world.newestOf(rows)}
		for entity, slot := range slots {
			p.states = append(p.states, s.AppendState(nil, slot, p.newest[entity]))
		}
		parts = append(parts, p)
		s.Reset()
	}
	return parts
}

// merge merges parts, entity by entity, all in slots of one States.
func (l *laws) merge(parts []part) (part, error) {
	s := l.op.NewStates()
	s.Grow(l.world.entities)
	merged := part{newest: make([]int64, l.world.entities)}
	for entity := range l.world.entities {
		newest := int64(-1)
		for _, p := range parts {
			newest = max(newest, p.newest[entity])
		}
		// A reader may know the merged newest from the start, or only what it has read.
		known := int64(-1)
		if l.rng.IntN(2) == 0 {
			known = newest
		}
		for _, p := range parts {
			known = max(known, p.newest[entity])
			if err := s.Merge(int32(entity), p.states[entity], known); err != nil {
				return part{}, fmt.Errorf("merging %x: %w", p.states[entity], err)
			}
		}
		merged.newest[entity] = newest
		merged.states = append(merged.states, s.AppendState(nil, int32(entity), newest))
	}
	return merged, nil
}

// identity checks that no bytes are the empty state, that a state merged into an empty one is itself, and that a slot
// may be folded into after a merge.
func (l *laws) identity() error {
	s := l.op.NewStates()
	s.Grow(l.world.entities + 1)
	for entity, want := range l.whole {
		newest := max(0, l.world.newest[entity])
		if got := s.AppendState(nil, int32(entity), newest); len(got) > 0 {
			return fmt.Errorf("an empty slot has the state %x", got)
		}
		for _, state := range [][]byte{nil, want, {}} {
			if err := s.Merge(int32(entity), state, newest); err != nil {
				return fmt.Errorf("merging %x: %w", state, err)
			}
		}
		if err := same("a state merged into an empty one", s.AppendState(nil, int32(entity), newest), want); err != nil {
			return err
		}
		if err := same("the same written again", s.AppendState(nil, int32(entity), newest), want); err != nil {
			return err
		}
	}
	return l.foldAfterMerge()
}

// foldAfterMerge merges the state of the first rows and folds the others on top.
func (l *laws) foldAfterMerge() error {
	cut := l.rng.IntN(len(l.world.rows) + 1)
	head := l.op.NewStates()
	l.fold(head, l.world.rows[:cut], l.world.slots(), cut+1)
	newest := l.world.newestOf(l.world.rows[:cut])
	s := l.op.NewStates()
	s.Grow(l.world.entities)
	for entity := range l.world.entities {
		if err := s.Merge(int32(entity), head.AppendState(nil, int32(entity), newest[entity]), newest[entity]); err != nil {
			return err
		}
	}
	// The entity's newest is that of all its events, so each row's is as late as the world's.
	for _, r := range l.world.rows[cut:] {
		if !r.folded {
			continue
		}
		s.Fold(&operator.Rows{
			Row: []int32{r.at}, Slot: []int32{int32(r.entity)}, Time: r.batch.time, Offset: r.batch.offset,
			Source: r.batch.source, Partition: r.batch.partition, Newest: l.world.newest, In: r.batch.cols,
		})
	}
	for entity, want := range l.whole {
		if err := same("rows folded into a merged state", s.AppendState(nil, int32(entity), l.world.newest[entity]), want); err != nil {
			return err
		}
	}
	return nil
}

// jumps moves the newest event time ahead and wants the same from the fold's slot, from a merge of its bytes, and from
// the twin.
func (l *laws) jumps() error {
	for entity, state := range l.whole {
		newest := max(0, l.world.newest[entity])
		for range 4 {
			newest = l.later(newest)
			got := l.states.AppendState(nil, int32(entity), newest)
			if err := l.sameAsTwin(entity, got, newest); err != nil {
				return fmt.Errorf("at newest %d: %w", newest, err)
			}
			s := l.op.NewStates()
			s.Grow(1)
			if err := s.Merge(0, state, newest); err != nil {
				return fmt.Errorf("merging at newest %d: %w", newest, err)
			}
			if err := same("re-tiered in a merge", s.AppendState(nil, 0, newest), got); err != nil {
				return err
			}
		}
		if err := same("the slot after its reading at later times", l.states.AppendState(nil, int32(entity), max(0, l.world.newest[entity])), state); err != nil {
			return err
		}
	}
	return nil
}

// later returns a time a hop, a window or a little after t.
func (l *laws) later(t int64) int64 {
	w := l.cfg.Windows[l.rng.IntN(len(l.cfg.Windows))]
	steps := []int64{1, w.Hop, w.Length, l.rng.Int64N(w.Length + 1), l.rng.Int64N(w.Hop + 1)}
	return t + steps[l.rng.IntN(len(steps))]
}
