package operator

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator/internal/arena"
	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/window"
)

// scoreName is the member of a result's structs that holds the score.
const scoreName = "score"

// top_k keeps the sum of weights of every key and bucket, all of them: which keys are on top depends on as_of and on
// what is still to be merged. Weights are integers, 1 if none is declared; they decay in Result. The result lists the
// keys whose score is above 0 at as_of, the highest first, equal ones by their bytes; of nothing it is an empty list.
var topKKind = Kind{
	Name: "top_k", Version: 1,
	CheckQuery: func(cfg Config, q Query) error {
		if err := checkQuery("top_k", &cfg, &q, true, true); err != nil {
			return err
		}
		return checkDecay(&q)
	},
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "top_k", keys: some, weight: span{0, 1}}
		tiers, err := s.check(&cfg)
		keys := slices.Clone(inputsOf(cfg.Inputs, RoleKey))
		if err == nil {
			err = checkNames("top_k", keys, scoreName)
		}
		if err != nil {
			return nil, err
		}
		k := newKept(keys)
		k.names = append(k.names, scoreName)
		return &topKOperator{tiers: tiers, keys: k, scoreLabel: labelsOf(k.names)[len(keys)]}, nil
	},
}

type topKOperator struct {
	tiers      window.Tiers
	keys       kept // names has scoreName at its end
	scoreLabel string
	decays     decays
}

// topKStride is the number of words of an entry: the code of its bucket, the word of its key, the sum of its weights.
const topKStride = 4

// NewStates implements Operator.
func (o *topKOperator) NewStates() States {
	return &topKStates{Cells: cells.New(o.tiers, summed{}, topKStride-2, true), op: o, keys: newKeyWords(o.keys.inputs)}
}

type topKStates struct {
	*cells.Cells
	op     *topKOperator
	keys   keyWords
	picked picked

	alone bool // there is one slot, into which rows are merged

	groups []group  // scratch of AppendState
	scores []scored // scratch of Result
	list   []listed // scratch of Result
}

// group is the settled entries of one key: words [from, to).
type group struct {
	head     uint64 // of the key's bytes, see arena.HeadOf
	key      []byte
	from, to int
}

// scored is a key and its score.
type scored struct {
	key   uint64
	score wide.Score
}

// Alone implements Reading: the largest part of a row, whose keys need not be looked up, is best merged first.
func (s *topKStates) Alone() (oldestFirst bool) {
	s.alone = true
	return true
}

// Fold implements States.
func (s *topKStates) Fold(r *Rows) {
	n := len(s.op.keys.inputs)
	keys, weights := r.In[:n], r.In[n:]
	r = s.picked.complete(r, keys)
	if len(weights) > 0 {
		r = s.picked.nonzero(r, weights[0])
	}
	rows := cells.Weighted{Rows: r.Row, Slots: r.Slot, Times: r.Time, Newest: r.Newest, Keys: s.keys.of(keys, r.Row)}
	if len(weights) > 0 {
		rows.Weights = weights[0].Ints
	}
	s.AddWeights(&rows)
}

// AppendState implements States: the number of keys as uvarint, then each in order of its bytes: the tuple, the group of
// its cells.
func (s *topKStates) AppendState(dst []byte, slot int32, newest int64) []byte {
	entries := s.Settled(slot, newest)
	if len(entries) == 0 {
		return dst
	}
	if entries[len(entries)-topKStride+1] >= numberedWord {
		return s.appendSorted(dst, entries)
	}
	keys := 1
	for at := topKStride; at < len(entries); at += topKStride {
		if entries[at+1] != entries[at-topKStride+1] {
			keys++
		}
	}
	dst = wire.AppendUvarint(dst, uint64(keys))
	for len(entries) > 0 {
		key, n := entries[1], topKStride
		for n < len(entries) && entries[n+1] == key {
			n += topKStride
		}
		dst = s.AppendGroup(s.keys.append(dst, key), entries[:n])
		entries = entries[n:]
	}
	return dst
}

// appendSorted is the same of settled entries that are not in the order of the keys' bytes.
func (s *topKStates) appendSorted(dst []byte, entries []uint64) []byte {
	s.groups = s.groups[:0]
	s.keys.forgetTuples()
	for at := 0; at < len(entries); {
		word, from := entries[at+1], at
		for at += topKStride; at < len(entries) && entries[at+1] == word; {
			at += topKStride
		}
		key := s.keys.bytesOf(word)
		s.groups = append(s.groups, group{arena.HeadOf(key), key, from, at})
	}
	slices.SortFunc(s.groups, func(a, b group) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return bytes.Compare(a.key, b.key)
	})
	dst = wire.AppendUvarint(dst, uint64(len(s.groups)))
	for _, g := range s.groups {
		dst = s.AppendGroup(append(dst, g.key...), entries[g.from:g.to])
	}
	return dst
}

// minTopKBytes is the least that a key takes in a state: its tuple, its tiers, their one sum.
const minTopKBytes = 3

// Merge implements States.
func (s *topKStates) Merge(slot int32, state []byte, newest int64) error {
	if len(state) == 0 {
		return nil
	}
	r := s.BeginMerge(state)
	n := r.Uvarint(uint64(len(state)))
	expected := min(int(n), len(state)/minTopKBytes)
	s.ExpectMerge(slot, expected)
	number := s.keys.AddSorted // the keys of a state are in order
	if !s.alone || s.keys.Len() > 0 {
		s.keys.Expect(expected)
		number = s.keys.ID
	}
	var before []byte
	for i := uint64(0); i < n && !r.Bad(); i++ {
		key := r.Tuple(s.op.keys.tuple, false)
		if r.Bad() || i > 0 && bytes.Compare(before, key) >= 0 {
			r.Fail()
			break
		}
		s.MergeGroup(slot, s.keys.ofTuple(key, number), newest)
		before = key
	}
	if n == 0 || !r.Done() || !s.EndMerge(newest) {
		return stateError("top_k", state)
	}
	return nil
}

