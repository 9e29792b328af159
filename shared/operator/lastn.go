package operator

import (
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/window"
)

// last_n keeps the N latest distinct elements. An element is told by its keys, or by its values where no keys are
// declared; it stands where its latest event stands, with that event's values.
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
	latest
	shown        kept // the identity or the payload
	identityFrom int  // where the identity's inputs begin; values, if there are any, come first and are shown
}

func newLastN(cfg *Config, tiers window.Tiers) (Operator, error) {
	inputs := slices.Clone(cfg.Inputs)
	values, keys := inputsOf(inputs, RoleValue), inputsOf(inputs, RoleKey)
	o := &lastNOperator{latest: latest{kind: "last_n", tiers: tiers, n: cfg.N, nullable: len(keys) == 0}}
	switch {
	case len(inputs) == 0:
		return nil, fmt.Errorf("%w: last_n: no key and no value: declare what an element is", ErrConfig)
	case len(values) > 0 && len(keys) > 0:
		o.identity, o.payload, o.identityFrom = newKept(keys), newKept(values), len(values)
		o.shown = o.payload
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
	return &lastNStates{latestStates: o.newStates(), op: o}
}

type lastNStates struct {
	latestStates
	op *lastNOperator
}

// Fold implements States.
func (s *lastNStates) Fold(r *Rows) {
	values := r.In[:len(s.op.shown.inputs)]
	identity := r.In[s.op.identityFrom : s.op.identityFrom+len(s.identity.inputs)]
	r = s.picked.present(r, values)
	if !s.nullable {
		r = s.picked.complete(r, identity)
	}
	s.write.values = values
	s.fold(r, identity)
}

// Result implements States.
func (s *lastNStates) Result(slot int32, q *Query) Value {
	shown := atMost(s.held(slot, q), q.Limit)
	all := s.All(slot)
	items := make([]Value, len(shown))
	for i, d := range shown {
		items[i] = s.op.shown.value(s.tupleOf(all[d.at:]))
	}
	return OfList(items)
}

// AppendResult implements Answerer.
func (s *lastNStates) AppendResult(dst []byte, slot int32, q *Query) ([]byte, bool) {
	dst = append(dst, '[')
	all := s.All(slot)
	for i, d := range atMost(s.held(slot, q), q.Limit) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = s.op.shown.appendJSON(dst, s.tupleOf(all[d.at:]))
	}
	return append(dst, ']'), true
}

// tupleOf returns what is shown of an entry.
func (s *lastNStates) tupleOf(w []uint64) []byte {
	if s.hasPayload() {
		return s.blobs.Bytes(w[latestPayload])
	}
	return s.keys.Bytes(w[0])
}
