package archive_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/archive"
)

// fetchFew gives at most a few offsets at once, of records or of what is trimmed an error.
func fetchFew(log *topic, wants []kafkalog.Want, few int64) (all []kafkalog.Fetched) {
	for _, w := range wants {
		f := kafkalog.Fetched{Partition: w.Partition, Next: min(w.Offset+few, log.end[0]), LogStart: log.start[0], LastStable: log.end[0]}
		if w.Offset < f.LogStart {
			f.Next, f.Err = w.Offset, &kafkalog.RangeError{Topic: "hits", Asked: w.Offset, LogStart: f.LogStart, End: f.LastStable}
		}
		for _, rec := range log.records[0] {
			if w.Offset <= rec.Offset && rec.Offset < f.Next {
				f.Records = append(f.Records, rec)
			}
		}
		all = append(all, f)
	}
	return all
}

// TestLossWhileTailIsDecodedAnew: after a change of the source's fields an archived tail is fetched again, so that its block
// is decoded by one rule. If the log loses records while that is half done, and the loss is accepted, the tail's rows stay.
func TestLossWhileTailIsDecodedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const few = 3 // offsets of the tail that are fetched again before the log loses the rest
		r := rand.New(rand.NewPCG(1, 1))
		log := newTopic(r, 1, 40)
		s := &setup{dir: t.TempDir(), src: hits(), log: log, tail: time.Hour}
		if _, err := s.run(t, 1, -1); err != nil {
			t.Fatal(err)
		}
		lost := position.Range{From: log.end[0], Next: log.end[0] + 10}
		if tail := lost.From - position.Block(lost.From, block); tail <= few {
			t.Fatalf("a tail of %d offsets is archived: the test has lost its point", tail)
		}
		for log.end[0] < lost.Next+3*block {
			log.append(r, 0)
		}
		s.src.Fields = append(s.src.Fields, schema.Field{Name: "x", Type: schema.JSON})
		s.src.SetDefaults()

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a, err := archive.New(archive.Config{
			Dir: s.dir, Source: s.src, Logger: slog.New(slog.DiscardHandler), TailAge: time.Hour,
			Partitions: func(context.Context) ([]int32, error) { return []int32{0}, nil },
			Log: logFunc(func(wants []kafkalog.Want) []kafkalog.Fetched {
				time.Sleep(time.Millisecond)
				all := fetchFew(log, wants, few)
				log.start[0] = lost.Next
				return all
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- a.Run(ctx) }()
		time.Sleep(time.Minute)
		if p := a.Stats.Partitions(); len(p) != 1 || p[0].Failed != (&archive.LostError{Partition: p[0].Partition, Lost: lost}).Error() {
			t.Fatalf("it waits for %+v, want %s", p, lost)
		}
		if _, err := archive.AcceptLoss(archivefile.OS{}, s.dir, &s.src, 0, lost, lost.Next); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		c, err := archivefile.List(s.dir, position.Partition{Source: s.src.Name})
		if err != nil || !slices.Equal(c.Lost(), []position.Range{lost}) || c.Range().Next != log.end[0] {
			t.Errorf("the archive holds %+v, %v", c, err)
		}
		kept := slices.DeleteFunc(slices.Clone(log.records[0]), func(rec record.Record) bool { return lost.Contains(rec.Offset) })
		if rows, _ := archived(t, s.dir, &s.src, 0); len(rows) != len(kept) {
			t.Errorf("%d rows are archived of %d that the log has, or had before the loss", len(rows), len(kept))
		}
	})
}
