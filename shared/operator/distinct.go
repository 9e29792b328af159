package operator

import (
	"cmp"
	"math"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/hll"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/window"
)

// MaxExact bounds the elements that a state of distinct keeps one by one.
const MaxExact = 1024

// distinct tells how many different elements there are, told by their keys. Of nothing it is 0.
//
// # What a state is
//
// A state is a function of the set of elements ever seen and of the newest event time of each. Up to MaxExact elements it
// is that set: the element, and the bucket of its newest event. A window ends with as_of, so it holds an event of the
// element exactly if it holds the newest one. An element that no window reaches any more keeps its place without a
// bucket: so the number of elements ever seen, and with it the form of the state, depends on the elements and not on the
// way that they were merged.
//
// Past MaxExact elements it is HyperLogLog registers (package hll) over XXH64 of the element's tuple, for all windows at
// once: of each register the pairs (bucket, rank) that no other pair beats in both. The highest rank of the pairs that a
// window holds is the register's rank in that window, because a pair that is left out is beaten by one that every window
// holds that holds it. The best pairs of a union are the best of the best of its parts; and re-tiering keeps the order of
// times, so what is beaten before it is beaten, or equalled, after it.
var distinctKind = distinctOf("distinct", MaxExact)

// distinctOf is distinct with a bound of its own.
func distinctOf(name string, exact int) Kind {
	return Kind{
		Name: name, Version: 1, Approx: true,
		CheckQuery: plainQuery(name),
		New: func(cfg Config) (Operator, error) {
			s := shape{name: name, keys: some}
			tiers, err := s.check(&cfg)
			if err != nil {
				return nil, err
			}
			return &distinctOperator{name: name, exact: exact, tiers: tiers, inputs: slices.Clone(cfg.Inputs), tuple: tupleOf(cfg.Inputs)}, nil
		},
	}
}

type distinctOperator struct {
	name   string
	exact  int
	tiers  window.Tiers
	inputs []Input
	tuple  wire.Tuple
}

// NewStates implements Operator.
func (o *distinctOperator) NewStates() States {
	s := &distinctStates{distinctOperator: o, Runs: arena.NewRuns(sightingWords), keys: newNumbered(o.inputs, false)}
	s.codec.Cells = cells.New(o.tiers, &s.codec, codedWords, false)
	s.codec.Grow(1)
	s.codec.states = s
	return s
}

// sighting is an entry of a slot. In a slot that is exact, what is the number of an element; in one of registers it is the
// register and a rank, in RankBits. at is when the bucket starts that it was seen in last, + 1; 0 if no window reaches that.
type sighting struct{ what, at uint64 }

const sightingWords = 2

func sightingOf(register uint64, rank uint8) uint64 { return register<<hll.RankBits | uint64(rank) }

func rankOf(what uint64) uint8 { return uint8(what & (1<<hll.RankBits - 1)) }

// distinctStates holds a run of sightings per slot: first those that are settled, in order of what, of which none is in
// vain; then, as they came, those of later rows that the settled ones and the latest did not answer for. When the room of
// a run is used up it is settled again.
type distinctStates struct {
	arena.Runs
	*distinctOperator
	keys  numbered
	forms []int32 // by slot, up to the last that was settled: how many are settled; the complement of that for registers

	before int32        // the slot of the last row, + 1
	places arena.Places // of the elements in that slot, if it is exact, once it is asked for again

	low, high int64 // the bucket of the finest hop that the last row fell into: [low, high)

	picked  picked
	settled []sighting // scratch of settle
	codec   distinctCodec
	ranks   hll.Ranks // scratch of Result
	marks   marks     // of elements, scratch of count
}

// form tells how many sightings of slot are settled, and whether they are of registers.
func (s *distinctStates) form(slot int32) (settled int, registers bool) {
	if int(slot) >= len(s.forms) {
		return 0, false
	}
	if f := s.forms[slot]; f < 0 {
		return int(^f), true
	}
	return int(s.forms[slot]), false
}

// setForm notes the form of slot, whose sightings have moved.
func (s *distinctStates) setForm(slot int32, settled int, registers bool) {
	s.places.Forget()
	if have := len(s.forms); int(slot) >= have {
		s.forms = slices.Grow(s.forms, int(slot)+1-have)[:slot+1]
		clear(s.forms[have:])
	}
	s.forms[slot] = int32(settled)
	if registers {
		s.forms[slot] = ^int32(settled)
	}
}

