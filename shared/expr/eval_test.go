package expr_test

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"pgregory.net/rapid"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/expr"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// celEnv is cel-go as its manual says, over the same fields: the twin.
func celEnv(t testing.TB) *cel.Env {
	t.Helper()
	var options []cel.EnvOption
	for _, f := range clicks().Fields {
		typ := cel.NullableType(cel.IntType)
		switch f.Type {
		case schema.Bool:
			typ = cel.NullableType(cel.BoolType)
		case schema.String, schema.Enum:
			typ = cel.NullableType(cel.StringType)
		case schema.JSON:
			typ = cel.OpaqueType("json")
		default:
		}
		options = append(options, cel.Variable(f.Name, typ))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// TestEvalEqualsCEL compares every row of random batches under random expressions with cel-go, row by row.
func TestEvalEqualsCEL(t *testing.T) {
	env := celEnv(t)
	seen := map[string]int{}
	var refused []string
	rapid.Check(t, func(t *rapid.T) {
		text := genAny(t)
		ast, issues := env.Compile(text)
		p, err := expr.NewEnv(clicks()).Compile(text)
		if (issues.Err() == nil) != (err == nil) {
			t.Fatalf("%s: cel-go says %v, we say %v", text, issues.Err(), err)
		}
		if err != nil {
			refused = append(refused, fmt.Sprintf("%s: %v", text, err))
			return
		}
		twin, err := env.Program(ast)
		if err != nil {
			t.Fatal(err)
		}
		b := genBatch(t)
		typ := p.Type()
		if typ == schema.Enum {
			typ = schema.String
		}
		out := column.NewColumn(typ, 0)
		e := p.NewEvaluator()
		e.Eval(b, &out)
		e.Eval(b, &out) // memory is used again
		if out.N != b.N {
			t.Fatalf("%s: %d values for %d rows", text, out.N, b.N)
		}
		least := int64(0)
		for i := range b.N {
			want, class := twinValue(twin, b, i)
			seen[class]++
			if class == "failed" && b.Reject[i] == 0 {
				least++
			}
			if got := value(&out, i); got != want {
				t.Fatalf("%s\nrow %d: %v\ngot %s, cel-go %s (%s)", text, i, row(b, i), got, want, class)
			}
		}
		if e.Errors() > 0 && !p.CanFail() {
			t.Fatalf("%s cannot fail, and has %d errors", text, e.Errors())
		}
		// Where two operands err, cel-go names one: rows that it counts as failed are, others may be.
		if e.Errors() < 2*least {
			t.Fatalf("%s: %d errors counted, cel-go has %d", text, e.Errors(), least)
		}
	})
	t.Log(seen)
	for _, class := range []string{"value", "null", "missing", "failed"} {
		if seen[class] == 0 {
			t.Errorf("no row is of class %s: the test has lost its point", class)
		}
	}
	if len(refused) > 0 {
		t.Errorf("generated expressions are refused: %s", refused)
	}
}

// TestCanFail says which programs may have errors to count.
func TestCanFail(t *testing.T) {
	for text, want := range map[string]bool{
		`a`: false, `size(s) == -2 ? 1 : 0`: false, `kind == "view" && a > 3`: false, `a in [1, 2] ? s : null`: false,
		`a + 1`: true, `a - 1`: true, `a * 2`: true, `a / 2`: true, `a % 2`: true, `-a`: true, `paid && !(a + 1 > 0)`: true,
		`kind == "view" ? 1 : b - 1`: true,
	} {
		if got := compile(t, text).CanFail(); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

// TestErrorsCounted pins what the comparison leaves open: which rows count.
func TestErrorsCounted(t *testing.T) {
	b := column.NewBatch(clicks(), 0, false)
	for _, a := range []int64{1, 0, math.MaxInt64} {
		appendRow(b, map[string]any{"a": a}, 0)
	}
	appendRow(b, map[string]any{}, 0)              // a is null: no mistake
	appendRow(b, map[string]any{}, 3)              // rejected
	appendRow(b, map[string]any{"a": int64(0)}, 3) // cannot be, but would not count
	for _, c := range []struct {
		text string
		want int64
	}{
		{"a", 0},
		{"a + 1", 1},
		{"a + 1 > 0", 1},
		{"6 / a", 1},
		{"a != 0 && 6 / a > 1", 0},
		{"b == 1 || 6 / a > 1", 1},
		{"b > 1 || 6 / a > 1", 1},
		{"1 / 0", 4},
		{"a == null ? 1 / 0 : 2", 1},
		{"(6 / a) in [1]", 1},
		{"paid ? 's' : 't'", 0},
		{"(6 / a == 6 ? 's' : 't')", 1},
	} {
		p := compile(t, c.text)
		e := p.NewEvaluator()
		out := column.NewColumn(p.Type(), 0)
		e.Eval(b, &out)
		if e.Errors() != c.want {
			t.Errorf("%s: %d errors, want %d", c.text, e.Errors(), c.want)
		}
	}
}

func genAny(t *rapid.T) string {
	depth := rapid.IntRange(0, 4).Draw(t, "depth")
	switch rapid.IntRange(0, 5).Draw(t, "result") {
	case 0, 1, 2:
		return genTruth(t, depth)
	case 3, 4:
		return genInt(t, depth)
	default:
		return genText(t, depth)
	}
}

func genTruth(t *rapid.T, depth int) string {
	if depth == 0 {
		return rapid.SampledFrom([]string{"paid", "new", "true", "false"}).Draw(t, "truth")
	}
	d := depth - 1
	switch rapid.IntRange(0, 10).Draw(t, "truth op") {
	case 0:
		return "!(" + genTruth(t, d) + ")"
	case 1:
		return "(" + genTruth(t, d) + " && " + genTruth(t, d) + ")"
	case 2:
		return "(" + genTruth(t, d) + " || " + genTruth(t, d) + ")"
	case 3:
		return "(" + genTruth(t, d) + genEquality(t) + genTruth(t, d) + ")"
	case 4:
		return "(" + genInt(t, d) + genComparison(t) + genInt(t, d) + ")"
	case 5:
		return "(" + genText(t, d) + genComparison(t) + genText(t, d) + ")"
	case 6:
		return "(" + genInt(t, d) + " in [" + strings.Join(rapid.SliceOfN(rapid.Map(genSmall, decimal), 0, 4).Draw(t, "list"), ", ") + "])"
	case 7:
		if d == 0 && rapid.Bool().Draw(t, "enum") {
			return `(kind in ["zoom", "view"])`
		}
		return "(" + genText(t, d) + ` in ["view", "zoom"])`
	case 8:
		function := rapid.SampledFrom([]string{"startsWith", "endsWith", "contains"}).Draw(t, "function")
		return "(" + genText(t, d) + ")." + function + "(" + genText(t, d) + ")"
	case 9:
		name := rapid.SampledFrom([]string{"a", "price", "paid", "kind", "s", "link.to_id", "more", "(paid ? a : b)", "(new ? kind : s)", "(a > b ? paid : new)", "(paid ? s : null)"}).Draw(t, "nullable")
		return "(" + name + genEquality(t) + "null)"
	default:
		return "(" + genTruth(t, d) + " ? " + genTruth(t, d) + " : " + genTruth(t, d) + ")"
	}
}

func decimal(v int64) string { return strconv.FormatInt(v, 10) }

func genEquality(t *rapid.T) string {
	return rapid.SampledFrom([]string{" == ", " != "}).Draw(t, "equality")
}

func genComparison(t *rapid.T) string {
	return rapid.SampledFrom([]string{" == ", " != ", " < ", " <= ", " > ", " >= "}).Draw(t, "comparison")
}

var genSmall = rapid.OneOf(rapid.Int64Range(-3, 3), rapid.SampledFrom([]int64{math.MinInt64, math.MinInt64 + 1, math.MaxInt64, math.MaxInt64 - 1, 1 << 31, -1 << 31, 1<<31 - 1, 3_037_000_500}))

func genInt(t *rapid.T, depth int) string {
	if depth == 0 {
		if rapid.Bool().Draw(t, "literal") {
			return strconv.FormatInt(genSmall.Draw(t, "int"), 10)
		}
		return rapid.SampledFrom([]string{"a", "b", "price", "at", "type"}).Draw(t, "int field")
	}
	d := depth - 1
	switch rapid.IntRange(0, 6).Draw(t, "int op") {
	case 6:
		return genGiven(t, d)
	case 5:
		return genLadder(t, d)
	case 0:
		return "-(" + genInt(t, d) + ")"
	case 1:
		return "size(" + genText(t, d) + ")"
	case 2:
		return "(" + genTruth(t, d) + " ? " + genInt(t, d) + " : " + genInt(t, d) + ")"
	default:
		return "(" + genInt(t, d) + rapid.SampledFrom([]string{" + ", " - ", " * ", " / ", " % "}).Draw(t, "arithmetic") + genInt(t, d) + ")"
	}
}

// genLadder is nearly always a ladder of comparisons with ascending literals, which has a kernel of its own.
func genLadder(t *rapid.T, depth int) string {
	edges := rapid.SliceOfN(genSmall, 1, 5).Draw(t, "edges")
	if rapid.IntRange(0, 7).Draw(t, "in order") > 0 {
		slices.Sort(edges)
	}
	field := rapid.SampledFrom([]string{"a", "b", "price"}).Draw(t, "subject")
	ladder := []byte("(")
	for i, edge := range edges {
		ladder = fmt.Appendf(ladder, "%s < %d ? %d : ", field, edge, i)
	}
	if rapid.IntRange(0, 7).Draw(t, "literal at the end") == 0 {
		return string(ladder) + genInt(t, depth) + ")"
	}
	return string(ladder) + "7)"
}

// genGiven is a ladder of literals that the code of an enum decides, but for some codes.
func genGiven(t *rapid.T, depth int) string {
	ladder := []byte("(")
	for i := range rapid.IntRange(1, 4).Draw(t, "rungs") {
		code := rapid.SampledFrom([]string{`kind == "view"`, `kind == "zoom"`, `kind in ["zoom", "view"]`, `kind != "view"`, `kind < "view"`, `kind == null`}).Draw(t, "code")
		switch rapid.IntRange(0, 4).Draw(t, "rung") {
		case 0:
			code = "(" + code + " && " + genTruth(t, depth) + ")"
		case 1:
			code = "(" + genTruth(t, depth) + " && " + code + ")"
		case 2:
			code = "(" + code + " || " + genTruth(t, depth) + ")"
		default:
		}
		value := rapid.SampledFrom([]string{strconv.Itoa(i), strconv.Itoa(i), "a"}).Draw(t, "rung's")
		ladder = fmt.Appendf(ladder, "%s ? %s : ", code, value)
	}
	return string(ladder) + rapid.SampledFrom([]string{"7", "7", "b"}).Draw(t, "last") + ")"
}

func genText(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 2).Draw(t, "text op") > 0 {
		return rapid.SampledFrom([]string{"s", "link.to_id", "kind", `"view"`, `"zoom"`, `""`}).Draw(t, "text")
	}
	return "(" + genTruth(t, depth-1) + " ? " + genText(t, depth-1) + " : " + genText(t, depth-1) + ")"
}

// genBatch draws rows with nulls; sometimes none, so that both ways of every kernel run; sometimes more than a chunk.
func genBatch(t *rapid.T) *column.Batch {
	b := column.NewBatch(clicks(), 0, false)
	n := rapid.SampledFrom([]int{0, 1, 7, 8, 9, 40, 1024, 1030}).Draw(t, "rows")
	sparse := rapid.SampledFrom([]int{0, 2, 5}).Draw(t, "one value in n is null")
	genText := rapid.SampledFrom([]string{"", "view", "vie", "zoom", "héé", "z"})
	pool := rapid.IntRange(1, 40).Draw(t, "distinct rows")
	var distinct []map[string]any
	for i := range pool {
		r := map[string]any{}
		for _, f := range b.Source.Fields {
			if sparse > 0 && rapid.IntRange(0, sparse-1).Draw(t, "null") == 0 {
				continue
			}
			switch f.Type {
			case schema.Bool:
				r[f.Name] = rapid.Bool().Draw(t, f.Name)
			case schema.Enum:
				r[f.Name] = rapid.SampledFrom(f.Enum).Draw(t, f.Name)
			case schema.String:
				r[f.Name] = genText.Draw(t, f.Name)
			case schema.JSON:
				r[f.Name] = "{}"
			case schema.Int32:
				r[f.Name] = rapid.Int64Range(-3, 3).Draw(t, f.Name)
			default:
				r[f.Name] = genSmall.Draw(t, f.Name)
			}
		}
		_ = i
		distinct = append(distinct, r)
	}
	for i := range n {
		appendRow(b, distinct[i%pool], 0)
	}
	if n > 0 && rapid.Bool().Draw(t, "dictionary") {
		encode(&b.Cols[b.Source.Index("s")])
	}
	return b
}

func appendRow(b *column.Batch, r map[string]any, reject uint8) {
	for i, f := range b.Source.Fields {
		c := &b.Cols[i]
		switch v := r[f.Name].(type) {
		case nil:
			c.AppendNull()
		case bool:
			c.AppendInt(int64(strings.Index("ft", strconv.FormatBool(v)[:1])))
		case int64:
			c.AppendInt(v)
		case string:
			if f.Type != schema.Enum {
				c.AppendBytes([]byte(v))
				continue
			}
			for code, value := range f.Enum {
				if value == v {
					c.AppendInt(int64(code))
				}
			}
		}
	}
	b.N++
	b.Reject = append(b.Reject, reject)
}

// encode turns a string column into a dictionary; null rows get a code that must not be looked up.
func encode(c *column.Column) {
	plain := *c
	*c = column.NewColumn(plain.Type, 0)
	codes := map[string]int32{}
	var index []int32
	for i := range plain.N {
		if !plain.Present(i) {
			index = append(index, -1)
			continue
		}
		v := string(plain.BytesAt(i))
		code, ok := codes[v]
		if !ok {
			code = int32(len(codes))
			codes[v] = code
			c.AppendBytes([]byte(v))
		}
		index = append(index, code)
	}
	c.Index, c.N, c.Valid = index, plain.N, plain.Valid
}

// row returns a row as cel-go takes it.
func row(b *column.Batch, i int) map[string]any {
	r := map[string]any{}
	for at, f := range b.Source.Fields {
		c := &b.Cols[at]
		switch {
		case !c.Present(i):
			r[f.Name] = nil
		case f.Type == schema.Bool:
			r[f.Name] = c.Ints[i] == 1
		case f.Type == schema.Enum:
			r[f.Name] = f.Enum[c.Ints[i]]
		case f.Type.IsBytes():
			r[f.Name] = string(c.BytesAt(i))
		default:
			r[f.Name] = c.Ints[i]
		}
	}
	return r
}

func twinValue(p cel.Program, b *column.Batch, i int) (text, class string) {
	v, _, err := p.Eval(row(b, i))
	switch {
	case err != nil && (strings.Contains(err.Error(), "overflow") || strings.Contains(err.Error(), "by zero")):
		return "null", "failed"
	case err != nil && strings.Contains(err.Error(), "no such overload"):
		return "null", "missing"
	case err != nil:
		return err.Error(), "unexpected"
	case v.Type() == cel.NullType:
		return "null", "null"
	default:
		return fmt.Sprint(v.Value()), "value"
	}
}

func value(c *column.Column, i int) string {
	switch {
	case !c.Present(i):
		if !c.Type.IsBytes() && c.Ints[i] != 0 || c.Type.IsBytes() && !bytes.Equal(c.BytesAt(i), nil) {
			return "null with a value"
		}
		return "null"
	case c.Type == schema.Bool:
		return strconv.FormatBool(c.Ints[i] == 1)
	case c.Type.IsBytes():
		return string(c.BytesAt(i))
	default:
		return strconv.FormatInt(c.Ints[i], 10)
	}
}
