package schema_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/schema"
)

func clicks() *schema.Source {
	return &schema.Source{
		Name: "clicks", Topic: "clicks", EventTime: "at", Block: 1024, ToleranceMS: 5, Key: "user_id",
		Fields: []schema.Field{
			{Name: "at", Type: schema.Time},
			{Name: "user_id", Type: schema.Int64, Required: true},
			{Name: "kind", Type: schema.Enum, Enum: []string{"view", "a,4:b"}},
			{Name: "price", Type: schema.Decimal, Scale: 2},
			{Name: "link.from_id", Type: schema.String},
		},
	}
}

func TestValidSourceHasNoFaults(t *testing.T) {
	if err := clicks().Validate(); err != nil {
		t.Fatal(err)
	}
	bare := clicks()
	bare.Topic, bare.Block = "", 0
	bare.SetDefaults()
	if bare.Topic != "clicks" || bare.Block != 65_536 || bare.Validate() != nil {
		t.Fatalf("defaults: topic %q, block %d, %v", bare.Topic, bare.Block, bare.Validate())
	}
}

func TestValidateNamesFieldAndCure(t *testing.T) {
	long := strings.Repeat("a", 300)
	for _, c := range []struct {
		name string
		edit func(*schema.Source)
		want string // "" = no fault: a limit that is still allowed
	}{
		{"source name empty", func(s *schema.Source) { s.Name = "" }, "name must be"},
		{"source name upper", func(s *schema.Source) { s.Name = "Clicks" }, "name must be"},
		{"source name at limit", func(s *schema.Source) { s.Name = long[:64] }, ""},
		{"source name past limit", func(s *schema.Source) { s.Name = long[:65] }, "name must be"},
		{"topic missing", func(s *schema.Source) { s.Topic = "" }, ""},
		{"topic with slash", func(s *schema.Source) { s.Topic = "a/b" }, `topic "a/b"`},
		{"topic dots", func(s *schema.Source) { s.Topic = ".." }, `topic ".."`},
		{"topic past limit", func(s *schema.Source) { s.Topic = long[:250] }, "topic"},
		{"block zero", func(s *schema.Source) { s.Block = 0 }, "block 0: use a power of two"},
		{"block no power", func(s *schema.Source) { s.Block = 1000 }, "block 1000"},
		{"tolerance negative", func(s *schema.Source) { s.ToleranceMS = -1 }, "tolerance_ms -1"},
		{"tolerance past limit", func(s *schema.Source) { s.ToleranceMS = schema.MaxTime + 1 }, "tolerance_ms"},
		{"field name empty", func(s *schema.Source) { s.Fields[1].Name, s.Key = "", "" }, `field ""`},
		{"field name two dots", func(s *schema.Source) { s.Fields[4].Name = "a..b" }, `field "a..b"`},
		{"field name quote", func(s *schema.Source) { s.Fields[4].Name = `a"b` }, `field "a\"b"`},
		{"field name at limit", func(s *schema.Source) { s.Fields[4].Name = long[:128] }, ""},
		{"field name past limit", func(s *schema.Source) { s.Fields[4].Name = long[:129] }, "at most 128 bytes"},
		{"field reserved", func(s *schema.Source) { s.Fields[4].Name = "_raw.x" }, "_raw is a column of tidemark's own"},
		{"field twice", func(s *schema.Source) { s.Fields[4].Name = "price" }, `field "price" is declared twice`},
		{"field in field", func(s *schema.Source) { s.Fields[3].Name = "link" }, `field "link.from_id" lies inside of field "link"`},
		{"field deep in field", func(s *schema.Source) { s.Fields[3].Name, s.Fields[4].Name = "a.b", "a.b.c.d" }, `"a.b.c.d" lies inside of field "a.b"`},
		{"field beside field", func(s *schema.Source) { s.Fields[3].Name = "link.from" }, ""},
		{"type zero", func(s *schema.Source) { s.Fields[4].Type = 0 }, "unknown type type(0)"},
		{"scale at limit", func(s *schema.Source) { s.Fields[3].Scale = 12 }, ""},
		{"scale past limit", func(s *schema.Source) { s.Fields[3].Scale = 13 }, `field "price": scale 13`},
		{"scale of string", func(s *schema.Source) { s.Fields[4].Scale = 1 }, "only a decimal has a scale"},
		{"enum empty", func(s *schema.Source) { s.Fields[2].Enum = nil }, "0 enum values"},
		{"enum at limit", func(s *schema.Source) { s.Fields[2].Enum = numbers(4096) }, ""},
		{"enum past limit", func(s *schema.Source) { s.Fields[2].Enum = numbers(4097) }, "4097 enum values"},
		{"enum twice", func(s *schema.Source) { s.Fields[2].Enum = []string{"x", "y", "x"} }, `enum value "x" stands twice`},
		{"enum value at limit", func(s *schema.Source) { s.Fields[2].Enum = []string{long[:256]} }, ""},
		{"enum value past limit", func(s *schema.Source) { s.Fields[2].Enum = []string{long[:257]} }, "at most 256 bytes"},
		{"enum value no UTF-8", func(s *schema.Source) { s.Fields[2].Enum = []string{"\xff"} }, "UTF-8"},
		{"enum of string", func(s *schema.Source) { s.Fields[4].Enum = []string{"x"} }, "only an enum lists values"},
		{"event time missing", func(s *schema.Source) { s.EventTime = "" }, "event_time is missing"},
		{"event time unknown", func(s *schema.Source) { s.EventTime = "when" }, `event_time "when" is not a declared field`},
		{"event time no time", func(s *schema.Source) { s.EventTime = "price" }, `event_time "price" is a decimal`},
		{"key unknown", func(s *schema.Source) { s.Key = "nobody" }, `key "nobody"`},
		{"key missing", func(s *schema.Source) { s.Key = "" }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := clicks()
			c.edit(s)
			err := s.Validate()
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an ErrInvalid with %q", err, c.want)
			}
			if n := strings.Count(err.Error(), "invalid source"); n != 1 {
				t.Fatalf("%d faults for one edit: %v", n, err)
			}
		})
	}
}

