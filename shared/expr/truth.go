package expr

// state says whether a row of a vector holds a value, and if not, why.
type state uint8

// The states, ordered: where operands of an operator err, the largest state is the result's. So a row counts as failed
// if any of its errors was one, whatever else was null.
const (
	present state = iota
	null          // CEL's null: a value that equals null
	missing       // an error because an operand was null
	failed        // an error because an int overflowed or was divided by zero
)

// strict returns the state of an operator's result from its operand's: a null operand is an error.
func (s state) strict() state { return stricter[s&failed] }

var stricter = [failed + 1]state{present: present, null: missing, missing: missing, failed: failed}

// absent returns 1 for a state other than present, 0 for that: what a loop over rows computes with instead of jumping.
func (s state) absent() state { return (s | s>>1) & 1 }

// stateWord is the states of eight rows, the first in the lowest byte: they are asked at once.
type stateWord uint64

// ones is 1 in every byte.
const ones = 0x0101010101010101

// newStateWord returns the word of the first eight states. Written so, they are read as one word.
func newStateWord(s []state) stateWord {
	_ = s[7]
	return stateWord(s[0]) | stateWord(s[1])<<8 | stateWord(s[2])<<16 | stateWord(s[3])<<24 |
		stateWord(s[4])<<32 | stateWord(s[5])<<40 | stateWord(s[6])<<48 | stateWord(s[7])<<56
}

// valid returns the eight bits of a presence bitmap. The product moves bit 8i to bit 56+i, for i from 0 to 7.
func (w stateWord) valid() byte {
	there := ^(w | w>>1) & ones
	return byte(there * 0x0102040810204080 >> 56)
}

// failures is not 0 if a row has failed.
func (w stateWord) failures() uint64 { return uint64(w & (w >> 1) & ones) }

// truth is a bool with its state in one byte.
type truth uint8

const (
	isFalse truth = iota
	isTrue
	isNull
	isMissing
	isFailed
	truths // how many there are
)

func (t truth) state() state {
	if t <= isTrue {
		return present
	}
	return state(t - 1)
}

func (t truth) value() int64 {
	if t == isTrue {
		return 1
	}
	return 0
}

// without returns the truth that is no bool for the reason s, which is not present.
func without(s state) truth { return truth(s) + 1 }

func truthOf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

// truthTable is the table of an operator on two truths: row a, column b at [a<<tableShift | b].
type truthTable [truths << tableShift]truth

const tableShift = 3

// The tables. They are small enough to be compared with cel-go in full, and tests do.
var (
	andTable = newTable(func(a, b truth) truth { return absorbing(isFalse, a, b) })
	orTable  = newTable(func(a, b truth) truth { return absorbing(isTrue, a, b) })
	eqTable  = newTable(equal)
	neTable  = newTable(func(a, b truth) truth { return notTable[equal(a, b)] })
	notTable = [truths]truth{isFalse: isTrue, isTrue: isFalse, isNull: isMissing, isMissing: isMissing, isFailed: isFailed}
)

func newTable(f func(a, b truth) truth) *truthTable {
	var t truthTable
	for a := range truths {
		for b := range truths {
			t[a<<tableShift|b] = f(a, b)
		}
	}
	return &t
}

// absorbing is && and ||: the value decides, whatever the other operand is; otherwise errors spread.
func absorbing(decides, a, b truth) truth {
	switch {
	case a == decides || b == decides:
		return decides
	case a <= isTrue && b <= isTrue:
		return truthOf(decides == isFalse)
	default:
		return without(max(a.state(), b.state()).strict())
	}
}

// equal is == on bools that may be null.
func equal(a, b truth) truth {
	if worst := max(a, b); worst >= isMissing {
		return worst
	}
	return truthOf(a == b)
}

// truthConst, truthField … are the kernels that yield truths.
type truthConst struct{ out [chunkRows]truth }

func (k *truthConst) truths(w rows) []truth { return k.out[:w.n] }

type truthField struct {
	col    int
	states [chunkRows]state
	out    [chunkRows]truth
}

func (k *truthField) truths(w rows) []truth {
	c := &w.batch.Cols[k.col]
	out := k.out[:w.n]
	for i, v := range c.Ints[w.from : w.from+w.n] {
		out[i] = truth(v & 1)
	}
	for i, s := range loadStates(&k.states, c, w) {
		if s != present {
			out[i] = isNull
		}
	}
	return out
}

type not struct {
	in  truthKernel
	out [chunkRows]truth
}

func (k *not) truths(w rows) []truth {
	out := k.out[:w.n]
	for i, t := range k.in.truths(w) {
		out[i] = notTable[t]
	}
	return out
}

// logic is any operator on two truths.
type logic struct {
	table *truthTable
	a, b  truthKernel
	out   [chunkRows]truth
}

func (k *logic) truths(w rows) []truth {
	a := k.a.truths(w)
	b := k.b.truths(w)[:len(a)]
	out := k.out[:len(a)]
	for i := range a {
		out[i] = k.table[a[i]<<tableShift|b[i]]
	}
	return out
}

type pickTruths struct {
	c, a, b truthKernel
	out     [chunkRows]truth
}

func (k *pickTruths) truths(w rows) []truth {
	c, a, b := k.c.truths(w), k.a.truths(w), k.b.truths(w)
	out := k.out[:len(c)]
	for i, t := range c {
		switch t {
		case isTrue:
			out[i] = a[i]
		case isFalse:
			out[i] = b[i]
		default:
			out[i] = without(t.state().strict())
		}
	}
	return out
}
