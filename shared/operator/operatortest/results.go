package operatortest

import (
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/naive"
)

// queries returns what may be asked under cfg: every window, with and without limits, half-lives and names of results, as
// far as the kind takes them.
func (l *laws) queries() []operator.Query {
	var out []operator.Query
	for _, w := range l.cfg.Windows {
		for _, limit := range []int{0, 1, 3} {
			for _, halfLife := range []int64{0, w.Hop, 2*w.Hop + 1, w.Length/3 + 1, w.Length} {
				for _, result := range append([]string{""}, l.kind.Results...) {
					q := operator.Query{Window: w, Limit: limit, HalfLife: halfLife, Result: result}
					if l.kind.CheckQuery(l.cfg, q) == nil {
						out = append(out, q)
					}
				}
			}
		}
	}
	return out
}

// results compares the values that the fold's slot, a merge of its bytes and the twin give, at newest and later, and
// wants the state to be the same after it.
func (l *laws) results() error {
	queries := l.queries()
	if len(queries) == 0 {
		return errors.New("the kind takes no query at all")
	}
	for entity, state := range l.whole {
		newest := max(0, l.world.newest[entity])
		merged := l.op.NewStates()
		merged.Grow(1)
		if err := merged.Merge(0, state, newest); err != nil {
			return err
		}
		events := l.world.events(entity)
		for _, q := range queries {
			q.Newest = newest
			for _, asOf := range []int64{newest, l.later(newest), l.later(l.later(newest))} {
				q.AsOf = asOf
				if err := l.sameResult(entity, merged, events, q); err != nil {
					return fmt.Errorf("asking %+v: %w", q, err)
				}
			}
		}
		if err := same("the state after results", l.states.AppendState(nil, int32(entity), newest), state); err != nil {
			return err
		}
		if err := same("the merged state after results", merged.AppendState(nil, 0, newest), state); err != nil {
			return err
		}
	}
	return nil
}

func (l *laws) sameResult(entity int, merged operator.States, events []naive.Event, q operator.Query) error {
	got := l.states.Result(int32(entity), &q)
	text := got.String()
	if again := merged.Result(0, &q); !again.Equal(got) {
		return fmt.Errorf("the fold answers %s, its state merged %s", got, again)
	}
	if got.String() != text {
		return errors.New("a value changed after it was returned")
	}
	for _, states := range []struct {
		operator.States
		slot int
	}{{l.states, entity}, {merged, 0}} {
		if err := sameText(states.States, int32(states.slot), &q, got); err != nil {
			return err
		}
	}
	want, err := naive.Result(l.kind.Name, l.cfg, events, q)
	if errors.Is(err, naive.ErrNoTwin) {
		return nil
	}
	if err != nil {
		return err
	}
	if !got.Equal(want) {
		return fmt.Errorf("answer %s, want %s", got, want)
	}
	return nil
}

// sameText compares what is appended of a result with what the value appends.
func sameText(states operator.States, slot int32, q *operator.Query, v operator.Value) error {
	const before = "before"
	want := before
	if !v.IsNull() {
		want += v.String()
	}
	got, ok := operator.AppendResult([]byte(before), states, slot, q)
	if string(got) != want || ok != !v.IsNull() {
		return fmt.Errorf("the value is %s, appended is %s (%t)", v, got, ok)
	}
	return nil
}

// rows reads every entity as one who looks up rows does, in one slot that is used again: its parts merged in a random order
// give the state and the results of the fold.
func (l *laws) rows() error {
	reading := l.op.NewStates()
	if r, ok := reading.(operator.Reading); ok {
		r.Alone()
	}
	if err := l.rowsIn(reading); err != nil {
		return err
	}
	r, ok := l.op.(operator.RowReader)
	if !ok {
		return nil
	}
	row := r.NewRow()
	if r, ok := row.(operator.Reading); ok {
		r.Alone()
	}
	// Twice, because states may read otherwise when they have written before.
	if err := errors.Join(l.rowsIn(row), l.rowsIn(row)); err != nil {
		return fmt.Errorf("with states for rows alone: %w", err)
	}
	return nil
}

func (l *laws) rowsIn(reading operator.States) error {
	parts := l.randomParts()
	queries := l.queries()
	for entity, want := range l.whole {
		newest := max(0, l.world.newest[entity])
		reading.Reset()
		reading.Grow(1)
		l.rng.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		for _, p := range parts {
			if err := reading.Merge(0, p.states[entity], newest); err != nil {
				return err
			}
		}
		for range min(3, len(queries)) {
			q := queries[l.rng.IntN(len(queries))]
			q.Newest, q.AsOf = newest, l.later(newest)
			v := l.states.Result(int32(entity), &q)
			if got := reading.Result(0, &q); !got.Equal(v) {
				return fmt.Errorf("asking %+v: the fold answers %s, the row %s", q, v, got)
			}
			if err := sameText(reading, 0, &q, v); err != nil {
				return fmt.Errorf("asking %+v of a row: %w", q, err)
			}
		}
		if err := same(fmt.Sprintf("row %d", entity), reading.AppendState(nil, 0, newest), want); err != nil {
			return err
		}
	}
	return nil
}
