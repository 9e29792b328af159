package decode_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// ordinary is an event of 13 fields in 228 bytes, as a shop or a car market has them.
func ordinary() (*schema.Source, [][]byte) {
	src := &schema.Source{Name: "ordinary", EventTime: "event_time", Fields: []schema.Field{
		{Name: "event_id", Type: schema.String, Required: true},
		{Name: "event_time", Type: schema.Time},
		{Name: "event_type", Type: schema.Enum, Enum: []string{"impression", "view", "favorite", "im", "call", "book"}},
		{Name: "user_id", Type: schema.String},
		{Name: "device", Type: schema.String},
		{Name: "city_id", Type: schema.Int32},
		{Name: "page", Type: schema.Enum, Enum: []string{"home", "list", "detail"}},
		{Name: "listing", Type: schema.String},
		{Name: "brand", Type: schema.Int32},
		{Name: "series", Type: schema.Int32},
		{Name: "price", Type: schema.Decimal, Scale: 2},
		{Name: "km", Type: schema.Int32},
		{Name: "dwell_ms", Type: schema.Int32},
	}}
	src.SetDefaults()
	docs := make([][]byte, 512)
	for i := range docs {
		docs[i] = fmt.Appendf(nil, `{"event_id":"01H%06d","event_time":%d,"event_type":"view","user_id":"u-%05d","device":"d-%06x",`+
			`"city_id":%d,"page":"detail","listing":"l%05d","brand":%d,"series":%d,"price":%d.50,"km":%d,"dwell_ms":%d}`,
			i, 1_700_000_000_000+i, i%1000, i*7919, 100+i%300, i, 10+i%40, 100+i%800, 100_000+i, 10_000+i, 1000+i)
	}
	return src, docs
}

func benchmarkDecode(b *testing.B, archive bool) {
	src, docs := ordinary()
	d, err := decode.Compile(src)
	if err != nil {
		b.Fatal(err)
	}
	batch := column.NewBatch(src, 0, archive)
	rec := &record.Record{Append: decode.NoAppendTime}
	b.SetBytes(int64(len(docs[0])))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i == len(docs) {
			i = 0
			batch.Reset(0)
		}
		rec.Value = docs[i]
		d.Append(batch, rec)
		i++
	}
	if batch.Reject[0] != 0 {
		b.Fatalf("%s was rejected for %s", docs[0], decode.Reason(batch.Reject[0]))
	}
}

func BenchmarkDecode(b *testing.B)        { benchmarkDecode(b, false) }
func BenchmarkDecodeArchive(b *testing.B) { benchmarkDecode(b, true) }

// BenchmarkEncodingJSON is the yardstick: the same events into a struct.
func BenchmarkEncodingJSON(b *testing.B) {
	_, docs := ordinary()
	type event struct {
		EventID   string      `json:"event_id"`
		EventTime int64       `json:"event_time"`
		EventType string      `json:"event_type"`
		UserID    string      `json:"user_id"`
		Device    string      `json:"device"`
		CityID    int32       `json:"city_id"`
		Page      string      `json:"page"`
		Listing   string      `json:"listing"`
		Brand     int32       `json:"brand"`
		Series    int32       `json:"series"`
		Price     json.Number `json:"price"`
		KM        int32       `json:"km"`
		DwellMS   int32       `json:"dwell_ms"`
	}
	b.SetBytes(int64(len(docs[0])))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		var e event
		if err := json.Unmarshal(docs[i%len(docs)], &e); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkValid is the bare check of well-formedness by the standard library, without a value.
func BenchmarkValid(b *testing.B) {
	_, docs := ordinary()
	b.SetBytes(int64(len(docs[0])))
	i := 0
	for b.Loop() {
		if !json.Valid(docs[i%len(docs)]) {
			b.Fatal("not valid")
		}
		i++
	}
}
