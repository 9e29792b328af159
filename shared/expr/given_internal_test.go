package expr

import (
	"testing"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestGivenCode says which expressions an enum's codes mostly decide, and for how many codes something is left. That they
// mean the same is TestEvalEqualsCEL's.
func TestGivenCode(t *testing.T) {
	env := NewEnv(&schema.Source{Name: "s", EventTime: "at", Block: 8, Fields: []schema.Field{
		{Name: "at", Type: schema.Time},
		{Name: "n", Type: schema.Int64},
		{Name: "yes", Type: schema.Bool},
		{Name: "kind", Type: schema.Enum, Enum: []string{"a", "b", "c", "d"}},
		{Name: "other", Type: schema.Enum, Enum: []string{"a"}},
	}})
	for text, want := range map[string]int{
		`kind in ["a", "b"] ? 3 : kind == "c" && n > 5 ? 2 : 0`:           1,
		`kind == "a" ? 3 : n > 5 && (kind == "c" || kind == "d") ? 2 : n`: -1, // for b, c, d and null
		`kind == "a" || n > 5 ? 3 : 0`:                                    -1,
		`kind in ["a", "b", "c"] || n > 5 ? 3 : 0`:                        2, // for d and null
		`kind == "a" ? 3 : kind == "b" && yes ? 2 : 0`:                    1,
		`kind == "a" && other == "a" ? 3 : 0`:                             -1, // of two enums
		`kind == "a" ? (kind == "b" ? 1 : 2) + n : 0`:                     -1, // an operand that is not decided
		`n > 5 ? 3 : 0`:                      -1,
		`kind == "a" ? 3 : 0`:                -1, // a table says it all
		`(kind == "b" ? n : 4) == 4 ? 1 : 0`: -1, // of a comparison
		`kind == "a" ? (n > 1 ? 5 : 6) : kind < "c" ? 1 : kind == null ? 2 : 3`: 2, // null is before no value: an error
	} {
		p, err := env.Compile(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		left := -1
		if k, ok := p.NewEvaluator().int.(*givenCode); ok {
			left = len(k.left)
		}
		if left != want {
			t.Errorf("%s: something is left for %d codes, want %d", text, left, want)
		}
	}
}
