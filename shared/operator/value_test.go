package operator_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
)

func TestAppendJSON(t *testing.T) {
	wide := operator.Value{Kind: operator.Int, Hi: math.MinInt64}
	for _, c := range []struct {
		value operator.Value
		want  string
	}{
		{operator.Value{}, `null`},
		{operator.OfInt(-5), `-5`},
		{operator.OfInt(math.MinInt64), `-9223372036854775808`},
		{operator.Value{Kind: operator.Int, Hi: 1}, `18446744073709551616`},
		{wide, `-170141183460469231731687303715884105728`},
		{operator.OfMillis(1_700_000_000_000), `1700000000000`},
		{operator.OfDec(0, 2), `"0.00"`},
		{operator.OfDec(-5, 2), `"-0.05"`},
		{operator.OfDec(12345, 2), `"123.45"`},
		{operator.OfDec(-12345, 0), `"-12345"`},
		{operator.OfDec(1, 12), `"0.000000000001"`},
		{operator.Value{Kind: operator.Dec, Scale: 3, Hi: math.MinInt64}, `"-170141183460469231731687303715884105.728"`},
		{operator.Value{Kind: operator.Dec, Scale: 1, Hi: math.MaxInt64, Lo: math.MaxUint64}, `"17014118346046923173168730371588410572.7"`},
		{operator.OfFloat(math.Copysign(0, -1)), `0`},
		{operator.OfFloat(0.1), `0.1`},
		{operator.OfFloat(-2.5), `-2.5`},
		{operator.OfFloat(100), `100`},
		{operator.OfFloat(1e21), `1e+21`},
		{operator.OfFloat(999999999999999900000), `999999999999999900000`},
		{operator.OfFloat(1e-6), `0.000001`},
		{operator.OfFloat(1.5e-7), `1.5e-7`},
		{operator.OfFloat(-1e-100), `-1e-100`},
		{operator.OfBool(true), `true`},
		{operator.OfBool(false), `false`},
		{operator.OfStr("a\"b\\c\n\r\t\x01\x7f<ä>\xff\u2028"), `"a\"b\\c\n\r\t\u0001` + "\x7f<ä>\uFFFD\u2028\""},
		{operator.OfRaw(`{"a":[1,2.50]}`), `{"a":[1,2.50]}`},
		{operator.OfList(nil), `[]`},
		{operator.OfList([]operator.Value{operator.OfInt(1), {}}), `[1,null]`},
		{operator.OfStruct([]string{"b", "a\n"}, []operator.Value{operator.OfInt(1), operator.OfStr("")}), `{"b":1,"a\n":""}`},
	} {
		got := string(c.value.AppendJSON([]byte(" ")))
		if got != " "+c.want {
			t.Errorf("JSON of %#v is %s, want %s", c.value, got, c.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("%s is no JSON", got)
		}
	}
}

// TestFloatsAsInEncodingJSON compares random floats with the standard library, whose form is ours but for −0.
func TestFloatsAsInEncodingJSON(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	for range 20_000 {
		f := math.Float64frombits(rng.Uint64())
		if rng.IntN(2) == 0 {
			f = math.Ldexp(rng.Float64(), rng.IntN(100)-50)
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		want, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if got := operator.OfFloat(f).String(); got != string(want) {
			t.Fatalf("%x is written %s, want %s", math.Float64bits(f), got, want)
		}
	}
}

func TestEqual(t *testing.T) {
	list := func(vs ...operator.Value) operator.Value { return operator.OfList(vs) }
	different := []operator.Value{
		{},
		operator.OfInt(0), operator.OfInt(1),
		{Kind: operator.Int, Hi: 1, Lo: 1},
		operator.OfDec(1, 0), operator.OfDec(1, 1),
		operator.OfFloat(1), operator.OfFloat(2), operator.OfBool(true), operator.OfMillis(1), operator.OfStr("1"), operator.OfStr(""),
		operator.OfRaw("1"), list(), list(operator.OfInt(1)), list(operator.OfInt(2)), list(operator.OfInt(1), operator.Value{}),
		operator.OfStruct([]string{"a"}, []operator.Value{operator.OfInt(1)}), operator.OfStruct([]string{"b"}, []operator.Value{operator.OfInt(1)}),
	}
	for i, a := range different {
		for j, b := range different {
			if a.Equal(b) != (i == j) {
				t.Errorf("%s equals %s: %t", a, b, a.Equal(b))
			}
		}
	}
	if !operator.OfFloat(math.Copysign(0, -1)).Equal(operator.OfFloat(0)) {
		t.Error("-0 is not 0")
	}
}

func TestRat(t *testing.T) {
	for _, c := range []struct {
		value operator.Value
		want  string
	}{
		{operator.OfInt(-3), "-3"},
		{operator.OfDec(150, 2), "1.5"},
		{operator.Value{Kind: operator.Int, Hi: 1}, "18446744073709551616"},
		{operator.OfFloat(0.25), "0.25"},
		{operator.OfMillis(7), "7"},
	} {
		r, ok := c.value.Rat()
		if !ok || r.RatString() != mustRat(t, c.want) {
			t.Errorf("%s is %v, want %s", c.value, r, c.want)
		}
	}
	for _, v := range []operator.Value{{}, operator.OfStr("1"), operator.OfBool(true), operator.OfList(nil)} {
		if _, ok := v.Rat(); ok {
			t.Errorf("%s is a number", v)
		}
	}
}
