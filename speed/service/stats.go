package service

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/speed/flush"
)

// Stats are the speed layer's counters since its start. Safe for concurrent use.
type Stats struct {
	Decoded       atomic.Int64 // records decoded, folded again after a rewind included
	Rejected      decode.Tally // of them, rejected, by reason
	Faulty        atomic.Int64 // values, of fields that are folded, that did not decode and became null; the archive counts all
	Folded        atomic.Int64 // records folded, per generation counted once
	Errors        atomic.Int64 // values that were null because an expression overflowed or divided by zero
	LongKeys      atomic.Int64 // values that were too long for an entity's key, and null in it
	Full          atomic.Int64 // ns that partitions did not fold because memory was full, summed up over them
	Flushes       atomic.Int64 // calls sent to the store
	Tiles         atomic.Int64 // tiles in them
	StoreFailures atomic.Int64 // requests of the store that failed or stayed unanswered
	Refusals      [flush.Refusals]atomic.Int64

	// Freshness is the time from broker append to readable, ms, by record.
	Freshness Histogram
	// Stages is what it is made of, and the time from event to append before it, µs.
	Stages [Stages]Histogram

	mu         sync.Mutex
	partitions map[string]*PartitionStats
}

func (s *Stats) decoded(b *column.Batch) {
	s.Decoded.Add(int64(b.N))
	s.Rejected.Add(b.Reject)
	for _, n := range b.Faults {
		s.Faulty.Add(n)
	}
}

func (s *Stats) sent(calls []lane.Call) {
	s.Flushes.Add(int64(len(calls)))
	tiles := 0
	for i := range calls {
		for _, r := range calls[i].Rows {
			tiles += len(r.Set)
		}
	}
	s.Tiles.Add(int64(tiles))
}

func (s *Stats) refused(counts *[flush.Refusals]int64) {
	for i, n := range counts {
		s.Refusals[i].Add(n)
	}
	*counts = [flush.Refusals]int64{}
}

// Partitions returns what is owned now, in order of names.
func (s *Stats) Partitions() []PartitionState {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]PartitionState, 0, len(s.partitions))
	for _, p := range s.partitions {
		out = append(out, p.State())
	}
	slices.SortFunc(out, func(a, b PartitionState) int { return cmp.Compare(a.Partition, b.Partition) })
	return out
}

func (s *Stats) own(partition string) *PartitionStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.partitions == nil {
		s.partitions = map[string]*PartitionStats{}
	}
	p := &PartitionStats{state: PartitionState{Partition: partition, Mark: unknown}}
	s.partitions[partition] = p
	return p
}

func (s *Stats) disown(partition string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.partitions, partition)
}

// unknown is the Mark of a partition of which no lane has been read.
const unknown = -1

// PartitionState is how far one owned partition is.
type PartitionState struct {
	Partition string `json:"partition"`
	Position  int64  `json:"position"` // first offset not folded
	Mark      int64  `json:"mark"`     // first offset that not every lane of the served generations holds; -1 = not known yet
	End       int64  `json:"end"`      // the log's end as last seen
	Blocks    int    `json:"open_blocks"`
	Bytes     int64  `json:"open_bytes"`
	Waiting   int    `json:"waiting_lanes"` // lanes that batch has not begun
	Damaged   int    `json:"damaged_lanes"` // lanes with a mark that does not read: delete the lane's marks
	Full      bool   `json:"full"`          // memory is full: nothing is folded until flushes have freed some
	Failed    string `json:"failed,omitempty"`
}

// PartitionStats is a PartitionState that its worker keeps up to date.
type PartitionStats struct {
	mu    sync.Mutex
	state PartitionState
}

// State returns a copy.
func (p *PartitionStats) State() PartitionState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

func (p *PartitionStats) change(f func(*PartitionState)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.state)
}
