package operator

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// MaxInputs bounds the inputs of one state.
const MaxInputs = 64

// shape is what a kind asks of a configuration: how many inputs of each role, and whether it has a bound.
type shape struct {
	name           string
	values, keys   span
	weight, remove span
	bounded        bool          // by N
	gapped         bool          // by Gap
	edged          bool          // by Edges
	valueTypes     []schema.Type // nil = all
	valueTypesCure string
}

// span is the least and the largest number of something.
type span struct{ low, high int }

var (
	one      = span{1, 1}
	optional = span{0, MaxInputs}
	some     = span{1, MaxInputs}
)

// check tells whether cfg has the shape, and returns the tiers of its windows.
func (s *shape) check(cfg *Config) (window.Tiers, error) {
	if err := s.checkRoles(cfg.Inputs); err != nil {
		return nil, err
	}
	for i := range cfg.Inputs {
		if err := s.checkInput(&cfg.Inputs[i]); err != nil {
			return nil, err
		}
	}
	if !s.bounded && cfg.N != 0 {
		return nil, fmt.Errorf("%w: %s: n is %d, but %s keeps no bounded list: leave n out", ErrConfig, s.name, cfg.N, s.name)
	}
	if s.bounded && (cfg.N < 1 || cfg.N > MaxN) {
		return nil, fmt.Errorf("%w: %s: n is %d: say how many elements to keep, 1 to %d", ErrConfig, s.name, cfg.N, MaxN)
	}
	if !s.gapped && cfg.Gap != 0 {
		return nil, fmt.Errorf("%w: %s: gap is %s, but %s has no sessions: leave gap out", ErrConfig, s.name, window.Text(cfg.Gap), s.name)
	}
	if !s.edged && len(cfg.Edges) > 0 {
		return nil, fmt.Errorf("%w: %s: edges, but %s has no bins: leave them out", ErrConfig, s.name, s.name)
	}
	if len(cfg.Windows) == 0 {
		return nil, fmt.Errorf("%w: %s: no window: name one, or all", ErrConfig, s.name)
	}
	tiers, err := window.NewTiers(cfg.Windows)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return tiers, nil
}

func (s *shape) checkRoles(inputs []Input) error {
	ordered := slices.IsSortedFunc(inputs, func(a, b Input) int { return int(a.Role) - int(b.Role) })
	if !ordered || len(inputs) > MaxInputs {
		return fmt.Errorf("%w: %s: %d inputs: want values, keys, weight, remove in this order, at most %d", ErrConfig, s.name, len(inputs), MaxInputs)
	}
	for _, r := range []struct {
		role Role
		what string
		span span
	}{{RoleValue, "value", s.values}, {RoleKey, "key", s.keys}, {RoleWeight, "weight", s.weight}, {RoleRemove, "remove", s.remove}} {
		n := len(inputsOf(inputs, r.role))
		switch {
		case n < r.span.low:
			return fmt.Errorf("%w: %s: no %s: declare one", ErrConfig, s.name, r.what)
		case n > 0 && r.span.high == 0:
			return fmt.Errorf("%w: %s: it takes no %s: leave it out", ErrConfig, s.name, r.what)
		case n > r.span.high:
			return fmt.Errorf("%w: %s: %d times %s: it takes at most %d", ErrConfig, s.name, n, r.what, r.span.high)
		}
	}
	return nil
}

