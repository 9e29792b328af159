package archive

import (
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/record"
)

// TestSplit compares with the plain definition: every record stands in the piece of its block, pieces meet without a gap.
func TestSplit(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		block := int64(1) << r.IntN(8)
		at := r.Int64N(300)
		next := at + r.Int64N(300)
		var records []record.Record
		for offset := at; offset < next; offset++ {
			if r.IntN(3) > 0 {
				records = append(records, record.Record{Offset: offset})
			}
		}
		seen, from := 0, at
		for p := range split(records, at, next, block) {
			if p.next <= from || from/block != (p.next-1)/block || p.whole != (p.next%block == 0) || !p.whole && p.next != next {
				t.Fatalf("seed %d: piece [%d,%d), whole %t, blocks of %d, fetched to %d", seed, from, p.next, p.whole, block, next)
			}
			for _, rec := range p.records {
				if rec.Offset < from || rec.Offset >= p.next || rec.Offset != records[seen].Offset {
					t.Fatalf("seed %d: offset %d in piece [%d,%d)", seed, rec.Offset, from, p.next)
				}
				seen++
			}
			from = p.next
		}
		if seen != len(records) || from != next {
			t.Fatalf("seed %d: %d of %d records, up to %d of %d", seed, seen, len(records), from, next)
		}
	}
}
