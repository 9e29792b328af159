package archive

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/position"
)

// Stats are an archiver's counters since its start. Safe for concurrent use.
type Stats struct {
	Records  atomic.Int64 // fetched and decoded, those fetched again after a restart included
	Rejected decode.Tally // of them, rejected, by reason
	Faulty   atomic.Int64 // values of accepted records that did not decode and became null
	Blocks   atomic.Int64 // files that end with their block
	Tails    atomic.Int64 // files that end inside of one
	Rows     atomic.Int64 // rows in both
	Buffered atomic.Int64 // bytes of rows held in memory now

	mu         sync.Mutex
	partitions map[int32]Progress
}

func (s *Stats) decoded(b *column.Batch) {
	s.Records.Add(int64(b.N))
	s.Rejected.Add(b.Reject)
	for _, n := range b.Faults {
		s.Faulty.Add(n)
	}
}

// Progress is how far one partition is.
type Progress struct {
	Partition position.Partition
	Archived  int64 // first offset that no file holds
	Position  int64 // first offset that was not fetched
	Start     int64 // the log's start as last seen, -1 if not seen yet
	End       int64 // the log's end as last seen, -1 if not seen yet
	// Unarchived is the append time, ms, of the oldest record that was fetched and that no file holds; 0 if there is none.
	Unarchived int64
	Failed     string // why the partition is stopped, empty if it is not
}

// Partitions returns all partitions' progress, in order.
func (s *Stats) Partitions() []Progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.partitions), func(a, b Progress) int {
		return cmp.Compare(a.Partition.ID, b.Partition.ID)
	})
}

func (s *Stats) progress(p Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.partitions == nil {
		s.partitions = map[int32]Progress{}
	}
	s.partitions[p.Partition.ID] = p
}
