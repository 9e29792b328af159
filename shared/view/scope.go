package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/expr"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// scope is what expressions over the rows of one source can name: its fields, and the computed columns that compile
// there. In a wide batch the fields come first, then these columns in order, then inputs that are expressions.
type scope struct {
	src     *schema.Source
	rank    int
	env     *expr.Env
	columns []scopeColumn
	terms   map[string]*term
}

// scopeColumn is one computed column of a scope.
type scopeColumn struct {
	spec *ColumnSpec
	term *term // nil for one that is only declared, after a fault
}

// term is an expression in a scope: a column of the wide batch by its index, or a program.
type term struct {
	input     operator.Input // Type, Scale and Enum
	field     int            // index of the column, -1 for a program
	program   *expr.Program  // nil for a column
	canonical string
	reads     []string // names of the fields and computed columns read
}

func newScope(src *schema.Source, rank int) *scope {
	return &scope{src: src, rank: rank, env: expr.NewEnv(src), terms: map[string]*term{}}
}

// term compiles a text once.
func (s *scope) term(text string) (*term, error) {
	if t, ok := s.terms[text]; ok {
		return t, nil
	}
	t, err := s.newTerm(text)
	if err != nil {
		return nil, err
	}
	s.terms[text] = t
	return t, nil
}

func (s *scope) newTerm(text string) (*term, error) {
	program, err := s.env.Compile(text)
	if err != nil {
		return nil, err
	}
	if i := program.Field(); i >= 0 {
		return s.columnTerm(i), nil
	}
	t := &term{field: -1, program: program, canonical: program.Canonical(), reads: program.Fields()}
	t.input.Type = program.Type()
	return t, nil
}

func (s *scope) columnTerm(i int) *term {
	t := &term{field: i}
	if i < len(s.src.Fields) {
		f := &s.src.Fields[i]
		t.input, t.canonical = operator.Input{Type: f.Type, Scale: f.Scale, Enum: f.Enum}, f.Name
	} else {
		c := s.columns[i-len(s.src.Fields)].spec
		t.input, t.canonical = operator.Input{Type: c.Type, Scale: c.Scale}, c.Name
	}
	t.reads = []string{t.canonical}
	return t
}

// addColumn compiles a computed column and makes it known to what is compiled after it.
func (s *scope) addColumn(spec *ColumnSpec) error {
	t, err := s.term(spec.Expr)
	if err != nil {
		return err
	}
	if !yields(&t.input, spec) {
		return fmt.Errorf("the expression is of type %s, the column of type %s", typeName(&t.input), typeName(&operator.Input{Type: spec.Type, Scale: spec.Scale}))
	}
	s.declare(spec)
	s.columns[len(s.columns)-1].term = t
	return nil
}

// declare makes a computed column known without a program.
func (s *scope) declare(spec *ColumnSpec) {
	s.columns = append(s.columns, scopeColumn{spec: spec})
	s.env.Add(spec.Name, spec.Type, spec.Scale)
}

// yields tells whether values of an expression are those of a column as declared. CEL has one type of integers; whose
// units they are is for the declaration to say, unless the expression is a field, which says it itself.
func yields(in *operator.Input, spec *ColumnSpec) bool {
	if in.Type == spec.Type && (in.Type != schema.Decimal || in.Scale == spec.Scale) {
		return in.Type != schema.Enum
	}
	if in.Type != schema.Int64 && in.Type != schema.Int32 {
		return false
	}
	return spec.Type == schema.Int64 || spec.Type == schema.Decimal || spec.Type == schema.Time
}

// used returns the fields and computed columns that the named ones are made of, themselves included.
func (s *scope) used(names []string) map[string]bool {
	all := map[string]bool{}
	for queue := slices.Clone(names); len(queue) > 0; {
		name := queue[0]
		queue = queue[1:]
		if all[name] {
			continue
		}
		all[name] = true
		for _, c := range s.columns {
			if c.spec.Name == name && c.term != nil {
				queue = append(queue, c.term.reads...)
			}
		}
	}
	return all
}

func typeName(in *operator.Input) string {
	switch in.Type {
	case schema.Decimal:
		return fmt.Sprintf("decimal(%d)", in.Scale)
	case schema.Enum:
		return "enum(" + strings.Join(in.Enum, ", ") + ")"
	default:
		return in.Type.String()
	}
}

// messages returns what an error of package expr says, each with its place in the text.
func messages(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, messages(e)...)
		}
		return all
	}
	return []string{err.Error()}
}
