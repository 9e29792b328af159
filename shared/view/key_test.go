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
