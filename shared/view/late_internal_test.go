package view

import (
	"fmt"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestLate says which columns are filled for the rows of the second class alone. That these hold the same is
// TestSplitterOfAnyStates's.
func TestLate(t *testing.T) {
	src := schema.Source{Name: "x", EventTime: "at", Block: 8, Fields: []schema.Field{
		{Name: "at", Type: schema.Time, Required: true},
		{Name: "n", Type: schema.Int64},
		{Name: "s", Type: schema.String},
		{Name: "kind", Type: schema.Enum, Enum: []string{"a", "b"}},
	}}
	spec := Spec{
		Job: "j", Name: "v", Sources: []schema.Source{src}, Entity: []KeySpec{{Kind: "s", Fields: []string{"s"}}},
		Columns: []ColumnSpec{
			{Name: "late", Expr: "n < 3 ? 0 : n < 5 ? 1 : 2", Type: schema.Int64},
			{Name: "of_all", Expr: "n > 1 ? 1 : 2", Type: schema.Int64},
			{Name: "filtered", Expr: "n > 2 ? 1 : 2", Type: schema.Int64},
			{Name: "filter", Expr: "n > 3", Type: schema.Bool},
			{Name: "part", Expr: "n > 4 ? 1 : 2", Type: schema.Int64},
			{Name: "whole", Expr: "part > 1 ? 3 : 4", Type: schema.Int64},
			{Name: "shown", Expr: "n > 5 ? 1 : 2", Type: schema.Int64},
			{Name: "shows", Expr: "shown", Type: schema.Int64},
			{Name: "fails", Expr: "6 / n", Type: schema.Int64},
			{Name: "a", Expr: "kind == 'a'", Type: schema.Bool}, // evaluated for the last input only: as a filter it is a table of codes
		},
		Features: []FeatureSpec{{Name: "f0", Op: "sum", Value: []string{"of_all"}}},
	}
	for i, value := range []string{"late", "of_all", "whole", "shows", "fails", "filtered", "a ? 'yes' : s", "part", "shown"} {
		where := []string{"a", "filter", "filtered > 1"}[i%3]
		spec.Features = append(spec.Features, FeatureSpec{Name: fmt.Sprintf("f%d", i+1), Op: "last", Value: []string{value, "s"}, Where: where})
	}
	p, err := Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	b := p.bindings[0]
	var late []int
	for _, i := range b.late {
		late = append(late, b.columns[i].at-len(src.Fields))
	}
	// By their places among the columns: late, whole, and the input that is no column, which stands behind them all.
	if want := []int{0, 5, len(spec.Columns)}; !slices.Equal(late, want) {
		t.Errorf("columns %d are late, want %d", late, want)
	}
	// n, s, and the columns part and a.
	if want := []int{1, 2, 8, 13}; !slices.Equal(b.lateReads, want) {
		t.Errorf("late columns are made of %d, want %d", b.lateReads, want)
	}
}
