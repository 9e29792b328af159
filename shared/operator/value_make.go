package operator

import (
	"math"
	"math/big"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
)

// OfInt returns v as an Int.
func OfInt(v int64) Value { return Value{Kind: Int, Hi: v >> 63, Lo: uint64(v)} }

// OfDec returns v × 10^-scale as a Dec; scale is from 0 to schema.MaxScale.
func OfDec(v int64, scale int) Value {
	return Value{Kind: Dec, Scale: uint8(scale), Hi: v >> 63, Lo: uint64(v)}
}

// OfFloat returns v as a Float; −0 becomes 0. v is a finite number.
func OfFloat(v float64) Value { return Value{Kind: Float, F: v + 0} }

// OfBool returns v as a Bool.
func OfBool(v bool) Value {
	if v {
		return Value{Kind: Bool, Lo: 1}
	}
	return Value{Kind: Bool}
}

// OfStr returns v as a Str.
func OfStr(v string) Value { return Value{Kind: Str, S: v} }

// OfRaw returns v, which is a JSON value, as a Raw.
func OfRaw(v string) Value { return Value{Kind: Raw, S: v} }

// OfMillis returns v, ms since 1970, as a Millis.
func OfMillis(v int64) Value { return Value{Kind: Millis, Hi: v >> 63, Lo: uint64(v)} }

// OfList returns a List of items, which it keeps.
func OfList(items []Value) Value { return Value{Kind: List, Items: items} }

// OfStruct returns a Struct of items under names, one each; it keeps both.
func OfStruct(names []string, items []Value) Value {
	return Value{Kind: Struct, Names: names, Items: items}
}

// IsNull tells whether v is null.
func (v Value) IsNull() bool { return v.Kind == Null }

// integer returns the 128-bit integer of an Int, a Dec (in units of 10^-Scale) or a Millis.
func (v Value) integer() wide.Int { return wide.Int{Hi: v.Hi, Lo: v.Lo} }

// Rat returns the exact number that v is, if it is an Int, a Dec, a Float or a Millis.
func (v Value) Rat() (r *big.Rat, ok bool) {
	switch v.Kind {
	case Int, Millis:
		return new(big.Rat).SetInt(v.integer().Big()), true
	case Dec:
		return new(big.Rat).SetFrac(v.integer().Big(), new(big.Int).SetUint64(pow10(int(v.Scale)))), true
	case Float:
		r = new(big.Rat).SetFloat64(v.F)
		return r, r != nil
	case Null, Bool, Str, Raw, List, Struct:
	}
	return nil, false
}

// Equal tells whether both values are the same: of one kind, with the same content, scale and names.
func (v Value) Equal(w Value) bool {
	if v.Kind != w.Kind || v.Scale != w.Scale || v.Hi != w.Hi || v.Lo != w.Lo || v.S != w.S ||
		len(v.Items) != len(w.Items) || len(v.Names) != len(w.Names) {
		return false
	}
	if v.F != w.F && !(math.IsNaN(v.F) && math.IsNaN(w.F)) {
		return false
	}
	for i := range v.Items {
		if !v.Items[i].Equal(w.Items[i]) {
			return false
		}
	}
	for i := range v.Names {
		if v.Names[i] != w.Names[i] {
			return false
		}
	}
	return true
}