func (s *shape) checkInput(in *Input) error {
	switch in.Role {
	case RoleValue:
		if s.valueTypes != nil && !slices.Contains(s.valueTypes, in.Type) {
			return fmt.Errorf("%w: %s of %q, of type %s: %s", ErrConfig, s.name, in.Name, in.Type, s.valueTypesCure)
		}
	case RoleKey:
		// Equal JSON values have many spellings, so keys of JSON would tell equal things apart.
		if in.Type == schema.JSON {
			return fmt.Errorf("%w: %s: key %q is json: use a field of it", ErrConfig, s.name, in.Name)
		}
	case RoleWeight:
		if in.Type != schema.Int32 && in.Type != schema.Int64 {
			return fmt.Errorf("%w: %s: weight %q is a %s: want int32 or int64", ErrConfig, s.name, in.Name, in.Type)
		}
	case RoleRemove:
		if in.Type != schema.Bool {
			return fmt.Errorf("%w: %s: remove %q is a %s: want a bool, such as a comparison", ErrConfig, s.name, in.Name, in.Type)
		}
	default:
		return fmt.Errorf("%w: %s: input %q has role %d", ErrConfig, s.name, in.Name, in.Role)
	}
	if in.Type < schema.Bool || in.Type > schema.JSON || in.Scale < 0 || in.Scale > schema.MaxScale {
		return fmt.Errorf("%w: %s: input %q has type %s of scale %d", ErrConfig, s.name, in.Name, in.Type, in.Scale)
	}
	return nil
}

// inputsOf returns the inputs of one role; they stand together.
func inputsOf(inputs []Input, role Role) []Input {
	from := 0
	for from < len(inputs) && inputs[from].Role < role {
		from++
	}
	to := from
	for to < len(inputs) && inputs[to].Role == role {
		to++
	}
	return inputs[from:to]
}

// tupleOf returns the types of a tuple of inputs.
func tupleOf(inputs []Input) wire.Tuple {
	t := make(wire.Tuple, len(inputs))
	for i, in := range inputs {
		t[i] = wire.MemberOf(&schema.Field{Type: in.Type, Enum: in.Enum})
	}
	return t
}

// checkNames tells whether the members of a struct have names, each its own. more is a name that the kind adds.
func checkNames(kind string, inputs []Input, more ...string) error {
	if len(inputs)+len(more) < 2 {
		return nil
	}
	seen := slices.Clone(more)
	for _, in := range inputs {
		if in.Name == "" || slices.Contains(seen, in.Name) {
			return fmt.Errorf("%w: %s: the name %q is empty or stands twice in the result: name it otherwise", ErrConfig, kind, in.Name)
		}
		seen = append(seen, in.Name)
	}
	return nil
}

// checkQuery tells whether q asks for nothing but a window that the state was made for and one of the kind's results.
// list and decay allow a limit and a half-life.
func checkQuery(kind string, cfg *Config, q *Query, list, decay bool, results ...string) error {
	switch {
	case !slices.Contains(cfg.Windows, q.Window):
		return fmt.Errorf("%w: %s: the state is not made for a window of %s by %s", ErrConfig, kind, window.Text(q.Window.Length), window.Text(q.Window.Hop))
	case q.Limit < 0 || q.HalfLife < 0:
		return fmt.Errorf("%w: %s: limit %d, half-life %s: want none below 0", ErrConfig, kind, q.Limit, window.Text(q.HalfLife))
	case q.Result != "" && len(results) == 0:
		return fmt.Errorf("%w: %s: it has one result only: leave result %q out", ErrConfig, kind, q.Result)
	case q.Result != "" && !slices.Contains(results, q.Result):
		return fmt.Errorf("%w: %s: there is no result %q: use one of %s", ErrConfig, kind, q.Result, strings.Join(results, ", "))
	case q.Limit > 0 && !list:
		return fmt.Errorf("%w: %s: it answers no list: leave the limit out", ErrConfig, kind)
	case q.HalfLife > 0 && !decay:
		return fmt.Errorf("%w: %s: nothing decays in it: leave the half-life out", ErrConfig, kind)
	}
	return nil
}

// plainQuery is CheckQuery of the kinds that answer one value.
func plainQuery(kind string) func(Config, Query) error {
	return func(cfg Config, q Query) error { return checkQuery(kind, &cfg, &q, false, false) }
}

// present tells whether row has a value in one of the columns; of no columns it has.
func present(cols []*column.Column, row int) bool {
	for _, c := range cols {
		if c.Present(row) {
			return true
		}
	}
	return len(cols) == 0
}

// stateError returns the error for bytes that are no state.
func stateError(kind string, state []byte) error {
	return fmt.Errorf("%w: %d bytes are no state of %s", ErrState, len(state), kind)
}
