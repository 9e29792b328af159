package operator_test

import (
	"bytes"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile/tiletest"
	"github.com/tidemark-io/tidemark/shared/window"
)

// goldenStates are the configurations whose states are frozen, one of each kind, with the windows of goldenWindows, over
// the same eight events.
var goldenStates = map[string]operator.Config{
	"count":     {},
	"sum":       {Inputs: inputs{value(schema.Int64)}},
	"avg":       {Inputs: inputs{value(schema.Decimal)}},
	"min":       {Inputs: inputs{value(schema.Int32)}},
	"max":       {Inputs: inputs{value(schema.Int32)}},
	"first":     {Inputs: inputs{value(schema.Int32), value(schema.String)}},
	"last":      {Inputs: inputs{value(schema.Int32), value(schema.String)}},
	"last_n":    {Inputs: inputs{value(schema.Int32), key(schema.String)}, N: 3},
	"top_k":     {Inputs: inputs{key(schema.String), key(schema.Enum), input(operator.RoleWeight, schema.Int32)}},
	"distinct":  {Inputs: inputs{key(schema.String)}},
	"histogram": {Inputs: inputs{value(schema.Int64)}, Edges: []int64{-100, 0, 1, 50_000}},
	"variance":  {Inputs: inputs{value(schema.Decimal)}},
	"set":       {Inputs: inputs{key(schema.String), remove}, N: 3},
	"map":       {Inputs: inputs{value(schema.Int32), key(schema.String), remove}, N: 3},

	"active_days": {},
	"sessions":    {Gap: 5 * window.Minute},
}

// goldenWindows are 1 h (hop 5 min), 1 d (hop 1 h) and all time, of kinds that do not take these what comes next to it.
func goldenWindows(kind string) []window.Window {
	switch kind {
	case "active_days":
		return []window.Window{{Length: 3 * window.Day, Hop: window.Day}, window.All}
	case "sessions":
		return []window.Window{win(window.Hour), win(window.Day), win(50 * window.Day)}
	}
	return []window.Window{win(window.Hour), win(window.Day), window.All}
}

// goldenRows are the events, of source 1 and partition 2: two in one bucket of 5 minutes, one in the next, two an hour
// earlier, two a day earlier, one too old for all windows but that of all time, with a null.
func goldenRows(cfg *operator.Config) *operator.Rows {
	ages := []int64{
		40 * window.Day, 2*window.Day + 1, 2 * window.Day, 3*window.Hour + 1, 3 * window.Hour, 7 * window.Minute, 6*window.Minute + 1, 0,
	}
	numbers := []int64{-1, 70_000, 0, 1, -300, 2, 12, -12}
	texts := []string{"bmw", "audi", "", "vw", "bmw", "a\x00b", "vw", "vw"}
	rows := &operator.Rows{Source: 1, Partition: 2, Newest: []int64{t0}}
	for _, in := range cfg.Inputs {
		c := column.NewColumn(in.Type, in.Scale)
		for i, n := range numbers {
			switch {
			case in.Type == schema.String:
				c.AppendBytes([]byte(texts[i]))
			case in.Type == schema.Enum:
				c.AppendInt(int64(i % len(enum)))
			case in.Type == schema.Bool:
				c.AppendInt(int64(i % 2))
			case i == 0 && in.Role == operator.RoleValue && len(cfg.Inputs) > 1:
				c.AppendNull()
			default:
				c.AppendInt(n)
			}
		}
		rows.In = append(rows.In, &c)
	}
	for i, age := range ages {
		rows.Row, rows.Slot = append(rows.Row, int32(i)), append(rows.Slot, 0)
		rows.Time, rows.Offset = append(rows.Time, t0-age), append(rows.Offset, int64(1000+i))
	}
	return rows
}

func TestGolden(t *testing.T) {
	for name, cfg := range goldenStates {
		cfg.Windows = goldenWindows(name)
		s := newStates(t, name, &cfg, 2)
		s.Fold(goldenRows(&cfg))
		kind, _ := operator.Lookup(name)
		frozen := tiletest.Check(t, "operator-"+name+".txt", tiletest.Golden{
			Why:    "The state of " + name + " over the eight events of TestGolden in shared/operator.",
			Format: "operator/" + name, Codec: kind.Version, Bytes: s.AppendState(nil, 0, t0),
		})
		if err := s.Merge(1, frozen, t0); err != nil {
			t.Errorf("%s: the frozen state is refused: %v", name, err)
		}
		if again := s.AppendState(nil, 1, t0); !bytes.Equal(again, frozen) {
			t.Errorf("%s: the frozen state is written again as %x", name, again)
		}
	}
}
