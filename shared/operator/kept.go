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
}

func newKept(inputs []Input) kept {
	k := kept{inputs: inputs, tuple: tupleOf(inputs), names: make([]string, len(inputs))}
	for i, in := range inputs {
		k.names[i] = in.Name
	}
	return k
}

// value returns what the bytes of a tuple hold. They were checked when they came in.
func (k *kept) value(b []byte) Value {
	items := k.members(b)
	if len(items) == 1 {
		return items[0]
	}
	return Value{Kind: Struct, Items: items, Names: k.names}
}

// members returns the values of the tuple's members, in room for one more.
func (k *kept) members(b []byte) []Value {
	r := wire.Reader{B: b}
	items := make([]Value, 0, len(k.inputs)+1)
	for i := range k.inputs {
		items = append(items, memberValue(&r, &k.inputs[i]))
	}
	return items
}

func memberValue(r *wire.Reader, in *Input) Value {
	if r.Null() {
		return Value{}
	}
	switch in.Type {
	case schema.String:
		return OfStr(string(r.Bytes(nil)))
	case schema.JSON:
		return OfRaw(string(r.Bytes(nil)))
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