func TestValidateBoundsFields(t *testing.T) {
	s := clicks()
	for i := len(s.Fields); i < schema.MaxFields; i++ {
		s.Fields = append(s.Fields, schema.Field{Name: fmt.Sprintf("f%d", i), Type: schema.String})
	}
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	none := schema.Source{Name: "none", Block: 1}
	if err := none.Validate(); err == nil || !strings.Contains(err.Error(), "0 fields: declare 1 to 1024") {
		t.Fatalf("got %v for no fields", err)
	}
	s.Fields = append(s.Fields, schema.Field{Name: "last", Type: schema.String})
	if err := s.Validate(); !errors.Is(err, schema.ErrInvalid) {
		t.Fatalf("got %v for %d fields", err, len(s.Fields))
	}
}

func TestValidateReportsAllFaultsAtOnce(t *testing.T) {
	s := clicks()
	s.Block, s.ToleranceMS, s.EventTime = 3, -1, ""
	s.Fields[3].Scale = 99
	joined, ok := s.Validate().(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != 4 {
		t.Fatalf("want 4 joined faults, got: %v", s.Validate())
	}
	for _, err := range joined.Unwrap() {
		if !errors.Is(err, schema.ErrInvalid) || !strings.Contains(err.Error(), `"clicks"`) {
			t.Errorf("%v is not an ErrInvalid that names the source", err)
		}
	}
}

func numbers(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(i)
	}
	return out
}

func TestCanonicalIsFrozen(t *testing.T) {
	const want = `tidemark source 1
name clicks
event_time at
tolerance_ms 5
field at time required
field user_id int64 required
field kind enum(4:view,5:a,4:b)
field price decimal(2)
field link.from_id string
`
	if got := string(clicks().Canonical()); got != want {
		t.Fatalf("got:\n%s", got)
	}
	const hash = "03a5454615ddf553fa3ae6177fc3a053d2c95bc4396e040492d7db24a7287be7"
	if got := clicks().Hash(); got != hash {
		t.Fatalf("hash %s: archive files already written carry %s", got, hash)
	}
}

func TestHashCoversDecodingAndNothingElse(t *testing.T) {
	base := clicks().Hash()
	for name, edit := range map[string]func(*schema.Source){
		"topic":      func(s *schema.Source) { s.Topic = "other" },
		"block":      func(s *schema.Source) { s.Block = 1 },
		"key":        func(s *schema.Source) { s.Key = "" },
		"event time": func(s *schema.Source) { s.Fields[0].Required = true },
	} {
		s := clicks()
		edit(s)
		if s.Hash() != base {
			t.Errorf("%s changes the hash, though no row depends on it", name)
		}
	}
	for name, edit := range map[string]func(*schema.Source){
		"name":      func(s *schema.Source) { s.Name = "other" },
		"tolerance": func(s *schema.Source) { s.ToleranceMS++ },
		"required":  func(s *schema.Source) { s.Fields[3].Required = true },
		"scale":     func(s *schema.Source) { s.Fields[3].Scale++ },
		"order":     func(s *schema.Source) { s.Fields[1], s.Fields[2] = s.Fields[2], s.Fields[1] },
		"enum":      func(s *schema.Source) { s.Fields[2].Enum = []string{"view", "a", "b"} },
		"field":     func(s *schema.Source) { s.Fields = s.Fields[:4] },
	} {
		s := clicks()
		edit(s)
		if s.Hash() == base {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

func TestTypeNames(t *testing.T) {
	for typ := schema.Bool; typ <= schema.JSON; typ++ {
		if got, err := schema.ParseType(typ.String()); err != nil || got != typ {
			t.Errorf("%s parses to %s, %v", typ, got, err)
		}
		text, err := json.Marshal(typ)
		var back schema.Type
		if err != nil || json.Unmarshal(text, &back) != nil || back != typ {
			t.Errorf("%s in JSON is %s, which reads as %s (%v)", typ, text, back, err)
		}
	}
	for _, s := range []string{"", "text", "type(0)"} {
		if got, err := schema.ParseType(s); err == nil {
			t.Errorf("%q parses to %s", s, got)
		}
	}
}
