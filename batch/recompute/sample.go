package recompute

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

const (
	// Samples is how many rows of a run are computed a second time, if it has as many; less those that are too large.
	Samples = 750
	// maxSamples is how many are kept while the log is scanned.
	maxSamples = 2 * Samples
	// MaxSampleEvents is the largest number of events of an entity that is sampled: the oracle takes microseconds an
	// event and state. The full check has no such bound.
	MaxSampleEvents = 256
	// MaxSampleBytes is the most that these events' strings may have: they are held until the run is checked.
	MaxSampleBytes = 64 << 10
)

// sample is a row that is computed a second time.
type sample struct {
	mixed  uint64
	key    []byte
	events int
	bytes  int64     // of their strings
	kept   []keptRow // the entity's events; none if it is too large
	lane   int
	row    int64  // in the lane's file, -1 as long as it was not written
	change []byte // body of the run's change, if the file has a fresh base in its place
}

// tooLarge tells whether an entity has more than is computed a second time.
func (s *sample) tooLarge() bool { return s.events > MaxSampleEvents || s.bytes > MaxSampleBytes }

// sampler chooses entities while the log is scanned, and keeps their events: those whose mixed hashes lie below a bound,
// which sinks whenever there are too many. An entity below the last bound was below all others, so that all of its events
// are there. How many are kept depends on the order in which workers bring them; the Samples that are lowest of all do not.
type sampler struct {
	run uint64

	mu      sync.Mutex
	bound   uint64
	samples map[string]*sample
	kept    kept

	chosen []chosenRows // scratch of take
	rows   []int32      // scratch of take
}

// chosenRows are rows of a batch that are of a sample.
type chosenRows struct {
	of   *sample
	rows []int32
}

func newSampler(run int64) *sampler {
	return &sampler{run: uint64(run), samples: map[string]*sample{}, bound: math.MaxUint64}
}

// mix returns the number by which an entity is chosen. An odd factor permutes; the run shifts the order, so that other
// entities are looked at each time.
func (s *sampler) mix(hash uint64) uint64 {
	return (hash + s.run*0x9e3779b97f4a7c15) * 0xd6e8feb86659fd93
}

// take keeps the rows at hand in a splitter that are of chosen entities.
func (s *sampler) take(c *copying, sp *view.Splitter, b *column.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.samples) == 0 {
		s.lower(sp.Hashes())
	}
	s.chosen = s.chosen[:0]
	before := s.bound
	wanted := func(hash uint64) bool { return s.mix(hash) < s.bound }
	sp.Each(wanted, func(hash uint64, key []byte, rows []int32) bool { return s.choose(s.mix(hash), key, rows) })
	if s.bound < before {
		s.kept.compact(s.samples)
	}
	s.keep(c, b)
}

// lower lowers the bound to that of as many of these entities as are kept, if there are more: without it all rows of the first
// batch would be put in order, to find those few.
func (s *sampler) lower(hashes []uint64) {
	if len(hashes) <= maxSamples {
		return
	}
	mixed := make([]uint64, len(hashes))
	for i, hash := range hashes {
		mixed[i] = s.mix(hash)
	}
	slices.Sort(mixed)
	s.bound = mixed[maxSamples]
}

// choose notes that rows are of a chosen entity, which may be the one too many. It returns whether it wants more rows of it:
// one that is too large stays so.
func (s *sampler) choose(mixed uint64, key []byte, rows []int32) bool {
	one := s.samples[string(key)]
	if one == nil {
		one = &sample{mixed: mixed, key: bytes.Clone(key), row: -1}
		s.samples[string(key)] = one
		if len(s.samples) > maxSamples {
			s.sink()
		}
	}
	one.events += len(rows)
	if one.tooLarge() {
		one.kept = nil
		return false
	}
	s.chosen = append(s.chosen, chosenRows{one, rows})
	return true
}

