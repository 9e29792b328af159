package archive_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/speed/archive"
)

// TestAcceptLoss: what nobody has can be accepted as lost, and nothing else.
func TestAcceptLoss(t *testing.T) {
	t.Parallel()
	src := hits()
	accept := func(dir string, from, next, start int64) error {
		_, err := archive.AcceptLoss(archivefile.OS{}, dir, &src, 0, position.Range{From: from, Next: next}, start)
		return err
	}
	for name, c := range map[string]struct {
		archived   position.Range // empty = nothing is
		from, next int64
		start      int64 // of the log
		lost       bool
	}{
		"behind the archive":               {position.Range{From: 10, Next: 100}, 100, 120, 120, true},
		"a part of it":                     {position.Range{From: 10, Next: 100}, 100, 110, 120, true},
		"before the archive":               {position.Range{From: 10, Next: 100}, 0, 10, 50, true},
		"nothing is archived":              {position.Range{}, 0, 120, 120, true},
		"still in the log":                 {position.Range{From: 10, Next: 100}, 100, 121, 120, false},
		"in the log as a whole":            {position.Range{From: 10, Next: 100}, 100, 110, 0, false},
		"past the log's end":               {position.Range{From: 10, Next: 100}, 100, 110, 90, false},
		"archived":                         {position.Range{From: 10, Next: 100}, 99, 120, 120, false},
		"archived as a whole":              {position.Range{From: 10, Next: 100}, 20, 30, 120, false},
		"a gap would stay":                 {position.Range{From: 10, Next: 100}, 101, 120, 120, false},
		"a gap would stay before":          {position.Range{From: 10, Next: 100}, 0, 9, 120, false},
		"a gap would stay before the log":  {position.Range{}, 0, 119, 120, false},
		"no range":                         {position.Range{From: 10, Next: 100}, 100, 100, 120, false},
		"a range that begins before there": {position.Range{}, -1, 120, 120, false},
	} {
		dir := t.TempDir()
		if !c.archived.Empty() {
			if _, err := archivefile.Write(archivefile.OS{}, dir, &src, 0, c.archived, func(func(*column.Batch, error) bool) {}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // accepting again does nothing
			err := accept(dir, c.from, c.next, c.start)
			if c.lost != (err == nil) || err != nil && !errors.Is(err, archive.ErrNotLost) {
				t.Errorf("%s: %v", name, err)
			}
		}
		coverage, err := archivefile.List(dir, position.Partition{Source: src.Name})
		if err != nil || (len(coverage.Lost()) == 1) != c.lost {
			t.Errorf("%s: %+v, %v", name, coverage, err)
		}
	}
}

// TestArchiverWaitsForLoss: an archiver of which every partition has lost records waits, also in the middle of a block, and
// goes on when the loss is accepted, in whole blocks of what there is; what was said to be lost stays said when it is begun
// again.
func TestArchiverWaitsForLoss(t *testing.T) {
	t.Parallel() // and in real time: encoders that a bubble of synctest puts into their pool cannot be used outside
	r := rand.New(rand.NewPCG(6, 6))
	log := newTopic(r, 1, 3*block+20)
	s := &setup{dir: t.TempDir(), src: hits(), log: log, tail: time.Hour}
	if _, err := s.run(t, 1, -1); err != nil {
		t.Fatal(err)
	}
	lost := position.Range{From: log.end[0], Next: log.end[0] + 5*block + 3}
	log.start[0], log.end[0] = lost.Next, lost.Next
	for range 3 * block {
		log.append(r, 0)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a, err := archive.New(archive.Config{
		Dir: s.dir, Source: s.src, Logger: slog.New(slog.DiscardHandler), TailAge: time.Hour,
		Log:        &reader{topic: log, rand: r, stop: cancel, left: -1},
		Partitions: func(context.Context) ([]int32, error) { return []int32{0}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	waits := func() bool {
		p := a.Stats.Partitions()
		return len(p) == 1 && p[0].Failed == (&archive.LostError{Partition: p[0].Partition, Lost: lost}).Error()
	}
	tick, late := time.Tick(time.Millisecond), time.After(time.Minute)
	for !waits() {
		select {
		case <-tick:
		case err := <-done:
			t.Fatalf("it has ended: %v", err)
		case <-late:
			t.Fatalf("it waits for %+v, want %s", a.Stats.Partitions(), lost)
		}
	}
	if _, err := archive.AcceptLoss(archivefile.OS{}, s.dir, &s.src, 0, lost, log.start[0]); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if p := a.Stats.Partitions(); p[0].Failed != "" || p[0].Archived != log.end[0] {
		t.Errorf("it has gone on to %+v of %d", p, log.end[0])
	}
	log.append(r, 0)
	if _, err := s.run(t, 2, -1); err != nil {
		t.Fatal(err)
	}
	c, err := archivefile.List(s.dir, position.Partition{Source: s.src.Name})
	if err != nil || !slices.Equal(c.Lost(), []position.Range{lost}) || c.Range().Next != log.end[0] {
		t.Errorf("the archive holds %+v, %v", c, err)
	}
}

// TestRunEndsWhenEveryPartitionIsStopped: for what is not to be waited for.
func TestRunEndsWhenEveryPartitionIsStopped(t *testing.T) {
	t.Parallel()
	log := newTopic(rand.New(rand.NewPCG(4, 4)), 1, 100)
	s := &setup{dir: t.TempDir(), src: hits(), log: log, tail: time.Hour}
	if _, err := s.run(t, 1, -1); err != nil {
		t.Fatal(err)
	}
	log.end[0], log.start[0] = 10, 0 // truncated
	if _, err := s.run(t, 1, -1); !errors.Is(err, kafkalog.ErrOutOfRange) {
		t.Errorf("a truncated log: got %v", err)
	}
}
