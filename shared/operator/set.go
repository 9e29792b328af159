package operator

import (
	"slices"
	"strconv"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/window"
)

// The results of set and map.
const (
	resultElements = "elements"
	resultEntries  = "entries"
	resultSize     = "size"
)

// set keeps the N elements that were added or taken away last. The latest event of an element decides alone whether it is
// in the set: nothing is counted, so that adding twice and removing once leaves it out. The result lists the elements that
// are in, the one added last first, or says how many there are.
var setKind = Kind{
	Name: "set", Version: 1,
	Results: []string{resultElements, resultSize},
	CheckQuery: func(cfg Config, q Query) error {
		return checkQuery("set", &cfg, &q, q.Result != resultSize, false, resultElements, resultSize)
	},
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "set", keys: some, remove: one, bounded: true}
		tiers, err := s.check(&cfg)
		keys := slices.Clone(inputsOf(cfg.Inputs, RoleKey))
		if err == nil {
			err = checkNames("set", keys)
		}
		if err != nil {
			return nil, err
		}
		return newSet(tiers, keys, &cfg), nil
	},
}

// setOperator's payload is whether the event took the element away.
type setOperator struct{ latest }

func newSet(tiers window.Tiers, keys []Input, cfg *Config) *setOperator {
	remove := newKept(slices.Clone(inputsOf(cfg.Inputs, RoleRemove)))
	return &setOperator{latest{kind: "set", tiers: tiers, n: cfg.N, identity: newKept(keys), payload: remove}}
}

// NewStates implements Operator.
func (o *setOperator) NewStates() States { return &setStates{o.newStates()} }

type setStates struct{ latestStates }

// Fold implements States.
func (s *setStates) Fold(r *Rows) {
	keys, remove := r.In[:len(s.identity.inputs)], r.In[len(s.identity.inputs):]
	s.write.values = remove
	s.fold(s.picked.complete(r, r.In), keys)
}

// elements returns where the entries lie of the elements that are in. Valid until the next call of any method.
func (s *setStates) elements(slot int32, q *Query) []dated {
	all := s.All(slot)
	return slices.DeleteFunc(s.held(slot, q), func(d dated) bool {
		payload := wire.NewReader(s.blobs.Bytes(all[d.at+latestPayload]))
		return payload.Int() != 0
	})
}

// Result implements States.
func (s *setStates) Result(slot int32, q *Query) Value {
	elements := s.elements(slot, q)
	if q.Result == resultSize {
		return OfInt(int64(len(elements)))
	}
	elements = atMost(elements, q.Limit)
	all := s.All(slot)
	items := make([]Value, len(elements))
	for i, d := range elements {
		items[i] = s.identity.value(s.keys.Bytes(all[d.at]))
	}
	return OfList(items)
}

// AppendResult implements Answerer.
func (s *setStates) AppendResult(dst []byte, slot int32, q *Query) ([]byte, bool) {
	elements := s.elements(slot, q)
	if q.Result == resultSize {
		return strconv.AppendInt(dst, int64(len(elements)), 10), true
	}
	dst = append(dst, '[')
	all := s.All(slot)
	for i, d := range atMost(elements, q.Limit) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = s.identity.appendJSON(dst, s.keys.Bytes(all[d.at]))
	}
	return append(dst, ']'), true
}