// keep copies the rows of those chosen that have not sunk, and are not too large, side by side: a column at a time.
func (s *sampler) keep(c *copying, b *column.Batch) {
	s.rows = s.rows[:0]
	next := s.kept.next(c, b.Partition)
	for _, ch := range s.chosen {
		one := ch.of
		if one.mixed >= s.bound {
			continue
		}
		if one.bytes += c.bytes(b, ch.rows); one.tooLarge() {
			one.kept = nil
			continue
		}
		for range ch.rows {
			one.kept = append(one.kept, next)
			next.row++
		}
		s.rows = append(s.rows, ch.rows...)
	}
	s.kept.add(c, b, s.rows)
}

// sink lowers the bound so that the lowest Samples are left.
func (s *sampler) sink() {
	all := make([]uint64, 0, len(s.samples))
	for _, one := range s.samples {
		all = append(all, one.mixed)
	}
	slices.Sort(all)
	s.bound = all[Samples]
	maps.DeleteFunc(s.samples, func(_ string, one *sample) bool { return one.mixed >= s.bound })
}

// place writes down where a row of the files lies, if it is one of the sample. change is the body that was merged into it,
// nil if the row is nothing else. It must not be called while rows are taken.
func (s *sampler) place(r *runfile.Row, lane int, row int64, change []byte) {
	if s.mix(r.Hash) >= s.bound {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if one := s.samples[string(r.Key)]; one != nil {
		one.lane, one.row, one.change = lane, row, bytes.Clone(change)
	}
}

// judge computes the samples of a task a second time and sets Sampled and, by the first row that differs, Mismatch.
func (e *Engine) judge(ctx context.Context, g *generation) error {
	if len(g.sampler.samples) > Samples {
		g.sampler.sink()
	}
	byLane := make([][]*sample, g.Lanes)
	for _, s := range g.sampler.samples {
		if !s.tooLarge() {
			byLane[s.lane] = append(byLane[s.lane], s)
			g.out.Sampled++
		}
	}
	for _, samples := range byLane {
		// A file's rows are sought one behind the other: a block is read once, and none of its rows twice.
		slices.SortFunc(samples, func(a, b *sample) int { return cmp.Or(cmp.Compare(a.row, b.row), bytes.Compare(a.key, b.key)) })
	}
	faults := make([]*Mismatch, g.Lanes)
	judges := make([]Judge, e.workers())
	err := parallel(ctx, e.workers(), g.Lanes, func(w, lane int) (err error) {
		if judges[w] == nil {
			if judges[w], err = e.judgeOf(g.Plan); err != nil {
				return err
			}
		}
		faults[lane], err = g.judgeLane(judges[w], lane, byLane[lane])
		return err
	}, func(done int) { e.progress("check", done, g.Lanes) })
	if err != nil {
		return fmt.Errorf("checking %s: %w", g.Task, err)
	}
	for _, f := range faults {
		if f != nil && g.out.Mismatch == nil {
			g.out.Mismatch = f
		}
	}
	return nil
}

func (g *generation) judgeLane(o Judge, lane int, samples []*sample) (fault *Mismatch, err error) {
	if len(samples) == 0 {
		return nil, nil
	}
	file, err := runfile.Open(g.out.Draft.Path(g.FileName(lane)), g.meta(lane))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for _, s := range samples {
		if s.row < 0 {
			return &Mismatch{Key: string(s.key), Reason: fmt.Sprintf("it has %d events in the blocks of the run and no row in the file", s.events)}, nil
		}
		if err := file.SeekRow(s.row); err != nil {
			return nil, err
		}
		row, err := file.Next()
		if err != nil {
			return nil, err
		}
		if fault, err := s.judge(o, &g.sampler.kept, row); fault != nil || err != nil {
			return fault, err
		}
	}
	return nil, nil
}

// judge compares a row of the file with what the oracle makes of the events.
func (s *sample) judge(o Judge, k *kept, row *runfile.Row) (*Mismatch, error) {
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
	if s.change != nil {
		body = s.change // bases are merges, which the full check covers
	}
	events := k.events(s)
	want, err := o.Body(events)
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
