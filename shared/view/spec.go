package view

import (
	"encoding/json"

	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// Spec is all that a view is: what package job reads from YAML, what the journal and the manifest keep, what Compile
// takes. It is data; its JSON form reads back the same.
type Spec struct {
	Job  string `json:"job"`
	Name string `json:"name"`
	// Sources that the view reads, in order of the bytes of their names. The rank in this list is a source's number in
	// tiles.
	Sources []schema.Source `json:"sources"`
	// Entity lists the kinds of keys in order: an event belongs to the first kind whose fields are all present, to no
	// entity if there is none. The fields must be declared alike in every source.
	Entity []KeySpec `json:"entity"`
	// Columns are computed columns, which expressions and features use like fields.
	Columns  []ColumnSpec  `json:"columns,omitempty"`
	Features []FeatureSpec `json:"features"`
	// Lanes is the number of lanes of a generation built from this spec; 0 = lane.DefaultLanes.
	Lanes int `json:"lanes,omitempty"`
}

// KeySpec is one kind of entity key: a name and the fields of its tuple.
type KeySpec struct {
	Kind   string   `json:"kind"`
	Fields []string `json:"fields"`
}

// ColumnSpec is a computed column. Type and Scale are declared; the expression (CEL) must yield them: a Decimal is
// the integer of 10^-Scale units, an Enum cannot be computed.
type ColumnSpec struct {
	Name  string      `json:"name"`
	Expr  string      `json:"expr"`
	Type  schema.Type `json:"type"`
	Scale int         `json:"scale,omitempty"`
}

// FeatureSpec is one feature: one window of one operator, or a ratio of two others.
type FeatureSpec struct {
	Name string `json:"name"`
	// Op names the operator's kind; empty for a ratio.
	Op string `json:"op,omitempty"`
	// From names the source whose events count; empty = all sources of the view.
	From string `json:"from,omitempty"`
	// Value, Key, Weight and Remove are names of fields or computed columns, or expressions; Where is an expression.
	Value  []string `json:"value,omitempty"`
	Key    []string `json:"key,omitempty"`
	Weight string   `json:"weight,omitempty"`
	Remove string   `json:"remove,omitempty"`
	Where  string   `json:"where,omitempty"`
	// Window; the zero value is all time.
	Window   window.Window `json:"window"`
	HalfLife int64         `json:"half_life,omitempty"` // ms
	Gap      int64         `json:"gap,omitempty"`       // ms between events of one session at most
	// Edges are plain decimal numbers in ascending order: where one bin of a histogram ends and the next begins.
	Edges []string `json:"edges,omitempty"`
	// N bounds the state's elements (last_n), Limit the answer's (top_k).
	N     int `json:"n,omitempty"`
	Limit int `json:"limit,omitempty"`
	// Result is what is asked of a state that answers several things; empty = the usual one.
	Result string `json:"result,omitempty"`
	// Ratio reads two other features: (num + alpha·prior) / (den + alpha).
	Ratio *RatioSpec `json:"ratio,omitempty"`
	// Default is the JSON value answered in place of null; nil = null.
	Default json.RawMessage `json:"default,omitempty"`

	// Doc and Owner are for people and decide nothing.
	Doc   string `json:"doc,omitempty"`
	Owner string `json:"owner,omitempty"`
}

// RatioSpec is a smoothed ratio of two features with integer or decimal results. With Alpha 0 it is num/den, and null
// where den is 0.
type RatioSpec struct {
	Num   string  `json:"num"`
	Den   string  `json:"den"`
	Alpha float64 `json:"alpha,omitempty"`
	Prior float64 `json:"prior,omitempty"`
}
