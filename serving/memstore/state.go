package memstore

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// state is what a store holds.
type state struct {
	lanes     map[lane.ID]*laneState
	manifests map[string]manifest
}

type laneState struct {
	marks lane.Marks
	rows  map[rowKey]map[string][]byte
}

type rowKey struct {
	incarnation lane.Incarnation
	key         string
}

type manifest struct {
	seq  int64
	body []byte
}

func newState() *state {
	return &state{lanes: map[lane.ID]*laneState{}, manifests: map[string]manifest{}}
}

func (s *state) lane(id lane.ID) *laneState {
	l := s.lanes[id]
	if l == nil {
		l = &laneState{rows: map[rowKey]map[string][]byte{}}
		s.lanes[id] = l
	}
	return l
}

// apply is the contract in its plainest form.
func (s *state) apply(c *lane.Call) (lane.Result, error) {
	l := s.lane(c.Lane)
	after, ok, err := lane.Decide(l.marks, c)
	if err != nil {
		return lane.Result{}, err
	}
	if !ok {
		marks := maps.Clone(l.marks)
		if marks == nil {
			marks = lane.Marks{}
		}
		return lane.Result{Marks: marks}, nil
	}
	for i := range c.Rows {
		l.change(c.RowsOf, &c.Rows[i])
	}
	l.marks = after
	return lane.Result{Applied: true}, nil
}

func (l *laneState) change(inc lane.Incarnation, r *lane.RowChange) {
	k := rowKey{inc, string(r.Key)}
	row := l.rows[k]
	if row == nil {
		row = map[string][]byte{}
		l.rows[k] = row
	}
	for _, name := range r.Del {
		delete(row, name)
	}
	for _, f := range r.Set {
		row[f.Name] = bytes.Clone(f.Value)
	}
	if len(row) == 0 {
		delete(l.rows, k)
	}
}

func (s *state) putManifest(view string, m manifest) bool {
	if s.manifests[view].seq >= m.seq {
		return false
	}
	s.manifests[view] = m
	return true
}

// fields returns a copy of a row, in order of names.
func (s *state) fields(id lane.RowID) []lane.Field {
	row := s.lane(id.Lane).rows[rowKey{id.Incarnation, string(id.Key)}]
	fields := make([]lane.Field, 0, len(row))
	for _, name := range slices.Sorted(maps.Keys(row)) {
		fields = append(fields, lane.Field{Name: name, Value: bytes.Clone(row[name])})
	}
	return fields
}

// rowsOf returns the names of all rows of a namespace, in order.
func (s *state) rowsOf(namespace string) []lane.RowID {
	var ids []lane.RowID
	for id, l := range s.lanes {
		if id.Namespace != namespace {
			continue
		}
		for k := range l.rows {
			ids = append(ids, lane.RowID{Lane: id, Incarnation: k.incarnation, Key: []byte(k.key)})
		}
	}
	slices.SortFunc(ids, func(a, b lane.RowID) int {
		return cmp.Or(cmp.Compare(a.Lane.N, b.Lane.N),
			strings.Compare(string(a.Incarnation), string(b.Incarnation)), bytes.Compare(a.Key, b.Key))
	})
	return ids
}
