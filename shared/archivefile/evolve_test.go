package archivefile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestToldAgainDecodesToTheSameRow is the law of AppendJSON, on every oddity that the generator knows.
func TestToldAgainDecodesToTheSameRow(t *testing.T) {
	t.Parallel()
	src := trips()
	want := archivefile.Everything(src)
	for seed := range uint64(60) {
		records := newGenerator(seed).log(60, 0)
		b := decoded(t, src, 0, records)
		again := make([]record.Record, len(records))
		for i := range records {
			again[i] = records[i]
			told := archivefile.AppendJSON(nil, b, i)
			if again[i].Value = told; b.Reject[i] == uint8(decode.Tombstone) {
				again[i].Value = nil
			} else if told == nil {
				again[i].Value = []byte{}
			}
			if len(told) > len(records[i].Value) && !strings.Contains(string(records[i].Value), "e3") {
				t.Errorf("seed %d: record grew:\n%s\n%s", seed, records[i].Value, told)
			}
		}
		same(t, lines(decoded(t, src, 0, again), want), lines(b, want))
	}
}

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	src := trips()
	for value, want := range map[string]string{
		`{"z":1, "user":"u", "at":5}`:                                                           `{"at":5,"user":"u","z":1}`,
		`{"at":5,"user":"\u0001\/","price":-0.10}`:                                              `{"at":5,"user":"\u0001/","price":-0.1}`,
		`{"car":{"w":4,"seats":{"x":null,"n":2},"id":9},"at":1,"user":"u"}`:                     `{"at":1,"user":"u","car":{"id":9,"w":4,"seats":{"n":2,"x":null}}}`,
		`{"c\u0061r":{"w":4},"at":1,"user":"u"}`:                                                `{"at":1,"user":"u","c\u0061r":{"w":4}}`,
		`{"car":{},"at":1,"user":"u","paid":false,"kind":"é","filters":[ 1 ]}`:                  `{"at":1,"user":"u","kind":"é","paid":false,"filters":[1]}`,
		`{"at":1,"user":"u","kind":"unheard of"}`:                                               `{"at":1,"user":"u","kind":"unheard of"}`,
		`{"at":1,"user":"u","price":-92233720368547758.08}`:                                     `{"at":1,"user":"u","price":-92233720368547758.08}`,
		`{"at":1,"user":"u","x":{"a":"}\"]","b":[{}]},"x":2,"\u0063ar":{"\u0073eats":{"q":1}}}`: `{"at":1,"user":"u","x":{"a":"}\"]","b":[{}]},"x":2,"\u0063ar":{"\u0073eats":{"q":1}}}`,
		`{"at":`: `{"at":`,
	} {
		b := decoded(t, src, 0, []record.Record{{Value: []byte(value)}})
		if got := string(archivefile.AppendJSON([]byte("> "), b, 0)); got != "> "+want {
			t.Errorf("%s\n got %s\nwant > %s", value, got, want)
		}
	}
}

// change makes another source out of trips: fields dropped, declared anew, required, other tolerance, more enum values.
func (g generator) change() *schema.Source {
	src := trips()
	src.Fields = append(src.Fields,
		schema.Field{Name: "rating", Type: schema.Int32},
		schema.Field{Name: "colour", Type: schema.String},
		schema.Field{Name: "car.wheels", Type: schema.Int32},
		schema.Field{Name: "car.seats.leather", Type: schema.Bool},
	)
	src.Fields = slices.DeleteFunc(src.Fields, func(f schema.Field) bool { return f.Name != src.EventTime && g.oneIn(4) })
	for i := range src.Fields {
		f := &src.Fields[i]
		f.Required = g.oneIn(8)
		if f.Type == schema.Enum && g.oneIn(2) {
			f.Enum = append(f.Enum, "later")
		}
	}
	g.Shuffle(len(src.Fields), func(i, j int) { src.Fields[i], src.Fields[j] = src.Fields[j], src.Fields[i] })
	src.ToleranceMS = g.Int64N(200)
	return src
}

