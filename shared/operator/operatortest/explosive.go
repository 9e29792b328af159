package operatortest

import "github.com/tidemark-io/tidemark/shared/operator"

// Boom is what explosive operators panic with.
const Boom = "boom"

// Explosive returns a kind of operator, "explosive", that keeps nothing, answers 0 and panics: while it folds rows of which atOnce
// says so, and whenever it writes a state after it has folded rows of which later says so. Nil says so of none. A program
// registers one of them, before it reads a job that has it.
func Explosive(atOnce, later func(*operator.Rows) bool) *operator.Kind {
	never := func(*operator.Rows) bool { return false }
	if atOnce == nil {
		atOnce = never
	}
	if later == nil {
		later = never
	}
	return &operator.Kind{
		Name: "explosive", Version: 1,
		New:        func(operator.Config) (operator.Operator, error) { return explosive{atOnce, later}, nil },
		CheckQuery: func(operator.Config, operator.Query) error { return nil },
	}
}

// SeveralRows lets a view with the operator be compiled, for which one row is folded, and panics soon when it is fed.
func SeveralRows(r *operator.Rows) bool { return len(r.Row) > 1 }

// explosive is an operator; its fields are not nil.
type explosive struct{ atOnce, later func(*operator.Rows) bool }

func (o explosive) NewStates() operator.States { return &explosiveStates{explosive: o} }

type explosiveStates struct {
	explosive

	armed bool // the next state that is written panics
}

func (s *explosiveStates) Grow(int) {}
func (s *explosiveStates) Reset()   { s.armed = false }

func (s *explosiveStates) Fold(r *operator.Rows) {
	if s.atOnce(r) {
		panic(Boom) //nolint:forbidigo // what it is for
	}
	s.armed = s.armed || s.later(r)
}

func (s *explosiveStates) AppendState(dst []byte, _ int32, _ int64) []byte {
	if s.armed {
		panic(Boom) //nolint:forbidigo // what it is for
	}
	return dst
}

func (s *explosiveStates) Merge(int32, []byte, int64) error             { return nil }
func (s *explosiveStates) Result(int32, *operator.Query) operator.Value { return operator.OfInt(0) }