// Fold implements States.
func (s *distinctStates) Fold(r *Rows) {
	r = s.picked.complete(r, r.In)
	if sideBySide(r.Slot[:len(r.Row)]) {
		s.foldStretches(r)
		return
	}
	s.keys.prepare(r.In, r.Row)
	for i, row := range r.Row {
		slot := r.Slot[i]
		settled, registers := s.form(slot)
		var what uint64
		if registers {
			what = sightingOfTuple(s.keys.bytes(i))
		} else {
			what = s.keys.at(i)
		}
		at := s.start(r.Time[row]) + 1
		var known bool
		if again := s.before == slot+1; again && !registers {
			known = s.placed(slot, settled, what, at)
		} else {
			known = s.known(slot, settled, registers, what, at)
		}
		if s.before = slot + 1; !known {
			s.add(slot, sighting{what, at}, registers, r.Newest[slot])
		}
	}
}

func sightingOfTuple(tuple []byte) uint64 { return sightingOf(hll.Of(xxhash.Sum64(tuple))) }

// start returns when the bucket of the finest hop starts that holds t. A row that no window reaches is taken in all the
// same: its element was seen.
func (s *distinctStates) start(t int64) uint64 {
	if t < s.low || t >= s.high {
		if hop := s.tiers[0].Hop; hop == 0 {
			s.low, s.high = 0, math.MaxInt64
		} else {
			s.low = t / hop * hop
			s.high = s.low + hop
		}
	}
	return uint64(s.low)
}

// known tells whether the sightings of slot say already that what was seen at such a time, or can be made to say so where
// they stand.
func (s *distinctStates) known(slot int32, settled int, registers bool, what, at uint64) bool {
	all := s.All(slot)
	edge := settled * sightingWords
	for end := len(all); end > max(edge, len(all)-lookBack*sightingWords); end -= sightingWords {
		if all[end-2] == what {
			all[end-1] = max(all[end-1], at)
			return true
		}
	}
	found := search(all[:edge], what)
	if found == edge {
		return false
	}
	if all[found] == what {
		all[found+1] = max(all[found+1], at)
		return true
	}
	// Of a register's settled ranks, the next higher one was seen last among those that are higher.
	return registers && all[found]>>hll.RankBits == what>>hll.RankBits && all[found+1] >= at
}

// placed is known of a slot that is exact and was asked for just before: where its elements lie is remembered then.
func (s *distinctStates) placed(slot int32, settled int, what, at uint64) bool {
	all := s.All(slot)
	if !s.places.Of(slot) {
		s.remember(slot, settled, rememberBack)
	}
	i, ok := s.places.At(what)
	if !ok {
		found := search(all[:settled*sightingWords], what)
		if found == settled*sightingWords || all[found] != what {
			return false
		}
		i = found / sightingWords
		s.places.Put(what, i)
	}
	all[i*sightingWords+1] = max(all[i*sightingWords+1], at)
	return true
}

// remember makes the places those of the latest elements of slot that are not settled.
func (s *distinctStates) remember(slot int32, settled, latest int) {
	s.places.Begin(slot)
	all := s.All(slot)
	for i := max(settled, s.Len(slot)-latest); i < s.Len(slot); i++ {
		s.places.Put(all[i*sightingWords], i)
	}
}

