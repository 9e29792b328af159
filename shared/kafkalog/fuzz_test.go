package kafkalog

import (
	"math"
	"testing"

	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzBatches feeds bytes with a valid checksum to the decoder. Whatever comes, it must not panic, deliver nothing below
// the offset asked for nor out of order, and not stand still without saying why.
func FuzzBatches(f *testing.F) {
	es := []entry{{time: 1000, key: []byte("key"), value: []byte("value"), headers: []record.Header{{Key: "h"}}}, {time: 1001}}
	abort := false
	for _, codec := range allCodecs {
		f.Add(batchSpec{base: 7, entries: es, producer: 3, codec: codec, tx: true}.bytes(f), int64(7), int64(3))
	}
	f.Add(batchSpec{base: 9, producer: 3, tx: true, marker: &abort}.bytes(f), int64(8), int64(3))
	fuzzing.Target(f, func(t *testing.T, set []byte, asked, producer int64) {
		asked &= math.MaxInt64
		if len(set) >= batchHeaderBytes {
			reseal(set)
		}
		d := newDecoder(1 << 20)
		d.begin(1 << 20)
		recs, next, fl := d.decode(set, asked, []aborted{{producer, 0}})
		if next < asked || fl.what != "" && (next != asked || len(recs) > 0) {
			t.Fatalf("asked %d: %d records, next %d, fault %q", asked, len(recs), next, fl.text())
		}
		if len(set) > 0 && next == asked && fl.what == "" && !passedOver(set, asked) {
			t.Fatalf("asked %d: nothing happened", asked)
		}
		last := asked - 1
		for _, r := range recs {
			if r.Offset <= last || r.Offset >= next {
				t.Fatalf("asked %d, next %d: offset %d after %d", asked, next, r.Offset, last)
			}
			last = r.Offset
		}
	})
}

// passedOver tells whether the first batch lies wholly below the offset asked for.
func passedOver(set []byte, asked int64) bool {
	raw, _, what := cutBatch(set)
	if what != "" {
		return false
	}
	b, what := parseBatch(raw)
	return what == "" && b.last < asked
}
