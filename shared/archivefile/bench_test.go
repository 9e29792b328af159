package archivefile_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// clicks is a source of the shape and size that most are of: ids, a few enums, numbers, one record in a hundred odd.
func clicks() *schema.Source {
	s := &schema.Source{Name: "clicks", EventTime: "time", Fields: []schema.Field{
		{Name: "time", Type: schema.Time},
		{Name: "event_id", Type: schema.String},
		{Name: "kind", Type: schema.Enum, Enum: []string{"impression", "view", "call"}, Required: true},
		{Name: "user_id", Type: schema.String},
		{Name: "item_id", Type: schema.String},
		{Name: "series_id", Type: schema.Int32},
		{Name: "price", Type: schema.Int64},
		{Name: "mileage", Type: schema.Int32},
		{Name: "city", Type: schema.Int32},
		{Name: "dwell", Type: schema.Int32},
	}}
	s.SetDefaults()
	return s
}

func clickLog(n int) []record.Record {
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 4, 400_000)
	records := make([]record.Record, n)
	now := int64(1_700_000_000_000)
	for i := range records {
		now += r.Int64N(20)
		dwell := ""
		if r.IntN(4) == 0 {
			dwell = fmt.Sprintf(`,"dwell":%d`, r.IntN(100_000))
		}
		records[i] = record.Record{Offset: int64(i), Append: now, AppendType: column.LogAppendTime, Value: fmt.Appendf(nil,
			`{"event_id":"%016x","time":%d,"kind":"%s","user_id":"u%d","item_id":"i%d","series_id":%d,"price":%d,"mileage":%d,"city":%d%s}`,
			r.Uint64(), now-r.Int64N(3000), [...]string{"impression", "impression", "view", "call"}[r.IntN(4)], zipf.Uint64(), zipf.Uint64()%50_000,
			r.IntN(800), r.IntN(50_000_000), r.IntN(200_000), r.IntN(300), dwell)}
		if i%100 == 99 {
			records[i].Value = records[i].Value[:40]
		}
	}
	return records
}

func BenchmarkWrite(b *testing.B) {
	src := clicks()
	rows := decoded(b, src, 0, clickLog(archivefile.GroupRows))
	for b.Loop() {
		if _, err := archivefile.Write(archivefile.OS{}, b.TempDir(), src, 0, position.Range{Next: archivefile.GroupRows}, one(rows)); err != nil {
			b.Fatal(err)
		}
	}
	rate(b, archivefile.GroupRows)
}

// BenchmarkScan8 reads 8 columns beside those that every batch has. Its yardstick is BenchmarkGenericReader8.
func BenchmarkScan8(b *testing.B) {
	src := clicks()
	path := write(b, b.TempDir(), src, 0, 0, archivefile.GroupRows, clickLog(archivefile.GroupRows))
	want := archivefile.Want{Fields: []int{2, 3, 4, 5, 6, 7, 8, 9}}
	b.ReportAllocs()
	for b.Loop() {
		r, err := archivefile.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		rows := 0
		if err := r.Read(b.Context(), src, want, func(batch *column.Batch) error {
			rows += batch.N
			return nil
		}); err != nil || rows != archivefile.GroupRows {
			b.Fatal(rows, err)
		}
		closing(b, r)
	}
	rate(b, archivefile.GroupRows)
}

// click is a row of clicks as the library reads it into a struct.
type click struct {
	Kind   *string `parquet:"kind,optional"`
	User   *string `parquet:"user_id,optional"`
	Item   *string `parquet:"item_id,optional"`
	Series *int64  `parquet:"series_id,optional"`
	Price  *int64  `parquet:"price,optional"`
	Miles  *int64  `parquet:"mileage,optional"`
	City   *int64  `parquet:"city,optional"`
	Dwell  *int64  `parquet:"dwell,optional"`
}

func BenchmarkGenericReader8(b *testing.B) {
	path := write(b, b.TempDir(), clicks(), 0, 0, archivefile.GroupRows, clickLog(archivefile.GroupRows))
	buffer := make([]click, 1024)
	b.ReportAllocs()
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		r, rows := parquet.NewGenericReader[click](f), 0
		for {
			n, err := r.Read(buffer)
			rows += n
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		if err := f.Close(); err != nil || rows != archivefile.GroupRows {
			b.Fatal(rows, err)
		}
	}
	rate(b, archivefile.GroupRows)
}

// BenchmarkReadByAnotherSource reads rows that have to be decoded again.
func BenchmarkReadByAnotherSource(b *testing.B) {
	old, src := clicks(), clicks()
	src.Fields = append(src.Fields, schema.Field{Name: "page", Type: schema.String})
	path := write(b, b.TempDir(), old, 0, 0, archivefile.GroupRows, clickLog(archivefile.GroupRows))
	for b.Loop() {
		rowsSeen := 0
		r, err := archivefile.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		if err := r.Read(b.Context(), src, archivefile.Want{Fields: []int{10}}, func(batch *column.Batch) error {
			rowsSeen += batch.N
			return nil
		}); err != nil || rowsSeen != archivefile.GroupRows {
			b.Fatal(rowsSeen, err)
		}
		closing(b, r)
	}
	rate(b, archivefile.GroupRows)
}

func rate(b *testing.B, rows int) {
	b.Helper()
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}
