package expr

import "slices"

// givenCode is an expression that reads an enum and something else: what it is for each of the enum's codes, and last for
// null. For most codes that is a value, as in `kind == 'call' ? 8 : kind == 'end' && secs > 30 ? 1 : 0`, which is 8 for one,
// and 0 for all others but one. For these it is what is left when all that the code decides is decided: here `secs > 30 ? 1 : 0`.
type givenCode struct {
	byCode
	left   []leftOver
	out    [chunkRows]int64
	states [chunkRows]state
}

// leftOver is what is left for a code.
type leftOver struct {
	code   int64
	kernel intKernel
}

// maxLeft bounds the codes for which something is left.
const maxLeft = 2

// newGivenCode returns the kernel of a node that picks ints, nil if there is no enum by whose codes it is mostly decided.
func (e *Evaluator) newGivenCode(n *node) intKernel {
	enums := map[int]*node{}
	n.enums(enums)
	if e.plain || n.op != opPick || len(enums) != 1 {
		return nil
	}
	for _, field := range enums {
		if len(field.enum) < maxByCode {
			return e.given(n, field)
		}
	}
	return nil
}

// reads tells whether n reads a field.
func (n *node) reads(field *node) bool {
	return n.op == opField && n.field == field.field || slices.ContainsFunc(n.args, func(a *node) bool { return a.reads(field) })
}

// enums adds the enums that n reads.
func (n *node) enums(to map[int]*node) {
	if n.isEnum() {
		to[n.field] = n
	}
	for _, a := range n.args {
		a.enums(to)
	}
}

func (e *Evaluator) given(n, field *node) intKernel {
	k := &givenCode{byCode: byCode{col: field.field, plain: true}}
	known := deciding{tables: map[*node]*byCode{}}
	left := map[int]*node{}
	for code := range len(field.enum) + 1 {
		known.code = code
		m := known.decide(n)
		value, s := int64(0), present
		switch {
		case m.op != opConst:
			if m.reads(field) || len(left) == maxLeft {
				return nil
			}
			left[code] = m
		case m.kind == kindNull:
			s = null
		default:
			value = m.num
		}
		k.values, k.byCode.states = append(k.values, value), append(k.byCode.states, s)
		k.plain = k.plain && (code == len(field.enum) || s == present)
	}
	for code := range k.values {
		if m := left[code]; m != nil {
			k.left = append(k.left, leftOver{int64(code), e.buildInt(m)})
		}
	}
	return k
}

// deciding decides expressions for one code of an enum.
type deciding struct {
	code   int
	tables map[*node]*byCode // of what is a function of the enum; nil for what is none
}

// decide returns n without what the code decides. It is n itself, or shares parts with it.
func (d *deciding) decide(n *node) *node {
	if t := d.table(n); t != nil {
		if m := t.constant(n.kind, d.code); m != nil {
			return m
		}
	}
	switch n.op {
	case opAnd, opOr:
		return d.decideLogic(n)
	case opPick:
		c, a, b := d.decide(n.args[0]), d.decide(n.args[1]), d.decide(n.args[2])
		switch {
		case c.is(isTrue):
			return a
		case c.is(isFalse):
			return b
		}
		return &node{op: opPick, kind: n.kind, args: []*node{c, a, b}}
	default: // what any other operator reads of the enum is not decided, or its table says it
		return n
	}
}

// decideLogic is decide for && and ||, of which one operand may decide alone, or leave it to the other: a truth that is
// computed is never null, which they would turn into an error.
func (d *deciding) decideLogic(n *node) *node {
	decides := truthOf(n.op == opOr)
	a, b := d.decide(n.args[0]), d.decide(n.args[1])
	switch {
	case a.is(decides) || b.is(decides):
		return &node{op: opConst, kind: kindTruth, num: int64(decides)}
	case a.is(decides^isTrue) && b.computed():
		return b
	case b.is(decides^isTrue) && a.computed():
		return a
	}
	return &node{op: n.op, kind: n.kind, args: []*node{a, b}}
}

// is tells whether n is this truth.
func (n *node) is(t truth) bool { return n.op == opConst && n.kind == kindTruth && n.num == int64(t) }

// computed tells whether n is a truth that is never null.
func (n *node) computed() bool {
	return n.kind == kindTruth && n.op != opField && n.op != opConst && n.op != opPick
}

func (d *deciding) table(n *node) *byCode {
	t, ok := d.tables[n]
	if !ok {
		if n.kind == kindTruth || n.kind == kindInt {
			t = (&Evaluator{}).newByCode(n)
		}
		d.tables[n] = t
	}
	return t
}

// constant returns what is in the table for a code: nil if that is an error of an int, for which there is no literal.
func (t *byCode) constant(of kind, code int) *node {
	switch {
	case of == kindTruth:
		return &node{op: opConst, kind: kindTruth, num: int64(t.truths[code])}
	case t.states[code] == present:
		return &node{op: opConst, kind: kindInt, num: t.values[code]}
	case t.states[code] == null:
		return &node{op: opConst, kind: kindNull}
	}
	return nil
}

func (k *givenCode) ints(w rows) ints {
	codes, nulls := k.load(w, len(k.values))
	out := ints{v: k.out[:len(codes)]}
	for i, code := range codes {
		out.v[i] = k.values[code]
	}
	if !k.plain || nulls {
		out.state = k.states[:len(codes)]
		for i, code := range codes {
			out.state[i] = k.byCode.states[code]
		}
	}
	for i := range k.left {
		out = k.pick(w, &k.left[i], codes, out)
	}
	return out
}

// pick sets the rows of a code for which something is left to what that is.
func (k *givenCode) pick(w rows, l *leftOver, codes []int64, out ints) ints {
	in := l.kernel.ints(w)
	v := in.v[:len(codes)]
	for i, code := range codes {
		value := out.v[i]
		if code == l.code {
			value = v[i]
		}
		out.v[i] = value
	}
	if in.state == nil {
		return out
	}
	if out.state == nil {
		out.state = k.states[:len(codes)]
		clear(out.state)
	}
	for i, code := range codes {
		if code == l.code {
			out.state[i] = in.state[i]
		}
	}
	return out
}
