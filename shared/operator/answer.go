package operator

import (
	"strconv"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Answerer is what States may implement whose results are lists or structs: to write a result in its JSON form without
// making a Value of each element first, which takes several times as long.
type Answerer interface {
	// AppendResult appends Result(slot, q).AppendJSON to dst and returns true; if the result is null it returns dst as it
	// is, and false.
	AppendResult(dst []byte, slot int32, q *Query) (out []byte, ok bool)
}

// Reading is what States may implement that can read rows faster than they fold.
type Reading interface {
	// Alone says, before anything else is called, that slot 0 is the only one, and that nothing is folded: states are merged
	// into it, read, and forgotten by Reset. It returns whether the parts of a row are best merged from the oldest on, which
	// is mostly the largest; otherwise the newest comes first, so that lists of the latest elements are in order as they come.
	Alone() (oldestFirst bool)
}

// RowReader is what an Operator may implement that can read rows faster with states made for nothing else.
type RowReader interface {
	// NewRow returns States of slot 0 alone: states are merged into it, read, and forgotten by Reset; nothing is folded. The
	// bytes merged must stay as they are until Reset. They answer, refuse and write what those of NewStates do.
	NewRow() States
}

// AppendResult appends the JSON form of a result of any states to dst and returns true; of a null it returns dst as it is,
// and false.
func AppendResult(dst []byte, states States, slot int32, q *Query) (out []byte, ok bool) {
	if a, ok := states.(Answerer); ok {
		return a.AppendResult(dst, slot, q)
	}
	v := states.Result(slot, q)
	if v.Kind == Null {
		return dst, false
	}
	return v.AppendJSON(dst), true
}

// labelsOf returns the names as they stand in front of an object's members, the first one without a comma.
func labelsOf(names []string) []string {
	labels := make([]string, len(names))
	for i, name := range names {
		label := append(appendString(nil, name), ':')
		if i > 0 {
			label = append([]byte{','}, label...)
		}
		labels[i] = string(label)
	}
	return labels
}

// appendJSON appends the JSON form of value(b).
func (k *kept) appendJSON(dst, b []byte) []byte {
	r := wire.NewReader(b)
	if len(k.inputs) == 1 {
		return appendMember(dst, &r, &k.inputs[0])
	}
	return append(k.appendMembersJSON(append(dst, '{'), &r), '}')
}

// appendMembersJSON appends the members of the tuple that r reads, each behind its label.
func (k *kept) appendMembersJSON(dst []byte, r *wire.Reader) []byte {
	for i := range k.inputs {
		dst = append(dst, k.labels[i]...)
		dst = appendMember(dst, r, &k.inputs[i])
	}
	return dst
}

// appendMember appends the JSON form of memberValue.
func appendMember(dst []byte, r *wire.Reader, in *Input) []byte {
	if r.Null() {
		return append(dst, "null"...)
	}
	switch in.Type {
	case schema.String:
		return appendText(dst, r.Text())
	case schema.JSON:
		return append(dst, r.Text()...)
	case schema.Enum:
		return appendString(dst, in.Enum[r.Int()])
	case schema.Bool:
		return strconv.AppendBool(dst, r.Int() != 0)
	case schema.Decimal:
		return OfDec(r.Int(), in.Scale).appendDecimal(dst)
	default:
		return strconv.AppendInt(dst, r.Int(), 10)
	}
}

// appendText is appendString of bytes; what needs no escape, as most does, is not copied first.
func appendText(dst, text []byte) []byte {
	for _, c := range text {
		if c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			return appendString(dst, string(text))
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}
