package expr

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Row evaluates an expression for one row at a time with cel-go itself: slow, and independent of the columnar evaluator,
// of its nodes and of batches. It is what the oracle judges with. Not safe for concurrent use.
type Row struct {
	name    string // of the field, if the expression is just one
	program cel.Program
}

// Values has the values of one row's fields and computed columns.
type Values interface {
	// Value returns a value by name, nil for a null: bools are bool, ints of whatever meaning int64, strings and enums string,
	// json []byte. It is asked only for what an expression comes to; false says that there is no such name.
	Value(name string) (value any, ok bool)
}

// activation is values as cel-go asks for them.
type activation struct{ Values }

// ResolveName implements cel.Activation.
func (a activation) ResolveName(name string) (any, bool) { return a.Value(name) }

// Parent implements cel.Activation.
func (a activation) Parent() cel.Activation { return nil }

// CompileRow checks an expression as Compile does and returns its row evaluator.
func (e *Env) CompileRow(text string) (*Row, error) {
	p, err := e.Compile(text)
	if err != nil {
		return nil, err
	}
	if p.Field() >= 0 {
		return &Row{name: e.vars[p.Field()].name}, nil
	}
	env, err := e.checker()
	if err != nil {
		return nil, &Error{Line: 1, Col: 1, Msg: err.Error()}
	}
	checked, issues := env.Compile(strings.TrimSpace(text))
	if issues.Err() != nil {
		return nil, fromIssues(issues)
	}
	program, err := env.Program(checked)
	if err != nil {
		return nil, fmt.Errorf("preparing %q for single rows: %w", text, err)
	}
	return &Row{program: program}, nil
}

// Eval returns the expression's value, nil for a null or where it errs. Every name that it reads must be in values.
func (r *Row) Eval(values Values) any {
	if r.program == nil {
		value, _ := values.Value(r.name)
		return value
	}
	out, _, err := r.program.Eval(activation{values})
	if err != nil {
		return nil // an expression that errs is null: that is its meaning
	}
	switch v := out.(type) {
	case types.Bool:
		return bool(v)
	case types.Int:
		return int64(v)
	case types.String:
		return string(v)
	default:
		return nil
	}
}
