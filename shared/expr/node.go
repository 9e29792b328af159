package expr

import (
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// kind is what vectors a node yields.
type kind uint8

const (
	kindTruth kind = iota + 1 // bools
	kindInt                   // ints
	kindText                  // strings
	kindJSON                  // opaque bytes
	kindNull                  // nothing but null: takes the kind of the other branch
)

// op is what a node does.
type op uint8

const (
	opField op = iota + 1
	opConst
	opNot
	opAnd
	opOr
	opEq
	opNe
	opLt
	opLe
	opGt
	opGe
	opIn
	opAdd
	opSub
	opMul
	opDiv
	opMod
	opNeg
	opPick // c ? a : b
	opSize
	opPrefix
	opSuffix
	opContains
)

// node is one operator of a checked expression, free of CEL: what the canonical text and the evaluators are made from.
type node struct {
	op   op
	kind kind
	args []*node

	field int    // opField: index of the variable
	name  string // opField
	enum  []string
	// opConst: the value of its kind; a truth is 0 or 1 in num.
	num  int64
	text string
}

func (n *node) isConst() bool { return n.op == opConst && n.kind != kindNull }

// isEnum tells whether the node is a field that a batch holds as codes.
func (n *node) isEnum() bool { return n.op == opField && n.enum != nil }

// canFail tells whether an int can overflow or be divided by zero in n.
func (n *node) canFail() bool {
	switch n.op {
	case opAdd, opSub, opMul, opDiv, opMod, opNeg:
		return true
	default:
		return slices.ContainsFunc(n.args, (*node).canFail)
	}
}

func (e *Env) fieldNode(at int) *node {
	v := &e.vars[at]
	return &node{op: opField, kind: kindOf(v.typ), field: at, name: v.name, enum: v.enum}
}

func kindOf(t schema.Type) kind {
	switch t {
	case schema.Bool:
		return kindTruth
	case schema.String, schema.Enum:
		return kindText
	case schema.JSON:
		return kindJSON
	default:
		return kindInt
	}
}

// infix are the operators written between their operands.
var infix = map[op]string{
	opAnd: " && ", opOr: " || ", opEq: " == ", opNe: " != ", opLt: " < ", opLe: " <= ", opGt: " > ", opGe: " >= ",
	opAdd: " + ", opSub: " - ", opMul: " * ", opDiv: " / ", opMod: " % ",
}

// named are the functions on strings.
var named = map[op]string{opSize: "size", opPrefix: "startsWith", opSuffix: "endsWith", opContains: "contains"}

// write appends the canonical text: one space around operators, parentheses around every operand that has
// operands, chains of && and || flat. It is ours and not CEL's unparser, since revisions of views hash it.
func (n *node) write(b *strings.Builder) {
	switch n.op {
	case opField:
		b.WriteString(n.name)
	case opConst:
		n.writeConst(b)
	case opNot:
		b.WriteByte('!')
		n.args[0].writeOperand(b)
	case opNeg:
		b.WriteByte('-')
		n.args[0].writeOperand(b)
	case opPick:
		n.args[0].writeOperand(b)
		b.WriteString(" ? ")
		n.args[1].writeOperand(b)
		b.WriteString(" : ")
		n.args[2].writeOperand(b)
	case opIn:
		n.args[0].writeOperand(b)
		b.WriteString(" in [")
		writeList(b, n.args[1:])
		b.WriteByte(']')
	case opSize, opPrefix, opSuffix, opContains:
		b.WriteString(named[n.op])
		b.WriteByte('(')
		writeList(b, n.args)
		b.WriteByte(')')
	default:
		n.writeInfix(b)
	}
}

func (n *node) writeInfix(b *strings.Builder) {
	for i, a := range n.args {
		if i > 0 {
			b.WriteString(infix[n.op])
		}
		if a.op == n.op && (n.op == opAnd || n.op == opOr) {
			a.writeInfix(b)
			continue
		}
		a.writeOperand(b)
	}
}

func (n *node) writeConst(b *strings.Builder) {
	switch n.kind {
	case kindNull:
		b.WriteString("null")
	case kindInt:
		b.WriteString(strconv.FormatInt(n.num, 10))
	case kindText:
		b.WriteString(strconv.Quote(n.text))
	default:
		b.WriteString(strconv.FormatBool(n.num != 0))
	}
}

func (n *node) writeOperand(b *strings.Builder) {
	if _, call := named[n.op]; call || len(n.args) == 0 {
		n.write(b)
		return
	}
	b.WriteByte('(')
	n.write(b)
	b.WriteByte(')')
}

func writeList(b *strings.Builder, nodes []*node) {
	for i, n := range nodes {
		if i > 0 {
			b.WriteString(", ")
		}
		n.write(b)
	}
}
