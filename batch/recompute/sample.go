package recompute

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
)

const (
	// Samples is about how many rows of a run are computed a second time.
	Samples = 1000
	// MaxSampleEvents is the largest number of events of an entity that is sampled: the oracle takes microseconds an
	// event and state. The full check has no such bound.
	MaxSampleEvents = 512
)

// sample is a row that is computed a second time.
type sample struct {
	hash uint64
	key  []byte
	lane int
	row  int64 // in the lane's file

	mu      sync.Mutex
	batches []*column.Batch // the entity's events, one batch a partition
}

// choose picks the entities of a shard that are sampled: those whose mixed hashes are smallest, so that which they are
// depends on the run and on nothing else.
func (s *shard) choose(g *generation) []*sample {
	quota := max(1, Samples/len(g.shards))
	mixed := func(slot int32) uint64 {
		// An odd factor permutes; the run shifts the order, so that other entities are looked at each time.
		return (s.fold.Hash(int(slot)) + uint64(g.Run)*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93
	}
	var best []int32
	for slot := range int32(s.fold.Len()) {
		if s.fold.Events(int(slot)) > MaxSampleEvents {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, slot, func(a, b int32) int { return cmp.Compare(mixed(a), mixed(b)) })
		if at < quota {
			best = slices.Insert(best, at, slot)
			best = best[:min(len(best), quota)]
		}
	}
	samples := make([]*sample, len(best))
	for i, slot := range best {
		samples[i] = &sample{hash: s.fold.Hash(int(slot)), key: bytes.Clone(s.fold.Key(int(slot))), row: -1}
	}
	return samples
}

// find returns the sample of a key, nil if there is none. The samples are of one hash or few.
func find(samples []*sample, key []byte) *sample {
	for _, s := range samples {
		if bytes.Equal(s.key, key) {
			return s
		}
	}
	return nil
}

// checkSamples reads the events of all samples again and holds what the oracle makes of them against the files. The
// result stands in the outcomes.
func (e *Engine) checkSamples(ctx context.Context, gens []*generation) error {
	list, err := e.plan(ctx, gens)
	if err != nil {
		return err
	}
	wanted := make([]map[uint64][]*sample, len(gens))
	for i, g := range gens {
		wanted[i] = map[uint64][]*sample{}
		for _, s := range g.samples {
			wanted[i][s.hash] = append(wanted[i][s.hash], s)
		}
	}
	workers := e.newWorkers(gens, &pass{gens: gens})
	err = parallel(ctx, e.workers(), len(list), func(w, i int) error {
		return e.Archive.Read(ctx, list[i].Piece, list[i].src, list[i].fields, func(b *column.Batch) error {
			workers[w].collect(b, wanted)
			return nil
		})
	}, func(done int) { e.progress("check", done, len(list)) })
	if err != nil {
		return fmt.Errorf("reading the events of sampled rows: %w", err)
	}
	for _, g := range gens {
		if err := e.judge(ctx, g); err != nil {
			return fmt.Errorf("checking %s: %w", g.Task, err)
		}
	}
	return nil
}

// collect copies the rows of sampled entities out of a batch.
func (w *worker) collect(b *column.Batch, wanted []map[uint64][]*sample) {
	for i, g := range w.gens {
		rank := g.Plan.SourceRank(b.Source.Name)
		if rank < 0 {
			continue
		}
		from, to := g.clip(b)
		if from == to {
			continue
		}
		w.splitters[i].Split(b, from, to)
		w.splitters[i].Each(func(row int, hash uint64, key []byte) {
			if s := find(wanted[i][hash], key); s != nil {
				s.keep(&g.Plan.Spec().Sources[rank], b, row)
			}
		})
	}
}

// keep copies a row into the sample's own batches, which are of the view's declaration of the source, as the oracle
// wants. Columns that were not read, because the view does not use them, become null.
func (s *sample) keep(src *schema.Source, b *column.Batch, row int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.batches, func(c *column.Batch) bool { return c.Source == src && c.Partition == b.Partition })
	if at < 0 {
		at = len(s.batches)
		s.batches = append(s.batches, column.NewBatch(src, b.Partition, false))
	}
	to := s.batches[at]
	to.N++
	to.Offset = append(to.Offset, b.Offset[row])
	to.Time = append(to.Time, b.Time[row])
	to.Append = append(to.Append, b.Append[row])
	to.AppendType = append(to.AppendType, b.AppendType[row])
	to.Reject = append(to.Reject, b.Reject[row])
	for i := range src.Fields {
		copyValue(&to.Cols[i], b, b.Source.Index(src.Fields[i].Name), row)
	}
}

