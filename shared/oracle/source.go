package oracle

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tidemark-io/tidemark/shared/expr"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/naive"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// source evaluates the expressions of a plan for single rows of one source.
type source struct {
	plan   *view.Plan
	src    *schema.Source
	names  map[string]*named
	texts  map[string]*text
	states []stateRows // by state; zero for a state that does not read the source
	event  Event       // at hand
	events int         // how many were at hand so far
	reads  *schema.Source
	free   []naive.Datum
}

// inputsAtOnce is how many inputs of states are allocated together.
const inputsAtOnce = 256

// named is a field or a computed column. It is looked at for those events only for which an expression does.
type named struct {
	field int       // of source.reads; -1 if that lacks it
	row   *expr.Row // of a computed column
	at    int       // source.events when it was looked at last
	value any
}

type stateRows struct {
	reads  bool
	where  *text // nil = every row
	inputs []*text
}

// text is an expression of one or several states: for each event it is evaluated once.
type text struct {
	row   *expr.Row
	at    int // source.events when it was evaluated last
	value any
}

// eval returns the value of an expression for the event at hand.
func (s *source) eval(t *text) any {
	if t.at != s.events {
		t.at, t.value = s.events, t.row.Eval(s)
	}
	return t.value
}

func newSource(plan *view.Plan, rank int) (*source, error) {
	spec := plan.Spec()
	s := &source{plan: plan, src: &spec.Sources[rank], names: map[string]*named{}, texts: map[string]*text{}}
	env := expr.NewEnv(s.src)
	for i := range s.src.Fields {
		s.names[s.src.Fields[i].Name] = &named{field: i}
	}
	for _, c := range spec.Columns {
		row, err := env.CompileRow(c.Expr)
		if err != nil {
			continue // the column is for other sources; a state that reads it here fails below
		}
		env.Add(c.Name, c.Type, c.Scale)
		s.names[c.Name] = &named{row: row}
	}
	for i := range plan.States() {
		rows, err := s.newStateRows(env, &plan.States()[i])
		if err != nil {
			return nil, err
		}
		s.states = append(s.states, rows)
	}
	return s, nil
}

func (s *source) newStateRows(env *expr.Env, st *view.StatePlan) (rows stateRows, err error) {
	if st.From != "" && st.From != s.src.Name {
		return rows, nil
	}
	rows.reads = true
	if st.Where != "" {
		if rows.where, err = s.compile(env, st.Where); err != nil {
			return rows, err
		}
	}
	for _, input := range st.Inputs {
		t, err := s.compile(env, input)
		if err != nil {
			return rows, err
		}
		rows.inputs = append(rows.inputs, t)
	}
	return rows, nil
}

func (s *source) compile(env *expr.Env, of string) (*text, error) {
	if t := s.texts[of]; t != nil {
		return t, nil
	}
	row, err := env.CompileRow(of)
	if err != nil {
		return nil, fmt.Errorf("compiling %q: %w", of, err)
	}
	s.texts[of] = &text{row: row}
	return s.texts[of], nil
}

// read returns what a state reads of the event at hand; false if it does not count it.
func (s *source) read(state int) ([]naive.Datum, bool) {
	rows := &s.states[state]
	if !rows.reads {
		return nil, false
	}
	if rows.where != nil && s.eval(rows.where) != true {
		return nil, false
	}
	inputs := s.plan.States()[state].Config.Inputs
	if len(s.free) < len(rows.inputs) {
		s.free = make([]naive.Datum, max(inputsAtOnce, len(rows.inputs)))
	}
	in := s.free[:len(rows.inputs):len(rows.inputs)]
	s.free = s.free[len(in):]
	for i, t := range rows.inputs {
		in[i] = datum(&inputs[i], s.eval(t))
	}
	return in, true
}

// begin makes an event the one at hand.
func (s *source) begin(e Event) {
	s.event = e
	s.events++
	if s.reads == e.Batch.Source {
		return
	}
	s.reads = e.Batch.Source
	for _, n := range s.names {
		n.field = -1
	}
	for i := range s.reads.Fields {
		if n := s.names[s.reads.Fields[i].Name]; n != nil && n.row == nil {
			n.field = i
		}
	}
}

// Value implements expr.Values: of the event at hand.
func (s *source) Value(name string) (any, bool) {
	n := s.names[name]
	if n == nil {
		return nil, false
	}
	if n.at != s.events {
		n.at = s.events
		if n.row != nil {
			n.value = n.row.Eval(s)
		} else {
			invariant.Check(n.field >= 0, "an event of a source without the field %q", name)
			n.value = value(&s.reads.Fields[n.field], s.event, n.field)
		}
	}
	return n.value, true
}

// value returns a field of a row as expressions see it.
func value(f *schema.Field, e Event, at int) any {
	c := &e.Batch.Cols[at]
	switch {
	case !c.Present(e.Row):
		return nil
	case f.Type == schema.Bool:
		return c.Ints[e.Row] == 1
	case f.Type == schema.Enum:
		return f.Enum[c.Ints[e.Row]]
	case f.Type == schema.String:
		return string(c.BytesAt(e.Row))
	case f.Type == schema.JSON:
		return slices.Clone(c.BytesAt(e.Row))
	default:
		return c.Ints[e.Row]
	}
}

// datum returns a value as operators see it: an enum by its index, a bool as 0 or 1.
func datum(in *operator.Input, v any) naive.Datum {
	switch v := v.(type) {
	case bool:
		if v {
			return naive.Datum{Int: 1}
		}
		return naive.Datum{}
	case int64:
		return naive.Datum{Int: v}
	case string:
		if in.Type == schema.Enum {
			return naive.Datum{Int: int64(slices.Index(in.Enum, v))}
		}
		return naive.Datum{Bytes: []byte(v)}
	case []byte:
		return naive.Datum{Bytes: v}
	default:
		return naive.Datum{Null: true}
	}
}

// key returns the key of the first kind whose fields are all there; a string that is too long for keys is not.
func (s *source) key(e Event) (string, bool) {
kinds:
	for _, kind := range s.plan.Spec().Entity {
		var texts []string
		for _, name := range kind.Fields {
			at := e.Batch.Source.Index(name)
			f := &e.Batch.Source.Fields[at]
			v := value(f, e, at)
			if s, ok := v.(string); v == nil || ok && f.Type == schema.String && len(s) > view.MaxKeyValueBytes {
				continue kinds
			}
			texts = append(texts, escape(keyText(f, v)))
		}
		return kind.Kind + ":" + strings.Join(texts, ","), true
	}
	return "", false
}

// keyText writes a value as keys show it.
func keyText(f *schema.Field, v any) string {
	n, ok := v.(int64)
	if !ok || f.Type != schema.Decimal || f.Scale == 0 {
		return fmt.Sprint(v)
	}
	sign, digits := "", strconv.FormatInt(n, 10)
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	digits = strings.Repeat("0", max(0, f.Scale+1-len(digits))) + digits
	return sign + digits[:len(digits)-f.Scale] + "." + digits[len(digits)-f.Scale:]
}

// escape writes what may not stand in a key as %XX.
func escape(s string) string {
	var sb strings.Builder
	for _, c := range []byte(s) {
		if c <= 0x20 || c == '%' || c == ',' || c == 0x7f {
			fmt.Fprintf(&sb, "%%%02X", c)
		} else {
			sb.WriteByte(c)
		}
	}
	return sb.String()
}
