package operator

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// MaxN bounds Config.N.
const MaxN = 1024

// last_n keeps the N latest distinct elements. An element is told by its keys, or by its values where no keys are
// declared; it stands where its latest event stands, with that event's values.
//
// The bound loses nothing that a later merge could want. Let e not be among the N latest elements of a part: N others
// have later events there, so they are before e in the whole too, unless the whole has a later event of e; and the part
// that this event is in knows it, or has N later elements itself. Trimming takes from the old end only, as the bound
// does, so that their order does not matter.
var lastNKind = Kind{
	Name: "last_n", Version: 1,
	CheckQuery: func(cfg Config, q Query) error { return checkQuery("last_n", &cfg, &q, true, false) },
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "last_n", values: optional, keys: optional, bounded: true}
		tiers, err := s.check(&cfg)
		if err != nil {
			return nil, err
		}
		return newLastN(&cfg, tiers)
	},
}

type lastNOperator struct {
	tiers window.Tiers
	n     int
	// What an element is told by and what is shown of it: the same inputs, or the keys and the values.
	identity, shown kept
	identityFrom    int  // values, if there are any, are shown and come first: shown is from 0
	payload         bool // they differ, so the values are kept beside the identity
	nullable        bool // the identity is made of values, of which some may be null
}

func newLastN(cfg *Config, tiers window.Tiers) (Operator, error) {
	inputs := slices.Clone(cfg.Inputs)
	values, keys := inputsOf(inputs, RoleValue), inputsOf(inputs, RoleKey)
	o := &lastNOperator{tiers: tiers, n: cfg.N, payload: len(values) > 0 && len(keys) > 0, nullable: len(keys) == 0}
	switch {
	case len(inputs) == 0:
		return nil, fmt.Errorf("%w: last_n: no key and no value: declare what an element is", ErrConfig)
	case o.payload:
		o.identity, o.shown, o.identityFrom = newKept(keys), newKept(values), len(values)
	default:
		o.identity = newKept(inputs)
		o.shown = o.identity
	}
	if err := checkNames("last_n", o.shown.inputs); err != nil {
		return nil, err
	}
	return o, nil
}

// NewStates implements Operator.
func (o *lastNOperator) NewStates() States {
	words := lastNOrder + orderWords
	if o.payload {
		words++
	}
	return &lastNStates{lastNOperator: o, Runs: arena.NewRuns(words), stride: words, keys: arena.NewKeys()}
}

// The words of an entry: the number of the element, its place, and the blob of its values if it has a payload.
const (
	lastNOrder   = 1
	lastNPayload = lastNOrder + orderWords
)

// lookBack is how many of the latest entries a row is compared with before it appends one of its own.
const lookBack = 8

// lastNStates appends an entry a row, and settles a slot when its room is used up: in order of time, newest first,
// without elements seen before, at most n.
type lastNStates struct {
	arena.Runs
	*lastNOperator
	stride int
	keys   arena.Keys
	blobs  arena.Blobs

	buf   []byte
	order []dated  // scratch of settled
	out   []uint64 // scratch of compact
	ids   []uint64 // scratch of Merge: the elements merged
	seen  []uint32 // by number of the element: the turn that saw it last
	turn  uint32
}

// Fold implements States.
func (s *lastNStates) Fold(r *Rows) {
	values := r.In[:len(s.shown.inputs)]
	identity := r.In[s.identityFrom : s.identityFrom+len(s.identity.inputs)]
	for i, row := range r.Row {
		if !present(values, int(row)) || !s.nullable && !complete(identity, int(row)) {
			continue
		}
		slot := r.Slot[i]
		if s.tiers.Of(r.Time[row], r.Newest[slot]) < 0 {
			continue
		}
		s.buf = s.identity.tuple.Append(s.buf[:0], identity, int(row))
		w, fresh := s.entry(slot, s.keys.ID(s.buf), r.Newest[slot])
		if !fresh && compareRow(w[lastNOrder:], r, row) >= 0 {
			continue
		}
		putOrder(w[lastNOrder:], r, row)
		if s.payload {
			s.buf = s.shown.tuple.Append(s.buf[:0], values, int(row))
			w[lastNPayload] = s.blobs.Replace(w[lastNPayload], s.buf)
		}
	}
}

// entry returns an entry of the element in slot, one of the latest or a new one.
func (s *lastNStates) entry(slot int32, key uint64, newest int64) (w []uint64, fresh bool) {
	all := s.All(slot)
	for end := len(all); end > max(0, len(all)-lookBack*s.stride); end -= s.stride {
		if w = all[end-s.stride : end]; w[0] == key {
			return w, false
		}
	}
	s.reserve(slot, newest)
	w = s.Push(slot)
	w[0] = key
	return w, true
}

