package kafkalog

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestDecodingDoesNotAllocate, once its buffers have grown.
func TestDecodingDoesNotAllocate(t *testing.T) {
	if raceDetector {
		t.Skip("left out: allocations cannot be counted with -race; a run without it adds this")
	}
	for _, codec := range []Codec{Plain, Snappy, Zstd} {
		set := benchmarkSet(t, codec)
		d := newDecoder(DefaultBatchBytes)
		decode := func() {
			d.begin(DefaultDecodedBytes)
			if _, _, f := d.decode(set, 0, nil); f.what != "" {
				t.Fatal(f.text())
			}
		}
		decode()
		if n := testing.AllocsPerRun(20, decode); n > 0 {
			t.Errorf("codec %d: %.0f allocations", codec, n)
		}
	}
	// gzip and lz4 come through kafka-go's pooled readers, which allocate a little for each batch.
	for _, codec := range []Codec{Gzip, Lz4} {
		set := benchmarkSet(t, codec)
		d := newDecoder(DefaultBatchBytes)
		n := testing.AllocsPerRun(20, func() {
			d.begin(DefaultDecodedBytes)
			d.decode(set, 0, nil)
		})
		if limit := float64(8 * benchBatches); n > limit {
			t.Errorf("codec %d: %.0f allocations for %d batches", codec, n, benchBatches)
		}
	}
}

const (
	benchBatches = 16
	benchRecords = 500
)

// benchmarkSet returns batches of records of about 200 bytes.
func benchmarkSet(t testing.TB, codec Codec) []byte {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	var set []byte
	for b := range benchBatches {
		es := make([]entry, benchRecords)
		for i := range es {
			es[i] = entry{
				time: 1_700_000_000_000 + int64(i),
				key:  fmt.Appendf(nil, "user-%d", rng.IntN(100_000)),
				value: fmt.Appendf(nil, `{"event_id":"%016x","event_type":"view","user_id":"%d","listing_id":"%d","price_cent":%d,`+
					`"mileage_km":%d,"brand_id":%d,"series_id":%d,"platform":"app","position":%d}`,
					rng.Uint64(), rng.IntN(1e6), rng.IntN(1e7), rng.IntN(1e8), rng.IntN(2e5), rng.IntN(40), rng.IntN(800), rng.IntN(50)),
			}
		}
		set = append(set, batchSpec{base: int64(b * benchRecords), entries: es, producer: -1, codec: codec}.bytes(t)...)
	}
	return set
}

func BenchmarkDecode(b *testing.B) {
	for name, codec := range map[string]Codec{"plain": Plain, "snappy": Snappy, "lz4": Lz4, "zstd": Zstd, "gzip": Gzip} {
		b.Run(name, func(b *testing.B) {
			set := benchmarkSet(b, codec)
			d := newDecoder(DefaultBatchBytes)
			b.ReportAllocs()
			b.SetBytes(int64(len(set)))
			for b.Loop() {
				d.begin(DefaultDecodedBytes)
				if recs, _, _ := d.decode(set, 0, nil); len(recs) != benchBatches*benchRecords {
					b.Fatal(len(recs))
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchBatches*benchRecords), "ns/record")
		})
	}
}
