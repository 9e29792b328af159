package column_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// TestJoinAgainstAppending joins random batches, their columns with and without nulls and dictionaries, in a batch that held
// others before, also of a source of other types, and compares with copying row by row.
func TestJoinAgainstAppending(t *testing.T) {
	fields := []schema.Field{{Name: "n", Type: schema.Decimal, Scale: 2}, {Name: "unread", Type: schema.Int64}, {Name: "b", Type: schema.String}}
	sources := []*schema.Source{{Name: "s", Fields: fields}, {Name: "r", Fields: []schema.Field{fields[2], fields[1], fields[0]}}}
	read := []int{0, 2}
	var got column.Batch
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 4))
		src := sources[seed%2]
		want := column.NewBatch(src, 3, false)
		got.N = 0
		for range 1 + r.IntN(4) {
			from := joinable(r, src)
			got.Join(from, read)
			for i := range from.N {
				want.AppendRow(from, i)
			}
		}
		if got.N != want.N || got.Source != src || got.Partition != 3 {
			t.Fatalf("seed %d: %d rows of %v/%d, want %d", seed, got.N, got.Source, got.Partition, want.N)
		}
		if !slices.Equal(got.Offset, want.Offset) || !slices.Equal(got.Time, want.Time) || !slices.Equal(got.Append, want.Append) ||
			!slices.Equal(got.AppendType, want.AppendType) || !slices.Equal(got.Reject, want.Reject) {
			t.Fatalf("seed %d: %+v, want %+v", seed, got, want)
		}
		for _, i := range read {
			if c := &got.Cols[i]; !equalColumns(c, &want.Cols[i]) || !c.Type.IsBytes() && c.Index != nil {
				t.Fatalf("seed %d: column %d is %+v, want %+v", seed, i, got.Cols[i], want.Cols[i])
			}
		}
	}
}

// joinable returns a batch without its second column.
func joinable(r *rand.Rand, src *schema.Source) *column.Batch {
	b := column.NewBatch(src, 3, false)
	n := r.IntN(30)
	for range n {
		b.Offset, b.Time, b.Append = append(b.Offset, r.Int64()), append(b.Time, r.Int64()), append(b.Append, r.Int64())
		b.AppendType, b.Reject = append(b.AppendType, column.TimeType(r.IntN(2))), append(b.Reject, uint8(r.IntN(2)))
		b.N++
	}
	for _, i := range []int{0, 2} {
		fill(&b.Cols[i], r.Uint64(), n)
	}
	for i := range b.Cols {
		if c := &b.Cols[i]; c.Type.IsBytes() && n > 0 && r.IntN(2) == 0 {
			asDictionary(c)
		}
	}
	return b
}
