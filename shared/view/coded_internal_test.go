package view

import (
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestCoded says which filters are tables by code, and that those say of each code, and of null, what the expression does.
func TestCoded(t *testing.T) {
	src := &schema.Source{Name: "x", EventTime: "at", Block: 8, Fields: []schema.Field{
		{Name: "at", Type: schema.Time},
		{Name: "kind", Type: schema.Enum, Enum: []string{"view", "fav", "unfav"}},
		{Name: "other", Type: schema.Enum, Enum: []string{"view"}},
		{Name: "n", Type: schema.Int64},
		{Name: "paid", Type: schema.Bool},
		{Name: "s", Type: schema.String},
	}}
	s := newScope(src, 0)
	for _, c := range []ColumnSpec{
		{Name: "step", Expr: `kind == "fav" ? 1 : kind == "unfav" ? -1 : 0`, Type: schema.Int64},
		{Name: "shown", Expr: "step", Type: schema.Decimal, Scale: 2},
		{Name: "is_fav", Expr: `shown > 0`, Type: schema.Bool},
		{Name: "word", Expr: `is_fav ? "yes" : "no"`, Type: schema.String},
		{Name: "fails", Expr: `1 / (step + 1)`, Type: schema.Int64},
		{Name: "mixed", Expr: `n > 0 ? step : 0`, Type: schema.Int64},
	} {
		if err := s.addColumn(&c); err != nil {
			t.Fatal(err)
		}
	}
	// By code, and last for null; none for what is no table.
	for text, want := range map[string][]bool{
		`kind == "view"`: {true, false, false, false}, `!(kind in ["view", "fav"]) || kind == null`: {false, false, true, true},
		`(kind == "view" ? 1 : 2) > 1`: {false, true, true, true}, `step != 0`: {false, true, true, false}, `shown < 0`: {false, false, true, false},
		`is_fav`: {false, true, false, false}, `!is_fav`: {true, false, true, true}, `word == "no" && kind != null`: {true, false, true, false},
		`is_fav || step == 0`: {true, true, false, true},
		`paid`:                nil, `kind == "view" && paid`: nil, `kind == s`: nil, `kind == other`: nil, `1 == 2`: nil, `mixed != 0`: nil, `fails > 0`: nil, `1 / (step + 1) > 0`: nil,
	} {
		term, err := s.term(text)
		if err != nil {
			t.Fatal(err)
		}
		f := s.coded(term)
		if f == nil || want == nil {
			if f != nil || want != nil {
				t.Errorf("%s: a table: %t", text, f != nil)
			}
			continue
		}
		if got := append(slices.Clone(f.passes), f.null); f.column != 1 || !slices.Equal(got, want) {
			t.Errorf("%s: column %d, %t, want %t", text, f.column, got, want)
		}
	}
}
