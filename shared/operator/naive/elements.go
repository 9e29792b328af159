package naive

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// shown returns the value of data: one as it is, several as a struct.
func shown(inputs []operator.Input, data []Datum) operator.Value {
	var items []operator.Value
	var names []string
	for i := range inputs {
		items, names = append(items, datum(&inputs[i], &data[i])), append(names, inputs[i].Name)
	}
	if len(items) == 1 {
		return items[0]
	}
	return operator.OfStruct(names, items)
}

func datum(in *operator.Input, d *Datum) operator.Value {
	switch {
	case d.Null:
		return operator.Value{}
	case in.Type == schema.String:
		return operator.OfStr(string(d.Bytes))
	case in.Type == schema.JSON:
		return operator.OfRaw(string(d.Bytes))
	case in.Type == schema.Enum:
		return operator.OfStr(in.Enum[d.Int])
	case in.Type == schema.Bool:
		return operator.OfBool(d.Int == 1)
	case in.Type == schema.Time:
		return operator.OfMillis(d.Int)
	case in.Type == schema.Decimal:
		return operator.OfDec(d.Int, in.Scale)
	}
	return operator.OfInt(d.Int)
}

func firstState(cfg *operator.Config, events []Event, newest int64) []byte {
	return group(buckets(cfg, events, newest), func(b *bucket) []byte {
		e := &b.events[0]
		dst := place(wire.AppendUvarint(nil, uint64(e.Time-b.start)), e)
		return append(dst, tuple(cfg.Inputs, e.In)...)
	})
}

func firstResult(cfg *operator.Config, events []Event, _ *operator.Query) operator.Value {
	if len(events) == 0 {
		return operator.Value{}
	}
	return shown(cfg.Inputs, events[0].In)
}

func lastState(cfg *operator.Config, events []Event, newest int64) []byte {
	if len(events) == 0 || tier(cfg, hops(cfg), events[len(events)-1].Time, newest) < 0 {
		return nil
	}
	e := &events[len(events)-1]
	return append(place(wire.AppendUvarint(nil, uint64(e.Time)), e), tuple(cfg.Inputs, e.In)...)
}

func lastResult(cfg *operator.Config, events []Event, _ *operator.Query) operator.Value {
	if len(events) == 0 {
		return operator.Value{}
	}
	return shown(cfg.Inputs, events[len(events)-1].In)
}

// identity returns what tells an element: its keys, or its values without keys.
func identity(cfg *operator.Config, e *Event) []byte {
	inputs, data := with(cfg, operator.RoleKey, e)
	if len(inputs) == 0 {
		inputs, data = with(cfg, operator.RoleValue, e)
	}
	return tuple(inputs, data)
}

// latest returns the latest event of each of the n latest elements, newest first.
func latest(cfg *operator.Config, events []Event, n int) []Event {
	var out []Event
	seen := map[string]bool{}
	for _, e := range slices.Backward(events) {
		if id := string(identity(cfg, &e)); !seen[id] && len(out) < n {
			seen[id] = true
			out = append(out, e)
		}
	}
	return out
}

// latestState writes the latest elements that can still be reached, each with what payload makes of its latest event.
func latestState(cfg *operator.Config, events []Event, newest int64, payload func(e *Event) []byte) []byte {
	elements, hs := latest(cfg, events, cfg.N), hops(cfg)
	elements = slices.DeleteFunc(elements, func(e Event) bool { return tier(cfg, hs, e.Time, newest) < 0 })
	if len(elements) == 0 {
		return nil
	}
	dst := wire.AppendUvarint(nil, uint64(len(elements)))
	for i := range elements {
		e := &elements[i]
		t := e.Time
		if i > 0 {
			t = elements[i-1].Time - e.Time
		}
		dst = append(place(wire.AppendUvarint(dst, uint64(t)), e), identity(cfg, e)...)
		dst = append(dst, payload(e)...)
	}
	return dst
}

func lastNState(cfg *operator.Config, events []Event, newest int64) []byte {
	return latestState(cfg, events, newest, func(e *Event) []byte {
		keys, _ := with(cfg, operator.RoleKey, e)
		if values, data := with(cfg, operator.RoleValue, e); len(keys) > 0 {
			return tuple(values, data)
		}
		return nil
	})
}

func lastNResult(cfg *operator.Config, events []Event, q *operator.Query) operator.Value {
	items := []operator.Value{}
	for _, e := range latest(cfg, events, cfg.N) {
		inputs, data := with(cfg, operator.RoleValue, &e)
		if len(inputs) == 0 {
			inputs, data = with(cfg, operator.RoleKey, &e)
		}
		if q.Limit == 0 || len(items) < q.Limit {
			items = append(items, shown(inputs, data))
		}
	}
	return operator.OfList(items)
}