// reserve makes room for one more entry. A full run is settled first; room for twice the bound is always enough.
func (s *lastNStates) reserve(slot int32, newest int64) {
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

func (s *lastNStates) compact(slot int32, newest int64) {
	all := s.All(slot)
	s.out = s.out[:0]
	for _, d := range s.settled(all, newest) {
		s.out = append(s.out, all[d.at:d.at+s.stride]...)
		all[d.at] = gone
	}
	for at := 0; s.payload && at < len(all); at += s.stride {
		if all[at] != gone {
			s.blobs.Free(all[at+lastNPayload])
		}
	}
	copy(all, s.out)
	s.Cut(slot, len(s.out)/s.stride)
}

// gone marks an entry that was taken over; no element has this number.
const gone = 1<<64 - 1

// dated is an entry to be put in order: its time, and where it lies among the slot's words.
type dated struct {
	time uint64
	at   int
}

// settled returns where the entries that count lie among all, newest first. Valid until the next call.
func (s *lastNStates) settled(all []uint64, newest int64) []dated {
	s.order = s.order[:0]
	sorted := true
	for at := 0; at < len(all); at += s.stride {
		sorted = sorted && (at == 0 || s.compare(all[at-s.stride:at], all[at:at+s.stride]) <= 0)
		s.order = append(s.order, dated{all[at+lastNOrder+orderTime], at})
	}
	if !sorted {
		slices.SortFunc(s.order, func(a, b dated) int {
			if a.time != b.time {
				return cmp.Compare(b.time, a.time)
			}
			return s.compare(all[a.at:a.at+s.stride], all[b.at:b.at+s.stride])
		})
	}
	s.begin()
	n := 0
	for _, d := range s.order {
		if n == s.n || s.tiers.Of(int64(d.time), newest) < 0 {
			break
		}
		if s.first(all[d.at]) {
			s.order[n] = d
			n++
		}
	}
	return s.order[:n]
}

// compare orders entries, the newest first. Two of one place are of one event, except in forged states; these are put in
// some order that does not depend on the path.
func (s *lastNStates) compare(a, b []uint64) int {
	if order := compareOrder(b[lastNOrder:], a[lastNOrder:]); order != 0 {
		return order
	}
	if order := slices.Compare(s.keys.Bytes(a[0]), s.keys.Bytes(b[0])); order != 0 || !s.payload {
		return order
	}
	s.buf = append(s.buf[:0], s.blobs.Bytes(a[lastNPayload])...)
	return slices.Compare(s.buf, s.blobs.Bytes(b[lastNPayload]))
}

// begin begins a turn of first.
func (s *lastNStates) begin() {
	if n := s.keys.Len(); n > len(s.seen) {
		s.seen = append(s.seen, make([]uint32, n-len(s.seen))...)
	}
	s.turn++
	if s.turn == 0 {
		clear(s.seen)
		s.turn = 1
	}
}

// first tells whether the element is asked for the first time in this turn.
func (s *lastNStates) first(key uint64) bool {
	first := s.seen[key] != s.turn
	s.seen[key] = s.turn
	return first
}

// AppendState implements States: the number of elements as uvarint, then each, the newest first: time (of the second and
// later ones how much before the one in front), source, partition, offset as uvarints, the tuple of its identity, and
// that of its values if keys and values are declared.
func (s *lastNStates) AppendState(dst []byte, slot int32, newest int64) []byte {
	all := s.All(slot)
	settled := s.settled(all, newest)
	if len(settled) == 0 {
		return dst
	}
	dst = wire.AppendUvarint(dst, uint64(len(settled)))
	var before uint64
	for i, d := range settled {
		w := all[d.at+lastNOrder : d.at+s.stride]
		if i == 0 {
			dst = wire.AppendUvarint(dst, w[orderTime])
		} else {
			dst = wire.AppendUvarint(dst, before-w[orderTime])
		}
		before = w[orderTime]
		dst = append(appendPlace(dst, w), s.keys.Bytes(all[d.at])...)
		if s.payload {
			dst = append(dst, s.blobs.Bytes(w[orderWords])...)
		}
	}
	return dst
}

// Merge implements States.
func (s *lastNStates) Merge(slot int32, state []byte, newest int64) error {
	if len(state) == 0 {
		return nil
	}
	r := wire.NewReader(state)
	n := r.Uvarint(uint64(s.n))
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
		return stateError("last_n", state)
	}
	return nil
}

// mergeElement reads what follows an element's place, and adds it to slot and its number to s.ids.
func (s *lastNStates) mergeElement(r *wire.Reader, slot int32, place [orderWords]uint64, newest int64) {
	identity := r.Tuple(s.identity.tuple, s.nullable)
	var payload []byte
	if s.payload {
		payload = r.Tuple(s.shown.tuple, true)
	}
	if r.Bad() {
		return
	}
	key := s.keys.ID(identity)
	s.ids = append(s.ids, key)
	s.mergeRoom(slot, newest)
	w := s.Push(slot)
	w[0] = key
	copy(w[lastNOrder:], place[:])
	if s.payload {
		w[lastNPayload] = s.blobs.Put(payload)
	}
}

// mergeSettle is how many times the bound a run that is merged into may be long before it is settled for want of room: a
// row of some tiles is put in order once, when it is read.
const mergeSettle = 4

// mergeRoom makes room for one more entry that is merged.
func (s *lastNStates) mergeRoom(slot int32, newest int64) {
	if have := s.Len(slot); s.Room(slot) == 0 && have < mergeSettle*s.n {
		s.Reserve(slot, max(1, have))
		return
	}
	s.reserve(slot, newest)
}

// distinct tells whether no element was merged twice.
func (s *lastNStates) distinct() bool {
	s.begin()
	for _, key := range s.ids {
		if !s.first(key) {
			return false
		}
	}
	return true
}

// Result implements States.
func (s *lastNStates) Result(slot int32, q *Query) Value {
	all := s.All(slot)
	shown := s.settled(all, q.Newest)
	for i, d := range shown {
		if q.Limit > 0 && i == q.Limit || !q.Window.Holds(int64(d.time), q.AsOf) {
			shown = shown[:i]
			break
		}
	}
	items := make([]Value, len(shown))
	for i, d := range shown {
		if s.payload {
			items[i] = s.shown.value(s.blobs.Bytes(all[d.at+lastNPayload]))
		} else {
			items[i] = s.shown.value(s.keys.Bytes(all[d.at]))
		}
	}
	return OfList(items)
}

// Reset implements States.
func (s *lastNStates) Reset() {
	s.Runs.Reset()
	s.keys.Reset()
	s.blobs.Reset()
}

// Bytes implements Sizer.
func (s *lastNStates) Bytes() int64 { return s.Runs.Bytes() + s.keys.Size() + s.blobs.Size() }
