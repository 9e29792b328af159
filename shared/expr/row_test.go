package expr_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/expr"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestRowEqualsEvaluator compares the two evaluators on random rows under random expressions.
func TestRowEqualsEvaluator(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := genAny(t)
		env := expr.NewEnv(clicks())
		p, err := env.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := env.CompileRow(text)
		if err != nil {
			t.Fatal(err)
		}
		typ := p.Type()
		if typ == schema.Enum {
			typ = schema.String
		}
		b, out := genBatch(t), column.NewColumn(typ, 0)
		p.NewEvaluator().Eval(b, &out)
		for i := range b.N {
			got := "null"
			if v := r.Eval(values(row(b, i))); v != nil {
				got = fmt.Sprint(v)
			}
			if want := value(&out, i); got != want {
				t.Fatalf("%s\nrow %d: %v\nby row %s, by column %s", text, i, row(b, i), got, want)
			}
		}
	})
}

// TestRowOfAName reads fields whose names CEL cannot, and refuses what Compile refuses.
func TestRowOfAName(t *testing.T) {
	env := expr.NewEnv(&schema.Source{Fields: []schema.Field{{Name: "in", Type: schema.Int64}}})
	r, err := env.CompileRow(" in ")
	if err != nil {
		t.Fatal(err)
	}
	if v := r.Eval(values{"in": int64(7)}); v != int64(7) {
		t.Errorf("got %v", v)
	}
	if v := r.Eval(values{"in": nil}); v != nil {
		t.Errorf("a null gives %v", v)
	}
	if _, err := env.CompileRow("nothing == 1"); err == nil {
		t.Error("an unknown name compiles")
	}
}

// values are values by name.
type values map[string]any

// Value implements expr.Values.
func (v values) Value(name string) (any, bool) {
	value, ok := v[name]
	return value, ok
}
