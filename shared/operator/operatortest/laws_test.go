package operatortest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/operatortest"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// broken is the states of a good kind with one method spoilt.
type broken struct {
	operator.States
	fold        func(s operator.States, r *operator.Rows)
	merge       func(s operator.States, slot int32, state []byte, newest int64) error
	appendState func(s operator.States, dst []byte, slot int32, newest int64) []byte
	result      func(s operator.States, slot int32, q *operator.Query) operator.Value
	reset       func(s operator.States)
}

func (b *broken) Fold(r *operator.Rows) {
	if b.fold != nil {
		b.fold(b.States, r)
		return
	}
	b.States.Fold(r)
}

func (b *broken) Merge(slot int32, state []byte, newest int64) error {
	if b.merge != nil {
		return b.merge(b.States, slot, state, newest)
	}
	return b.States.Merge(slot, state, newest)
}

func (b *broken) AppendState(dst []byte, slot int32, newest int64) []byte {
	if b.appendState != nil {
		return b.appendState(b.States, dst, slot, newest)
	}
	return b.States.AppendState(dst, slot, newest)
}

func (b *broken) Result(slot int32, q *operator.Query) operator.Value {
	if b.result != nil {
		return b.result(b.States, slot, q)
	}
	return b.States.Result(slot, q)
}

func (b *broken) Reset() {
	if b.reset != nil {
		b.reset(b.States)
		return
	}
	b.States.Reset()
}

// brokenOperator makes them.
type brokenOperator struct {
	good  operator.Operator
	spoil broken
}

func (o *brokenOperator) NewStates() operator.States {
	b := o.spoil
	b.States = o.good.NewStates()
	return &b
}

// verdict is a test that only remembers.
type verdict struct{ said string }

func (*verdict) Helper() {}

func (v *verdict) Fatalf(format string, args ...any) {
	if v.said == "" {
		v.said = fmt.Sprintf(format, args...)
	}
}

// TestLawsConvict spoils a good kind in ways that real ones go wrong, and wants the law that it breaks to be named. The
// kind has a name of its own, so that no naive twin helps.
func TestLawsConvict(t *testing.T) {
	sum, _ := operator.Lookup("sum")
	cfg := operator.Config{
		Inputs:  []operator.Input{{Role: operator.RoleValue, Name: "v", Type: schema.Int32}},
		Windows: []window.Window{{Length: window.Day, Hop: window.Hour}, {Length: 20 * window.Day, Hop: window.Day}},
	}
	for name, c := range map[string]struct {
		spoil broken
		law   string
	}{
		"nothing": {broken{}, ""},
		"it folds the first row of a call only": {broken{fold: func(s operator.States, r *operator.Rows) {
			short := *r
			short.Row, short.Slot = r.Row[:min(1, len(r.Row))], r.Slot[:min(1, len(r.Slot))]
			s.Fold(&short)
		}}, "splits"},
		"it loses the end of a long run of one slot": {broken{fold: func(s operator.States, r *operator.Rows) {
			const long = 8
			short := *r
			short.Row, short.Slot = nil, nil
			for i, slot := range r.Slot {
				if i < long || slices.ContainsFunc(r.Slot[i-long:i], func(before int32) bool { return before != slot }) {
					short.Row, short.Slot = append(short.Row, r.Row[i]), append(short.Slot, slot)
				}
			}
			s.Fold(&short)
		}}, "arranged rows"},
		"it loses what is merged into a full slot": {broken{merge: func(s operator.States, slot int32, state []byte, newest int64) error {
			if len(s.AppendState(nil, slot, newest)) > 0 {
				return nil
			}
			return s.Merge(slot, state, newest)
		}}, "splits"},
		"it keeps the place that a bucket had once": {broken{appendState: func(s operator.States, dst []byte, slot int32, newest int64) []byte {
			return s.AppendState(dst, slot, newest/window.Day*window.Day)
		}}, "splits"},
		"it remembers across Reset": {broken{reset: func(operator.States) {}}, "splits"},
		"it takes any bytes": {broken{merge: func(s operator.States, slot int32, state []byte, newest int64) error {
			if s.Merge(slot, state, newest) != nil {
				s.Reset()
				s.Grow(int(slot) + 1)
			}
			return nil
		}}, "damage"},
		"its errors have no class": {broken{merge: func(s operator.States, slot int32, state []byte, newest int64) error {
			if err := s.Merge(slot, state, newest); err != nil {
				return fmt.Errorf("bad state: %s", err.Error())
			}
			return nil
		}}, "damage"},
		"its results change the state": {broken{result: func(s operator.States, slot int32, q *operator.Query) operator.Value {
			v := s.Result(slot, q)
			s.Reset()
			s.Grow(8)
			return v
		}}, "results"},
		"it panics": {broken{result: func(operator.States, int32, *operator.Query) operator.Value {
			invariant.Fail("a bug")
			return operator.Value{}
		}}, "panic"},
	} {
		kind := *sum
		kind.Name = "spoilt_sum"
		kind.New = func(cfg operator.Config) (operator.Operator, error) {
			good, err := sum.New(cfg)
			return &brokenOperator{good, c.spoil}, err
		}
		var v verdict
		operatortest.Laws(&v, &kind, cfg, nil)
		switch {
		case c.law == "" && v.said != "":
			t.Errorf("a good kind is convicted: %s", v.said)
		case c.law != "" && !strings.Contains(v.said, c.law):
			t.Errorf("%s: the verdict is %q, want one about %q", name, v.said, c.law)
		}
	}
}
