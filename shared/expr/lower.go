package expr

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// MaxNodes bounds the operators, fields and literals of one expression.
const MaxNodes = 2_000

// lowering turns a checked CEL tree into nodes, or says what the evaluator does not run.
type lowering struct {
	env    *Env
	source *ast.SourceInfo
	nodes  int
	faults []error
}

func lower(env *Env, checked *cel.Ast) (*node, error) {
	native := checked.NativeRep()
	l := lowering{env: env, source: native.SourceInfo()}
	root := l.expr(native.Expr())
	if len(l.faults) == 0 && root.kind == kindNull {
		l.fault(native.Expr(), "the expression is always null")
	}
	return root, errors.Join(l.faults...)
}

func (l *lowering) fault(at ast.Expr, format string, args ...any) *node {
	place := l.source.GetStartLocation(at.ID())
	l.faults = append(l.faults, &Error{Line: max(place.Line(), 1), Col: max(place.Column(), 0) + 1, Msg: fmt.Sprintf(format, args...)})
	return &node{op: opConst, kind: kindNull}
}

func (l *lowering) unsupported(at ast.Expr, what string) *node {
	return l.fault(at, "%s is not supported; use %s", what, Supported)
}

func (l *lowering) expr(x ast.Expr) *node {
	if l.nodes++; l.nodes == MaxNodes+1 {
		return l.fault(x, "more than %d operators, fields and literals: split it into computed columns", MaxNodes)
	}
	switch x.Kind() {
	case ast.LiteralKind:
		return l.literal(x)
	case ast.IdentKind:
		if at, ok := l.env.index[strings.TrimPrefix(x.AsIdent(), ".")]; ok {
			return l.env.fieldNode(at)
		}
		return l.unsupported(x, "the name "+x.AsIdent())
	case ast.CallKind:
		return l.call(x, x.AsCall())
	case ast.ListKind:
		return l.unsupported(x, "a list that does not stand after in")
	default:
		return l.unsupported(x, "this")
	}
}

func (l *lowering) literal(x ast.Expr) *node {
	switch v := x.AsLiteral().(type) {
	case types.Int:
		return &node{op: opConst, kind: kindInt, num: int64(v)}
	case types.String:
		return &node{op: opConst, kind: kindText, text: string(v)}
	case types.Bool:
		n := &node{op: opConst, kind: kindTruth}
		if v {
			n.num = 1
		}
		return n
	case types.Null:
		return &node{op: opConst, kind: kindNull}
	case types.Double:
		return l.fault(x, "the number %v has a point: numbers are integers, a decimal(2) of 2.50 is written 250", float64(v))
	default:
		return l.unsupported(x, "a literal of type "+x.AsLiteral().Type().TypeName())
	}
}

// signature is what a call becomes and what its operands must be; kind 0 in want means: see lowering.call.
type signature struct {
	op     op
	want   kind
	result kind
	arity  int
}

var calls = map[string]signature{
	operators.LogicalNot:    {opNot, kindTruth, kindTruth, 1},
	operators.LogicalAnd:    {opAnd, kindTruth, kindTruth, 2},
	operators.LogicalOr:     {opOr, kindTruth, kindTruth, 2},
	operators.Less:          {opLt, 0, kindTruth, 2},
	operators.LessEquals:    {opLe, 0, kindTruth, 2},
	operators.Greater:       {opGt, 0, kindTruth, 2},
	operators.GreaterEquals: {opGe, 0, kindTruth, 2},
	operators.Add:           {opAdd, kindInt, kindInt, 2},
	operators.Subtract:      {opSub, kindInt, kindInt, 2},
	operators.Multiply:      {opMul, kindInt, kindInt, 2},
	operators.Divide:        {opDiv, kindInt, kindInt, 2},
	operators.Modulo:        {opMod, kindInt, kindInt, 2},
	operators.Negate:        {opNeg, kindInt, kindInt, 1},
	"size":                  {opSize, kindText, kindInt, 1},
	"startsWith":            {opPrefix, kindText, kindTruth, 2},
	"endsWith":              {opSuffix, kindText, kindTruth, 2},
	"contains":              {opContains, kindText, kindTruth, 2},
}

