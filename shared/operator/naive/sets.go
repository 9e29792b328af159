package naive

import (
	"github.com/tidemark-io/tidemark/shared/operator"
)

// removes tells whether an event takes its element away.
func removes(cfg *operator.Config, e *Event) bool {
	_, data := with(cfg, operator.RoleRemove, e)
	return len(data) > 0 && data[0].Int == 1
}

// standing returns the latest events of those of the n latest elements that are not taken away, newest first.
func standing(cfg *operator.Config, events []Event) []Event {
	var out []Event
	for _, e := range latest(cfg, events, cfg.N) {
		if !removes(cfg, &e) {
			out = append(out, e)
		}
	}
	return out
}

// listed returns how many there are, or the first of them, each as show makes it.
func listed(events []Event, q *operator.Query, show func(e *Event) operator.Value) operator.Value {
	if q.Result == "size" {
		return operator.OfInt(int64(len(events)))
	}
	items := []operator.Value{}
	for i := range events {
		if q.Limit == 0 || i < q.Limit {
			items = append(items, show(&events[i]))
		}
	}
	return operator.OfList(items)
}

func setState(cfg *operator.Config, events []Event, newest int64) []byte {
	return latestState(cfg, events, newest, func(e *Event) []byte {
		return tuple(with(cfg, operator.RoleRemove, e))
	})
}

func setResult(cfg *operator.Config, events []Event, q *operator.Query) operator.Value {
	return listed(standing(cfg, events), q, func(e *Event) operator.Value {
		return shown(with(cfg, operator.RoleKey, e))
	})
}

func mapState(cfg *operator.Config, events []Event, newest int64) []byte {
	return latestState(cfg, events, newest, func(e *Event) []byte {
		values, data := with(cfg, operator.RoleValue, e)
		if removes(cfg, e) {
			data = nil
			for range values {
				data = append(data, Datum{Null: true})
			}
		}
		return tuple(values, data)
	})
}

func mapResult(cfg *operator.Config, events []Event, q *operator.Query) operator.Value {
	return listed(standing(cfg, events), q, func(e *Event) operator.Value {
		keys, keyData := with(cfg, operator.RoleKey, e)
		values, valueData := with(cfg, operator.RoleValue, e)
		return shown(append(keys, values...), append(keyData, valueData...))
	})
}
