package expr_test

import (
	"errors"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/expr"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzCompile wants every text refused with an ErrExpr, or run over a batch without a panic.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{"a + 1 > 2 && kind == 'view'", "(paid ? s : null) == null", "s in ['x']", "more", "size(s) % 0", "'x' < kind"} {
		f.Add(text)
	}
	env := expr.NewEnv(clicks())
	b := column.NewBatch(clicks(), 0, false)
	appendRow(b, map[string]any{"a": int64(5), "kind": "call", "s": "view", "paid": true}, 0)
	appendRow(b, map[string]any{}, 0)
	fuzzing.Target(f, func(t *testing.T, text string) {
		p, err := env.Compile(text)
		if err != nil {
			if !errors.Is(err, expr.ErrExpr) {
				t.Fatalf("%q: %v is no ErrExpr", text, err)
			}
			return
		}
		typ := p.Type()
		if typ == schema.Enum {
			typ = schema.String
		}
		out := column.NewColumn(typ, 0)
		p.NewEvaluator().Eval(b, &out)
		if out.N != b.N {
			t.Fatalf("%q: %d values", text, out.N)
		}
	})
}