func (l *lowering) call(x ast.Expr, c ast.CallExpr) *node {
	operands := c.Args()
	if c.IsMemberFunction() {
		operands = slices.Insert(slices.Clone(operands), 0, c.Target())
	}
	switch c.FunctionName() {
	case operators.Equals:
		return l.equality(x, opEq, operands)
	case operators.NotEquals:
		return l.equality(x, opNe, operands)
	case operators.Conditional:
		return l.pick(x, operands)
	case operators.In:
		return l.in(x, operands)
	}
	name := friendly("'" + c.FunctionName() + "'")
	s, ok := calls[c.FunctionName()]
	if !ok || len(operands) != s.arity {
		return l.unsupported(x, name)
	}
	n := &node{op: s.op, kind: s.result, args: l.all(operands)}
	for _, a := range n.args {
		if len(l.faults) > 0 {
			return n
		}
		ordered := s.want == 0 && (a.kind == kindInt || a.kind == kindText)
		if a.kind != s.want && !ordered {
			return l.unsupported(x, name+" on these operands")
		}
	}
	return n
}

func (l *lowering) all(xs []ast.Expr) []*node {
	out := make([]*node, len(xs))
	for i, x := range xs {
		out[i] = l.expr(x)
	}
	return out
}

func (l *lowering) equality(x ast.Expr, o op, operands []ast.Expr) *node {
	n := &node{op: o, kind: kindTruth, args: l.all(operands)}
	if len(l.faults) > 0 {
		return n
	}
	a, b := n.args[0], n.args[1]
	if a.kind == kindNull { // null stands last, so that == null has one form
		n.args[0], n.args[1] = b, a
		a, b = b, a
	}
	switch {
	case a.kind == kindNull:
		return l.fault(x, "both sides are null")
	case a.kind == kindJSON && b.kind != kindNull:
		return l.unsupported(x, "comparing json with anything but null")
	}
	l.checkEnum(x, a, b)
	l.checkEnum(x, b, a)
	return n
}

// checkEnum refuses a comparison of an enum with a text that is none of its values: it could never be true.
func (l *lowering) checkEnum(x ast.Expr, field, value *node) {
	if !field.isEnum() || !value.isConst() || slices.Contains(field.enum, value.text) {
		return
	}
	l.fault(x, "%q is no value of %s; it has %s", value.text, field.name, strings.Join(field.enum, ", "))
}

func (l *lowering) pick(x ast.Expr, operands []ast.Expr) *node {
	n := &node{op: opPick, args: l.all(operands)}
	if len(l.faults) > 0 {
		return n
	}
	n.kind = n.args[1].kind
	if n.kind == kindNull {
		n.kind = n.args[2].kind
	}
	if n.kind == kindJSON || n.kind == kindNull {
		return l.unsupported(x, "choosing between json or nulls")
	}
	return n
}

func (l *lowering) in(x ast.Expr, operands []ast.Expr) *node {
	if operands[1].Kind() != ast.ListKind {
		return l.unsupported(x, "'in' without a list of literals")
	}
	n := &node{op: opIn, kind: kindTruth, args: append(l.all(operands[:1]), l.all(operands[1].AsList().Elements())...)}
	if len(l.faults) > 0 {
		return n
	}
	subject := n.args[0]
	if subject.kind != kindInt && subject.kind != kindText {
		return l.unsupported(x, "'in' on this operand")
	}
	for _, e := range n.args[1:] {
		if !e.isConst() || e.kind != subject.kind {
			return l.unsupported(x, "'in' with a list of anything but literals")
		}
		l.checkEnum(x, subject, e)
	}
	return n
}
