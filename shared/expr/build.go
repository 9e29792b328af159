package expr

import (
	"bytes"
	"slices"

	"github.com/tidemark-io/tidemark/shared/invariant"
)

// buildTruth makes the kernels of a node that yields truths.
func (e *Evaluator) buildTruth(n *node) truthKernel {
	if t := e.newByCode(n); t != nil {
		return &truthByCode{byCode: *t}
	}
	switch n.op {
	case opConst:
		return newTruthConst(n)
	case opField:
		return &truthField{col: n.field}
	case opNot:
		return &not{in: e.buildTruth(n.args[0])}
	case opAnd:
		return &logic{table: andTable, a: e.buildTruth(n.args[0]), b: e.buildTruth(n.args[1])}
	case opOr:
		return &logic{table: orTable, a: e.buildTruth(n.args[0]), b: e.buildTruth(n.args[1])}
	case opPick:
		return &pickTruths{c: e.buildTruth(n.args[0]), a: e.buildTruth(n.args[1]), b: e.buildTruth(n.args[2])}
	case opIn:
		return e.buildIn(n)
	case opPrefix, opSuffix, opContains:
		return e.buildAffix(n)
	default:
		return e.buildCompare(n)
	}
}

func newTruthConst(n *node) truthKernel {
	k := &truthConst{}
	value := truth(n.num)
	if n.kind == kindNull {
		value = isNull
	}
	for i := range k.out {
		k.out[i] = value
	}
	return k
}

func (e *Evaluator) buildCompare(n *node) truthKernel {
	o, ok := orders[n.op]
	invariant.Check(ok, "expression operator %d yields no bool", n.op)
	a, b := n.args[0], n.args[1]
	switch {
	case b.kind == kindNull:
		return &nullTest{of: e.buildStates(a), negate: o.negate}
	case a.kind == kindTruth && o.negate:
		return &logic{table: neTable, a: e.buildTruth(a), b: e.buildTruth(b)}
	case a.kind == kindTruth:
		return &logic{table: eqTable, a: e.buildTruth(a), b: e.buildTruth(b)}
	case a.kind == kindInt:
		return &compareInts{order: o, a: e.buildInt(a), b: e.buildInt(b)}
	case b.isConst():
		return e.buildMatch(a, o.predicate([]byte(b.text)))
	case a.isConst():
		return e.buildMatch(b, o.mirrored().predicate([]byte(a.text)))
	default:
		return &compareTexts{order: o, a: e.buildText(a), b: e.buildText(b)}
	}
}

// mirrored is the comparison with its operands exchanged.
func (o order) mirrored() order {
	if !o.equality {
		o.swap = !o.swap
	}
	return o
}

// predicate is the comparison with a literal on its right.
func (o order) predicate(literal []byte) predicate {
	p := predicate{null: isMissing}
	switch {
	case o.equality:
		p.holds = func(v []byte) bool { return bytes.Equal(v, literal) != o.negate }
		p.null = truthOf(o.negate)
	case o.swap:
		p.holds = func(v []byte) bool { return bytes.Compare(literal, v) < 0 != o.negate }
	default:
		p.holds = func(v []byte) bool { return bytes.Compare(v, literal) < 0 != o.negate }
	}
	return p
}

func (e *Evaluator) buildIn(n *node) truthKernel {
	literals := n.args[1:]
	if n.args[0].kind == kindInt {
		k := &inInts{in: e.buildInt(n.args[0])}
		for _, l := range literals {
			k.set = append(k.set, l.num)
		}
		slices.Sort(k.set)
		return k
	}
	set := make(map[string]bool, len(literals))
	for _, l := range literals {
		set[l.text] = true
	}
	return e.buildMatch(n.args[0], predicate{holds: func(v []byte) bool { return set[string(v)] }, null: isFalse})
}

var affixes = map[op]func(s, part []byte) bool{opPrefix: bytes.HasPrefix, opSuffix: bytes.HasSuffix, opContains: bytes.Contains}

func (e *Evaluator) buildAffix(n *node) truthKernel {
	test := affixes[n.op]
	if part := n.args[1]; part.isConst() {
		literal := []byte(part.text)
		return e.buildMatch(n.args[0], predicate{holds: func(v []byte) bool { return test(v, literal) }, null: isMissing})
	}
	return &affix{test: test, a: e.buildText(n.args[0]), b: e.buildText(n.args[1])}
}

