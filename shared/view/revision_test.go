package view_test

import (
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
	"github.com/tidemark-io/tidemark/shared/window"
)

// The revision of the test view, frozen: a change of it means that every view would be rebuilt.
const frozenRevision = "36d235f8a599067be2fd79b95f9bea80755adfdc845e3e901f418cc671fd2171"

func TestRevisionFrozen(t *testing.T) {
	p := compile(t, viewtest.Spec())
	if p.Revision() != frozenRevision {
		t.Errorf("revision %s of\n%s", p.Revision(), p.Canonical())
	}
}

// TestRevisionKeeps lists what may change without a rebuild: states stay byte for byte the same.
func TestRevisionKeeps(t *testing.T) {
	want := compile(t, viewtest.Spec()).Revision()
	for name, change := range map[string]func(*view.Spec){
		"names of job and view": func(s *view.Spec) { s.Job, s.Name = "j", "v" },
		"doc and owner":         func(s *view.Spec) { s.Features[0].Doc, s.Features[0].Owner = "d", "o" },
		"default":               func(s *view.Spec) { s.Features[0].Default = []byte("1") },
		"limit":                 func(s *view.Spec) { feature(s, "tags").Limit = 7 },
		"result":                func(s *view.Spec) { feature(s, "session_length_30d").Result = "current_length" },
		"half-life of one hop":  func(s *view.Spec) { feature(s, "tags").HalfLife = 4 * window.Day },
		"spelling of an edge":   func(s *view.Spec) { feature(s, "price_bands_7d").Edges = []string{"0.00", "2.50", "7.5"} },
		"ratio":                 func(s *view.Spec) { feature(s, "call_rate").Ratio.Alpha = 3 },
		"no ratio":              func(s *view.Spec) { s.Features = s.Features[:len(s.Features)-2] },
		"feature's name":        func(s *view.Spec) { s.Features[0].Name = "other" },
		"order of features":     func(s *view.Spec) { slices.Reverse(s.Features) },
		"topic":                 func(s *view.Spec) { s.Sources[0].Topic = "elsewhere" },
		"block size":            func(s *view.Spec) { s.Sources[0].Block = 1024 },
		"record key":            func(s *view.Spec) { s.Sources[0].Key = "user" },
		"lanes":                 func(s *view.Spec) { s.Lanes = 64 },
		"white space":           func(s *view.Spec) { s.Features[0].Where = "  kind  ==\n'view'" },
		"order of fields":       func(s *view.Spec) { slices.Reverse(s.Sources[0].Fields) },
		"order of columns": func(s *view.Spec) {
			s.Columns[0], s.Columns[2] = s.Columns[2], s.Columns[0]
			s.Columns[1], s.Columns[2] = s.Columns[2], s.Columns[1]
		},
		"a field more": func(s *view.Spec) {
			s.Sources[0].Fields = append(s.Sources[0].Fields, schema.Field{Name: "more", Type: schema.Int64})
		},
		"a column more": func(s *view.Spec) {
			s.Columns = append(s.Columns, view.ColumnSpec{Name: "more", Expr: "secs + 1", Type: schema.Int64})
		},
		"a shorter window of the same hop": func(s *view.Spec) {
			s.Features = append(s.Features, view.FeatureSpec{Name: "more", Op: "count", Where: "kind == 'view'", Window: window.Window{Length: 2 * window.Day, Hop: window.Day}})
		},
	} {
		if got := compile(t, edit(change)).Revision(); got != want {
			t.Errorf("%s: the revision changes", name)
		}
	}
}

