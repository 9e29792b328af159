package operator

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
)

// stretch is rows of one slot that stand side by side, put in order.
//
// Of a stretch only the latest row of each of its n latest elements can count: the stretch is a part of the whole, and
// what latest says of parts holds for it. So its rows are looked at from the newest on, until n elements are known; what
// lies before is not even hashed. An element that was taken away is one of the n as well, there as here.
type stretch struct {
	inOrder []int32 // rows, each behind those before in time
	late    []int32 // the others
	latest  []elementRow
}

// elementRow is the latest row of an element.
type elementRow struct {
	key uint64
	row int32
}

// foldStretches is fold of rows of which many of one slot stand side by side.
func (s *latestStates) foldStretches(r *Rows, identity []*column.Column) {
	s.keys.begin(identity, r.Row)
	for from := 0; from < len(r.Row); {
		to := from + sameSlot(r.Slot[from:len(r.Row)])
		slot := r.Slot[from]
		newest := r.Newest[slot]
		s.arrange(r, r.Row[from:to], newest)
		s.findLatest(r)
		if s.Len(slot) == 0 {
			s.putLatest(r, slot)
		} else {
			s.placeLatest(r, slot, newest)
		}
		from = to
	}
}

// arrange makes the stretch these rows, as far as a reader can reach them. Few are late: these are put in order apart.
func (s *latestStates) arrange(r *Rows, rows []int32, newest int64) {
	x := &s.stretch
	x.inOrder, x.late = x.inOrder[:0], x.late[:0]
	for _, row := range rows {
		if !s.reached.reaches(s.tiers, r.Time[row], newest) {
			continue
		}
		if n := len(x.inOrder); n > 0 && comparePlaces(r, row, x.inOrder[n-1]) < 0 {
			x.late = append(x.late, row)
		} else {
			x.inOrder = append(x.inOrder, row)
		}
	}
	if len(x.late) > 1 {
		slices.SortFunc(x.late, func(a, b int32) int { return comparePlaces(r, a, b) })
	}
}

// findLatest finds the latest elements of the stretch, the newest first.
func (s *latestStates) findLatest(r *Rows) {
	x := &s.stretch
	x.latest = x.latest[:0]
	inOrder, late := x.inOrder, x.late
	s.marks.begin(s.keys.Len() + min(s.n, len(inOrder)+len(late)))
	for len(x.latest) < s.n && len(inOrder)+len(late) > 0 {
		rows := &inOrder
		if n := len(late); n > 0 && (len(inOrder) == 0 || comparePlaces(r, late[n-1], inOrder[len(inOrder)-1]) > 0) {
			rows = &late
		}
		last := len(*rows) - 1
		row := (*rows)[last]
		*rows = (*rows)[:last]
		if key := s.keys.of(row); s.marks.first(key) {
			x.latest = append(x.latest, elementRow{key, row})
		}
	}
}

// putLatest makes the latest elements of the stretch the entries of slot, which has none. They are in order already.
func (s *latestStates) putLatest(r *Rows, slot int32) {
	n := len(s.stretch.latest)
	if n == 0 {
		return
	}
	s.Reserve(slot, n)
	s.places.Forget()
	words := s.Extend(slot, n)
	for i, e := range s.stretch.latest {
		w := words[i*s.stride : (i+1)*s.stride]
		w[0] = e.key
		putOrder(w[latestOrder:], r, e.row)
		if s.hasPayload() {
			w[latestPayload] = 0
			s.setPayload(w, e.row)
		}
	}
}

// placeLatest adds the latest elements of the stretch to slot.
func (s *latestStates) placeLatest(r *Rows, slot int32, newest int64) {
	s.before = slot + 1 // the entries of slot are about to be asked for again and again
	if !s.places.Of(slot) {
		s.remember(slot, rememberBack+rememberStretch*len(s.stretch.latest))
	}
	for _, e := range s.stretch.latest {
		if w := s.place(r, slot, e.row, e.key, newest); w != nil && s.hasPayload() {
			s.setPayload(w, e.row)
		}
	}
}
