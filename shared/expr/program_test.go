package expr_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/expr"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// clicks is a source with a field of every type, among them names that CEL has words of its own for.
func clicks() *schema.Source {
	return &schema.Source{
		Name: "clicks", Topic: "clicks", EventTime: "at", Block: 1024,
		Fields: []schema.Field{
			{Name: "at", Type: schema.Time},
			{Name: "a", Type: schema.Int64},
			{Name: "b", Type: schema.Int32},
			{Name: "price", Type: schema.Decimal, Scale: 2},
			{Name: "paid", Type: schema.Bool},
			{Name: "new", Type: schema.Bool},
			{Name: "kind", Type: schema.Enum, Enum: []string{"view", "call", "", "zoom"}},
			{Name: "s", Type: schema.String},
			{Name: "link.to_id", Type: schema.String},
			{Name: "more", Type: schema.JSON},
			{Name: "type", Type: schema.Int64},
			{Name: "function", Type: schema.Int64},
		},
	}
}

func compile(t testing.TB, text string) *expr.Program {
	t.Helper()
	p, err := expr.NewEnv(clicks()).Compile(text)
	if err != nil {
		t.Fatalf("compiling %q: %v", text, err)
	}
	return p
}

func TestTypesAndFields(t *testing.T) {
	for _, c := range []struct {
		text   string
		typ    schema.Type
		field  int
		fields []string
	}{
		{"a", schema.Int64, 1, []string{"a"}},
		{" at ", schema.Time, 0, []string{"at"}},
		{"price", schema.Decimal, 3, []string{"price"}},
		{"kind", schema.Enum, 6, []string{"kind"}},
		{"link.to_id", schema.String, 8, []string{"link.to_id"}},
		{"link . to_id", schema.String, 8, []string{"link.to_id"}},
		{"more", schema.JSON, 9, []string{"more"}},
		{"type", schema.Int64, 10, []string{"type"}},
		{"function", schema.Int64, 11, []string{"function"}},
		{"type + a", schema.Int64, -1, []string{"a", "type"}},
		{"a * b + a", schema.Int64, -1, []string{"a", "b"}},
		{"at > 5", schema.Bool, -1, []string{"at"}},
		{"paid ? s : kind", schema.String, -1, []string{"kind", "paid", "s"}},
		{"1", schema.Int64, -1, nil},
	} {
		p := compile(t, c.text)
		if p.Type() != c.typ || p.Field() != c.field || !slices.Equal(p.Fields(), c.fields) {
			t.Errorf("%q: type %s, field %d, fields %q", c.text, p.Type(), p.Field(), p.Fields())
		}
	}
	if p := compile(t, "price"); p.Scale() != 2 || p.Enum() != nil {
		t.Errorf("price has scale %d, enum %q", p.Scale(), p.Enum())
	}
	if p := compile(t, "kind"); !slices.Equal(p.Enum(), []string{"view", "call", "", "zoom"}) {
		t.Errorf("kind has enum %q", p.Enum())
	}
}

func TestCanonicalIsFrozen(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a", "a"},
		{"a+1", "a + 1"},
		{"a\n\t+  (1)", "a + 1"},
		{"(a + 1) * b", "(a + 1) * b"},
		{"a + 1 * b", "a + (1 * b)"},
		{"a == 0x10", "a == 16"},
		{"null != s", "s != null"},
		{"a==1&&b==2&&paid&&new", "(a == 1) && (b == 2) && paid && new"},
		{"a==1&&(b==2||paid)", "(a == 1) && ((b == 2) || paid)"},
		{"!(paid)", "!paid"},
		{"!(paid && new)", "!(paid && new)"},
		{"-(a)", "-a"},
		{"-(5)", "-5"},
		{"kind in ['view' , \"call\"]", `kind in ["view", "call"]`},
		{"paid?1:new?2:3", "paid ? 1 : (new ? 2 : 3)"},
		{"s.startsWith('x\\n')", `startsWith(s, "x\n")`},
		{"size( link . to_id )>3", "size(link.to_id) > 3"},
		{"s.size()", "size(s)"},
		{"paid == true", "paid == true"},
	} {
		if got := compile(t, c.text).Canonical(); got != c.want {
			t.Errorf("%q: canonical %q, want %q", c.text, got, c.want)
		}
	}
}

// TestCanonicalCompilesToItself holds for all but the functions, which are written as calls.
func TestCanonicalCompilesToItself(t *testing.T) {
	for _, text := range []string{"a + 1 * b - -a % 3", "paid || new && a in [1, -2] || s < kind", "(paid ? a : null) == null"} {
		once := compile(t, text).Canonical()
		if again := compile(t, once).Canonical(); again != once {
			t.Errorf("%q: %q, then %q", text, once, again)
		}
	}
}

