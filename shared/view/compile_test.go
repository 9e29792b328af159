package view_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
	"github.com/tidemark-io/tidemark/shared/window"
)

// edit returns the test view after a change.
func edit(change func(*view.Spec)) view.Spec {
	spec := viewtest.Spec()
	change(&spec)
	return spec
}

func feature(spec *view.Spec, name string) *view.FeatureSpec {
	return &spec.Features[slices.IndexFunc(spec.Features, func(f view.FeatureSpec) bool { return f.Name == name })]
}

func TestStatesAreShared(t *testing.T) {
	p := compile(t, viewtest.Spec())
	stateOf := func(name string) int { return p.Features()[p.Feature(name)].State }
	for _, name := range []string{"views_24h", "views_30d", "views_all"} {
		if stateOf(name) != stateOf("views_1h") {
			t.Errorf("%s has a state of its own", name)
		}
	}
	if stateOf("price_min") == stateOf("price_max") || stateOf("orders_all") == stateOf("views_all") {
		t.Error("different features share a state")
	}
	shared := p.States()[stateOf("views_1h")]
	// One window a hop, no longer than the longest feature needs.
	want := []window.Window{
		{Length: window.Hour, Hop: 5 * window.Minute}, {Length: window.Day, Hop: window.Hour}, {Length: 30 * window.Day, Hop: window.Day}, window.All,
	}
	if !slices.Equal(shared.Config.Windows, want) {
		t.Errorf("windows %v, want %v", shared.Config.Windows, want)
	}
	if !slices.IsSortedFunc(p.States(), func(a, b view.StatePlan) int { return strings.Compare(a.Canonical, b.Canonical) }) {
		t.Error("states are not in order of their texts")
	}
	for i, s := range p.States() {
		for _, f := range s.Features {
			if p.Features()[f].State != i {
				t.Errorf("state %d and feature %d do not agree", i, f)
			}
		}
	}
}

func TestPlanAnswersNames(t *testing.T) {
	p := compile(t, viewtest.Spec())
	if p.SourceRank("orders") != 1 || p.SourceRank("clicks") != 0 || p.SourceRank("x") != -1 || p.Feature("x") != -1 {
		t.Error("names are resolved wrongly")
	}
	for name, kind := range map[string]operator.ValueKind{
		"views_1h": operator.Int, "cost_7d": operator.Dec, "price_avg": operator.Float, "price_min": operator.Dec,
		"first_at": operator.Millis, "last_call": operator.Struct, "last_items": operator.List, "call_rate": operator.Float,
	} {
		if got := p.Features()[p.Feature(name)].Kind; got != kind {
			t.Errorf("%s answers kind %d, want %d", name, got, kind)
		}
	}
}

// TestDefaultHops shows that a spec may leave hops out, and that the caller's spec stays as it was.
func TestDefaultHops(t *testing.T) {
	spec := edit(func(s *view.Spec) {
		feature(s, "views_24h").Window = window.Window{Length: window.Day}
		feature(s, "tags").Window = window.Window{Length: 60 * window.Day}
	})
	p := compile(t, spec)
	if got := feature(p.Spec(), "views_24h").Window.Hop; got != window.Hour {
		t.Errorf("hop %d", got)
	}
	if got := feature(p.Spec(), "tags").Window.Hop; got != window.DecayHop(3*window.Day) {
		t.Errorf("decay's hop %d", got)
	}
	if feature(&spec, "views_24h").Window.Hop != 0 {
		t.Error("the caller's spec was changed")
	}
}

