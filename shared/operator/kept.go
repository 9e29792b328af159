package operator

import (
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// kept is a tuple of inputs whose values a state keeps and a result shows: one value as it is, several as a struct.
type kept struct {
	inputs []Input
	tuple  wire.Tuple
	names  []string
	labels []string // of names
}

func newKept(inputs []Input) kept {
	k := kept{inputs: inputs, tuple: tupleOf(inputs), names: make([]string, len(inputs))}
	for i, in := range inputs {
		k.names[i] = in.Name
	}
	k.labels = labelsOf(k.names)
	return k
}

// value returns what the bytes of a tuple hold. They were checked when they came in.
func (k *kept) value(b []byte) Value {
	if len(k.inputs) == 1 {
		r := wire.NewReader(b)
		return memberValue(&r, &k.inputs[0])
	}
	return Value{Kind: Struct, Items: k.appendMembers(make([]Value, 0, len(k.inputs)), b), Names: k.names}
}

// appendMembers appends the values of the tuple's members.
func (k *kept) appendMembers(dst []Value, b []byte) []Value {
	r := wire.NewReader(b)
	for i := range k.inputs {
		dst = append(dst, memberValue(&r, &k.inputs[i]))
	}
	return dst
}

func memberValue(r *wire.Reader, in *Input) Value {
	if r.Null() {
		return Value{}
	}
	switch in.Type {
	case schema.String:
		return OfStr(r.String())
	case schema.JSON:
		return OfRaw(r.String())
	case schema.Enum:
		return OfStr(in.Enum[r.Int()])
	case schema.Bool:
		return OfBool(r.Int() != 0)
	case schema.Time:
		return OfMillis(r.Int())
	case schema.Decimal:
		return OfDec(r.Int(), in.Scale)
	default:
		return OfInt(r.Int())
	}
}
