package expr

import (
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// Program is a checked expression. Safe for concurrent use.
type Program struct {
	root   *node
	typ    schema.Type
	scale  int
	enum   []string
	field  int
	fields []string
	text   string
}

func newProgram(e *Env, root *node) *Program {
	p := &Program{root: root, field: -1}
	switch root.kind {
	case kindTruth:
		p.typ = schema.Bool
	case kindText:
		p.typ = schema.String
	default:
		p.typ = schema.Int64
	}
	if root.op == opField {
		v := &e.vars[root.field]
		p.field, p.typ, p.scale, p.enum = root.field, v.typ, v.scale, v.enum
	}
	p.collect(root)
	slices.Sort(p.fields)
	p.fields = slices.Compact(p.fields)
	var b strings.Builder
	root.write(&b)
	p.text = b.String()
	return p
}

func (p *Program) collect(n *node) {
	if n.op == opField {
		p.fields = append(p.fields, n.name)
	}
	for _, a := range n.args {
		p.collect(a)
	}
}

// Type returns the type of the values: that of the field if the expression is just one, else Bool, Int64 or String.
func (p *Program) Type() schema.Type { return p.typ }

// Scale returns the digits after the point if the expression is just a field of type Decimal, else 0.
func (p *Program) Scale() int { return p.scale }

// Enum returns the values if the expression is just a field of type Enum, else nil. It must not be changed.
func (p *Program) Enum() []string { return p.enum }

// Canonical returns a text that is equal for expressions that differ in white space or superfluous parentheses only. It
// depends on nothing but the expression, and stays the same from version to version: revisions of views hash it.
func (p *Program) Canonical() string { return p.text }

// Fields returns the names of the fields and computed columns that the expression reads, sorted, each once.
func (p *Program) Fields() []string { return slices.Clone(p.fields) }

// CanFail tells whether a row can be counted as an error: whether there is arithmetic. What cannot fail may be evaluated for
// the rows alone that someone looks at.
func (p *Program) CanFail() bool { return p.root.canFail() }

// Field returns the index of the column in a batch if the expression is just a field or a computed column (then there is
// nothing to evaluate), else -1.
func (p *Program) Field() int { return p.field }