func copyValue(to *column.Column, b *column.Batch, field, row int) {
	if field < 0 || b.Cols[field].N <= row || !b.Cols[field].Present(row) {
		to.AppendNull()
		return
	}
	if from := &b.Cols[field]; to.Type.IsBytes() {
		to.AppendBytes(from.BytesAt(row))
	} else {
		to.AppendInt(from.Ints[row])
	}
}

// judge computes the samples of a task and sets Sampled and, by the first row that differs, Mismatch.
func (e *Engine) judge(ctx context.Context, g *generation) error {
	byLane := make([][]*sample, g.Lanes)
	for _, s := range g.samples {
		byLane[s.lane] = append(byLane[s.lane], s)
	}
	faults := make([]*Mismatch, g.Lanes)
	oracles := make([]*oracle.Oracle, e.workers())
	err := parallel(ctx, e.workers(), g.Lanes, func(w, lane int) (err error) {
		if oracles[w] == nil {
			if oracles[w], err = oracle.New(g.Plan); err != nil {
				return err
			}
		}
		faults[lane], err = g.judgeLane(oracles[w], lane, byLane[lane])
		return err
	}, nil)
	if err != nil {
		return err
	}
	g.out.Sampled = int64(len(g.samples))
	for _, f := range faults {
		if f != nil && g.out.Mismatch == nil {
			g.out.Mismatch = f
		}
	}
	return nil
}

func (g *generation) judgeLane(o *oracle.Oracle, lane int, samples []*sample) (fault *Mismatch, err error) {
	if len(samples) == 0 {
		return nil, nil
	}
	file, err := runfile.Open(g.out.Draft.Path(g.FileName(lane)), g.meta(lane))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for _, s := range samples {
		if err := file.SeekRow(s.row); err != nil {
			return nil, err
		}
		row, err := file.Next()
		if err != nil {
			return nil, err
		}
		if fault, err := s.judge(o, row); fault != nil || err != nil {
			return fault, err
		}
	}
	return nil, nil
}

// judge compares a row of the file with what the oracle makes of the events.
func (s *sample) judge(o *oracle.Oracle, row *runfile.Row) (*Mismatch, error) {
	fault := func(format string, args ...any) *Mismatch {
		return &Mismatch{Key: string(s.key), Reason: fmt.Sprintf(format, args...)}
	}
	if !bytes.Equal(row.Key, s.key) {
		return fault("the file has %q in its place", row.Key), nil
	}
	_, body, err := tile.ParseHeader(row.Tile)
	if err != nil {
		return nil, err
	}
	var events []oracle.Event
	for _, b := range s.batches {
		for i := range b.N {
			events = append(events, oracle.Event{Batch: b, Row: i})
		}
	}
	want, err := o.Body(events)
	if errors.Is(err, oracle.ErrNoEvents) {
		return fault("it has no events in the blocks of the run"), nil
	}
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(body, want) {
		return fault("the plain fold of its %d events makes %s, the file holds %s", len(events), shorten(want), shorten(body)), nil
	}
	return nil, nil
}

// shorten returns bytes in hex, at most some hundred of them.
func shorten(b []byte) string {
	const most = 128
	if len(b) <= most {
		return hex.EncodeToString(b)
	}
	return fmt.Sprintf("%x… (%d bytes)", b[:most], len(b))
}
