package wire

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wide"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

func integers(rng *rand.Rand) []int64 {
	out := []int64{0, 1, -1, 255, 256, -255, -256, 257, math.MaxInt64, math.MinInt64, math.MinInt64 + 1}
	for range 300 {
		out = append(out, int64(rng.Uint64())>>rng.IntN(64))
	}
	return out
}

// TestIntegersKeepTheirOrder compares the bytes of integers with the integers.
func TestIntegersKeepTheirOrder(t *testing.T) {
	all := integers(rand.New(rand.NewPCG(1, 1)))
	slices.Sort(all)
	var before []byte
	for i, v := range all {
		enc := AppendInt(nil, v)
		r := NewReader(enc)
		if got := r.Int(); got != v || !r.Done() {
			t.Errorf("%d reads back as %d, done %t", v, got, r.Done())
		}
		if i > 0 && v > all[i-1] && bytes.Compare(before, enc) >= 0 {
			t.Errorf("%d is written as %x, not after %x of %d", v, enc, before, all[i-1])
		}
		before = enc
	}
}

// TestStringsKeepTheirOrder compares the bytes of pairs of strings with the pairs.
func TestStringsKeepTheirOrder(t *testing.T) {
	words := []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "a", "a\x00", "a\x00b", "a\x01", "aa", "b", "\xff", "\xff\x00"}
	type pair struct{ a, b string }
	var all []pair
	for _, a := range words {
		for _, b := range words {
			all = append(all, pair{a, b})
		}
	}
	tuple := Tuple{MemberOf(&schema.Field{Type: schema.String}), MemberOf(&schema.Field{Type: schema.JSON})}
	enc := func(p pair) []byte { return AppendBytes(AppendBytes(nil, []byte(p.a)), []byte(p.b)) }
	for _, p := range all {
		r := NewReader(enc(p))
		if got := r.Tuple(tuple, false); !bytes.Equal(got, enc(p)) || !r.Done() {
			t.Errorf("%q is not read as a tuple", p)
		}
		r = NewReader(enc(p))
		if a, b := string(r.Bytes(nil)), string(r.Bytes(nil)); a != p.a || b != p.b || !r.Done() {
			t.Errorf("%q reads back as %q, %q", p, a, b)
		}
		for _, q := range all {
			order := strings.Compare(p.a, q.a)
			if order == 0 {
				order = strings.Compare(p.b, q.b)
			}
			if bytes.Compare(enc(p), enc(q)) != order {
				t.Errorf("the bytes of %q and %q are not in their order", p, q)
			}
		}
	}
}

func TestWide(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 5000 {
		v := wide.Int{Hi: int64(rng.Uint64()) >> rng.IntN(64), Lo: rng.Uint64() >> rng.IntN(64)}
		enc := AppendWide([]byte("x"), v)[1:]
		r := NewReader(enc)
		if got := r.Wide(); got != v || !r.Done() || len(enc) > maxWideBytes {
			t.Fatalf("%v is written as %x and reads back as %v", v, enc, got)
		}
		for n := range enc {
			if r := NewReader(enc[:n]); r.Wide() != (wide.Int{}) || !r.Bad() {
				t.Fatalf("the prefix %x of %x was read", enc[:n], enc)
			}
		}
	}
	for _, v := range integers(rng) {
		if got, want := AppendWide(nil, wide.Of(v)), binary.AppendVarint(nil, v); !bytes.Equal(got, want) {
			t.Errorf("%d is written as %x wide and %x as a varint", v, got, want)
		}
	}
}

