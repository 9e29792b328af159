package view_test

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// keyed returns the plan of a view with one kind of key over fields of every type that a key may have.
func keyed(t testing.TB) *view.Plan {
	t.Helper()
	fields := []schema.Field{
		{Name: "s", Type: schema.String},
		{Name: "i", Type: schema.Int64},
		{Name: "d", Type: schema.Decimal, Scale: 2},
		{Name: "e", Type: schema.Enum, Enum: []string{"a b", "c"}},
		{Name: "b", Type: schema.Bool},
		{Name: "t", Type: schema.Time},
		{Name: "n", Type: schema.Int32},
		{Name: "at", Type: schema.Time},
	}
	return compile(t, view.Spec{
		Name: "v", Sources: []schema.Source{{Name: "x", Fields: fields, EventTime: "at", Block: 8}},
		Entity: []view.KeySpec{
			{Kind: "s", Fields: []string{"s"}}, {Kind: "many", Fields: []string{"i", "d", "e", "b", "t", "n"}},
		},
		Features: []view.FeatureSpec{{Name: "n", Op: "count"}},
	})
}

func compile(t testing.TB, spec view.Spec) *view.Plan {
	t.Helper()
	p, err := view.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestParseKey(t *testing.T) {
	p := keyed(t)
	for text, want := range map[string]string{
		"s:":                                  "s:",
		"s:u1":                                "s:u1",
		"s:a:b":                               "s:a:b",
		"s:a b\t%2c%25é\x7f":                  "s:a%20b%09%2C%25é%7F",
		"s:%75":                               "s:u",
		"many:-07,1.5,a b,true,0,5":           "many:-7,1.50,a%20b,true,0,5",
		"many:7,-0.05,c,false,1,-5":           "many:7,-0.05,c,false,1,-5",
		"many:7,3,c,false,1,-2147483648":      "many:7,3.00,c,false,1,-2147483648",
		"many:7,-.05,c,false,1,5":             "",
		"many:7,1.,c,false,1,5":               "",
		"many:7,1.234,c,false,1,5":            "",
		"many:7,1.2,d,false,1,5":              "",
		"many:7,1.2,c,1,1,5":                  "",
		"many:7,1.2,c,true,-1,5":              "",
		"many:7,1.2,c,true,253402300800000,5": "",
		"many:7,1.2,c,true,1,2147483648":      "",
		"many:7,1.2,c,true,1":                 "",
		"s:a,b":                               "",
		"s:%":                                 "",
		"s:%2":                                "",
		"s:%zz":                               "",
		"s:\xff":                              "",
		"s:%ff":                               "",
		"u1":                                  "",
		"t:u1":                                "",
		"":                                    "",
	} {
		got, err := p.ParseKey(text)
		if string(got) != want || (err != nil) != (want == "") || (err != nil && !errors.Is(err, view.ErrKey)) {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
	_, err := p.ParseKey("u1")
	if err == nil || !strings.Contains(err.Error(), "s:<s> or many:<i>,<d>,<e>,<b>,<t>,<n>") {
		t.Errorf("the message does not say what keys look like: %v", err)
	}
}

// TestParseKeyOfOneKind shows that the kind may be left out where there is but one, unless a colon makes it doubtful.
func TestParseKeyOfOneKind(t *testing.T) {
	p := compile(t, edit(func(s *view.Spec) { s.Entity = s.Entity[:1] }))
	for text, want := range map[string]string{"u1": "user:u1", "user:u1": "user:u1", "user": "user:user", "user:": "user:", "u:1": "", "": "", "u,1": ""} {
		if got, err := p.ParseKey(text); string(got) != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
	}
}

// TestKeyOfRow compares the keys that a fold builds with what ParseKey makes of their own text.
func TestKeyOfRow(t *testing.T) {
	p := keyed(t)
	src := &p.Spec().Sources[0]
	rapid.Check(t, func(t *rapid.T) {
		b := column.NewBatch(src, 0, false)
		b.N, b.Offset, b.Time, b.Reject = 1, []int64{0}, []int64{0}, []uint8{0}
		useString := rapid.Bool().Draw(t, "string")
		for i := range src.Fields {
			low, high := column.Range(&src.Fields[i])
			switch c := &b.Cols[i]; {
			case c.Type == schema.String && useString:
				c.AppendBytes([]byte(rapid.String().Draw(t, "s")))
			case c.Type == schema.String:
				c.AppendNull()
			default:
				c.AppendInt(rapid.Int64Range(low, high).Draw(t, "int"))
			}
		}
		f := p.NewFold()
		if f.Add(b, 0, 1) != 1 {
			t.Fatal("the row has no entity")
		}
		got, err := p.ParseKey(string(f.Key(0)))
		if err != nil || string(got) != string(f.Key(0)) {
			t.Fatalf("key %q is read as %q, %v", f.Key(0), got, err)
		}
		for _, c := range f.Key(0) {
			if c < 0x21 || c == 0x7f {
				t.Fatalf("key %q holds byte %#x", f.Key(0), c)
			}
		}
		if strings.HasPrefix(string(got), "s:") != useString {
			t.Fatalf("key %q is of the wrong kind", got)
		}
		if f.Hash(0) != view.Hash(got) {
			t.Fatal("the hash is another")
		}
	})
}

// TestHashFrozen pins the hash: rows lie where it says.
func TestHashFrozen(t *testing.T) {
	if got := view.Hash([]byte("user:u1")); got != 0x6b12b6144dda21df {
		t.Errorf("got %#x", got)
	}
}

// TestLongKeys: a string is in a key up to the bound; one byte more, and it counts as null. Nor does such a text parse. A
// key of the longest values, all escaped, is one that stores take.
func TestLongKeys(t *testing.T) {
	fields := []schema.Field{{Name: "at", Type: schema.Time}}
	many := view.KeySpec{Kind: "many"}
	for i := range view.MaxKeyFields {
		name := string(rune('a' + i))
		fields = append(fields, schema.Field{Name: name, Type: schema.String})
		many.Fields = append(many.Fields, name)
	}
	p := compile(t, view.Spec{
		Name: "v", Sources: []schema.Source{{Name: "x", Fields: fields, EventTime: "at", Block: 8}},
		Entity:   []view.KeySpec{many, {Kind: "a", Fields: []string{"a"}}, {Kind: "b", Fields: []string{"b"}}},
		Features: []view.FeatureSpec{{Name: "n", Op: "count"}},
	})
	longest, tooLong := strings.Repeat("\x00", view.MaxKeyValueBytes), strings.Repeat("k", view.MaxKeyValueBytes+1)
	escaped := strings.Repeat("%00", view.MaxKeyValueBytes)
	b := column.NewBatch(&p.Spec().Sources[0], 0, false)
	for row, values := range [][2]string{{longest, longest}, {tooLong, longest}, {longest, tooLong}, {tooLong, tooLong}} {
		b.N++
		b.Offset, b.Time, b.Reject = append(b.Offset, int64(row)), append(b.Time, 5), append(b.Reject, 0)
		b.Append, b.AppendType = append(b.Append, 5), append(b.AppendType, column.LogAppendTime)
		b.Cols[0].AppendInt(5)
		for i := range view.MaxKeyFields {
			b.Cols[1+i].AppendBytes([]byte(values[min(i, 1)]))
		}
	}
	f := p.NewFold()
	if rows := f.Add(b, 0, b.N); rows != 3 || f.Len() != 3 {
		t.Fatalf("%d rows of %d entities", rows, f.Len())
	}
	if n := f.LongKeys(); n != 2+1+3 {
		t.Errorf("%d values are counted as too long", n)
	}
	for slot, want := range []string{"many:" + escaped + strings.Repeat(","+escaped, view.MaxKeyFields-1), "b:" + escaped, "a:" + escaped} {
		key := string(f.Key(slot))
		if key != want {
			t.Errorf("entity %d is %.20q… (%d bytes), want %.20q… (%d)", slot, key, len(key), want, len(want))
		}
		if parsed, err := p.ParseKey(want); err != nil || string(parsed) != want {
			t.Errorf("%.20q… does not parse: %v", want, err)
		}
		if len(key) > 60_000 { // what stores take: package storelimit
			t.Errorf("no store takes a key of %d bytes", len(key))
		}
	}
	if _, err := p.ParseKey("a:" + tooLong); !errors.Is(err, view.ErrKey) || !strings.Contains(err.Error(), "1025 bytes, at most 1024") {
		t.Errorf("a value that is too long parses: %v", err)
	}
}
