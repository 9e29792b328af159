package operator

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// active_days counts the days, UTC, on which there are events; with values, events in which not all of them are null. Of
// nothing it is 0.
//
// The state is a set of days. Sets merge by union, and a day lies in one hop of a day as a whole, so that trimming takes
// whole members.
var activeDaysKind = Kind{
	Name: "active_days", Version: 1,
	Hop:        window.Day,
	CheckQuery: plainQuery("active_days"),
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "active_days", values: optional}
		tiers, err := s.check(&cfg)
		if err != nil {
			return nil, err
		}
		for _, t := range tiers {
			if t.Hop != window.Day && t.Hop != 0 {
				return nil, fmt.Errorf("%w: active_days: a hop of %s: it counts whole days: leave the hop out", ErrConfig, window.Text(t.Hop))
			}
		}
		o := &activeDaysOperator{}
		if last := tiers[len(tiers)-1]; last.Hop != 0 {
			o.reach = last.Reach
		}
		return o, nil
	},
}

type activeDaysOperator struct {
	reach int64 // days up to the newest one that its readers reach; 0 = all
}

// NewStates implements Operator.
func (o *activeDaysOperator) NewStates() States {
	return &activeDaysStates{activeDaysOperator: o, Runs: arena.NewRuns(dayStride)}
}

// An entry is a bitmap of dayBits days: which one, counted from 1970, and its bits, the earliest day lowest.
const (
	dayBitmap = iota
	dayMarks
	dayStride

	dayBits = 64
)

// activeDaysStates keeps the entries of a slot in ascending order, each once: there are few, and nearly every event falls
// on a day that the last one has.
type activeDaysStates struct {
	*activeDaysOperator
	arena.Runs
}

// from returns the first day that readers reach at newest.
func (o *activeDaysOperator) from(newest int64) uint64 {
	if o.reach == 0 {
		return 0
	}
	return uint64(max(0, newest/window.Day-o.reach+1))
}

// Fold implements States.
func (s *activeDaysStates) Fold(r *Rows) {
	for i, row := range r.Row {
		if !present(r.In, int(row)) {
			continue
		}
		slot, day := r.Slot[i], uint64(r.Time[row]/window.Day)
		if w := s.Last(slot); w != nil && w[dayBitmap] == day/dayBits {
			w[dayMarks] |= 1 << (day % dayBits)
			continue
		}
		s.mark(slot, day/dayBits, 1<<(day%dayBits), r.Newest[slot])
	}
}

// mark adds marks to the bitmap of that number in slot.
func (s *activeDaysStates) mark(slot int32, number, marks uint64, newest int64) {
	s.reserve(slot, newest)
	all := s.All(slot)
	at := len(all)
	for at > 0 && all[at-dayStride+dayBitmap] > number {
		at -= dayStride
	}
	if at > 0 && all[at-dayStride+dayBitmap] == number {
		all[at-dayStride+dayMarks] |= marks
		return
	}
	s.Push(slot)
	all = s.All(slot)
	copy(all[at+dayStride:], all[at:])
	all[at+dayBitmap], all[at+dayMarks] = number, marks
}

// reserve makes room for one more entry, that of entries out of reach first.
func (s *activeDaysStates) reserve(slot int32, newest int64) {
	if s.Room(slot) > 0 {
		return
	}
	all, gone := s.All(slot), 0
	for gone < len(all) && all[gone+dayBitmap] < s.from(newest)/dayBits {
		gone += dayStride
	}
	s.Cut(slot, copy(all, all[gone:])/dayStride)
	if s.Room(slot) == 0 {
		s.Reserve(slot, max(1, s.Len(slot)))
	}
}

// marksFrom returns those marks of an entry that are of day from and later ones.
func marksFrom(w []uint64, from uint64) uint64 {
	switch first := w[dayBitmap] * dayBits; {
	case first >= from:
		return w[dayMarks]
	case first+dayBits <= from:
		return 0
	default:
		return w[dayMarks] &^ (1<<(from-first) - 1)
	}
}

// AppendState implements States: the number of bitmaps that have marks as uvarint, then each in ascending order, as
// uvarints: its number, of the second and later ones the difference to the one before, less 1, and its marks.
func (s *activeDaysStates) AppendState(dst []byte, slot int32, newest int64) []byte {
	all, from := s.All(slot), s.from(newest)
	n := uint64(0)
	for at := 0; at < len(all); at += dayStride {
		if marksFrom(all[at:], from) != 0 {
			n++
		}
	}
	if n == 0 {
		return dst
	}
	dst = wire.AppendUvarint(dst, n)
	next := uint64(0)
	for at := 0; at < len(all); at += dayStride {
		if marks := marksFrom(all[at:], from); marks != 0 {
			number := all[at+dayBitmap]
			dst = wire.AppendUvarint(wire.AppendUvarint(dst, number-next), marks)
			next = number + 1
		}
	}
	return dst
}

// maxBitmap is the number of the last bitmap that there can be.
const maxBitmap = schema.MaxTime / uint64(window.Day) / dayBits

// Merge implements States.
func (s *activeDaysStates) Merge(slot int32, state []byte, newest int64) error {
	if len(state) == 0 {
		return nil
	}
	r := wire.NewReader(state)
	n := r.Uvarint(maxBitmap + 1)
	first, last, next := uint64(0), uint64(0), uint64(0)
	for i := uint64(0); i < n && !r.Bad(); i++ {
		number := next + r.Uvarint(maxBitmap)
		marks := r.Uvarint(1<<dayBits - 1)
		if marks == 0 || number > maxBitmap {
			r.Fail()
			break
		}
		if i == 0 {
			first = number*dayBits + uint64(bits.TrailingZeros64(marks))
		}
		last = number*dayBits + uint64(bits.Len64(marks)) - 1
		next = number + 1
		s.mark(slot, number, marks, newest)
	}
	// The state was written when the newest day was its last one or later, and reached back to its first one then.
	reached := s.reach == 0 || last-first < uint64(s.reach)
	if n == 0 || !r.Done() || !reached || int64(last) > newest/window.Day {
		return stateError("active_days", state)
	}
	return nil
}

// Result implements States.
func (s *activeDaysStates) Result(slot int32, q *Query) Value {
	from := uint64(0)
	if q.Window.Length != 0 {
		from = uint64(max(0, q.AsOf/window.Day-q.Window.Length/window.Day+1))
	}
	n := 0
	for w := range slices.Chunk(s.All(slot), dayStride) {
		n += bits.OnesCount64(marksFrom(w, from))
	}
	return OfInt(int64(n))
}
