package operator

import (
	"bytes"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
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
		return &topKOperator{tiers: tiers, keys: k}, nil
	},
}

type topKOperator struct {
	tiers  window.Tiers
	keys   kept // names has scoreName at its end
	decays decays
}

// NewStates implements Operator.
func (o *topKOperator) NewStates() States {
	return &topKStates{Cells: cells.New(o.tiers, summed{}, 2, true), op: o, keys: newNumbered(o.keys.inputs, false)}
}

type topKStates struct {
	*cells.Cells
	op   *topKOperator
	keys numbered

	groups []group  // scratch of AppendState
	scores []scored // scratch of Result
	where  []int32  // scratch of Result, by key number: place in scores + 1; all 0 between calls
}

// group is the settled entries of one key: words [from, to).
type group struct {
	key      uint64
	from, to int
}

// scored is a key and its score.
type scored struct {
	key   uint64
	score wide.Score
}

// Fold implements States.
func (s *topKStates) Fold(r *Rows) {
	n := len(s.op.keys.inputs)
	keys := r.In[:n]
	var weights *column.Column
	if len(r.In) > n {
		weights = r.In[n]
	}
	s.keys.prepare(keys, r.Row)
	for i, row := range r.Row {
		weight := int64(1)
		if weights != nil {
			weight = weights.Ints[row] // 0 of a null
		}
		if weight == 0 || !complete(keys, int(row)) {
			continue
		}
		slot := r.Slot[i]
		newest := r.Newest[slot]
		code, ok := s.Code(r.Time[row], newest)
		if !ok {
			continue
		}
		w, _ := s.KeyCell(slot, code, s.keys.at(i), newest)
		addTo(w, weight)
	}
}

// AppendState implements States: the number of keys as uvarint, then each in order of its bytes: the tuple, the group of
// its cells.
func (s *topKStates) AppendState(dst []byte, slot int32, newest int64) []byte {
	entries := s.Settled(slot, newest)
	if len(entries) == 0 {
		return dst
	}
	s.groups = s.groups[:0]
	for at := 0; at < len(entries); at += s.Stride() {
		if last := len(s.groups) - 1; last >= 0 && s.groups[last].key == entries[at+1] {
			s.groups[last].to = at + s.Stride()
			continue
		}
		s.groups = append(s.groups, group{key: entries[at+1], from: at, to: at + s.Stride()})
	}
	slices.SortFunc(s.groups, func(a, b group) int { return bytes.Compare(s.keys.Bytes(a.key), s.keys.Bytes(b.key)) })
	dst = wire.AppendUvarint(dst, uint64(len(s.groups)))
	for _, g := range s.groups {
		dst = append(dst, s.keys.Bytes(g.key)...)
		dst = s.AppendGroup(dst, entries[g.from:g.to])
	}
	return dst
}

// Merge implements States.
func (s *topKStates) Merge(slot int32, state []byte, newest int64) error {
	if len(state) == 0 {
		return nil
	}
	r := s.BeginMerge(state)
	n := r.Uvarint(uint64(len(state)))
	var before []byte
	for i := uint64(0); i < n && !r.Bad(); i++ {
		key := r.Tuple(s.op.keys.tuple, false)
		if r.Bad() || i > 0 && bytes.Compare(before, key) >= 0 {
			r.Fail()
			break
		}
		s.MergeGroup(slot, s.keys.ID(key), newest)
		before = key
	}
	if n == 0 || !r.Done() || !s.EndMerge(newest) {
		return stateError("top_k", state)
	}
	return nil
}

// Result implements States.
func (s *topKStates) Result(slot int32, q *Query) Value {
	s.score(slot, q)
	top := s.best(q.Limit)
	names := s.op.keys.names
	items := make([]Value, len(top))
	members := make([]Value, 0, len(top)*len(names)) // of all items
	for i, x := range top {
		from := len(members)
		members = append(s.op.keys.appendMembers(members, s.keys.Bytes(x.key)), OfFloat(x.score.Float()))
		items[i] = Value{Kind: Struct, Items: members[from:len(members):len(members)], Names: names}
	}
	return OfList(items)
}

// score fills scores with the keys of slot that the query's window holds.
func (s *topKStates) score(slot int32, q *Query) {
	factors := s.op.decays.of(q)
	s.scores = s.scores[:0]
	if n := s.keys.Len(); n > len(s.where) {
		s.where = append(s.where, make([]int32, n-len(s.where))...)
	}
	held := s.Held(q.Window, q.AsOf)
	all := s.All(slot)
	for at := 0; at < len(all); at += s.Stride() {
		code, key := all[at], all[at+1]
		if !held.Has(code) {
			continue
		}
		factor := wide.One
		if factors != nil {
			factor = factors.at(held.Age(code))
		}
		if s.where[key] == 0 {
			s.scores = append(s.scores, scored{key: key})
			s.where[key] = int32(len(s.scores))
		}
		s.scores[s.where[key]-1].score.AddMul(wideAt(all[at+2:]), factor)
	}
	for _, x := range s.scores {
		s.where[x.key] = 0
	}
}

// best returns those of scores that are above 0, the best first, at most limit if one is given. It reorders scores.
func (s *topKStates) best(limit int) []scored {
	top := slices.DeleteFunc(s.scores, func(x scored) bool { return !x.score.Positive() })
	if limit > 0 && limit < len(top) {
		// The best so far are a heap with the worst on top, to which most of the others lose.
		heap, rest := top[:limit], top[limit:]
		for i := limit/2 - 1; i >= 0; i-- {
			s.sink(heap, i)
		}
		for _, x := range rest {
			if s.compare(x, heap[0]) < 0 {
				heap[0] = x
				s.sink(heap, 0)
			}
		}
		top = heap
	}
	slices.SortFunc(top, s.compare)
	return top
}

// compare orders keys as they are listed.
func (s *topKStates) compare(a, b scored) int {
	if order := b.score.Cmp(a.score); order != 0 {
		return order
	}
	return bytes.Compare(s.keys.Bytes(a.key), s.keys.Bytes(b.key))
}

// sink restores a heap in which only the element at i may be listed before one below it.
func (s *topKStates) sink(heap []scored, i int) {
	for {
		worst := 2*i + 1
		if worst >= len(heap) {
			return
		}
		if right := worst + 1; right < len(heap) && s.compare(heap[right], heap[worst]) > 0 {
			worst = right
		}
		if s.compare(heap[i], heap[worst]) >= 0 {
			return
		}
		heap[i], heap[worst] = heap[worst], heap[i]
		i = worst
	}
}

// Reset implements States.
func (s *topKStates) Reset() {
	s.Cells.Reset()
	s.keys.Reset()
}

// Bytes implements Sizer.
func (s *topKStates) Bytes() int64 { return s.Cells.Bytes() + s.keys.Size() }
