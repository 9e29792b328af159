package naive

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/window"
)

// ErrNoTwin is the error for a kind that is not one of tidemark's own.
var ErrNoTwin = errors.New("operator has no naive twin")

// Datum is one input of one event: null, an integer (of every type of fixed width), or bytes.
type Datum struct {
	Null  bool
	Int   int64
	Bytes []byte
}

// Event is one event of an entity: its place, and what an operator reads of it in the order of Config.Inputs.
type Event struct {
	Time      int64
	Source    int32
	Partition int32
	Offset    int64
	In        []Datum
}

// Read returns a row of the columns.
func Read(cols []*column.Column, row int) []Datum {
	in := make([]Datum, len(cols))
	for i, c := range cols {
		switch {
		case !c.Present(row):
			in[i] = Datum{Null: true}
		case c.Type.IsBytes():
			in[i] = Datum{Bytes: slices.Clone(c.BytesAt(row))}
		default:
			in[i] = Datum{Int: c.Ints[row]}
		}
	}
	return in
}

// twin is a kind's two definitions. Both get the events that count, in order of (time, source, partition, offset); the
// result those that the window holds, unless it says that it needs all.
type twin struct {
	state  func(cfg *operator.Config, events []Event, newest int64) []byte
	result func(cfg *operator.Config, events []Event, q *operator.Query) operator.Value
	all    bool // result gets the events that the window does not hold, too
}

var twins = map[string]twin{
	"count":       {state: countState, result: countResult},
	"sum":         {state: sumState, result: sumResult},
	"avg":         {state: avgState, result: avgResult},
	"min":         {state: minState, result: minResult},
	"max":         {state: maxState, result: maxResult},
	"first":       {state: firstState, result: firstResult},
	"last":        {state: lastState, result: lastResult},
	"last_n":      {state: lastNState, result: lastNResult},
	"top_k":       {state: topKState, result: topKResult},
	"variance":    {state: varianceState, result: varianceResult},
	"active_days": {state: activeDaysState, result: activeDaysResult},
	"sessions":    {state: sessionsState, result: sessionsResult},
	"set":         {state: setState, result: setResult},
	"map":         {state: mapState, result: mapResult},
	"histogram":   {state: histogramState, result: histogramResult},
	"distinct":    {state: distinctState, result: distinctResult, all: true},
}

// State returns the canonical state of the events, in whatever order they come, at newest, which is not before any of
// them. The configuration must be one that the kind accepts.
func State(kind string, cfg operator.Config, events []Event, newest int64) ([]byte, error) {
	t, ok := twins[kind]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrNoTwin, kind)
	}
	return t.state(&cfg, counting(&cfg, events), newest), nil
}

// Result returns the value of the events for a query that the kind accepts.
func Result(kind string, cfg operator.Config, events []Event, q operator.Query) (operator.Value, error) {
	t, ok := twins[kind]
	if !ok {
		return operator.Value{}, fmt.Errorf("%w: %s", ErrNoTwin, kind)
	}
	events = counting(&cfg, events)
	if !t.all {
		events = within(events, q.Window, q.AsOf)
	}
	return t.result(&cfg, events, &q), nil
}

// counting returns the events that an operator does not skip, in order: of values one at least must not be null, unless
// the event removes; of keys, weights and removals none may be.
func counting(cfg *operator.Config, events []Event) []Event {
	out := make([]Event, 0, len(events))
	for _, e := range events {
		values, nullValues, skip, removes := 0, 0, false, false
		for i, in := range cfg.Inputs {
			switch in.Role {
			case operator.RoleValue:
				values++
				if e.In[i].Null {
					nullValues++
				}
			case operator.RoleKey, operator.RoleWeight:
				skip = skip || e.In[i].Null
			case operator.RoleRemove:
				skip = skip || e.In[i].Null
				removes = e.In[i].Int == 1
			}
		}
		if !skip && (removes || values == 0 || nullValues < values) {
			out = append(out, e)
		}
	}
	slices.SortFunc(out, order)
	return out
}

func order(a, b Event) int {
	return cmp.Or(cmp.Compare(a.Time, b.Time), cmp.Compare(a.Source, b.Source),
		cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}

// within returns the events that the window at asOf holds.
func within(events []Event, w window.Window, asOf int64) []Event {
	var out []Event
	for _, e := range events {
		if w.Length == 0 || e.Time/w.Hop > asOf/w.Hop-w.Length/w.Hop {
			out = append(out, e)
		}
	}
	return out
}

// with returns the inputs of one role and what an event holds in them.
func with(cfg *operator.Config, role operator.Role, e *Event) (inputs []operator.Input, data []Datum) {
	for i, in := range cfg.Inputs {
		if in.Role == role {
			inputs = append(inputs, in)
			if e != nil {
				data = append(data, e.In[i])
			}
		}
	}
	return inputs, data
}
