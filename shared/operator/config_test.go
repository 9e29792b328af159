package operator_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// TestConfigRefused wants each fault refused with words that lead to its cure.
func TestConfigRefused(t *testing.T) {
	all := []window.Window{window.All}
	named := func(in operator.Input, name string) operator.Input {
		in.Name = name
		return in
	}
	weight := input(operator.RoleWeight, schema.Int32)
	for _, c := range []struct {
		kind string
		cfg  operator.Config
		say  string
	}{
		{"count", operator.Config{Inputs: inputs{key(schema.String)}, Windows: all}, "takes no key"},
		{"count", operator.Config{Inputs: inputs{weight}, Windows: all}, "takes no weight"},
		{"count", operator.Config{}, "no window"},
		{"count", operator.Config{Windows: all, N: 3}, "leave n out"},
		{"sum", operator.Config{Windows: all}, "no value: declare one"},
		{"sum", operator.Config{Inputs: inputs{value(schema.Int32), value(schema.Int32)}, Windows: all}, "at most 1"},
		{"sum", operator.Config{Inputs: inputs{value(schema.Bool)}, Windows: all}, "want int32, int64 or decimal(n)"},
		{"sum", operator.Config{Inputs: inputs{value(schema.Time)}, Windows: all}, "want int32, int64 or decimal(n)"},
		{"avg", operator.Config{Inputs: inputs{value(schema.String)}, Windows: all}, "want int32, int64 or decimal(n)"},
		{"distinct", operator.Config{Windows: all}, "no key: declare one"},
		{"distinct", operator.Config{Inputs: inputs{value(schema.String)}, Windows: all}, "takes no value"},
		{"distinct", operator.Config{Inputs: inputs{key(schema.JSON)}, Windows: all}, "use a field of it"},
		{"distinct", operator.Config{Inputs: inputs{key(schema.String)}, Windows: all, N: 5}, "leave n out"},
		{"histogram", operator.Config{Inputs: inputs{value(schema.Int32)}, Windows: all}, "0 edges"},
		{"histogram", operator.Config{Inputs: inputs{value(schema.Int32)}, Windows: all, Edges: edges(operator.MaxBins)}, "1 to 63"},
		{"histogram", operator.Config{Inputs: inputs{value(schema.Int32)}, Windows: all, Edges: []int64{1, 3, 3}}, "edge 3 is not above"},
		{"histogram", operator.Config{Inputs: inputs{value(schema.Enum)}, Windows: all, Edges: []int64{1}}, "leave edges out"},
		{"histogram", operator.Config{Inputs: inputs{{Role: operator.RoleValue, Type: schema.Enum, Enum: make([]string, operator.MaxBins+1)}}, Windows: all}, "at most 64"},
		{"histogram", operator.Config{Inputs: inputs{value(schema.String)}, Windows: all, Edges: []int64{1}}, "want int32, int64, decimal(n) or enum"},
		{"count", operator.Config{Windows: all, Edges: []int64{1}}, "leave them out"},
		{"variance", operator.Config{Inputs: inputs{value(schema.Enum)}, Windows: all}, "want int32, int64 or decimal(n)"},
		{"variance", operator.Config{Inputs: inputs{value(schema.Int32), value(schema.Int32)}, Windows: all}, "at most 1"},
		{"min", operator.Config{Inputs: inputs{value(schema.Enum)}, Windows: all}, "want int32, int64, decimal(n) or time"},
		{"max", operator.Config{Inputs: inputs{value(schema.Bool)}, Windows: all}, "want int32, int64, decimal(n) or time"},
		{"max", operator.Config{Inputs: inputs{{Role: operator.RoleValue, Type: schema.Decimal, Scale: 13}}, Windows: all}, "scale 13"},
		{"first", operator.Config{Windows: all}, "no value"},
		{"first", operator.Config{Inputs: inputs{named(value(schema.Bool), "a"), named(value(schema.Bool), "a")}, Windows: all}, "stands twice"},
		{"last", operator.Config{Inputs: inputs{named(value(schema.Bool), "a"), named(value(schema.Bool), "")}, Windows: all}, "is empty"},
		{"last", operator.Config{Inputs: inputs{{Role: operator.RoleValue, Name: "a"}}, Windows: all}, "has type"},
		{"last_n", operator.Config{Inputs: inputs{key(schema.String)}, Windows: all}, "1 to 1024"},
		{"last_n", operator.Config{Inputs: inputs{key(schema.String)}, Windows: all, N: operator.MaxN + 1}, "1 to 1024"},
		{"last_n", operator.Config{Windows: all, N: 1}, "no key and no value"},
		{"last_n", operator.Config{Inputs: inputs{key(schema.JSON)}, Windows: all, N: 1}, "use a field of it"},
		{"top_k", operator.Config{Inputs: inputs{weight}, Windows: all}, "no key"},
		{"top_k", operator.Config{Inputs: inputs{key(schema.String), input(operator.RoleWeight, schema.Decimal)}, Windows: all}, "want int32 or int64"},
		{"top_k", operator.Config{Inputs: inputs{named(key(schema.String), "score")}, Windows: all}, "stands twice"},
		{"top_k", operator.Config{Inputs: inputs{weight, key(schema.String)}, Windows: all}, "in this order"},
		{"top_k", operator.Config{Inputs: inputs{{Role: 9, Type: schema.Bool}}, Windows: all}, "no key"},
		{"top_k", operator.Config{Inputs: inputs{key(schema.String), remove}, Windows: all}, "takes no remove"},
		{"count", operator.Config{Windows: all, Gap: 1}, "leave gap out"},
		{"set", operator.Config{Inputs: inputs{key(schema.String), remove}, Windows: all}, "1 to 1024"},
		{"set", operator.Config{Inputs: inputs{key(schema.String), remove}, Windows: all, N: operator.MaxN + 1}, "1 to 1024"},
		{"set", operator.Config{Inputs: inputs{key(schema.String)}, Windows: all, N: 1}, "no remove: declare one"},
		{"set", operator.Config{Inputs: inputs{remove}, Windows: all, N: 1}, "no key: declare one"},
		{"set", operator.Config{Inputs: inputs{value(schema.String), remove}, Windows: all, N: 1}, "takes no value"},
		{"set", operator.Config{Inputs: inputs{key(schema.String), input(operator.RoleRemove, schema.Int32)}, Windows: all, N: 1}, "want a bool"},
		{"set", operator.Config{Inputs: inputs{named(key(schema.Bool), "a"), named(key(schema.Bool), "a"), remove}, Windows: all, N: 1}, "stands twice"},
		{"map", operator.Config{Inputs: inputs{key(schema.String)}, Windows: all, N: 1}, "no value: declare one"},
		{"map", operator.Config{Inputs: inputs{value(schema.String)}, Windows: all, N: 1}, "no key: declare one"},
		{"map", operator.Config{Inputs: inputs{value(schema.String), key(schema.String)}, Windows: all, N: operator.MaxN + 1}, "1 to 1024"},
		{"map", operator.Config{Inputs: inputs{named(value(schema.Bool), "a"), named(key(schema.Bool), "a")}, Windows: all, N: 1}, "stands twice"},
		{"map", operator.Config{Inputs: inputs{value(schema.String), key(schema.String), remove, remove}, Windows: all, N: 1}, "at most 1"},
		{"active_days", operator.Config{Inputs: inputs{key(schema.String)}, Windows: all}, "takes no key"},
		{"active_days", operator.Config{Windows: []window.Window{win(window.Day)}}, "leave the hop out"},
		{"sessions", operator.Config{Windows: windowSets["one"]}, "such as 30m"},
		{"sessions", operator.Config{Windows: windowSets["one"], Gap: -1}, "such as 30m"},
		{"sessions", operator.Config{Windows: windowSets["one"], Gap: schema.MaxTime + 1}, "such as 30m"},
		{"sessions", operator.Config{Windows: all, Gap: 1}, "name a window in place of all"},
		{"sessions", operator.Config{Windows: []window.Window{{Length: operator.MaxSessions + 128, Hop: 128}}, Gap: 1}, "at most 65536 gaps"},
		{"sessions", operator.Config{Windows: []window.Window{{Length: operator.MaxSessions + 1, Hop: 1}}, Gap: 2}, "at most 65536 hops"},
		{"count", operator.Config{Inputs: slices.Repeat(inputs{value(schema.Bool)}, operator.MaxInputs+1), Windows: all}, "at most 64"},
	} {
		kind, _ := operator.Lookup(c.kind)
		op, err := kind.New(c.cfg)
		if !errors.Is(err, operator.ErrConfig) || op != nil || !strings.Contains(err.Error(), c.say) || !strings.Contains(err.Error(), c.kind) {
			t.Errorf("%s of %+v: error %v, want one that says %q", c.kind, c.cfg, err, c.say)
		}
	}
	count, _ := operator.Lookup("count")
	if _, err := count.New(operator.Config{Windows: []window.Window{{Length: 10, Hop: 3}}}); !errors.Is(err, window.ErrInvalid) {
		t.Errorf("a hop that divides nothing: error %v", err)
	}
}

