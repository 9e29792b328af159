package archive_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/decode"
)

// TestUnarchived: what the log is the only one to hold is told by where it begins and by the append time of its oldest
// record, whatever was archived before and however often it is started.
func TestUnarchived(t *testing.T) {
	t.Parallel()
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 61))
		log := newTopic(r, 2, 300)
		log.start[0] = 3
		s := &setup{dir: t.TempDir(), src: hits(), log: log}
		for life := range 3 {
			s.tail = time.Duration(life%2) * time.Hour // with it a tail is closed at the end, without it what is in memory is given up
			a, err := s.run(t, seed, -1)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for _, p := range a.Stats.Partitions() {
				want := int64(0)
				for _, rec := range log.records[p.Partition.ID] {
					if rec.Offset >= p.Archived && rec.Offset < p.Position {
						want = rec.Append
						break
					}
				}
				if p.Unarchived != want || p.Start != log.start[p.Partition.ID] || p.End != log.end[p.Partition.ID] {
					t.Errorf("seed %d, life %d: %+v, want the oldest record that is not archived to be of %d", seed, life, p, want)
				}
			}
			if total := a.Stats.Rejected.Total(); life == 0 && total == 0 || total != a.Stats.Rejected.Of(decode.NotJSON)+a.Stats.Rejected.Of(decode.Tombstone) {
				t.Errorf("seed %d: %d records are rejected", seed, total)
			}
			for range 40 {
				log.append(r, r.Int32N(2))
			}
		}
	}
}
