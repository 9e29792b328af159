package job_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

const mapped = `
event_time: at
fields: {at: time, id: string required, n: int64, price: decimal(3), ok: bool, kind: "enum(buy, sell)", more: json,
  link.from.id: string, link.to: string, zone: string, link.from.n: int32}
import:
  csv:
    at: {column: When, time: "YYYY-MM-DD hh:mm:ss"}
    id: {column: Id, trim_suffix: ".0"}
    n: N
    price: Price
    ok: Ok
    kind: {value: sell}
    more: More
    link.from.id: From
    link.to: To
    link.from.n: FromN
    zone: Zone
`

func importer(t testing.TB, header string) (*job.Importer, error) {
	t.Helper()
	files := good()
	files["sources/clicks.yaml"].Data = []byte(mapped)
	files["views/user.yaml"].Data = []byte("sources: [clicks]\nentity: [id]\nfeatures: {n: {op: count}}\n")
	j, err := job.Load(files, "shop")
	if err != nil {
		t.Fatal(err)
	}
	return j.Imports["clicks"].Importer(strings.Split(header, ","))
}

const header = "Other,When,Id,N,Price,Ok,More,From,To,FromN,Zone"

func TestLinesBecomeRecords(t *testing.T) {
	m, err := importer(t, header)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, want string }{
		{
			`x|2010-12-01 08:26:00|17850.0|-6|2.550|true|{"a":1}|f|t|3|a "b" é`,
			`{"at":1291191960000,"id":"17850","n":-6,"price":2.550,"ok":true,"kind":"sell","more":{"a":1},"zone":"a \"b\" é","link":{"to":"t","from":{"id":"f","n":3}}}`,
		},
		{`x|1970-01-01 00:00:00|7||||||||`, `{"at":0,"id":"7","kind":"sell"}`},
		{`x|1970-01-01 00:00:00|7|||||f|||z`, `{"at":0,"id":"7","kind":"sell","zone":"z","link":{"from":{"id":"f"}}}`},
		{`x|1970-01-01 00:00:00|7.0.0||||||t||`, `{"at":0,"id":"7.0","kind":"sell","link":{"to":"t"}}`},
	} {
		got, err := m.AppendJSON([]byte("before"), strings.Split(c.line, "|"))
		if err != nil || string(got) != "before"+c.want {
			t.Errorf("%s\ngot  %s, %v\nwant %s", c.line, got, err, c.want)
		}
		if !json.Valid(got[len("before"):]) {
			t.Errorf("%s is no JSON", got)
		}
	}
}

func TestBadLinesSayWhy(t *testing.T) {
	m, err := importer(t, header)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ line, want string }{
		{"a|b", "2 columns, the header has 11"},
		{`x|01.12.2010|7||||||||`, `column When: "01.12.2010" is no time`},
		{`x|2010-12-01 08:26:00|7|six|||||||`, `column N: "six" is no number`},
		{`x|2010-12-01 08:26:00|7|06|||||||`, `column N: "06" is no number`},
		{`x|2010-12-01 08:26:00|7||2,5||||||`, `column Price: "2,5" is no number`},
		{`x|2010-12-01 08:26:00|7|||yes|||||`, `column Ok: "yes" is neither true nor false`},
		{`x|2010-12-01 08:26:00|7||||{a}||||`, `column More: "{a}" is no JSON`},
		{"x|2010-12-01 08:26:00|7||||||||\xff", `column Zone: "\xff" is no UTF-8`},
	} {
		got, err := m.AppendJSON([]byte("before"), strings.Split(c.line, "|"))
		if !errors.Is(err, job.ErrLine) || !strings.Contains(err.Error(), c.want) || string(got) != "before" {
			t.Errorf("%q: got %q, %v", c.line, got, err)
		}
	}
}

func TestHeaderMustHaveEveryColumnOnce(t *testing.T) {
	for _, h := range []string{"", strings.TrimSuffix(header, ",Zone"), header + ",Id"} {
		if _, err := importer(t, h); !errors.Is(err, job.ErrHeader) {
			t.Errorf("%q: %v", h, err)
		}
	}
	if _, err := importer(t, header+",Other"); err != nil {
		t.Errorf("a column nobody reads: %v", err)
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	files := good()
	files["sources/clicks.yaml"].Data = []byte(mapped)
	files["views/user.yaml"].Data = []byte("sources: [clicks]\nentity: [id]\nfeatures: {n: {op: count}}\n")
	j, err := job.Load(files, "shop")
	if err != nil {
		b.Fatal(err)
	}
	m, err := j.Imports["clicks"].Importer(strings.Split(header, ","))
	if err != nil {
		b.Fatal(err)
	}
	line := strings.Split(`x|2010-12-01 08:26:00|17850.0|-6|2.550|true|{"a":1}|f|t|3|zone`, "|")
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = m.AppendJSON(dst[:0], line); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzLine wants every line of CSV refused with its class, or a record of it that is JSON.
func FuzzLine(f *testing.F) {
	f.Add("2010-12-01 08:26:00|17850.0|5|2.55|true|{}|a|b|7|x")
	f.Add("|||||||||")
	f.Add("0000-13-99 24:61:61|\xff|-0|1e9|TRUE|[1,|\"|\\|9999999999|\x00")
	m, err := importer(f, "When,Id,N,Price,Ok,More,From,To,FromN,Zone")
	if err != nil {
		f.Fatal(err)
	}
	fuzzing.Target(f, func(t *testing.T, line string) {
		record, err := m.AppendJSON(nil, strings.Split(line, "|"))
		if err != nil && (!errors.Is(err, job.ErrLine) || len(record) > 0) {
			t.Fatalf("%q: an error of no class, or with a record: %v", line, err)
		}
		if err == nil && !json.Valid(record) {
			t.Fatalf("%q becomes %q", line, record)
		}
	})
}
