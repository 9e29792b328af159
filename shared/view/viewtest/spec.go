package viewtest

import (
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/window"
)

// The columns of both sources, by index. They are declared in another order in each, so that an index of one is wrong in
// the other; Clicks has a field more.
const (
	User = iota
	Device
	Kind
	Item
	Price
	Secs
	At
	Note
)

// Block sizes of the two sources: different, and small enough for a short log to have many blocks.
const (
	ClicksBlock = 8
	OrdersBlock = 32
)

// Fields returns the declarations of all fields by the constants above.
func Fields() []schema.Field {
	return []schema.Field{
		User:   {Name: "user", Type: schema.String},
		Device: {Name: "device.id", Type: schema.Int64},
		Kind:   {Name: "kind", Type: schema.Enum, Enum: []string{"view", "fav", "call"}},
		Item:   {Name: "item", Type: schema.Int32},
		Price:  {Name: "price", Type: schema.Decimal, Scale: 2},
		Secs:   {Name: "secs", Type: schema.Int64},
		At:     {Name: "at", Type: schema.Time, Required: true},
		Note:   {Name: "note", Type: schema.String},
	}
}

// Sources returns the sources clicks and orders.
func Sources() []schema.Source {
	all := Fields()
	reversed := make([]schema.Field, 0, len(all))
	for i := Secs; i >= 0; i-- {
		reversed = append(reversed, all[i])
	}
	reversed = append(reversed, all[At])
	return []schema.Source{
		{Name: "clicks", Topic: "clicks", Fields: all, EventTime: "at", Block: ClicksBlock},
		{Name: "orders", Topic: "orders", Fields: reversed, EventTime: "at", Block: OrdersBlock},
	}
}

// Day is a window of a length in days with its default hop.
func days(n int64) window.Window {
	return window.Window{Length: n * window.Day, Hop: window.DefaultHop(n * window.Day)}
}

// Spec returns a view that uses every kind of operator, filters and computed columns in both sources, shared states, a
// feature of one source only, a key of two kinds, and ratios.
func Spec() view.Spec {
	hour := window.Window{Length: window.Hour, Hop: 5 * window.Minute}
	decay := window.Window{Length: 10 * window.Day, Hop: 6 * window.Hour}
	return view.Spec{
		Job: "shop", Name: "visitor", Sources: Sources(),
		Entity: []view.KeySpec{{Kind: "user", Fields: []string{"user"}}, {Kind: "device", Fields: []string{"device.id", "kind"}}},
		Columns: []view.ColumnSpec{
			{Name: "cost", Expr: "price * 3 - 100", Type: schema.Decimal, Scale: 2},
			{Name: "band", Expr: "cost > 1000 ? 'high' : 'low'", Type: schema.String},
			{Name: "noted", Expr: "note != null && size(note) > 1", Type: schema.Bool},
		},
		Features: []view.FeatureSpec{
			{Name: "views_1h", Op: "count", Where: "kind == 'view'", Window: hour},
			{Name: "views_24h", Op: "count", Where: "kind=='view'", Window: days(1)},
			{Name: "views_30d", Op: "count", Where: "kind == 'view'", Window: days(30)},
			{Name: "views_all", Op: "count", Where: "kind == 'view'"},
			{Name: "calls_7d", Op: "count", Where: "kind == 'call' && secs > 3", Window: days(7)},
			{Name: "orders_all", Op: "count", From: "orders"},
			{Name: "noted_30d", Op: "count", From: "clicks", Where: "noted", Window: days(30)},
			{Name: "cost_7d", Op: "sum", Value: []string{"cost"}, Window: days(7)},
			{Name: "double_secs", Op: "sum", Value: []string{"secs * 2"}, Where: "item != 3"},
			{Name: "price_avg", Op: "avg", Value: []string{"price"}, Window: days(30)},
			{Name: "price_min", Op: "min", Value: []string{"price"}, Window: days(7)},
			{Name: "price_max", Op: "max", Value: []string{"price"}, Window: days(7)},
			{Name: "first_at", Op: "first", Value: []string{"at"}},
			{Name: "last_call", Op: "last", Value: []string{"item", "secs"}, Where: "kind == 'call'", Window: days(30)},
			{Name: "last_items", Op: "last_n", Key: []string{"item"}, N: 4, Window: days(7)},
			{Name: "tags", Op: "top_k", Key: []string{"item", "band"}, Weight: "secs", Window: decay, HalfLife: 3 * window.Day, Limit: 5},
			{Name: "tags_long", Op: "top_k", Key: []string{"kind"}, Window: days(30), HalfLife: 14 * window.Day, Limit: 2},
			{Name: "items_7d", Op: "distinct", Key: []string{"item"}, Window: days(7)},
			{Name: "pairs", Op: "distinct", Key: []string{"band", "secs"}},
			{Name: "price_bands_7d", Op: "histogram", Value: []string{"price"}, Edges: []string{"0", "2.5", "7.5"}, Window: days(7)},
			{Name: "kinds_7d", Op: "histogram", Value: []string{"kind"}, Window: days(7)},
			{Name: "price_variance", Op: "variance", Value: []string{"price"}, Window: days(30)},
			{Name: "favs", Op: "set", Key: []string{"item"}, Remove: "kind == 'call'", N: 3, Window: days(30)},
			{Name: "favs_size", Op: "set", Key: []string{"item"}, Remove: "kind == 'call'", N: 3, Result: "size"},
			{Name: "prices", Op: "map", Value: []string{"price", "secs"}, Key: []string{"item"}, Remove: "kind == 'call'", N: 4},
			{Name: "days_30d", Op: "active_days", Window: days(30)},
			{Name: "sessions_24h", Op: "sessions", Gap: window.Hour, Window: days(1)},
			{Name: "session_length_30d", Op: "sessions", Gap: window.Hour, Window: days(30), Result: "avg_length"},
			{Name: "call_rate", Ratio: &view.RatioSpec{Num: "calls_7d", Den: "views_30d", Alpha: 2, Prior: 0.1}},
			{Name: "cost_per_view", Ratio: &view.RatioSpec{Num: "cost_7d", Den: "views_24h"}, Default: []byte(`0.5`)},
		},
	}
}