// search returns where the first of the sightings in words stands that is not below what.
func search(words []uint64, what uint64) int {
	low, high := 0, len(words)/sightingWords
	for low < high {
		mid := int(uint(low+high) / 2)
		if words[mid*sightingWords] < what {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low * sightingWords
}

// add appends a sighting to slot, whose form it has. Making room for it may turn the slot into registers.
func (s *distinctStates) add(slot int32, x sighting, registers bool, newest int64) {
	if s.Room(slot) == 0 {
		s.makeRoom(slot, newest)
		if _, now := s.form(slot); now && !registers {
			x.what = sightingOfTuple(s.keys.Bytes(x.what))
		}
	}
	if !registers && s.places.Of(slot) {
		s.places.Put(x.what, s.Len(slot))
	}
	w := s.Push(slot)
	w[0], w[1] = x.what, x.at
}

// makeRoom settles a full run; if that does not leave it half empty it moves to more room.
func (s *distinctStates) makeRoom(slot int32, newest int64) {
	if s.Len(slot) > 1 {
		out, registers := s.settle(slot, newest)
		s.Cut(slot, 0)
		words := s.Extend(slot, len(out))
		for i, x := range out {
			words[i*sightingWords], words[i*sightingWords+1] = x.what, x.at
		}
		s.setForm(slot, len(out), registers)
	}
	if have := s.Len(slot); s.Room(slot) < max(1, have) {
		s.Reserve(slot, max(1, have))
	}
}

// settle returns what slot holds at newest: each element once; or, if there are more than the bound, of each register
// the sightings that count. It leaves the slot as it is. Valid until the next call.
func (s *distinctStates) settle(slot int32, newest int64) (out []sighting, registers bool) {
	_, registers = s.form(slot)
	all := s.All(slot)
	s.settled = s.settled[:0]
	for at := 0; at < len(all); at += sightingWords {
		x := sighting{all[at], s.again(all[at+1], newest)}
		if x.at > 0 || !registers {
			s.settled = append(s.settled, x)
		}
	}
	if registers {
		return reduce(s.settled, hll.RankBits), true
	}
	if out = reduce(s.settled, 0); len(out) <= s.exact {
		return out, false
	}
	return reduce(s.registersOf(out), hll.RankBits), true
}

// registersOf turns sightings of elements into those of registers, in their place.
func (s *distinctStates) registersOf(elements []sighting) []sighting {
	out := elements[:0]
	for _, x := range elements {
		if x.at > 0 {
			out = append(out, sighting{sightingOfTuple(s.keys.Bytes(x.what)), x.at})
		}
	}
	return out
}

// again returns when the bucket starts, + 1, that a sighting belongs to at newest.
func (s *distinctStates) again(at uint64, newest int64) uint64 {
	if at == 0 || s.tiers[0].Hop == 0 {
		return at
	}
	i := s.tiers.Of(int64(at-1), newest)
	if i < 0 {
		return 0
	}
	return uint64(s.tiers.Start(i, s.tiers.Bucket(i, int64(at-1)))) + 1
}

// reduce puts sightings in order and leaves out those that another one answers for: one of the same group (what without
// its low bits) that is not lower and was not seen earlier. It returns the end of list.
func reduce(list []sighting, low int) []sighting {
	if !slices.IsSortedFunc(list, compareSightings) {
		slices.SortFunc(list, compareSightings)
	}
	to := len(list)
	for _, x := range slices.Backward(list) {
		if to < len(list) && list[to].what>>low == x.what>>low && list[to].at >= x.at {
			continue
		}
		to--
		list[to] = x
	}
	return list[to:]
}

func compareSightings(a, b sighting) int {
	if a.what != b.what {
		return cmp.Compare(a.what, b.what)
	}
	return cmp.Compare(a.at, b.at)
}

// toRegisters turns what slot holds into registers, if it is exact.
func (s *distinctStates) toRegisters(slot int32) {
	if _, registers := s.form(slot); registers {
		return
	}
	all, to := s.All(slot), 0
	for at := 0; at < len(all); at += sightingWords {
		if all[at+1] > 0 {
			all[to], all[to+1] = sightingOfTuple(s.keys.Bytes(all[at])), all[at+1]
			to += sightingWords
		}
	}
	s.Cut(slot, to/sightingWords)
	s.setForm(slot, 0, true)
}

// Result implements States.
func (s *distinctStates) Result(slot int32, q *Query) Value {
	from := seenFrom(q)
	s.ranks = hll.Ranks{}
	if _, registers := s.form(slot); registers {
		all := s.All(slot)
		for at := 0; at < len(all); at += sightingWords {
			s.rank(sighting{all[at], all[at+1]}, from)
		}
		return OfInt(hll.Estimate(&s.ranks))
	}
	if s.Len(slot) <= s.exact {
		return OfInt(s.count(slot, from))
	}
	out, registers := s.settle(slot, q.Newest)
	if !registers {
		out = slices.DeleteFunc(out, func(x sighting) bool { return x.at < from })
		return OfInt(int64(len(out)))
	}
	for _, x := range out {
		s.rank(x, from)
	}
	return OfInt(hll.Estimate(&s.ranks))
}

// seenFrom returns from which sighting time on, which is + 1 as sightings' are, q's window holds an element.
func seenFrom(q *Query) uint64 {
	w := q.Window
	if w.Length == 0 {
		return 1
	}
	return 1 + uint64(max(0, (q.AsOf/w.Hop-w.Length/w.Hop+1)*w.Hop))
}

// count returns how many elements were seen not before from, of a slot that has not as many sightings that it could be
// registers. When a sighting is re-tiered it may move to a time before, but never across from: the hop of any tier that the
// window reaches divides the window's.
func (s *distinctStates) count(slot int32, from uint64) (n int64) {
	s.marks.begin(s.keys.Len())
	all := s.All(slot)
	for at := 0; at < len(all); at += sightingWords {
		if all[at+1] >= from && s.marks.first(all[at]) {
			n++
		}
	}
	return n
}

// rank raises the rank of a sighting's register if it was seen not before from.
func (s *distinctStates) rank(x sighting, from uint64) {
	if register := x.what >> hll.RankBits; x.at >= from {
		s.ranks[register] = max(s.ranks[register], rankOf(x.what))
	}
}

// Reset implements States.
func (s *distinctStates) Reset() {
	s.Runs.Reset()
	s.keys.Reset()
	s.forms = s.forms[:0]
	s.places.Reset()
}

// Bytes implements Sizer.
func (s *distinctStates) Bytes() int64 {
	return s.Runs.Bytes() + s.keys.Size() + int64(len(s.forms))*4 + s.places.Bytes()
}
