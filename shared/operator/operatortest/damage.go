package operatortest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/window"
)

// maxTruncations bounds how many prefixes of one state are tried; of shorter states all are.
const maxTruncations = 256

// damage cuts states off and changes their bytes. A prefix is refused. Changed bytes are refused, or are the canonical
// form of another state: where nothing can be re-tiered they are written again as they are, elsewhere their rewriting
// is.
func (l *laws) damage() error {
	for entity, state := range l.whole {
		newest := max(0, l.world.newest[entity])
		for _, n := range l.prefixes(len(state)) {
			if err := l.refused(state[:n], newest); err != nil {
				return err
			}
			_, err := l.mergedInto(state[:n], newest)
			if err := l.sameInRow(state, state[:n], newest, err); err != nil {
				return err
			}
		}
		for range 40 {
			changed := l.change(state)
			if err := l.refusedOrCanonical(changed, newest); err != nil {
				return err
			}
			_, err := l.mergedInto(changed, newest)
			if err := l.sameInRow(state, changed, newest, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// prefixes returns lengths of prefixes to try: not 0, because no bytes are the empty state.
func (l *laws) prefixes(n int) []int {
	var out []int
	for i := 1; i < n; i++ {
		if n <= maxTruncations || l.rng.IntN(n) < maxTruncations {
			out = append(out, i)
		}
	}
	return out
}

// mergedInto returns States, the same each time and Reset before, with the bytes in slot 0.
func (l *laws) mergedInto(state []byte, newest int64) (operator.States, error) {
	if l.damaged == nil {
		l.damaged = l.op.NewStates()
	}
	l.damaged.Reset()
	l.damaged.Grow(1)
	return l.damaged, l.damaged.Merge(0, state, newest)
}

// sameInRow wants states for rows alone, if the operator has them, to refuse the bytes exactly if others do, also behind a
// sound state.
func (l *laws) sameInRow(sound, state []byte, newest int64, err error) error {
	r, ok := l.op.(operator.RowReader)
	if !ok {
		return nil
	}
	if l.damagedRow == nil {
		l.damagedRow = r.NewRow()
	}
	for _, before := range [][]byte{nil, sound} {
		l.damagedRow.Reset()
		l.damagedRow.Grow(1)
		if err := l.damagedRow.Merge(0, before, newest); err != nil {
			return err
		}
		if got := l.damagedRow.Merge(0, state, newest); fmt.Sprint(got) != fmt.Sprint(err) {
			return fmt.Errorf("merging %x: %w, into states for rows alone: %w", state, err, got)
		}
	}
	return nil
}

func (l *laws) refused(state []byte, newest int64) error {
	_, err := l.mergedInto(state, newest)
	if err == nil {
		return fmt.Errorf("the prefix %x was taken for a state", state)
	}
	if !errors.Is(err, operator.ErrState) {
		return fmt.Errorf("the error about %x is not of class ErrState: %w", state, err)
	}
	return nil
}

// change flips, replaces, inserts or deletes some bytes.
func (l *laws) change(state []byte) []byte {
	out := slices.Clone(state)
	for range 1 + l.rng.IntN(3) {
		at := l.rng.IntN(len(out) + 1)
		switch op := l.rng.IntN(4); {
		case op == 0 || at == len(out):
			out = slices.Insert(out, at, byte(l.rng.IntN(256)))
		case op == 1:
			out = slices.Delete(out, at, at+1)
		case op == 2:
			out[at] = byte(l.rng.IntN(256))
		default:
			out[at] ^= 1 << l.rng.IntN(8)
		}
	}
	return out
}

func (l *laws) refusedOrCanonical(state []byte, newest int64) error {
	s, err := l.mergedInto(state, newest)
	if err != nil {
		if !errors.Is(err, operator.ErrState) {
			return fmt.Errorf("the error about %x is not of class ErrState: %w", state, err)
		}
		return nil
	}
	written := s.AppendState(nil, 0, newest)
	onlyAll := !slices.ContainsFunc(l.cfg.Windows, func(w window.Window) bool { return w != window.All })
	if onlyAll && !bytes.Equal(written, state) {
		return fmt.Errorf("%x was taken for a state, but is written as %x", state, written)
	}
	for _, q := range l.queries() {
		q.Newest, q.AsOf = newest, newest
		_ = s.Result(0, &q).String() // must not panic
	}
	again, err := l.mergedInto(written, newest)
	if err != nil {
		return fmt.Errorf("%x was taken for a state and written as %x, which is refused: %w", state, written, err)
	}
	return same("a changed state written twice", again.AppendState(nil, 0, newest), written)
}