// TestConfigAtTheLimit accepts what stands just at a bound.
func TestConfigAtTheLimit(t *testing.T) {
	all := []window.Window{window.All}
	lastN, _ := operator.Lookup("last_n")
	if _, err := lastN.New(operator.Config{Inputs: inputs{key(schema.String)}, Windows: all, N: operator.MaxN}); err != nil {
		t.Error(err)
	}
	sessions, _ := operator.Lookup("sessions")
	most := []window.Window{{Length: operator.MaxSessions, Hop: 128}}
	if _, err := sessions.New(operator.Config{Windows: most, Gap: 1}); err != nil {
		t.Error(err)
	}
	histogram, _ := operator.Lookup("histogram")
	if _, err := histogram.New(operator.Config{Inputs: inputs{value(schema.Int32)}, Windows: all, Edges: edges(operator.MaxBins - 1)}); err != nil {
		t.Error(err)
	}
	bins := operator.Input{Role: operator.RoleValue, Type: schema.Enum, Enum: make([]string, operator.MaxBins)}
	if _, err := histogram.New(operator.Config{Inputs: inputs{bins}, Windows: all}); err != nil {
		t.Error(err)
	}
	count, _ := operator.Lookup("count")
	if _, err := count.New(operator.Config{Inputs: slices.Repeat(inputs{value(schema.Bool)}, operator.MaxInputs), Windows: all}); err != nil {
		t.Error(err)
	}
}