// Result implements States.
func (s *topKStates) Result(slot int32, q *Query) Value { return s.op.value(s.listOf(slot, q)) }

// AppendResult implements Answerer.
func (s *topKStates) AppendResult(dst []byte, slot int32, q *Query) ([]byte, bool) {
	return s.op.appendJSON(dst, s.listOf(slot, q)), true
}

// listOf returns what q lists of slot. Valid until the next call of any method.
func (s *topKStates) listOf(slot int32, q *Query) []listed {
	s.list = s.list[:0]
	s.keys.forgetTuples()
	for _, x := range s.top(slot, q) {
		s.list = append(s.list, listed{s.keys.bytesOf(x.key), x.score.Float()})
	}
	return s.list
}

// listed is an element of a result: a key's tuple and its score.
type listed struct {
	key   []byte
	score float64
}

// value returns the result that lists these keys.
func (o *topKOperator) value(list []listed) Value {
	names := o.keys.names
	items := make([]Value, len(list))
	members := make([]Value, 0, len(list)*len(names)) // of all items
	for i, x := range list {
		from := len(members)
		members = append(o.keys.appendMembers(members, x.key), OfFloat(x.score))
		items[i] = Value{Kind: Struct, Items: members[from:len(members):len(members)], Names: names}
	}
	return OfList(items)
}

// appendJSON appends the JSON form of the result that lists these keys. Keys of one score stand side by side: its digits are
// found once.
func (o *topKOperator) appendJSON(dst []byte, list []listed) []byte {
	dst = append(dst, '[')
	from, to := 0, 0 // the digits of the last score
	for i, x := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		key := wire.NewReader(x.key)
		dst = append(o.keys.appendMembersJSON(append(dst, '{'), &key), o.scoreLabel...)
		at := len(dst)
		if i > 0 && x.score == list[i-1].score {
			dst = append(dst, dst[from:to]...)
		} else {
			dst = appendFloat(dst, x.score)
		}
		from, to = at, len(dst)
		dst = append(dst, '}')
	}
	return append(dst, ']')
}

// top returns the keys of slot that are listed, the first first. Valid until the next call of any method.
func (s *topKStates) top(slot int32, q *Query) []scored {
	s.score(slot, q)
	if q.Limit > 0 && q.Limit <= maxInserted {
		return s.insertBest(q.Limit)
	}
	top := slices.DeleteFunc(s.scores, func(x scored) bool { return !x.score.Positive() })
	slices.SortFunc(top, func(a, b scored) int {
		if s.before(&a, &b) {
			return -1
		}
		return 1 // no key is there twice
	})
	if q.Limit > 0 && q.Limit < len(top) {
		top = top[:q.Limit]
	}
	return top
}

// score fills scores with the keys of slot that the query's window holds.
func (s *topKStates) score(slot int32, q *Query) {
	factors := s.op.decays.of(q)
	s.scores = s.scores[:0]
	held := s.Held(q.Window, q.AsOf)
	settled := s.Settled(slot, q.Newest)
	for at := 0; at+topKStride <= len(settled); at += topKStride {
		w := settled[at : at+topKStride : at+topKStride]
		if !held.Has(w[0]) {
			continue
		}
		factor := wide.One
		if factors != nil {
			factor = factors.at(held.Age(w[0]))
		}
		last := len(s.scores) - 1
		if last < 0 || s.scores[last].key != w[1] {
			s.scores = append(s.scores, scored{key: w[1]})
			last++
		}
		s.scores[last].score.AddMul(wideAt(w[2:]), factor)
	}
}

// maxInserted is the limit up to which the best are found by insertion: most of the others lose to the last of the best,
// and one that does not moves some that lie side by side.
const maxInserted = 64

// insertBest returns those of scores that are above 0, the best first, at most limit. It reorders scores.
func (s *topKStates) insertBest(limit int) []scored {
	top := s.scores[:0] // it never reaches what is still to be read
	for i := range s.scores {
		x := s.scores[i]
		if !x.score.Positive() {
			continue
		}
		low, high := 0, len(top)
		if high == limit {
			high--
			if worst := &top[high]; worst.score.Above(&x.score) || !s.before(&x, worst) { // the first is no call
				continue
			}
		} else {
			top = append(top, x)
		}
		last := high
		for low < high {
			if mid := (low + high) / 2; s.before(&x, &top[mid]) {
				high = mid
			} else {
				low = mid + 1
			}
		}
		copy(top[low+1:last+1], top[low:last])
		top[low] = x
	}
	return top
}

// before tells whether a is listed before b, which is of another key.
func (s *topKStates) before(a, b *scored) bool {
	if a.score.Above(&b.score) {
		return true
	}
	if b.score.Above(&a.score) {
		return false
	}
	return s.keys.less(a.key, b.key)
}

// Reset implements States.
func (s *topKStates) Reset() {
	s.Cells.Reset()
	s.keys.Reset()
}

// Bytes implements Sizer.
func (s *topKStates) Bytes() int64 { return s.Cells.Bytes() + s.keys.Size() }
