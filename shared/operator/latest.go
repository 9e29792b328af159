package operator

import (
	"cmp"
	"math"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/tailsort"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// MaxN bounds Config.N.
const MaxN = 1024

// latest is what last_n, set and map have in common: the N distinct elements that were written last, each at the place of
// its latest event, with what that event says of it, its payload.
//
// The bound loses nothing that a later merge could want. Let e not be among the N latest elements of a part: N others
// have later events there, so they are before e in the whole too, unless the whole has a later event of e; and the part
// that this event is in knows it, or has N later elements itself. Trimming takes from the old end only, as the bound
// does, so that their order does not matter. An element that was taken away keeps its place among the N for the same
// reason: without it, what was pushed out would depend on which part knew of the removal.
type latest struct {
	kind     string
	tiers    window.Tiers
	n        int
	identity kept
	payload  kept // without inputs there is none
	nullable bool // the identity is made of values, of which some may be null
	// removable says that a payload of nulls alone is one too: that of an element that was taken away.
	removable bool
}

func (o *latest) hasPayload() bool { return len(o.payload.inputs) > 0 }

// newStates returns room for states of many entities, none yet.
func (o *latest) newStates() latestStates {
	words := latestOrder + orderWords
	if o.hasPayload() {
		words++
	}
	return latestStates{latest: o, Runs: arena.NewRuns(words), stride: words, keys: newNumbered(o.identity.inputs, o.nullable)}
}

// The words of an entry: the number of the element, its place, and the blob of its values if it has a payload.
const (
	latestOrder   = 1
	latestPayload = latestOrder + orderWords
)

// lookBack is how many of the latest entries a row is compared with before it appends one of its own.
const lookBack = 8

// latestStates is all of States but Fold and Result, and nearly all of Fold. It appends an entry a row, or one for each of
// the latest elements of rows that stand side by side, and settles a slot when its room is used up: in order of time, newest
// first, without elements seen before, at most n.
type latestStates struct {
	arena.Runs
	*latest
	stride int
	keys   numbered
	blobs  arena.Blobs

	picked  picked
	write   payloadColumns
	reached reached
	stretch stretch
	before  int32        // the slot that an entry was last asked for, + 1
	places  arena.Places // of the elements in that slot, once it is asked for again

	buf   []byte
	order []dated  // scratch of settled
	tail  []dated  // scratch of sort
	out   []uint64 // scratch of compact
	ids   []uint64 // scratch of Merge: the elements merged
	marks marks    // of elements
}

// payloadColumns is what the payloads of the rows being folded are read from.
type payloadColumns struct {
	values  []*column.Column
	remove  *column.Column // if not nil: what row has another value than 0 in it has removed as its payload
	removed []byte
}

// fold adds rows whose elements are told by the columns of identity, and which all count.
func (s *latestStates) fold(r *Rows, identity []*column.Column) {
	if sideBySide(r.Slot[:len(r.Row)]) {
		s.foldStretches(r, identity)
		return
	}
	s.keys.prepare(identity, r.Row)
	for i, row := range r.Row {
		slot := r.Slot[i]
		newest := r.Newest[slot]
		if !s.reached.reaches(s.tiers, r.Time[row], newest) {
			continue
		}
		if w := s.place(r, slot, row, s.keys.at(i), newest); w != nil && s.hasPayload() {
			s.setPayload(w, row)
		}
	}
}

// place returns the entry of an element in slot, at the place of row, which is about it, if no later event of the element is
// known; otherwise nil. A payload is for the caller to set.
func (s *latestStates) place(r *Rows, slot, row int32, key uint64, newest int64) []uint64 {
	w, fresh := s.entry(slot, key, newest)
	if !fresh && compareRow(w[latestOrder:], r, row) >= 0 {
		return nil
	}
	putOrder(w[latestOrder:], r, row)
	return w
}

// setPayload gives an entry the payload that row has.
func (s *latestStates) setPayload(w []uint64, row int32) {
	if c := s.write.remove; c != nil && c.Ints[row] != 0 {
		w[latestPayload] = s.blobs.Replace(w[latestPayload], s.write.removed)
		return
	}
	s.buf = s.payload.tuple.Append(s.buf[:0], s.write.values, int(row))
	w[latestPayload] = s.blobs.Replace(w[latestPayload], s.buf)
}

// entry returns an entry of the element in slot, one of the latest or a new one.
func (s *latestStates) entry(slot int32, key uint64, newest int64) (w []uint64, fresh bool) {
	all := s.All(slot)
	if s.before != slot+1 {
		s.before = slot + 1
		for end := len(all); end > max(0, len(all)-lookBack*s.stride); end -= s.stride {
			if w = all[end-s.stride : end]; w[0] == key {
				return w, false
			}
		}
		s.places.Forget()
	} else {
		if !s.places.Of(slot) {
			s.remember(slot, rememberBack)
		}
		if at, ok := s.places.At(key); ok {
			return all[at*s.stride : (at+1)*s.stride], false
		}
	}
	if s.places.Of(slot) {
		if s.reserve(slot, newest); !s.places.Of(slot) {
			s.remember(slot, s.Len(slot))
		}
		s.places.Put(key, s.Len(slot))
	} else {
		s.reserve(slot, newest)
	}
	w = s.Push(slot)
	w[0] = key
	return w, true
}

// rememberBack is how many of the latest entries are remembered of a slot, for its second row and those that follow.
const rememberBack = 32

// remember makes the places those of the latest entries of slot.
func (s *latestStates) remember(slot int32, latest int) {
	s.places.Begin(slot)
	all := s.All(slot)
	for at := max(0, s.Len(slot)-latest); at < s.Len(slot); at++ {
		s.places.Put(all[at*s.stride], at)
	}
}

// reserve makes room for one more entry. A full run is settled first; room for twice the bound is always enough.
func (s *latestStates) reserve(slot int32, newest int64) {
	if s.Room(slot) > 0 {
		return
	}
	if s.Len(slot) > 1 {
		s.compact(slot, newest)
	}
	if have := s.Len(slot); s.Room(slot) < max(1, have) {
		s.Reserve(slot, max(1, have))
	}
}

func (s *latestStates) compact(slot int32, newest int64) {
	all := s.All(slot)
	s.out = s.out[:0]
	for _, d := range s.settled(all, newest) {
		s.out = append(s.out, all[d.at:d.at+s.stride]...)
		all[d.at] = gone
	}
	for at := 0; s.hasPayload() && at < len(all); at += s.stride {
		if all[at] != gone {
			s.blobs.Free(all[at+latestPayload])
		}
	}
	copy(all, s.out)
	s.Cut(slot, len(s.out)/s.stride)
	s.places.Forget()
}

// gone marks an entry that was taken over; no element has this number.
const gone = 1<<64 - 1

// dated is an entry to be put in order: its time, and where it lies among the slot's words.
type dated struct {
	time uint64
	at   int
}

// settled returns where the entries that count lie among all, newest first. Valid until the next call.
func (s *latestStates) settled(all []uint64, newest int64) []dated {
	s.sort(all)
	from := uint64(max(0, reachedFrom(s.tiers, newest)))
	s.marks.begin(s.keys.Len())
	n := 0
	for _, d := range s.order {
		if n == s.n || d.time < from {
			break
		}
		if s.marks.first(all[d.at]) {
			s.order[n] = d
			n++
		}
	}
	return s.order[:n]
}

// sort puts the entries of all in order: in s.order they lie newest first. What was settled is in order already, and so is
// what a stretch of rows was folded to.
func (s *latestStates) sort(all []uint64) {
	s.order = s.order[:0]
	sorted := 0 // how many entries are in order, from the first on
	before := uint64(math.MaxUint64)
	for at := 0; at < len(all); at += s.stride {
		t := all[at+latestOrder+orderTime]
		if sorted == len(s.order) &&
			(t < before || t == before && s.compare(all[at-s.stride:at], all[at:at+s.stride]) <= 0) {
			sorted++
		}
		s.order = append(s.order, dated{t, at})
		before = t
	}
	if sorted < len(s.order) {
		s.tail = tailsort.Sort(s.order, sorted, s.tail, func(a, b dated) int {
			if a.time != b.time {
				return cmp.Compare(b.time, a.time)
			}
			return s.compare(all[a.at:a.at+s.stride], all[b.at:b.at+s.stride])
		})
	}
}

// compare orders entries, the newest first. Two of one place are of one event, except in forged states; these are put in
// some order that does not depend on the path.
func (s *latestStates) compare(a, b []uint64) int {
	if order := compareOrder(b[latestOrder:], a[latestOrder:]); order != 0 {
		return order
	}
	if order := slices.Compare(s.keys.Bytes(a[0]), s.keys.Bytes(b[0])); order != 0 || !s.hasPayload() {
		return order
	}
	s.buf = append(s.buf[:0], s.blobs.Bytes(a[latestPayload])...)
	return slices.Compare(s.buf, s.blobs.Bytes(b[latestPayload]))
}

// AppendState implements States: the number of elements as uvarint, then each, the newest first: time (of the second and
// later ones how much before the one in front), source, partition, offset as uvarints, the tuple of its identity, and
// that of its payload if there is one.
func (s *latestStates) AppendState(dst []byte, slot int32, newest int64) []byte {
	all := s.All(slot)
	settled := s.settled(all, newest)
	if len(settled) == 0 {
		return dst
	}
	dst = wire.AppendUvarint(dst, uint64(len(settled)))
	var before uint64
	for i, d := range settled {
		w := all[d.at+latestOrder : d.at+s.stride]
		if i == 0 {
			dst = wire.AppendUvarint(dst, w[orderTime])
		} else {
			dst = wire.AppendUvarint(dst, before-w[orderTime])
		}
		before = w[orderTime]
		dst = append(appendPlace(dst, w), s.keys.Bytes(all[d.at])...)
		if s.hasPayload() {
			dst = append(dst, s.blobs.Bytes(w[orderWords])...)
		}
	}
	return dst
}

// Merge implements States.
func (s *latestStates) Merge(slot int32, state []byte, newest int64) error {
	if len(state) == 0 {
		return nil
	}
	r := wire.NewReader(state)
	n := r.Uvarint(uint64(s.n))
	s.expect(slot, min(int(n), len(state)/minLatestBytes))
	s.ids = s.ids[:0]
	var before [orderWords]uint64
	for i := range n {
		t := r.Uvarint(schema.MaxTime)
		if i > 0 {
			t = before[orderTime] - t // below 0 it is far above what readPlace takes
		}
		var place [orderWords]uint64
		readPlace(&r, place[:], t, newest)
		if i > 0 && compareOrder(before[:], place[:]) <= 0 {
			r.Fail()
		}
		before = place
		s.mergeElement(&r, slot, place, newest)
	}
	if n == 0 || !r.Done() || !s.distinct() {
		return stateError(s.kind, state)
	}
	return nil
}

// minLatestBytes is the least that an element takes in a state: its place, its tuple.
const minLatestBytes = 5

// expect makes room for n more entries at once, if these are not so many that they had better be settled.
func (s *latestStates) expect(slot int32, n int) {
	s.keys.Expect(n)
	if s.Len(slot)+n <= mergeSettle*s.n {
		s.Reserve(slot, n)
	}
}

// mergeElement reads what follows an element's place, and adds it to slot and its number to s.ids.
func (s *latestStates) mergeElement(r *wire.Reader, slot int32, place [orderWords]uint64, newest int64) {
	identity := r.Tuple(s.identity.tuple, s.nullable)
	var payload []byte
	if s.hasPayload() {
		payload = s.readPayload(r)
	}
	if r.Bad() {
		return
	}
	key := s.keys.ID(identity)
	s.ids = append(s.ids, key)
	s.mergeRoom(slot, newest)
	w := s.Push(slot)
	w[0] = key
	copy(w[latestOrder:], place[:])
	if s.hasPayload() {
		w[latestPayload] = s.blobs.Put(payload)
	}
}

func (s *latestStates) readPayload(r *wire.Reader) []byte {
	if s.removable {
		if nulls, ok := r.Nulls(len(s.payload.tuple)); ok {
			return nulls
		}
	}
	return r.Tuple(s.payload.tuple, true)
}

// mergeSettle is how many times the bound a run that is merged into may be long before it is settled for want of room: a
// row of some tiles is put in order once, when it is read.
const mergeSettle = 4

// mergeRoom makes room for one more entry that is merged.
func (s *latestStates) mergeRoom(slot int32, newest int64) {
	if have := s.Len(slot); s.Room(slot) == 0 && have < mergeSettle*s.n {
		s.Reserve(slot, max(1, have))
		return
	}
	s.reserve(slot, newest)
}

// distinct tells whether no element was merged twice.
func (s *latestStates) distinct() bool {
	s.marks.begin(s.keys.Len())
	for _, key := range s.ids {
		if !s.marks.first(key) {
			return false
		}
	}
	return true
}

// held returns where the entries that the query's window holds lie among the words of slot, newest first. Valid until the
// next call.
func (s *latestStates) held(slot int32, q *Query) []dated {
	shown := s.settled(s.All(slot), q.Newest)
	for i, d := range shown {
		if !q.Window.Holds(int64(d.time), q.AsOf) {
			return shown[:i]
		}
	}
	return shown
}

// atMost returns the first limit elements of list, all if limit is 0.
func atMost(list []dated, limit int) []dated {
	if limit > 0 && limit < len(list) {
		return list[:limit]
	}
	return list
}

// Reset implements States.
func (s *latestStates) Reset() {
	s.Runs.Reset()
	s.keys.Reset()
	s.blobs.Reset()
	s.places.Reset()
}

// Bytes implements Sizer.
func (s *latestStates) Bytes() int64 {
	return s.Runs.Bytes() + s.keys.Size() + s.blobs.Size() + s.places.Bytes()
}