// edges returns n edges.
func edges(n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = int64(i)
	}
	return out
}

func TestQueryRefused(t *testing.T) {
	week, fine := win(7*window.Day), window.Window{Length: 100 * window.Day, Hop: window.Minute}
	for _, c := range []struct {
		kind  string
		query operator.Query
		say   string
	}{
		{"count", operator.Query{Window: win(window.Day)}, "not made for a window"},
		{"sum", operator.Query{Window: week, Limit: 1}, "leave the limit out"},
		{"last", operator.Query{Window: week, HalfLife: 1}, "leave the half-life out"},
		{"last_n", operator.Query{Window: week, HalfLife: 1}, "leave the half-life out"},
		{"last_n", operator.Query{Window: week, Limit: -1}, "below 0"},
		{"top_k", operator.Query{Window: week, HalfLife: -1}, "below 0"},
		{"top_k", operator.Query{Window: week, Result: "size"}, "leave result \"size\" out"},
		{"set", operator.Query{Window: week, Result: "count"}, "use one of elements, size"},
		{"set", operator.Query{Window: week, Result: "size", Limit: 1}, "leave the limit out"},
		{"map", operator.Query{Window: week, Result: "elements"}, "use one of entries, size"},
		{"map", operator.Query{Window: week, HalfLife: 1}, "leave the half-life out"},
		{"active_days", operator.Query{Window: week, Limit: 1}, "leave the limit out"},
		{"sessions", operator.Query{Window: week, Limit: 1}, "leave the limit out"},
		{"sessions", operator.Query{Window: week, Result: "size"}, "use one of count, avg_length, current_length"},
		{"top_k", operator.Query{HalfLife: 1}, "needs a horizon"},
		{"top_k", operator.Query{Window: week, HalfLife: schema.MaxTime + 1}, "at most"},
		{"top_k", operator.Query{Window: fine, HalfLife: 2 * window.Day}, "at most 65536 hops"},
	} {
		kind, _ := operator.Lookup(c.kind)
		cfg := configs[c.kind][0]
		cfg.Windows = []window.Window{week, fine, window.All}
		if err := kind.CheckQuery(cfg, c.query); !errors.Is(err, operator.ErrConfig) || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s asked %+v: error %v, want one that says %q", c.kind, c.query, err, c.say)
		}
	}
	topK, _ := operator.Lookup("top_k")
	cfg := operator.Config{Inputs: inputs{key(schema.String)}, Windows: []window.Window{{Length: operator.MaxDecayHops * window.Minute, Hop: window.Minute}}}
	if err := topK.CheckQuery(cfg, operator.Query{Window: cfg.Windows[0], HalfLife: window.Day * 40}); err != nil {
		t.Errorf("a table of just %d factors: %v", operator.MaxDecayHops, err)
	}
}
