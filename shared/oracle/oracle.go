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
}

// New returns the oracle of a plan. Errors are those of expressions that compiled for the plan and now do not.
func New(plan *view.Plan) (*Oracle, error) {
	o := &Oracle{plan: plan}
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

// Group returns the accepted events of every entity by canonical key, in the order of the batches. The batches must be
// of the plan's own declarations of its sources.
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
	if e.Batch.Reject[e.Row] != 0 {
		return "", false
	}
	return o.sources[o.plan.SourceRank(e.Batch.Source.Name)].key(e)
}

// Body returns the canonical body of the tile that these events, all of one entity and each once, in any order, make.
func (o *Oracle) Body(events []Event) ([]byte, error) {
	if len(events) == 0 {
		return nil, ErrNoEvents
	}
	body := tile.Body{Events: int64(len(events)), Newest: newest(events), Pos: o.positions(events)}
	for i := range o.plan.States() {
		st := &o.plan.States()[i]
		state, err := naive.State(st.Kind.Name, st.Config, o.read(i, events), body.Newest)
		if err != nil {
			return nil, fmt.Errorf("computing state %d: %w", i, err)
		}
		body.States = append(body.States, state)
	}
	return body.Append(nil), nil
}

// Value returns what a feature answers for these events as of a time, which is not before any of them. A ratio answers
// from the values of its operands.
func (o *Oracle) Value(events []Event, feature int, asOf int64) (operator.Value, error) {
	f := &o.plan.Features()[feature]
	if f.Spec.Ratio != nil {
		num, err := o.Value(events, f.Num, asOf)
		if err != nil {
			return num, err
		}
		den, err := o.Value(events, f.Den, asOf)
		if err != nil {
			return den, err
		}
		return ratio(f.Spec.Ratio, num, den), nil
	}
	st := &o.plan.States()[f.State]
	q := f.Query
	q.AsOf, q.Newest = asOf, newest(events)
	v, err := naive.Result(st.Kind.Name, st.Config, o.read(f.State, events), q)
	if err != nil {
		return v, fmt.Errorf("computing %s: %w", f.Spec.Name, err)
	}
	return v, nil
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

// read returns what a state reads of the events: those of its source for which its filter is true.
func (o *Oracle) read(state int, events []Event) []naive.Event {
	var out []naive.Event
	for _, e := range events {
		rank := o.plan.SourceRank(e.Batch.Source.Name)
		in, ok := o.sources[rank].read(state, e)
		if !ok {
			continue
		}
		out = append(out, naive.Event{
			Time: e.Batch.Time[e.Row], Source: int32(rank), Partition: e.Batch.Partition, Offset: e.Batch.Offset[e.Row], In: in,
		})
	}
	return out
}