// TestReadByAnotherSource: a file written with one declaration and read with another gives the rows that decoding the log
// with the latter gives. What is kept beside the fields may be told in other words, so it is compared by what it decodes to.
func TestReadByAnotherSource(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		g := newGenerator(seed)
		old, src := g.change(), g.change()
		records := g.log(80, 0)
		path := write(t, t.TempDir(), old, 0, 0, 1<<10, records)
		everything := archivefile.Everything(src)
		for _, want := range []archivefile.Want{{Fields: everything.Fields}, {Fields: g.Perm(len(src.Fields))[:1+g.IntN(3)%len(src.Fields)]}} {
			t.Logf("seed %d: %s\n->\n%s", seed, old.Canonical(), src.Canonical())
			same(t, anyLack(rowsOf(t, path, src, want)), anyLack(lines(decoded(t, src, 0, records), want)))
		}
	}
}

// anyLack makes one reason of two: an archive does not keep whether a null was said or left unsaid.
func anyLack(rows []string) []string {
	null, missing := fmt.Sprintf(" r%d ", decode.RequiredNull), fmt.Sprintf(" r%d ", decode.RequiredMissing)
	for i := range rows {
		rows[i] = strings.Replace(rows[i], null, missing, 1)
	}
	return rows
}

// TestUntouchedFieldsAreReadAsTheyStand: a field declared later does not slow down who does not use it. Reading the rows
// again would give the column without a dictionary.
func TestUntouchedFieldsAreReadAsTheyStand(t *testing.T) {
	t.Parallel()
	old, src := trips(), trips()
	src.Fields = append(src.Fields, schema.Field{Name: "rating", Type: schema.Int32})
	user := src.Index("user")
	path := write(t, t.TempDir(), old, 0, 0, 1000, newGenerator(1).log(300, 0))
	for field, direct := range map[string]bool{"user": true, "rating": false} {
		r, err := archivefile.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		want := archivefile.Want{Fields: []int{user, src.Index(field)}}
		err = r.Read(t.Context(), src, want, func(b *column.Batch) error {
			if (b.Cols[user].Index != nil) != direct {
				t.Errorf("wanting %s: dictionary %t, want %t", field, b.Cols[user].Index != nil, direct)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		closing(t, r)
	}
}

func TestReadRefusesAnotherType(t *testing.T) {
	t.Parallel()
	path := write(t, t.TempDir(), trips(), 0, 0, 1000, newGenerator(1).log(10, 0))
	scaled, renamed := trips(), trips()
	scaled.Fields[3].Scale = 3
	renamed.Name = "rides"
	for _, src := range []*schema.Source{scaled, renamed} {
		r, err := archivefile.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		err = r.Read(t.Context(), src, archivefile.Want{}, func(*column.Batch) error { return nil })
		if !errors.Is(err, archivefile.ErrSource) {
			t.Errorf("got %v", err)
		}
		closing(t, r)
	}
}

// TestEventTimeIsTheDecoders keeps the two places that compute an event time together.
func TestEventTimeIsTheDecoders(t *testing.T) {
	t.Parallel()
	for _, tolerance := range []int64{0, 7, schema.MaxTime} {
		src := trips()
		src.ToleranceMS = tolerance
		var records []record.Record
		for i, appended := range []int64{decode.NoAppendTime, -9, 0, 5, 1 << 62, 1<<63 - 1} {
			records = append(records, record.Record{Offset: int64(i), Append: appended, Value: fmt.Appendf(nil, `{"at":%d,"user":"u"}`, 9)})
		}
		path := write(t, t.TempDir(), src, 0, 0, 10, records)
		same(t, rowsOf(t, path, src, archivefile.Want{}), lines(decoded(t, src, 0, records), archivefile.Want{}))
	}
}