func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		change      func(*view.Spec)
		where, part string
		contains    string
	}{
		"view name":       {func(s *view.Spec) { s.Name = "A" }, "", "name", "no name of a view"},
		"lanes":           {func(s *view.Spec) { s.Lanes = 3 }, "", "lanes", "power of two"},
		"no sources":      {func(s *view.Spec) { s.Sources = nil }, "", "sources", "0 sources"},
		"source order":    {func(s *view.Spec) { slices.Reverse(s.Sources) }, "clicks", "sources", "in order"},
		"source at fault": {func(s *view.Spec) { s.Sources[1].Block = 3 }, "orders", "sources", "power of two"},
		"no entity":       {func(s *view.Spec) { s.Entity = nil }, "", "entity", "0 kinds"},
		"kind twice":      {func(s *view.Spec) { s.Entity[1].Kind = "user" }, "user", "kind", "twice"},
		"kind's name":     {func(s *view.Spec) { s.Entity[0].Kind = "u:" }, "u:", "kind", "no name"},
		"no key field":    {func(s *view.Spec) { s.Entity[0].Fields = nil }, "user", "fields", "0 fields"},
		"unknown field":   {func(s *view.Spec) { s.Entity[0].Fields = []string{"usr"} }, "user", "fields", `source "clicks" has no field "usr"`},
		"field twice":     {func(s *view.Spec) { s.Entity[0].Fields = []string{"user", "user"} }, "user", "fields", "twice"},
		"field of one":    {func(s *view.Spec) { s.Entity[0].Fields = []string{"note"} }, "user", "fields", `source "orders" has no field`},
		"fields unlike":   {func(s *view.Spec) { s.Sources[1].Fields = unlike(s, "user", schema.Int64) }, "user", "fields", "otherwise"},
		"json key":        {func(s *view.Spec) { s.Sources[1].Fields = unlike(s, "user", schema.JSON) }, "user", "fields", "json"},
		"column's name":   {func(s *view.Spec) { s.Columns[0].Name = "Cost" }, "Cost", "name", "no name"},
		"column is field": {func(s *view.Spec) { s.Columns[2].Name = "note" }, "note", "name", "has a field of this name"},
		"column twice":    {func(s *view.Spec) { s.Columns[1].Name = "cost" }, "cost", "name", "twice"},
		"column's type":   {func(s *view.Spec) { s.Columns[1].Type = schema.Enum }, "band", "type", "cannot be computed"},
		"column's scale":  {func(s *view.Spec) { s.Columns[0].Scale = 13 }, "cost", "scale", "scale 13"},
		"scale of string": {func(s *view.Spec) { s.Columns[1].Scale = 2 }, "band", "scale", "only a decimal"},
		"column's expr":   {func(s *view.Spec) { s.Columns[0].Expr = "price +" }, "cost", "expr", "1:"},
		"column unlike":   {func(s *view.Spec) { s.Columns[0].Expr = "user" }, "cost", "expr", "of type string, the column of type decimal(2)"},
		"column's units": {func(s *view.Spec) {
			s.Columns[0] = view.ColumnSpec{Name: "cost", Expr: "price", Type: schema.Decimal, Scale: 3}
		}, "cost", "expr", "decimal(2)"},
		"no features":      {func(s *view.Spec) { s.Features = nil }, "", "features", "0 features"},
		"feature's name":   {func(s *view.Spec) { s.Features[0].Name = "7d" }, "7d", "name", "no name"},
		"feature twice":    {func(s *view.Spec) { s.Features[0].Name = "views_24h" }, "views_24h", "name", "twice"},
		"neither":          {func(s *view.Spec) { s.Features[0].Op = "" }, "views_1h", "op", "neither"},
		"both":             {func(s *view.Spec) { feature(s, "call_rate").Op = "count" }, "call_rate", "ratio", "nothing else"},
		"unknown operator": {func(s *view.Spec) { s.Features[0].Op = "cnt" }, "views_1h", "op", "avg, count"},
		"unknown source":   {func(s *view.Spec) { s.Features[0].From = "click" }, "views_1h", "from", "clicks, orders"},
		"negative limit":   {func(s *view.Spec) { feature(s, "tags").Limit = -1 }, "tags", "limit", "negative"},
		"where no bool":    {func(s *view.Spec) { s.Features[0].Where = "item + 1" }, "views_1h", "where", "not a bool"},
		"where unknown":    {func(s *view.Spec) { s.Features[0].Where = "itm == 1" }, "views_1h", "where", "itm"},
		"column elsewhere": {func(s *view.Spec) { feature(s, "noted_30d").From = "" }, "noted_30d", "where", `in source "orders"`},
		"weight no int":    {func(s *view.Spec) { feature(s, "tags").Weight = "price" }, "tags", "weight", "not an integer"},
		"types unlike":     {func(s *view.Spec) { s.Sources[1].Fields = unlike(s, "secs", schema.Int32) }, "double_secs", "", ""},
		"value unlike":     {func(s *view.Spec) { s.Sources[1].Fields = unlike(s, "item", schema.Int64) }, "last_call", "value", "in another"},
		"sum of string":    {func(s *view.Spec) { feature(s, "cost_7d").Value = []string{"user"} }, "cost_7d", "op", "sum"},
		"bad window":       {func(s *view.Spec) { s.Features[0].Window.Hop = 7 }, "views_1h", "window", "must divide"},
		"hops not nested": {func(s *view.Spec) {
			s.Features[0].Window = window.Window{Length: window.Day, Hop: 8 * window.Hour}
			s.Features[1].Window = window.Window{Length: window.Day, Hop: 12 * window.Hour}
		}, "views_1h", "window", "do not nest"},
		"half-life":        {func(s *view.Spec) { feature(s, "views_1h").HalfLife = 5 }, "views_1h", "op", "half-life"},
		"ratio's operand":  {func(s *view.Spec) { feature(s, "call_rate").Ratio.Num = "x" }, "call_rate", "ratio", `no feature "x"`},
		"ratio of ratio":   {func(s *view.Spec) { feature(s, "call_rate").Ratio.Num = "call_rate" }, "call_rate", "ratio", "ratio itself"},
		"ratio of list":    {func(s *view.Spec) { feature(s, "call_rate").Ratio.Den = "tags" }, "call_rate", "ratio", "integer or a decimal"},
		"negative alpha":   {func(s *view.Spec) { feature(s, "call_rate").Ratio.Alpha = -1 }, "call_rate", "ratio", "alpha"},
		"default no json":  {func(s *view.Spec) { s.Features[0].Default = []byte("{") }, "views_1h", "default", "no JSON"},
		"default's kind":   {func(s *view.Spec) { s.Features[0].Default = []byte(`"0"`) }, "views_1h", "default", "an integer"},
		"default's digits": {func(s *view.Spec) { feature(s, "cost_7d").Default = []byte(`"0.5"`) }, "cost_7d", "default", "2 digits"},
	} {
		_, err := view.Compile(edit(c.change))
		all := view.Faults(err)
		if !errors.Is(err, view.ErrSpec) {
			t.Errorf("%s: %v is not of class ErrSpec", name, err)
		}
		if c.part == "" {
			continue
		}
		if !slices.ContainsFunc(all, func(f *view.Fault) bool {
			return f.Where == c.where && f.Part == c.part && strings.Contains(f.Error(), c.contains)
		}) {
			t.Errorf("%s: no fault of %q, %q with %q in: %v", name, c.where, c.part, c.contains, err)
		}
	}
}

