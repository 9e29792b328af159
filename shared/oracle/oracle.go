package oracle

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/naive"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// ErrNoEvents is the error for an entity without events: it has no tile.
var ErrNoEvents = errors.New("entity has no events")

// Event is one row of a batch. The batch must stay as it is for as long as the event is used.
type Event struct {
	Batch *column.Batch
	Row   int
}

// Oracle judges what a plan folds. Not safe for concurrent use.
type Oracle struct {
	plan    *view.Plan
	sources []*source
	events  [][]naive.Event // what read returns
}

// New returns the oracle of a plan. Errors are those of expressions that compiled for the plan and now do not.
func New(plan *view.Plan) (*Oracle, error) {
	o := &Oracle{plan: plan, events: make([][]naive.Event, len(plan.States()))}
	for i := range plan.Spec().Sources {
		s, err := newSource(plan, i)
		if err != nil {
			return nil, fmt.Errorf("preparing the oracle for source %q: %w", plan.Spec().Sources[i].Name, err)
		}
		o.sources = append(o.sources, s)
	}
	return o, nil
}

// Body is Oracle.Body for a single entity.
func Body(plan *view.Plan, events []Event) ([]byte, error) {
	o, err := New(plan)
	if err != nil {
		return nil, err
	}
	return o.Body(events)
}

// Group returns the accepted events of every entity by canonical key, in the order of the batches. Each batch must be of
// a declaration that view.Plan.Reads accepts; batches of sources that the view does not read have no entities.
func (o *Oracle) Group(batches []*column.Batch) map[string][]Event {
	all := map[string][]Event{}
	for _, b := range batches {
		for i := range b.N {
			if key, ok := o.Key(Event{b, i}); ok {
				all[key] = append(all[key], Event{b, i})
			}
		}
	}
	return all
}

// Key returns the canonical key of the entity that an event belongs to; false if it was rejected or belongs to none.
func (o *Oracle) Key(e Event) (string, bool) {
	rank := o.plan.SourceRank(e.Batch.Source.Name)
	if rank < 0 || e.Batch.Reject[e.Row] != 0 {
		return "", false
	}
	return o.sources[rank].key(e)
}

// Body returns the canonical body of the tile that these events, all of one entity and each once, in any order, make.
func (o *Oracle) Body(events []Event) ([]byte, error) {
	if len(events) == 0 {
		return nil, ErrNoEvents
	}
	body := tile.Body{Events: int64(len(events)), Newest: newest(events), Pos: o.positions(events)}
	read := o.read(events)
	for i := range o.plan.States() {
		st := &o.plan.States()[i]
		state, err := naive.State(st.Kind.Name, st.Config, read[i], body.Newest)
		if err != nil {
			return nil, fmt.Errorf("computing state %d: %w", i, err)
		}
		body.States = append(body.States, state)
	}
	return body.Append(nil), nil
}

// Values returns what every feature answers for these events as of a time, ms, which is not before any of them; nulls
// stay nulls. Without events it is what an unknown entity answers.
func (o *Oracle) Values(events []Event, asOf int64) ([]operator.Value, error) {
	features := o.plan.Features()
	values := make([]operator.Value, len(features))
	read := o.read(events)
	for i := range features {
		f := &features[i]
		if f.State < 0 {
			continue
		}
		st := &o.plan.States()[f.State]
		q := f.Query
		q.AsOf, q.Newest = asOf, newest(events)
		v, err := naive.Result(st.Kind.Name, st.Config, read[f.State], q)
		if err != nil {
			return nil, fmt.Errorf("computing %s: %w", f.Spec.Name, err)
		}
		values[i] = v
	}
	for i := range features {
		if f := &features[i]; f.State < 0 {
			values[i] = ratio(f.Spec.Ratio, values[f.Num], values[f.Den])
		}
	}
	return values, nil
}

func newest(events []Event) int64 {
	var t int64
	for _, e := range events {
		t = max(t, e.Batch.Time[e.Row])
	}
	return t
}

// positions returns the last event in each partition, in order.
func (o *Oracle) positions(events []Event) []tile.Pos {
	var all []tile.Pos
	for _, e := range events {
		p := tile.Pos{Source: o.plan.SourceRank(e.Batch.Source.Name), Partition: e.Batch.Partition, Last: e.Batch.Offset[e.Row]}
		at := slices.IndexFunc(all, func(q tile.Pos) bool { return q.Source == p.Source && q.Partition == p.Partition })
		if at < 0 {
			all = append(all, p)
		} else {
			all[at].Last = max(all[at].Last, p.Last)
		}
	}
	slices.SortFunc(all, func(a, b tile.Pos) int {
		if a.Source != b.Source {
			return a.Source - b.Source
		}
		return int(a.Partition) - int(b.Partition)
	})
	return all
}

// read returns, by state, what it reads of the events: those of its source for which its filter is true. It is valid until
// the next call.
func (o *Oracle) read(events []Event) [][]naive.Event {
	all := o.events
	for i := range all {
		all[i] = all[i][:0]
	}
	for _, e := range events {
		rank := o.plan.SourceRank(e.Batch.Source.Name)
		s := o.sources[rank]
		s.begin(e)
		for i := range all {
			in, ok := s.read(i)
			if !ok {
				continue
			}
			all[i] = append(all[i], naive.Event{
				Time: e.Batch.Time[e.Row], Source: int32(rank), Partition: e.Batch.Partition, Offset: e.Batch.Offset[e.Row], In: in,
			})
		}
	}
	return all
}
