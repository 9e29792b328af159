package expr

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// MaxTextBytes bounds the text of one expression.
const MaxTextBytes = 8_192

// Env holds the names that expressions over one source may use, and their types. Not safe for concurrent use; the
// programs it compiles are.
type Env struct {
	vars  []variable
	index map[string]int
	cel   *cel.Env // nil until the next Compile
}

// variable is a field or a computed column; its place in Env.vars is that of its column in a batch.
type variable struct {
	name  string
	typ   schema.Type
	scale int
	enum  []string
}

// NewEnv returns the names of src's fields. The source must be valid.
func NewEnv(src *schema.Source) *Env {
	e := &Env{index: make(map[string]int, len(src.Fields))}
	for i := range src.Fields {
		f := &src.Fields[i]
		e.add(variable{name: f.Name, typ: f.Type, scale: f.Scale, enum: f.Enum})
	}
	return e
}

// Add declares a computed column. The k-th one added (from 0) is read from column len(src.Fields)+k of a batch. The name
// must not be declared yet, and the type must not be Enum.
func (e *Env) Add(name string, typ schema.Type, scale int) {
	invariant.Check(typ != schema.Enum, "computed column %q is an enum", name)
	e.add(variable{name: name, typ: typ, scale: scale})
}

// Has tells whether the name is declared.
func (e *Env) Has(name string) bool {
	_, ok := e.index[name]
	return ok
}

func (e *Env) add(v variable) {
	invariant.Check(!e.Has(v.name), "name %q is declared twice", v.name)
	e.index[v.name] = len(e.vars)
	e.vars = append(e.vars, v)
	e.cel = nil
}

// Compile checks an expression. Its errors are *Error, joined where there are several, all of class ErrExpr.
func (e *Env) Compile(text string) (*Program, error) {
	if len(text) > MaxTextBytes {
		return nil, &Error{Line: 1, Col: 1, Msg: fmt.Sprintf("%d bytes, at most %d: split it into computed columns", len(text), MaxTextBytes)}
	}
	if root := e.bareName(strings.TrimSpace(text)); root != nil {
		return newProgram(e, root), nil
	}
	env, err := e.checker()
	if err != nil {
		return nil, &Error{Line: 1, Col: 1, Msg: err.Error()}
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, fromIssues(issues)
	}
	root, err := lower(e, checked)
	if err != nil {
		return nil, err
	}
	return newProgram(e, root), nil
}

// bareName returns the node of a field if the text is just its name, so that a field whose name is no identifier to CEL
// ("in", "function") can still be counted and kept. What CEL reads as a literal stays one.
func (e *Env) bareName(text string) *node {
	at, ok := e.index[text]
	if !ok || text == "true" || text == "false" || text == "null" || text[0] >= '0' && text[0] <= '9' {
		return nil
	}
	return e.fieldNode(at)
}

// checker returns CEL's environment of the declared names. Macros are cleared: they make loops.
func (e *Env) checker() (*cel.Env, error) {
	if e.cel != nil {
		return e.cel, nil
	}
	options := []cel.EnvOption{cel.ClearMacros(), cel.HomogeneousAggregateLiterals()}
	for _, v := range e.vars {
		options = append(options, cel.Variable(v.name, celType(v.typ)))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, fmt.Errorf("declaring fields to CEL: %w", err)
	}
	e.cel = env
	return env, nil
}

func celType(t schema.Type) *cel.Type {
	switch t {
	case schema.Bool:
		return cel.NullableType(cel.BoolType)
	case schema.Enum, schema.String:
		return cel.NullableType(cel.StringType)
	case schema.JSON:
		return cel.OpaqueType("json")
	default:
		return cel.NullableType(cel.IntType)
	}
}