// unlike returns the fields of the second source with one of another type.
func unlike(s *view.Spec, name string, typ schema.Type) []schema.Field {
	fields := slices.Clone(s.Sources[1].Fields)
	fields[s.Sources[1].Index(name)].Type = typ
	return fields
}

// TestFaultsAtOnce shows that one fault hides no other, and that readers of a faulty column are not faults of their own.
func TestFaultsAtOnce(t *testing.T) {
	_, err := view.Compile(edit(func(s *view.Spec) {
		s.Columns[0].Expr = "price + + nothing"
		s.Features[0].Op = "cnt"
		feature(s, "calls_7d").Where = "sec > 3"
		feature(s, "call_rate").Ratio.Den = "x"
		feature(s, "price_avg").Default = []byte("[]")
	}))
	var got []string
	for _, f := range view.Faults(err) {
		got = append(got, f.Where+" "+f.Part)
	}
	slices.Sort(got)
	want := []string{"call_rate ratio", "calls_7d where", "calls_7d where", "cost expr", "price_avg default", "views_1h op"}
	if !slices.Equal(slices.Compact(got), slices.Compact(want)) {
		t.Errorf("got %q\nfrom %v", got, err)
	}
}

// TestBounds tests each bound at the limit and one past it.
func TestBounds(t *testing.T) {
	feature := func(i int) view.FeatureSpec { return view.FeatureSpec{Name: "f" + letters(i), Op: "count"} }
	for name, c := range map[string]struct {
		limit  int
		change func(s *view.Spec, n int)
	}{
		"features": {view.MaxFeatures, func(s *view.Spec, n int) {
			s.Features = nil
			for i := range n {
				s.Features = append(s.Features, feature(i))
			}
		}},
		"columns": {view.MaxColumns, func(s *view.Spec, n int) {
			s.Features = s.Features[:1]
			s.Columns = nil
			for i := range n {
				s.Columns = append(s.Columns, view.ColumnSpec{Name: "c" + letters(i), Expr: "secs", Type: schema.Int64})
			}
		}},
		"kinds": {view.MaxKinds, func(s *view.Spec, n int) {
			s.Entity = nil
			for i := range n {
				s.Entity = append(s.Entity, view.KeySpec{Kind: "k" + letters(i), Fields: []string{"user"}})
			}
		}},
		"name": {view.MaxNameBytes, func(s *view.Spec, n int) { s.Name = strings.Repeat("n", n) }},
		"inputs": {view.MaxInputs, func(s *view.Spec, n int) {
			s.Features = []view.FeatureSpec{{Name: "f", Op: "count"}}
			for range n {
				s.Features[0].Value = append(s.Features[0].Value, "secs")
			}
		}},
	} {
		if _, err := view.Compile(edit(func(s *view.Spec) { c.change(s, c.limit) })); err != nil {
			t.Errorf("%s at the limit: %v", name, err)
		}
		if _, err := view.Compile(edit(func(s *view.Spec) { c.change(s, c.limit+1) })); err == nil {
			t.Errorf("%s past the limit is accepted", name)
		}
	}
}

// letters returns a name for a number.
func letters(i int) string {
	return string([]byte{byte('a' + i/676%26), byte('a' + i/26%26), byte('a' + i%26)})
}
