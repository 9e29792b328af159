package operator

import (
	"slices"
	"strconv"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/window"
)

// map keeps, for each of the N keys that were written or removed last, the values of its latest event. An event whose
// values are all null writes nothing; one that removes takes the key away, whatever its values are. The result lists the
// keys with their values, the one written last first, or says how many there are.
var mapKind = Kind{
	Name: "map", Version: 1,
	Results: []string{resultEntries, resultSize},
	CheckQuery: func(cfg Config, q Query) error {
		return checkQuery("map", &cfg, &q, q.Result != resultSize, false, resultEntries, resultSize)
	},
	New: func(cfg Config) (Operator, error) {
		s := shape{name: "map", values: some, keys: some, remove: span{0, 1}, bounded: true}
		tiers, err := s.check(&cfg)
		if err != nil {
			return nil, err
		}
		return newMap(tiers, &cfg)
	},
}

// mapOperator's payload is the values of the event, or only nulls if it took the key away.
type mapOperator struct {
	latest
	names   []string // of the keys, then of the values
	removed []byte   // the payload of a key that was taken away
}

func newMap(tiers window.Tiers, cfg *Config) (Operator, error) {
	keys, values := slices.Clone(inputsOf(cfg.Inputs, RoleKey)), slices.Clone(inputsOf(cfg.Inputs, RoleValue))
	if err := checkNames("map", slices.Concat(keys, values)); err != nil {
		return nil, err
	}
	o := &mapOperator{latest: latest{
		kind: "map", tiers: tiers, n: cfg.N, identity: newKept(keys), payload: newKept(values),
		removable: len(inputsOf(cfg.Inputs, RoleRemove)) > 0,
	}}
	o.names = slices.Concat(o.identity.names, o.payload.names)
	for range values {
		o.removed = wire.AppendNull(o.removed)
	}
	return o, nil
}

// NewStates implements Operator.
func (o *mapOperator) NewStates() States { return &mapStates{latestStates: o.newStates(), op: o} }

type mapStates struct {
	latestStates
	op *mapOperator
}

// Fold implements States.
func (s *mapStates) Fold(r *Rows) {
	values, keys := r.In[:len(s.payload.inputs)], r.In[len(s.payload.inputs):]
	s.write = payloadColumns{values: values, removed: s.op.removed}
	if s.removable {
		s.write.remove = keys[len(keys)-1]
	}
	// Of a missing flag nobody can tell what the event wanted: it is among keys and must be there too.
	r = s.picked.complete(r, keys)
	s.fold(s.writing(r), keys[:len(s.identity.inputs)])
}

// writing leaves those rows that write something: they have a value, or remove.
func (s *mapStates) writing(r *Rows) *Rows {
	values, remove := s.write.values, s.write.remove
	if remove == nil {
		return s.picked.present(r, values)
	}
	if slices.ContainsFunc(values, func(c *column.Column) bool { return full(c, r.Row) }) {
		return r
	}
	out := s.picked.begin(r)
	n := 0
	for i, row := range r.Row {
		if remove.Ints[row] != 0 || present(values, int(row)) {
			out.Row[n], out.Slot[n] = row, r.Slot[i]
			n++
		}
	}
	out.Row, out.Slot = out.Row[:n], out.Slot[:n]
	return out
}

// entries returns where the entries lie of the keys that are in. Valid until the next call of any method.
func (s *mapStates) entries(slot int32, q *Query) []dated {
	all := s.All(slot)
	return slices.DeleteFunc(s.held(slot, q), func(d dated) bool {
		return string(s.blobs.Bytes(all[d.at+latestPayload])) == string(s.op.removed)
	})
}

// AppendResult implements Answerer.
func (s *mapStates) AppendResult(dst []byte, slot int32, q *Query) ([]byte, bool) {
	entries := s.entries(slot, q)
	if q.Result == resultSize {
		return strconv.AppendInt(dst, int64(len(entries)), 10), true
	}
	dst = append(dst, '[')
	all := s.All(slot)
	for i, d := range atMost(entries, q.Limit) {
		if i > 0 {
			dst = append(dst, ',')
		}
		key := wire.NewReader(s.keys.Bytes(all[d.at]))
		dst = append(s.identity.appendMembersJSON(append(dst, '{'), &key), ',')
		values := wire.NewReader(s.blobs.Bytes(all[d.at+latestPayload]))
		dst = append(s.payload.appendMembersJSON(dst, &values), '}')
	}
	return append(dst, ']'), true
}

// Result implements States.
func (s *mapStates) Result(slot int32, q *Query) Value {
	entries := s.entries(slot, q)
	if q.Result == resultSize {
		return OfInt(int64(len(entries)))
	}
	entries = atMost(entries, q.Limit)
	all := s.All(slot)
	items := make([]Value, len(entries))
	for i, d := range entries {
		members := s.identity.appendMembers(make([]Value, 0, len(s.op.names)), s.keys.Bytes(all[d.at]))
		members = s.payload.appendMembers(members, s.blobs.Bytes(all[d.at+latestPayload]))
		items[i] = OfStruct(s.op.names, members)
	}
	return OfList(items)
}
