package decode_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

var rewrite = flag.Bool("rewrite", false, "write what the decoder says into testdata/decoding/cases.jsonl; review the diff like code")

// casesFile is the table of decisions, one JSON object a line. Programs other than this test read it too.
var casesFile = filepath.Join("..", "..", "testdata", "decoding", "cases.jsonl")

// decision is one line of the table.
type decision struct {
	Name   string         `json:"name"`
	Source *schema.Source `json:"source"`
	Value  *string        `json:"value"`                  // the record's value; null for a tombstone
	Base64 []byte         `json:"value_base64,omitempty"` // the value, where it is not UTF-8
	Append int64          `json:"append"`
	Want   *result        `json:"want"`
}

type result struct {
	Code   uint8          `json:"code"`
	Reject string         `json:"reject"`
	Time   int64          `json:"time"`
	Values map[string]any `json:"values"` // by field; an enum's value as text, a decimal × 10^scale
	Faults []string       `json:"faults"`
	Rest   *string        `json:"rest"`
	Raw    bool           `json:"raw"` // the record's bytes are kept
}

func (c *decision) value() []byte {
	switch {
	case c.Base64 != nil:
		return c.Base64
	case c.Value != nil:
		return []byte(*c.Value)
	default:
		return nil
	}
}

func TestDecisions(t *testing.T) {
	cases := readCases(t)
	for i := range cases {
		c := &cases[i]
		t.Run(c.Name, func(t *testing.T) {
			got := decideOne(t, c)
			if *rewrite {
				c.Want = got
				return
			}
			gotText, wantText := marshal(t, got), marshal(t, c.Want)
			if !bytes.Equal(gotText, wantText) {
				t.Errorf("%s\n got %s\nwant %s", c.value(), gotText, wantText)
			}
		})
	}
	if *rewrite {
		writeCases(t, cases)
	}
}

func decideOne(t *testing.T, c *decision) *result {
	t.Helper()
	d, err := decode.Compile(c.Source)
	if err != nil {
		t.Fatal(err)
	}
	b := column.NewBatch(c.Source, 0, true)
	d.Append(b, &record.Record{Append: c.Append, Value: c.value()})
	r := &result{
		Code: b.Reject[0], Reject: decode.Reason(b.Reject[0]).String(), Time: b.Time[0],
		Values: map[string]any{}, Faults: []string{}, Raw: b.Archive.Raw.Present(0),
	}
	for i, f := range c.Source.Fields {
		r.Values[f.Name] = held(&b.Cols[i], &f)
		if b.Faults[i] != 0 {
			r.Faults = append(r.Faults, f.Name)
		}
	}
	if b.Archive.Rest.Present(0) {
		rest := string(b.Archive.Rest.BytesAt(0))
		r.Rest = &rest
	}
	return r
}

func held(c *column.Column, f *schema.Field) any {
	switch {
	case !c.Present(0):
		return nil
	case f.Type == schema.Enum:
		return f.Enum[c.Ints[0]]
	case f.Type.IsBytes():
		return string(c.BytesAt(0))
	default:
		return c.Ints[0]
	}
}

func readCases(t testing.TB) []decision {
	t.Helper()
	text, err := os.ReadFile(casesFile)
	if err != nil {
		t.Fatal(err)
	}
	var cases []decision
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var c decision
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.UseNumber()
		if err := dec.Decode(&c); err != nil {
			t.Fatalf("line %d: %v", len(cases)+1, err)
		}
		c.Source.SetDefaults()
		cases = append(cases, c)
	}
	if len(cases) == 0 || lines.Err() != nil {
		t.Fatalf("%d cases in %s: %v", len(cases), casesFile, lines.Err())
	}
	return cases
}

func writeCases(t *testing.T, cases []decision) {
	t.Helper()
	var out bytes.Buffer
	for i := range cases {
		out.Write(marshal(t, &cases[i]))
		out.WriteByte('\n')
	}
	if err := os.WriteFile(casesFile, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}
