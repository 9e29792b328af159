package operator_test

import (
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// event is a row written by hand; nil is a null.
type event struct {
	time, offset int64
	in           []any
}

const t0 = 1_700_006_400_000 // 2023-11-15 00:00 UTC

// answer folds events of one entity and asks at the newest of them or later.
func answer(t *testing.T, kind string, cfg operator.Config, q operator.Query, later int64, events ...event) string {
	t.Helper()
	cfg.Windows = []window.Window{q.Window}
	s := newStates(t, kind, &cfg, 1)
	rows := operator.Rows{Newest: []int64{0}}
	for _, in := range cfg.Inputs {
		c := column.NewColumn(in.Type, in.Scale)
		rows.In = append(rows.In, &c)
	}
	for i, e := range events {
		rows.Row, rows.Slot = append(rows.Row, int32(i)), append(rows.Slot, 0)
		rows.Time, rows.Offset = append(rows.Time, e.time), append(rows.Offset, e.offset)
		rows.Newest[0] = max(rows.Newest[0], e.time)
		for j, v := range e.in {
			switch v := v.(type) {
			case nil:
				rows.In[j].AppendNull()
			case int:
				rows.In[j].AppendInt(int64(v))
			case string:
				rows.In[j].AppendBytes([]byte(v))
			}
		}
	}
	s.Fold(&rows)
	q.Newest, q.AsOf = rows.Newest[0], rows.Newest[0]+later
	kinds, _ := operator.Lookup(kind)
	if err := kinds.CheckQuery(cfg, q); err != nil {
		t.Fatal(err)
	}
	return s.Result(0, &q).String()
}

// TestMeaning is docs/operators.md in examples.
func TestMeaning(t *testing.T) {
	day := operator.Query{Window: win(window.Day)}
	all := operator.Query{}
	money := inputs{value(schema.Decimal)}
	text := inputs{{Role: operator.RoleValue, Name: "text", Type: schema.String}}
	two := inputs{{Role: operator.RoleValue, Name: "a", Type: schema.Int32}, {Role: operator.RoleValue, Name: "color", Type: schema.Enum, Enum: enum}}
	item := operator.Input{Role: operator.RoleKey, Name: "item", Type: schema.String}
	color := operator.Input{Role: operator.RoleKey, Name: "color", Type: schema.Enum, Enum: enum}
	weight := operator.Input{Role: operator.RoleWeight, Name: "w", Type: schema.Int32}
	decayed := operator.Query{Window: window.Window{Length: 10 * window.Day, Hop: window.Day}, HalfLife: window.Day}
	top1 := decayed
	top1.Limit = 1
	size := operator.Query{Result: "size"}
	days := operator.Query{Window: window.Window{Length: 3 * window.Day, Hop: window.Day}}
	half := operator.Config{Gap: window.Hour / 2}
	length, current := day, day
	length.Result, current.Result = "avg_length", "current_length"
	at := func(offset int64, in ...any) event { return event{t0 + offset, offset, in} }
	for _, c := range []struct {
		name   string
		kind   string
		cfg    operator.Config
		query  operator.Query
		later  int64
		events []event
		want   string
	}{
		{"count of nothing", "count", operator.Config{}, all, 0, nil, `0`},
		{"count of rows", "count", operator.Config{}, all, 0, []event{at(1), at(2)}, `2`},
		{"count skips nulls", "count", operator.Config{Inputs: text}, all, 0, []event{at(1, "x"), at(2, nil)}, `1`},
		{"count of a struct skips only rows of nulls", "count", operator.Config{Inputs: two}, all, 0, []event{at(1, nil, 1), at(2, nil, nil)}, `1`},
		{"a window loses its first hop", "count", operator.Config{}, day, 23*window.Hour - 1, []event{at(0), at(1)}, `2`},
		{"and not earlier", "count", operator.Config{}, day, 24 * window.Hour, []event{at(0), at(1)}, `0`},
		{"sum of nothing", "sum", operator.Config{Inputs: money}, all, 0, nil, `"0.00"`},
		{"sum", "sum", operator.Config{Inputs: money}, all, 0, []event{at(1, 150), at(2, -275), at(3, nil)}, `"-1.25"`},
		{"sum beyond 64 bits", "sum", operator.Config{Inputs: inputs{value(schema.Int64)}}, all, 0, []event{at(1, 1<<62), at(2, 1<<62), at(3, 1<<62)}, `13835058055282163712`},
		{"avg of nothing", "avg", operator.Config{Inputs: money}, all, 0, []event{at(1, nil)}, `null`},
		{"avg", "avg", operator.Config{Inputs: money}, all, 0, []event{at(1, 10), at(2, 20), at(3, 31)}, `0.20333333333333334`},
		{"distinct of nothing", "distinct", operator.Config{Inputs: inputs{item}}, all, 0, []event{at(1, nil)}, `0`},
		{"distinct", "distinct", operator.Config{Inputs: inputs{item}}, all, 0, []event{at(1, "a"), at(2, "b"), at(3, "a"), at(4, "")}, `3`},
		{"distinct of tuples", "distinct", operator.Config{Inputs: inputs{item, color}}, all, 0, []event{at(1, "a", 0), at(2, "a", 1), at(3, "a", nil), at(4, "a", 1)}, `2`},
		{"distinct: an element stays as long as its newest event", "distinct", operator.Config{Inputs: inputs{item}}, day, 23 * window.Hour, []event{at(0, "a"), at(1, "b"), at(2*window.Hour, "a")}, `1`},
		{"histogram of nothing", "histogram", operator.Config{Inputs: money, Edges: []int64{100, 250}}, all, 0, []event{at(1, nil)}, `[0,0,0]`},
		{"histogram: an edge is in the upper bin", "histogram", operator.Config{Inputs: money, Edges: []int64{100, 250}}, all, 0, []event{at(1, 99), at(2, 100), at(3, 249), at(4, 250), at(5, -1)}, `[2,2,1]`},
		{"histogram of an enum", "histogram", operator.Config{Inputs: two[1:]}, all, 0, []event{at(1, 2), at(2, 0), at(3, 2), at(4, nil)}, `{"red":1,"green":0,"blue":2}`},
		{"variance of nothing", "variance", operator.Config{Inputs: money}, all, 0, []event{at(1, nil)}, `null`},
		{"variance of one", "variance", operator.Config{Inputs: money}, all, 0, []event{at(1, 7), at(2, nil)}, `0`},
		{"variance, of the population", "variance", operator.Config{Inputs: money}, all, 0, []event{at(1, 100), at(2, 200), at(3, 400)}, `1.5555555555555556`},
		{"variance near 2^63", "variance", operator.Config{Inputs: inputs{value(schema.Int64)}}, all, 0, []event{at(1, 1<<63-1), at(2, 1<<63-3)}, `1`},
		{"min of nothing", "min", operator.Config{Inputs: money}, all, 0, nil, `null`},
		{"min", "min", operator.Config{Inputs: money}, all, 0, []event{at(1, 10), at(2, -20), at(3, 31)}, `"-0.20"`},
		{"max of times", "max", operator.Config{Inputs: inputs{value(schema.Time)}}, all, 0, []event{at(1, 10), at(2, 20)}, `20`},
		{"first of nothing", "first", operator.Config{Inputs: text}, all, 0, nil, `null`},
		{"first, a tie broken by offset", "first", operator.Config{Inputs: text}, all, 0, []event{{t0, 7, []any{"b"}}, {t0, 3, []any{"a"}}, {t0, 1, []any{nil}}}, `"a"`},
		{"first in a window that has lost the first", "first", operator.Config{Inputs: text}, day, 23 * window.Hour, []event{at(0, "a"), at(2*window.Hour, "b")}, `"b"`},
		{"last, a struct with a null and an enum", "last", operator.Config{Inputs: two}, all, 0, []event{at(1, 5, 0), at(3, nil, 2), at(2, 6, 1), at(4, nil, nil)}, `{"a":null,"color":"blue"}`},
		{"last outside of its window", "last", operator.Config{Inputs: text}, day, window.Day, []event{at(1, "x")}, `null`},
		{"last_n of nothing", "last_n", operator.Config{Inputs: inputs{item}, N: 2}, all, 0, nil, `[]`},
		{
			"last_n: distinct, the newest wins", "last_n",
			operator.Config{Inputs: inputs{item}, N: 2},
			all, 0,
			[]event{at(1, "a"), at(2, "b"), at(3, "c"), at(4, "a"), at(5, nil)},
			`["a","c"]`,
		},
		{
			"last_n with values beside the key", "last_n",
			operator.Config{Inputs: inputs{text[0], item}, N: 2},
			all, 0,
			[]event{at(1, "old", "a"), at(2, "x", "b"), at(3, "new", "a"), at(4, nil, "b")},
			`["new","x"]`,
		},
		{"set of nothing", "set", operator.Config{Inputs: inputs{item, remove}, N: 2}, all, 0, nil, `[]`},
		{
			"set: the last writer wins, however often an element was added", "set",
			operator.Config{Inputs: inputs{item, remove}, N: 9},
			all, 0,
			[]event{at(1, "a", 0), at(2, "b", 0), at(3, "a", 0), at(4, "b", 1), at(5, "c", 1), at(6, nil, 0), at(7, "a", nil)},
			`["a"]`,
		},
		{
			"set: added again after the removal, which comes late", "set",
			operator.Config{Inputs: inputs{item, remove}, N: 9},
			all, 0,
			[]event{at(3, "a", 0), at(1, "a", 0), at(2, "a", 1), at(4, "b", 0)},
			`["b","a"]`,
		},
		{"set of just n elements", "set", operator.Config{Inputs: inputs{item, remove}, N: 2}, all, 0, []event{at(1, "a", 0), at(2, "b", 0)}, `["b","a"]`},
		{"set of one element more", "set", operator.Config{Inputs: inputs{item, remove}, N: 2}, all, 0, []event{at(1, "a", 0), at(2, "b", 0), at(3, "c", 0)}, `["c","b"]`},
		{
			"set: what is removed keeps its place among the n", "set",
			operator.Config{Inputs: inputs{item, remove}, N: 2},
			all, 0,
			[]event{at(1, "a", 0), at(2, "b", 0), at(3, "c", 1)},
			`["b"]`,
		},
		{"set, its size", "set", operator.Config{Inputs: inputs{item, remove}, N: 9}, size, 0, []event{at(1, "a", 0), at(2, "b", 0), at(3, "b", 1)}, `1`},
		{
			"set of a window: what was added before it is not in it", "set",
			operator.Config{Inputs: inputs{item, remove}, N: 9},
			day, 23 * window.Hour,
			[]event{at(0, "a", 0), at(2*window.Hour, "b", 0)},
			`["b"]`,
		},
		{"map of nothing", "map", operator.Config{Inputs: inputs{text[0], item}, N: 2}, all, 0, nil, `[]`},
		{
			"map: the latest values, nulls write nothing", "map",
			operator.Config{Inputs: inputs{text[0], item}, N: 9},
			all, 0,
			[]event{at(1, "old", "a"), at(2, "x", "b"), at(4, nil, "b"), at(3, "new", "a")},
			`[{"item":"a","text":"new"},{"item":"b","text":"x"}]`,
		},
		{
			"map: a key is removed, whatever the values, and written again", "map",
			operator.Config{Inputs: inputs{text[0], item, remove}, N: 9},
			all, 0,
			[]event{at(1, "x", "a", 0), at(2, nil, "a", 1), at(3, "y", "b", 0), at(4, "z", "b", 1), at(5, "w", "b", 0), at(6, "v", "b", nil)},
			`[{"item":"b","text":"w"}]`,
		},
		{"map, its size", "map", operator.Config{Inputs: inputs{text[0], item, remove}, N: 9}, size, 0, []event{at(1, "x", "a", 0), at(2, "y", "b", 1)}, `1`},
		{"active_days of nothing", "active_days", operator.Config{}, all, 0, nil, `0`},
		{"active_days in UTC", "active_days", operator.Config{}, all, 0, []event{at(-1), at(0), at(1), at(window.Day - 1), at(3 * window.Day)}, `3`},
		{"active_days skips nulls", "active_days", operator.Config{Inputs: text}, all, 0, []event{at(0, "x"), at(window.Day, nil)}, `1`},
		{"active_days: the last day of a window", "active_days", operator.Config{}, days, 2 * window.Day, []event{at(0), at(window.Day - 1)}, `1`},
		{"active_days: and the day after", "active_days", operator.Config{}, days, 3 * window.Day, []event{at(0)}, `0`},
		{"sessions of nothing", "sessions", half, day, 0, nil, `0`},
		{"sessions: the gap itself joins, one ms more does not", "sessions", half, day, 0, []event{at(0), at(window.Hour / 2), at(window.Hour + 1)}, `2`},
		{"sessions: a late event joins two", "sessions", half, day, 0, []event{at(0), at(window.Hour), at(window.Hour / 2)}, `1`},
		{"sessions are joined across hops", "sessions", half, day, 0, []event{at(-1), at(0)}, `1`},
		{"sessions: a window cuts the one in which it begins", "sessions", half, length, 23 * window.Hour, []event{at(window.Hour - 2), at(window.Hour + 6)}, `0`},
		{"sessions: the average length", "sessions", half, length, 0, []event{at(0), at(5), at(window.Hour), at(2 * window.Hour), at(2*window.Hour + 5)}, `3.3333333333333335`},
		{"sessions: no average of nothing", "sessions", half, length, 0, nil, `null`},
		{"sessions: the current one", "sessions", half, current, window.Hour / 2, []event{at(0), at(window.Hour), at(window.Hour + 7)}, `7`},
		{"sessions: it is over", "sessions", half, current, window.Hour/2 + 1, []event{at(window.Hour), at(window.Hour + 7)}, `null`},
		{"top_k of nothing", "top_k", operator.Config{Inputs: inputs{item}}, all, 0, nil, `[]`},
		{
			"top_k counts without a weight, ties by bytes", "top_k",
			operator.Config{Inputs: inputs{item}},
			all, 0,
			[]event{at(1, "b"), at(2, "a"), at(3, "c"), at(4, "c")},
			`[{"item":"c","score":2},{"item":"a","score":1},{"item":"b","score":1}]`,
		},
		{
			"top_k leaves out what is not above 0", "top_k",
			operator.Config{Inputs: inputs{item, weight}},
			all, 0,
			[]event{at(1, "b", 2), at(2, "b", -2), at(3, "c", -1), at(4, "a", nil), at(5, "d", 1)},
			`[{"item":"d","score":1}]`,
		},
		{
			"top_k decays by the day", "top_k",
			operator.Config{Inputs: inputs{item, weight}},
			decayed, 2 * window.Day,
			[]event{at(1, "a", 3), at(window.Day, "b", 3), at(window.Day+1, "a", -1)},
			`[{"item":"b","score":0.75},{"item":"a","score":0.125}]`, // 3/8 − 1/4 at two days after the second
		},
		{
			"ties of an enum are in the order of its values", "top_k",
			operator.Config{Inputs: inputs{color}},
			top1, 0,
			[]event{at(1, 2), at(2, 0), at(3, 1)},
			`[{"color":"red","score":1}]`,
		},
	} {
		if got := answer(t, c.kind, c.cfg, c.query, c.later, c.events...); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestTiesAcrossPartitions breaks ties by source and partition before the offset.
func TestTiesAcrossPartitions(t *testing.T) {
	cfg := operator.Config{Inputs: inputs{value(schema.Int32)}, Windows: []window.Window{window.All}}
	first, last := newStates(t, "first", &cfg, 1), newStates(t, "last", &cfg, 1)
	for _, p := range []struct {
		source, partition int32
		offset            int64
	}{{1, 0, 5}, {0, 2, 9}, {0, 1, 100}, {1, 3, 0}} {
		c := column.NewColumn(schema.Int32, 0)
		c.AppendInt(int64(p.source*10 + p.partition))
		rows := operator.Rows{
			Row: []int32{0}, Slot: []int32{0}, Time: []int64{t0}, Offset: []int64{p.offset}, Source: p.source, Partition: p.partition,
			Newest: []int64{t0}, In: []*column.Column{&c},
		}
		first.Fold(&rows)
		last.Fold(&rows)
	}
	q := operator.Query{AsOf: t0, Newest: t0}
	if got := first.Result(0, &q); !got.Equal(operator.OfInt(1)) {
		t.Errorf("first is %s", got)
	}
	if got := last.Result(0, &q); !got.Equal(operator.OfInt(13)) {
		t.Errorf("last is %s", got)
	}
}

// TestCancelledCellsLeaveNoTrace takes two ways to a sum of 0 in one bucket, one of them through a state that held it.
func TestCancelledCellsLeaveNoTrace(t *testing.T) {
	for _, kind := range []string{"sum", "top_k"} {
		cfg := operator.Config{Inputs: inputs{value(schema.Int64)}, Windows: []window.Window{win(window.Day)}}
		if kind == "top_k" {
			cfg.Inputs = inputs{key(schema.Enum), input(operator.RoleWeight, schema.Int64)}
		}
		fold := func(s operator.States, slot int32, v int64) {
			enumColumn, c := column.NewColumn(schema.Enum, 0), column.NewColumn(schema.Int64, 0)
			enumColumn.AppendInt(1)
			c.AppendInt(v)
			in := []*column.Column{&c}
			if kind == "top_k" {
				in = []*column.Column{&enumColumn, &c}
			}
			s.Fold(&operator.Rows{Row: []int32{0}, Slot: []int32{slot}, Time: []int64{t0}, Offset: []int64{0}, Newest: []int64{t0, t0, t0}, In: in})
		}
		s := newStates(t, kind, &cfg, 3)
		fold(s, 0, 5)
		fold(s, 0, -5)
		fold(s, 1, 5)
		fold(s, 2, -5)
		plus := s.AppendState(nil, 1, t0)
		if err := s.Merge(2, plus, t0); err != nil {
			t.Fatal(err)
		}
		if a, b := s.AppendState(nil, 0, t0), s.AppendState(nil, 2, t0); len(plus) == 0 || len(a) > 0 || len(b) > 0 {
			t.Errorf("%s: 5 is %x; 5 − 5 is %x folded, %x merged", kind, plus, a, b)
		}
	}
}