// TestOnlyTheShortestForm refuses every other spelling of a number.
func TestOnlyTheShortestForm(t *testing.T) {
	bad := func(name string, read func(r *Reader), inputs ...[]byte) {
		for _, in := range inputs {
			r := NewReader(in)
			if read(&r); !r.Bad() {
				t.Errorf("%s: %x was read", name, in)
			}
		}
	}
	long := func(n int, last byte) []byte { return append(bytes.Repeat([]byte{0x80}, n), last) }
	bad("uvarint", func(r *Reader) { r.Uvarint(math.MaxUint64) }, nil, []byte{0x80}, []byte{0x80, 0}, long(9, 2), long(10, 1))
	bad("uvarint above 5", func(r *Reader) { r.Uvarint(5) }, []byte{6})
	bad("wide", func(r *Reader) { r.Wide() }, nil, []byte{0x80, 0}, long(18, 4), long(19, 1), long(18, 0))
	bad("int", func(r *Reader) { r.Int() }, nil,
		[]byte{0x81}, []byte{0x81, 0}, []byte{0x82, 0, 5}, // too long
		[]byte{0x7f, 0xff}, []byte{0x7e, 0xff, 0x00}, // −0, and −255 in two bytes
		[]byte{0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1}, []byte{0x77, 1, 1, 1, 1, 1, 1, 1, 1, 1}, // nine bytes
		append([]byte{0x88, 0x80}, make([]byte, 7)...),                       // 2^63
		append([]byte{0x78, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 0xfe)) // −2^63 − 1
	bad("bytes", func(r *Reader) { r.Bytes(nil) }, nil, []byte{0}, []byte{1}, []byte{1, 'a'}, []byte{1, 0}, []byte{1, 0, 2}, []byte{1, 0, 0xff})
}

// TestTupleRefuses checks what a tuple asks beyond its members: ranges, and nulls only where they may be.
func TestTupleRefuses(t *testing.T) {
	pair := Tuple{MemberOf(&schema.Field{Type: schema.Enum, Enum: []string{"a", "b"}}), MemberOf(&schema.Field{Type: schema.String})}
	text := AppendBytes(nil, []byte("x"))
	for name, c := range map[string]struct {
		enc      []byte
		nullable bool
		ok       bool
	}{
		"both":                {append(AppendInt(nil, 1), text...), false, true},
		"index out of range":  {append(AppendInt(nil, 2), text...), true, false},
		"negative index":      {append(AppendInt(nil, -1), text...), true, false},
		"one null":            {append(AppendNull(nil), text...), true, true},
		"one null in a key":   {append(AppendNull(nil), text...), false, false},
		"nulls only":          {AppendNull(AppendNull(nil)), true, false},
		"one member too few":  {AppendInt(nil, 1), true, false},
		"a string for an int": {append(slices.Clone(text), text...), true, false},
	} {
		r := NewReader(c.enc)
		if r.Tuple(pair, c.nullable); r.Done() != c.ok {
			t.Errorf("%s: done %t, want %t", name, r.Done(), c.ok)
		}
	}
}

// TestShortTuples reads sound and damaged tuples at the end of the input, where they are read member by member, and with
// bytes behind, where short ones are read by words: both give the same, or refuse.
func TestShortTuples(t *testing.T) {
	types := []Tuple{
		{{Low: 0, High: 300}},
		{{Low: math.MinInt64, High: math.MaxInt64}},
		{{Bytes: true}},
		{{Bytes: true}, {Low: -5, High: 70_000}},
		{{Low: 0, High: 9}, {Bytes: true}, {Bytes: true}},
	}
	short, refused := 0, 0
	for seed := range uint64(100_000) {
		rng := rand.New(rand.NewPCG(seed, 11))
		tuple := types[rng.IntN(len(types))]
		var b []byte
		for _, m := range tuple {
			switch {
			case m.Bytes:
				text := make([]byte, rng.IntN(20))
				for i := range text {
					text[i] = byte(rng.IntN(1 + rng.IntN(256))) // of some many zeros
				}
				b = AppendBytes(b, text)
			default:
				b = AppendInt(b, int64(rng.Uint64()>>rng.IntN(64)))
			}
		}
		if rng.IntN(3) == 0 {
			b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
		}
		alone := NewReader(b)
		want := alone.Tuple(tuple, false)
		padded := append(slices.Clone(b), make([]byte, 2*wordLen)...)
		if rng.IntN(2) == 0 {
			padded = append(slices.Clone(b), bytes.Repeat([]byte{endBytes}, 2*wordLen)...)
		}
		behind := NewReader(padded)
		got := behind.Tuple(tuple, false)
		if alone.Bad() {
			// With more behind, what was cut off may go on: it is sound then only if it does.
			if refused++; !behind.Bad() && len(got) <= len(b) {
				t.Fatalf("seed %d: %x is refused alone and read as %x", seed, b, got)
			}
			continue
		}
		if behind.Bad() || !bytes.Equal(got, want) {
			t.Fatalf("seed %d: %x is %x alone, and %x (bad: %t) with bytes behind", seed, b, want, got, behind.Bad())
		}
		if tuple.Short(padded) == len(want) {
			short++
		}
	}
	if short < 10_000 || refused < 10_000 {
		t.Errorf("%d short ones, %d refused: the test has lost its point", short, refused)
	}
}

// TestNulls reads just as many nulls as were asked for, and leaves what is no such tuple for another reader.
func TestNulls(t *testing.T) {
	for _, c := range []struct {
		enc []byte
		n   int
		ok  bool
	}{
		{[]byte{0, 0}, 2, true},
		{[]byte{0, 0, 0x80}, 2, true},
		{[]byte{0}, 2, false},
		{[]byte{0, 0x80}, 2, false},
		{[]byte{0x80, 0}, 2, false},
	} {
		r := NewReader(c.enc)
		tuple, ok := r.Nulls(c.n)
		if ok != c.ok || r.Bad() || ok && (len(tuple) != c.n || r.Len() != len(c.enc)-c.n) || !ok && r.Len() != len(c.enc) {
			t.Errorf("%d nulls of %x: %t, %x, %d bytes left", c.n, c.enc, ok, tuple, r.Len())
		}
	}
}

// FuzzTuple wants every tuple that is read to be the one spelling of its values.
func FuzzTuple(f *testing.F) {
	f.Add(append(AppendBytes(AppendInt(nil, -70_000), []byte("a\x00b")), AppendNull(nil)...))
	tuple := Tuple{
		MemberOf(&schema.Field{Type: schema.Int64}), MemberOf(&schema.Field{Type: schema.String}), MemberOf(&schema.Field{Type: schema.Int32}),
	}
	fuzzing.Target(f, func(t *testing.T, in []byte) {
		r := NewReader(in)
		raw := r.Tuple(tuple, true)
		if r.Bad() {
			return
		}
		var again []byte
		values := NewReader(raw)
		for _, m := range tuple {
			switch {
			case values.Null():
				again = AppendNull(again)
			case m.Bytes:
				again = AppendBytes(again, values.Bytes(nil))
			default:
				again = AppendInt(again, values.Int())
			}
		}
		if !values.Done() || !bytes.Equal(again, raw) {
			t.Fatalf("%x was read, but is written as %x", raw, again)
		}
	})
}