func (e *Evaluator) buildMatch(subject *node, p predicate) truthKernel {
	switch {
	case subject.isEnum():
		k := &matchEnum{predicate: p, col: subject.field}
		for _, v := range subject.enum {
			k.table = append(k.table, truthOf(p.holds([]byte(v))))
		}
		return k
	case subject.op == opField:
		k := &matchField{predicate: p, col: subject.field}
		e.begin = append(e.begin, k.begin)
		return k
	default:
		return &matchTexts{predicate: p, in: e.buildText(subject)}
	}
}

// buildStates returns what tells the states of any node. For a field it does not touch the values.
func (e *Evaluator) buildStates(n *node) func(w rows) []state {
	if n.op == opField {
		buf := new([chunkRows]state)
		return func(w rows) []state { return loadStates(buf, &w.batch.Cols[n.field], w) }
	}
	switch n.kind {
	case kindInt:
		k := e.buildInt(n)
		return func(w rows) []state { return k.ints(w).state }
	case kindText:
		k := e.buildText(n)
		return func(w rows) []state { return k.texts(w).state }
	default:
		k, buf := e.buildTruth(n), new([chunkRows]state)
		return func(w rows) []state {
			for i, t := range k.truths(w) {
				buf[i] = t.state()
			}
			return buf[:w.n]
		}
	}
}

func (e *Evaluator) buildInt(n *node) intKernel {
	if t := e.newByCode(n); t != nil {
		return &intByCode{byCode: *t}
	}
	if k := e.newSteps(n); k != nil {
		return k
	}
	if k := e.newGivenCode(n); k != nil {
		return k
	}
	switch n.op {
	case opConst:
		return newIntConst(n)
	case opField:
		return &intField{col: n.field}
	case opPick:
		return &pickInts{c: e.buildTruth(n.args[0]), a: e.buildInt(n.args[1]), b: e.buildInt(n.args[2])}
	case opSize:
		return &size{in: e.buildText(n.args[0])}
	case opAdd:
		return &arith{fast: addFast, checked: addChecked, a: e.buildInt(n.args[0]), b: e.buildInt(n.args[1])}
	case opSub:
		return &arith{fast: subFast, checked: subChecked, a: e.buildInt(n.args[0]), b: e.buildInt(n.args[1])}
	case opMul:
		return &arith{fast: mulFast, checked: mulChecked, a: e.buildInt(n.args[0]), b: e.buildInt(n.args[1])}
	case opDiv:
		return &arith{fast: neverFast, checked: divChecked, a: e.buildInt(n.args[0]), b: e.buildInt(n.args[1])}
	case opMod:
		return &arith{fast: neverFast, checked: modChecked, a: e.buildInt(n.args[0]), b: e.buildInt(n.args[1])}
	default:
		invariant.Check(n.op == opNeg, "expression operator %d yields no int", n.op)
		return &arith{fast: subFast, checked: subChecked, a: &intConst{}, b: e.buildInt(n.args[0])}
	}
}

func newIntConst(n *node) intKernel {
	if n.kind == kindNull {
		k := &nullInts{}
		for i := range k.states {
			k.states[i] = null
		}
		return k
	}
	k := &intConst{}
	for i := range k.out {
		k.out[i] = n.num
	}
	return k
}

func (e *Evaluator) buildText(n *node) textKernel {
	switch {
	case n.op == opConst:
		return newTextConst(n)
	case n.isEnum():
		k := &enumField{col: n.field}
		for _, v := range n.enum {
			k.values = append(k.values, []byte(v))
		}
		return k
	case n.op == opField:
		return &textField{col: n.field}
	default:
		invariant.Check(n.op == opPick, "expression operator %d yields no string", n.op)
		return &pickTexts{c: e.buildTruth(n.args[0]), a: e.buildText(n.args[1]), b: e.buildText(n.args[2])}
	}
}

func newTextConst(n *node) textKernel {
	if n.kind == kindNull {
		k := &nullTexts{}
		for i := range k.states {
			k.states[i] = null
		}
		return k
	}
	k := &textConst{}
	value := []byte(n.text)
	for i := range k.out {
		k.out[i] = value
	}
	return k
}
