package operatortest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Gen appends one random value of an input, or a null, to its column.
type Gen func(rng *rand.Rand, in *operator.Input, c *column.Column)

// DefaultGen makes values of every type: one in ten is null; few different ones, so that they meet again and sums
// cancel; now and then the ends of the type's range.
func DefaultGen(rng *rand.Rand, in *operator.Input, c *column.Column) {
	switch {
	case rng.IntN(10) == 0:
		c.AppendNull()
	case in.Type == schema.String:
		c.AppendBytes([]byte(texts[rng.IntN(len(texts))]))
	case in.Type == schema.JSON:
		c.AppendBytes([]byte(documents[rng.IntN(len(documents))]))
	default:
		c.AppendInt(integer(rng, in))
	}
}

var (
	texts = []string{
		"", "a", "b", "ab", "a\x00", "a\x00b", "\x00", "ä", "\"quoted\"\n", strings.Repeat("long ", 20),
		strings.Repeat("x", 7), strings.Repeat("x", 8), strings.Repeat("y", 300),
	}
	documents = []string{`{}`, `[1,2.50]`, `null`, `"a"`, `{"brand":7,"price":{"max":120000}}`}
)

func integer(rng *rand.Rand, in *operator.Input) int64 {
	field := schema.Field{Type: in.Type, Enum: in.Enum}
	low, high := column.Range(&field)
	switch rng.IntN(12) {
	case 0:
		return low
	case 1:
		return high
	case 2:
		if span := uint64(high) - uint64(low); span < math.MaxUint64 {
			return int64(uint64(low) + rng.Uint64N(span+1))
		}
		return int64(rng.Uint64())
	}
	return max(low, min(high, rng.Int64N(9)-4))
}

// DistinctGen returns a generator that makes values of String and integer inputs from many, so that bounds are passed.
func DistinctGen(values int) Gen {
	return func(rng *rand.Rand, in *operator.Input, c *column.Column) {
		v := rng.IntN(values)
		if in.Type == schema.String {
			c.AppendBytes(fmt.Appendf(nil, "element %d", v))
			return
		}
		field := schema.Field{Type: in.Type, Enum: in.Enum}
		low, high := column.Range(&field)
		c.AppendInt(max(low, min(high, int64(v))))
	}
}
