package pebblestore

import (
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// stripeCount is the number of locks that the lanes share. Two lanes of one stripe wait for each other, nothing more.
const stripeCount = 64

// maxStripeLanes bounds the marks that a stripe remembers; one lane more, and it forgets them all and reads again.
const maxStripeLanes = 1024

var seed = maphash.MakeSeed()

// stripe guards the lanes that hash to it, and remembers their marks. Nobody else has the database open, so what was
// committed last is what is there. Remembering is not for saving a read but for saving a walk: a mark is rewritten
// with every flush, and an iterator passes each of its versions until the table in memory is written out.
type stripe struct {
	mu    sync.RWMutex
	marks map[lane.ID]lane.Marks // immutable once they are in here
}

func (s *Store) stripe(id lane.ID) *stripe {
	return &s.stripes[maphash.Comparable(seed, id)%stripeCount]
}

// read returns the marks of a lane, not to be changed, and calls at, unless it is nil, at the instant at which they
// are the lane's marks.
func (st *stripe) read(s *Store, id lane.ID, at func() error) (lane.Marks, error) {
	if marks, ok, err := st.remembered(id, at); ok {
		return marks, err
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	marks, err := st.load(s, id)
	if err == nil && at != nil {
		err = at()
	}
	return marks, err
}

func (st *stripe) remembered(id lane.ID, at func() error) (marks lane.Marks, ok bool, err error) {
	st.mu.RLock()
	defer st.mu.RUnlock()
	marks, ok = st.marks[id]
	if ok && at != nil {
		err = at()
	}
	return marks, ok, err
}

// load returns the marks of a lane; the stripe is locked for writing.
func (st *stripe) load(s *Store, id lane.ID) (lane.Marks, error) {
	if marks, ok := st.marks[id]; ok {
		return marks, nil
	}
	marks, err := s.scanMarks(id)
	if err == nil {
		st.remember(id, marks)
	}
	return marks, err
}

func (st *stripe) remember(id lane.ID, marks lane.Marks) {
	if len(st.marks) >= maxStripeLanes {
		clear(st.marks)
	}
	st.marks[id] = marks
}

// scanMarks reads the marks of a lane from the database.
func (s *Store) scanMarks(id lane.ID) (lane.Marks, error) {
	prefix := appendLane(nil, kindMark, id)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: prefix, UpperBound: appendAfter(nil, prefix)})
	if err != nil {
		return nil, fmt.Errorf("%w: reading the marks of lane %s: %w", lane.ErrStore, id, err)
	}
	marks := lane.Marks{}
	for ok := it.First(); ok; ok = it.Next() {
		marks[string(it.Key()[len(prefix):])] = string(it.Value())
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return nil, fmt.Errorf("%w: reading the marks of lane %s: %w", lane.ErrStore, id, err)
	}
	return marks, nil
}

// setMarks adds to b what turns before into after.
func setMarks(b *pebble.Batch, id lane.ID, before, after lane.Marks) error {
	prefix := appendLane(nil, kindMark, id)
	key := func(name string) []byte { return append(slices.Clip(prefix), name...) }
	for name := range before {
		if _, ok := after[name]; ok {
			continue
		}
		if err := b.Delete(key(name), nil); err != nil {
			return err
		}
	}
	for name, mark := range after {
		if old, ok := before[name]; ok && old == mark {
			continue
		}
		if err := b.Set(key(name), []byte(mark), nil); err != nil {
			return err
		}
	}
	return nil
}

func copyMarks(m lane.Marks) lane.Marks {
	out := make(lane.Marks, len(m))
	maps.Copy(out, m)
	return out
}