func TestFaultsNameTheirPlace(t *testing.T) {
	wide := "a in [" + strings.Repeat("7, ", expr.MaxNodes) + "7]"
	for _, c := range []struct{ text, want string }{
		{"", "1:1: Syntax error"},
		{"a +", "1:4: Syntax error"},
		{"a\n+ x", "2:3: undeclared reference to 'x'"},
		{"a == 1.5", "(numbers are integers: a decimal(2) of 2.50 is written 250)"},
		{"1.5", "a decimal(2) of 2.50 is written 250"},
		{"a == 'x'", "1:3: no such operator: '==' on '(int, string)'"},
		{"a + 1 == null", "only a field can be compared with null"},
		{"kind == 'vie'", `"vie" is no value of kind; it has view, call, , zoom`},
		{"kind in ['view', 'x']", `"x" is no value of kind`},
		{"'x' != kind", `"x" is no value of kind`},
		{"s + 'x'", "'+' on these operands is not supported; use fields and computed columns"},
		{"paid < new", "'<' on these operands is not supported"},
		{"more == more", "comparing json with anything but null is not supported"},
		{"paid ? more : more", "choosing between json or nulls is not supported"},
		{"a in [1, b]", "'in' with a list of anything but literals is not supported"},
		{"[1] == [1]", "a list that does not stand after in"},
		{"int(s)", "'int' is not supported"},
		{"s.matches('x')", "'matches' is not supported"},
		{"null", "the expression is always null"},
		{"null == null", "both sides are null"},
		{"has(a.b)", "write x != null"},
		{"{'a': 1}", "1:1: this is not supported"},
		{"1u == 1u", "a literal of type uint is not supported"},
		{strings.Repeat("(", 300) + "a", "recursion"},
		{wide, "more than 2000 operators, fields and literals"},
		{"a" + strings.Repeat(" ", expr.MaxTextBytes), "8193 bytes, at most 8192"},
	} {
		_, err := expr.NewEnv(clicks()).Compile(c.text)
		if !errors.Is(err, expr.ErrExpr) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.40q: got %v, want an ErrExpr with %q", c.text, err, c.want)
		}
	}
}

func TestBoundsAtTheLimit(t *testing.T) {
	compile(t, strings.Repeat(" ", expr.MaxTextBytes-5)+"a + 1")
	compile(t, "a in ["+strings.Repeat("7, ", expr.MaxNodes-3)+"7]")
	if _, err := expr.NewEnv(clicks()).Compile("a in [" + strings.Repeat("7, ", expr.MaxNodes-2) + "7]"); err == nil {
		t.Error("one node past the limit compiles")
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, err := expr.NewEnv(clicks()).Compile("x + y > 1 && z")
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 3 {
		t.Fatalf("want three faults, got %v", err)
	}
}

func TestComputedColumnsAreRead(t *testing.T) {
	src := clicks()
	env := expr.NewEnv(src)
	env.Add("double_a", schema.Int64, 0)
	env.Add("tag", schema.String, 0)
	p, err := env.Compile(`tag == "x" && double_a > 5`)
	if err != nil {
		t.Fatal(err)
	}
	if tag, err := env.Compile("tag"); err != nil || tag.Field() != len(src.Fields)+1 {
		t.Fatalf("tag is field %d, %v", tag.Field(), err)
	}
	b := column.NewBatch(src, 0, false)
	b.N, b.Reject = 2, make([]uint8, 2)
	b.Cols = append(b.Cols, column.NewColumn(schema.Int64, 0), column.NewColumn(schema.String, 0))
	for i := range 2 {
		b.Cols[len(src.Fields)].AppendInt(int64(5 + i))
		b.Cols[len(src.Fields)+1].AppendBytes([]byte("x"))
	}
	out := column.NewColumn(schema.Bool, 0)
	p.NewEvaluator().Eval(b, &out)
	if !slices.Equal(out.Ints, []int64{0, 1}) {
		t.Fatalf("got %v", out.Ints)
	}
}

func TestRowEvaluatesOneRow(t *testing.T) {
	values := values{"a": int64(6), "b": nil, "s": "x", "link.to_id": "y", "kind": "view", "paid": true, "more": []byte("{}")}
	for _, c := range []struct {
		text string
		want any
	}{
		{"a", int64(6)},
		{" b ", nil},
		{"a * 7", int64(42)},
		{"a + b", nil},
		{"a / 0", nil},
		{"b == null", true},
		{`paid ? link.to_id : s`, "y"},
		{`kind in ["view"]`, true},
		{"more == null", false},
	} {
		r, err := expr.NewEnv(clicks()).CompileRow(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Eval(values); got != c.want {
			t.Errorf("%s: got %v, want %v", c.text, got, c.want)
		}
	}
	if _, err := expr.NewEnv(clicks()).CompileRow("nobody"); !errors.Is(err, expr.ErrExpr) {
		t.Errorf("got %v", err)
	}
}
