package archivefile_test

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// trips is a source with a field of every type, at the top and inside of objects.
func trips() *schema.Source {
	s := &schema.Source{Name: "trips", EventTime: "at", ToleranceMS: 50, Block: 256, Fields: []schema.Field{
		{Name: "at", Type: schema.Time},
		{Name: "user", Type: schema.String, Required: true},
		{Name: "kind", Type: schema.Enum, Enum: []string{"start", "stop", "é"}},
		{Name: "price", Type: schema.Decimal, Scale: 2},
		{Name: "city", Type: schema.Int32},
		{Name: "car.id", Type: schema.Int64},
		{Name: "car.seats.n", Type: schema.Int32},
		{Name: "note", Type: schema.String},
		{Name: "paid", Type: schema.Bool},
		{Name: "filters", Type: schema.JSON},
	}}
	s.SetDefaults()
	return s
}

// generator makes logs of trips: mostly accepted records, and every way in which one may be odd.
type generator struct{ *rand.Rand }

func newGenerator(seed uint64) generator { return generator{rand.New(rand.NewPCG(seed, 0x6172))} }

func (g generator) oneIn(n int) bool { return g.IntN(n) == 0 }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

// log returns n records from offset first on, one offset in twenty left out.
func (g generator) log(n int, first int64) []record.Record {
	records := make([]record.Record, 0, n)
	now := int64(1_700_000_000_000)
	for offset := first; len(records) < n; offset++ {
		now += g.Int64N(40)
		if g.oneIn(20) {
			continue
		}
		r := record.Record{Offset: offset, Append: now, AppendType: column.TimeType(g.IntN(2)), Value: g.value(now)}
		if g.oneIn(3) {
			r.Key = []byte(g.pick("", "k1", "k2", "\xff\x00"))
		}
		if g.oneIn(10) {
			r.Headers = []record.Header{{Key: "trace", Value: []byte(g.pick("", "a1"))}, {Key: "trace"}}
		}
		records = append(records, r)
	}
	return records
}

func (g generator) value(now int64) []byte {
	switch {
	case g.oneIn(60):
		return nil
	case g.oneIn(60):
		return []byte(g.pick("", "{", "[]", "\xff", `{"user":1}`))
	default:
		return []byte("{" + strings.Join(g.members(now), g.pick(",", " ,\n")) + "}")
	}
}

func (g generator) members(now int64) []string {
	m := []string{
		fmt.Sprintf(`"at":%d`, now-500+g.Int64N(800)),
		fmt.Sprintf(`"user":"u%d"`, g.IntN(30)),
		`"kind":` + g.pick(`"start"`, `"stop"`, `"\u00e9"`, `"later"`, "null"),
		`"price":` + g.pick("12.5", "0", "-3.07", "1e3", "12.345", `"x"`, "92233720368547758.07", "-92233720368547758.08"),
		`"city":` + g.pick("1", "-2147483648", "2147483648", "null"),
		`"note":` + g.pick(`""`, `"a\"b\\\/\n\u0001\u00e9\ud83d\ude00"`, fmt.Sprintf(`"n%d"`, g.Int64())),
		`"paid":` + g.pick("true", "false", "0"),
		`"filters":` + g.pick("null", `{ "a" : [1, {"b":"}"}] }`, `"\u0041"`, "1.50", "[]"),
		`"car":` + g.pick("null", "{}", "3", g.car(), g.car(), g.car()),
		`"rating":` + g.pick("5", "4", `"bad"`, "null", "7.25"),
		`"\u0063olour":` + g.pick(`"red"`, `"bl\u0075e"`, `""`, `["x",{"y":"]"}]`),
		`"car.id":"not the path"`,
	}
	g.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
	m = m[:len(m)-g.IntN(3)]
	if g.oneIn(12) {
		m = append(m, m[g.IntN(len(m))]) // a name that occurs twice
	}
	return m
}

func (g generator) car() string {
	return g.pick(
		fmt.Sprintf(`{"id":%d,"seats":{"n":%d}}`, g.Int64(), g.IntN(9)),
		`{"seats":{"n":5,"leather":true,"rows":[2,3]},"wheels":4}`,
		`{"wheels":4}`, `{"seats":{}}`, `{"\u0073eats":{"n":4,"x":null}}`, `{"seats":null,"id":null}`)
}

// decoded is what the decoder makes of the records, with everything that the archive keeps.
func decoded(t testing.TB, src *schema.Source, partition int32, records []record.Record) *column.Batch {
	t.Helper()
	d, err := decode.Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	b := column.NewBatch(src, partition, true)
	for i := range records {
		d.Append(b, &records[i])
	}
	return b
}

// one yields a single batch.
func one(b *column.Batch) iter.Seq2[*column.Batch, error] {
	return func(yield func(*column.Batch, error) bool) { yield(b, nil) }
}

// write writes records as a file that ends behind the last one, and returns its path.
func write(t testing.TB, dir string, src *schema.Source, partition int32, from, next int64, records []record.Record) string {
	t.Helper()
	path, err := archivefile.Write(archivefile.OS{}, dir, src, partition, position.Range{From: from, Next: next},
		one(decoded(t, src, partition, records)))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// rowsOf reads all wanted columns of a file as one text line a row.
func rowsOf(t testing.TB, path string, src *schema.Source, want archivefile.Want) []string {
	t.Helper()
	r, err := archivefile.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, r)
	var rows []string
	if err := r.Read(context.Background(), src, want, func(b *column.Batch) error {
		rows = append(rows, lines(b, want)...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return rows
}

func closing(t testing.TB, r *archivefile.Reader) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// lines writes each row of b as text, so that batches compare whatever their memory looks like.
func lines(b *column.Batch, want archivefile.Want) []string {
	rows := make([]string, b.N)
	for i := range rows {
		s := &strings.Builder{}
		fmt.Fprintf(s, "p%d @%d t%d a%d/%d r%d", b.Partition, b.Offset[i], b.Time[i], b.Append[i], b.AppendType[i], b.Reject[i])
		for _, f := range want.Fields {
			fmt.Fprintf(s, " %s=%s", b.Source.Fields[f].Name, cell(&b.Cols[f], i))
		}
		if want.Archive {
			a := b.Archive
			fmt.Fprintf(s, " key=%s headers=%s rest=%s raw=%s", cell(&a.Key, i), cell(&a.Headers, i), cell(&a.Rest, i), cell(&a.Raw, i))
		}
		rows[i] = s.String()
	}
	return rows
}

func cell(c *column.Column, i int) string {
	switch {
	case !c.Present(i):
		return "null"
	case c.Type.IsBytes():
		return fmt.Sprintf("%q", c.BytesAt(i))
	default:
		return strconv.FormatInt(c.Ints[i], 10)
	}
}

// same fails with the first row that differs.
func same(t testing.TB, got, want []string) {
	t.Helper()
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("row %d\n got %s\nwant %s", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
}

func contents(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// onlyFiles fails if the folder of path holds anything but the named files.
func onlyFiles(t testing.TB, folder string, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !bytes.Equal([]byte(strings.Join(got, " ")), []byte(strings.Join(names, " "))) {
		t.Errorf("%s holds %v, want %v", filepath.Base(folder), got, names)
	}
}
