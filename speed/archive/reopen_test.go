package archive_test

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/archive"
)

// few is how many offsets fetchFew gives at most.
const few = 3

// fetchFew gives the next few offsets of each partition, or says that they were trimmed.
func (l *topic) fetchFew(wants []kafkalog.Want) (all []kafkalog.Fetched) {
	for _, w := range wants {
		start, end := l.start[w.Partition], l.end[w.Partition]
		f := kafkalog.Fetched{Partition: w.Partition, Next: min(w.Offset+few, end), LogStart: start, LastStable: end}
		if w.Offset < start {
			f.Next, f.Err = w.Offset, &kafkalog.RangeError{Topic: "hits", Partition: w.Partition, Asked: w.Offset, LogStart: start, End: end}
		}
		for _, rec := range l.records[w.Partition] {
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
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	log := newTopic(r, 2, 40)
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
	fetches, accepted, now := 0, false, time.Now()
	a, err := archive.New(archive.Config{
		Dir: s.dir, Source: s.src, Logger: slog.New(slog.DiscardHandler), TailAge: 10_000 * time.Hour,
		Now: func() time.Time { now = now.Add(time.Second); return now }, // so that files are looked for without waiting
		// The other partition keeps the archiver fetching while this one waits.
		Partitions: func(context.Context) ([]int32, error) { return []int32{0, 1}, nil },
		Log: logFunc(func(wants []kafkalog.Want) []kafkalog.Fetched {
			fetches++
			stopped := !slices.ContainsFunc(wants, func(w kafkalog.Want) bool { return w.Partition == 0 })
			switch {
			case fetches == 2:
				log.start[0] = lost.Next
			case stopped && !accepted:
				accepted = true
				if _, err := archive.AcceptLoss(archivefile.OS{}, s.dir, &s.src, 0, lost, lost.Next); err != nil {
					t.Error(err)
				}
			case fetches == 1000:
				t.Error("it does not come to the log's end")
				cancel()
			case !stopped && wants[0].Offset == log.end[0]:
				cancel()
			}
			return log.fetchFew(wants)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(ctx); err != nil {
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
}