// TestRevisionChanges lists what decides states.
func TestRevisionChanges(t *testing.T) {
	seen := map[string]string{compile(t, viewtest.Spec()).Revision(): "nothing"}
	for name, change := range map[string]func(*view.Spec){
		"source's name":  func(s *view.Spec) { s.Sources[0].Name, feature(s, "noted_30d").From = "clicks2", "clicks2" },
		"required field": func(s *view.Spec) { s.Sources[0].Fields[viewtest.Note].Required = true },
		"unused required": func(s *view.Spec) {
			s.Sources[0].Fields = append(s.Sources[0].Fields, schema.Field{Name: "more", Type: schema.Int64, Required: true})
		},
		"event time": func(s *view.Spec) {
			s.Sources[0].Fields = append(s.Sources[0].Fields, schema.Field{Name: "at2", Type: schema.Time, Required: true})
			s.Sources[0].EventTime = "at2"
		},
		"tolerance": func(s *view.Spec) { s.Sources[0].ToleranceMS = 1 },
		"type of a field": func(s *view.Spec) {
			s.Sources[0].Fields[viewtest.Secs].Type = schema.Int32
			s.Sources[1].Fields[s.Sources[1].Index("secs")].Type = schema.Int32
		},
		"enum": func(s *view.Spec) {
			for i := range s.Sources {
				f := &s.Sources[i].Fields[s.Sources[i].Index("kind")]
				f.Enum = append(slices.Clone(f.Enum), "more")
			}
		},
		"entity":         func(s *view.Spec) { slices.Reverse(s.Entity) },
		"kind's name":    func(s *view.Spec) { s.Entity[0].Kind = "u" },
		"tuple":          func(s *view.Spec) { slices.Reverse(s.Entity[1].Fields) },
		"column":         func(s *view.Spec) { s.Columns[0].Expr = "price * 3 - 101" },
		"inner column":   func(s *view.Spec) { s.Columns[1].Expr = "cost > 1001 ? 'high' : 'low'" },
		"column's scale": func(s *view.Spec) { s.Columns[0].Scale = 3; feature(s, "cost_7d").Default = nil },
		"where":          func(s *view.Spec) { feature(s, "calls_7d").Where = "kind == 'call' && secs > 4" },
		"no where":       func(s *view.Spec) { feature(s, "calls_7d").Where = "" },
		"from":           func(s *view.Spec) { feature(s, "orders_all").From = "clicks" },
		"from all":       func(s *view.Spec) { feature(s, "orders_all").From = "" },
		"operator": func(s *view.Spec) {
			feature(s, "price_min").Op = "max"
			feature(s, "price_max").Op = "min"
			feature(s, "price_min").Window = window.All
		},
		"value":           func(s *view.Spec) { feature(s, "double_secs").Value = []string{"secs * 3"} },
		"order of values": func(s *view.Spec) { slices.Reverse(feature(s, "last_call").Value) },
		"key":             func(s *view.Spec) { feature(s, "last_items").Key = []string{"secs"} },
		"value not key":   func(s *view.Spec) { f := feature(s, "last_items"); f.Value, f.Key = f.Key, nil },
		"weight":          func(s *view.Spec) { feature(s, "tags").Weight = "" },
		"remove":          func(s *view.Spec) { feature(s, "prices").Remove = "kind == 'fav'" },
		"no remove":       func(s *view.Spec) { feature(s, "prices").Remove = "" },
		"gap":             func(s *view.Spec) { feature(s, "sessions_24h").Gap++ },
		"edges":           func(s *view.Spec) { feature(s, "price_bands_7d").Edges = []string{"0", "2.5", "7.51"} },
		"n":               func(s *view.Spec) { feature(s, "last_items").N = 5 },
		"longest window":  func(s *view.Spec) { feature(s, "views_30d").Window.Length += window.Day },
		"hop":             func(s *view.Spec) { feature(s, "calls_7d").Window.Hop = window.Day },
		"half-life of another hop": func(s *view.Spec) {
			f := feature(s, "tags")
			f.HalfLife, f.Window.Hop = 2*window.Day, 30*window.Minute
		},
		"a feature more": func(s *view.Spec) { s.Features = append(s.Features, view.FeatureSpec{Name: "more", Op: "count"}) },
		"a feature less": func(s *view.Spec) {
			s.Features = slices.DeleteFunc(s.Features, func(f view.FeatureSpec) bool { return f.Name == "tags" })
		},
		"a source less": func(s *view.Spec) {
			s.Sources = s.Sources[:1]
			s.Features = slices.DeleteFunc(s.Features, func(f view.FeatureSpec) bool { return f.From == "orders" })
		},
	} {
		revision := compile(t, edit(change)).Revision()
		if other, ok := seen[revision]; ok {
			t.Errorf("%s: the revision is that of %s", name, other)
		}
		seen[revision] = name
	}
}

// TestReads shows which declarations of a source a plan accepts batches of.
func TestReads(t *testing.T) {
	p := compile(t, viewtest.Spec())
	for name, c := range map[string]struct {
		change func(*schema.Source)
		ok     bool
	}{
		"the same":         {func(*schema.Source) {}, true},
		"another topic":    {func(s *schema.Source) { s.Topic = "x" }, true},
		"a field more":     {func(s *schema.Source) { s.Fields = append(s.Fields, schema.Field{Name: "x", Type: schema.JSON}) }, true},
		"another order":    {func(s *schema.Source) { slices.Reverse(s.Fields) }, true},
		"another source":   {func(s *schema.Source) { s.Name = "other" }, false},
		"a field less":     {func(s *schema.Source) { s.Fields = slices.Delete(s.Fields, viewtest.Secs, viewtest.Secs+1) }, false},
		"another type":     {func(s *schema.Source) { s.Fields[viewtest.Secs].Type = schema.Decimal }, false},
		"key gone":         {func(s *schema.Source) { s.Fields = slices.Delete(s.Fields, viewtest.User, viewtest.User+1) }, false},
		"required":         {func(s *schema.Source) { s.Fields[viewtest.Secs].Required = true }, false},
		"tolerance":        {func(s *schema.Source) { s.ToleranceMS = 5 }, false},
		"column not typed": {func(s *schema.Source) { s.Fields[viewtest.Note].Type = schema.Int64 }, false},
	} {
		src := viewtest.Sources()[0]
		c.change(&src)
		if err := p.Reads(&src); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
