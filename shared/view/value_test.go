package view_test

import (
	"math"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

func TestFeatureValue(t *testing.T) {
	p := compile(t, edit(func(s *view.Spec) {
		feature(s, "price_avg").Default = []byte(" 1.5 ")
		feature(s, "last_call").Default = []byte(`{"item": 0, "secs": null}`)
		feature(s, "cost_7d").Default = []byte(`"-0.50"`)
		feature(s, "tags").Default = []byte(`[]`)
		feature(s, "first_at").Default = []byte(`0`)
	}))
	for name, c := range map[string]struct {
		value  operator.Value
		want   string
		status view.Status
	}{
		"views_1h":   {operator.OfInt(3), "3", view.Present},
		"price_avg":  {operator.Value{}, "1.5", view.Default},
		"last_call":  {operator.Value{}, `{"item":0,"secs":null}`, view.Default},
		"cost_7d":    {operator.OfDec(0, 2), `"0.00"`, view.Present},
		"last_items": {operator.Value{}, "null", view.Null},
	} {
		got, status := p.FeatureValue(c.value, p.Features()[p.Feature(name)].Spec)
		if string(got.AppendJSON(nil)) != c.want || status != c.status {
			t.Errorf("%s: %s, %s", name, got.AppendJSON(nil), status)
		}
	}
}

// TestRatio reads a ratio of a view of two sums whose values the rows set.
func TestRatio(t *testing.T) {
	for name, c := range map[string]struct {
		ratio    view.RatioSpec
		num, den []int64 // secs of the rows; nil = no row
		want     float64 // NaN = null
	}{
		"plain":             {view.RatioSpec{}, []int64{3}, []int64{4}, 0.75},
		"zero divisor":      {view.RatioSpec{}, []int64{3}, []int64{0}, math.NaN()},
		"nothing":           {view.RatioSpec{}, nil, nil, math.NaN()},
		"smoothed nothing":  {view.RatioSpec{Alpha: 4, Prior: 0.25}, nil, nil, 0.25},
		"smoothed":          {view.RatioSpec{Alpha: 1, Prior: 0.5}, []int64{1}, []int64{2}, 0.5},
		"divisor cancelled": {view.RatioSpec{Alpha: 1, Prior: 0.5}, []int64{1}, []int64{-1}, math.NaN()},
		"wide":              {view.RatioSpec{}, []int64{math.MaxInt64, math.MaxInt64}, []int64{2}, math.MaxInt64},
		"wide and negative": {view.RatioSpec{}, []int64{math.MinInt64, math.MinInt64}, []int64{2}, math.MinInt64},
	} {
		spec := viewtest.Spec()
		spec.Columns = nil
		spec.Features = []view.FeatureSpec{
			{Name: "num", Op: "sum", Value: []string{"secs"}, Where: "kind == 'fav'"},
			{Name: "den", Op: "sum", Value: []string{"secs"}, Where: "kind == 'view'"},
			{Name: "ratio", Ratio: &c.ratio},
		}
		c.ratio.Num, c.ratio.Den = "num", "den"
		p := compile(t, spec)
		f := p.NewFold()
		slot := f.Slot([]byte("user:u"))
		b := viewtest.Regular(p.Spec().Sources, len(c.num)+len(c.den))
		for i, v := range c.num {
			b.Cols[viewtest.Kind].Ints[i], b.Cols[viewtest.Secs].Ints[i] = 1, v
		}
		for i, v := range c.den {
			b.Cols[viewtest.Kind].Ints[len(c.num)+i], b.Cols[viewtest.Secs].Ints[len(c.num)+i] = 0, v
		}
		f.Add(b, 0, b.N)
		got := f.Value(slot, 2, f.Newest(slot))
		if math.IsNaN(c.want) != (got.Kind == operator.Null) || (got.Kind != operator.Null && got.F != c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
