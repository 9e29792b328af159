package usedcar_test

import (
	"bytes"
	"testing"

	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/jobs/usedcar"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/record"
)

const start = 1_790_000_000_000

// TestSameSeedSameRecords: the traffic is a function of the seed and the times.
func TestSameSeedSameRecords(t *testing.T) {
	a, b := usedcar.New(7), usedcar.New(7)
	for i := range int64(5000) {
		x := a.Next(start + i)
		y := b.Next(start + i)
		if !bytes.Equal(x.Value, y.Value) || !bytes.Equal(x.Key, y.Key) {
			t.Fatalf("record %d differs:\n%s\n%s", i, x.Value, y.Value)
		}
	}
}

// TestTrafficFitsTheSource: what the generator calls well-formed decodes without a fault, and each kind of dirt is there.
func TestTrafficFitsTheSource(t *testing.T) {
	j, _, err := jobs.Open("usedcar")
	if err != nil {
		t.Fatal(err)
	}
	src := j.Source("events")
	d, err := decode.Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	b := column.NewBatch(src, 0, false)
	g, n := usedcar.New(3), 50_000
	for i := range n {
		r := g.Next(start + int64(i))
		d.Append(b, &record.Record{Offset: int64(i), Append: start + int64(i), AppendType: column.LogAppendTime, Key: r.Key, Value: r.Value})
	}
	rejected := 0
	for _, r := range b.Reject {
		if r != 0 {
			rejected++
		}
	}
	if share := float64(rejected) / float64(n); share < 0.004 || share > 0.012 {
		t.Errorf("%.3f of the records were rejected, want about 0.0075", share)
	}
	for i, f := range src.Fields {
		spoiled := f.Name == "platform" || f.Name == "price_cent" || f.Name == "dwell_ms"
		if (b.Faults[i] > 0) != spoiled {
			t.Errorf("field %s: %d faults", f.Name, b.Faults[i])
		}
	}
	seen := map[int64]int{}
	kind := &b.Cols[src.Index("event_type")]
	for i := range n {
		if b.Reject[i] == 0 {
			seen[kind.Ints[i]]++
		}
	}
	if len(seen) != 14 {
		t.Errorf("%d kinds of events of %d", len(seen), 14)
	}
}

func BenchmarkNext(b *testing.B) {
	g := usedcar.New(1)
	for i := range b.N {
		g.Next(start + int64(i))
	}
}
