package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Bounds of one verification.
const (
	// MaxFaults bounds the faults that are described; all are counted.
	MaxFaults  = 100
	rowsAtOnce = 256
)

// Store is what verifying reads.
type Store interface {
	lookup.ExactStore
	Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error
}

// Log is the whole log of a source; *history.Log is one.
type Log interface {
	Stretches(ctx context.Context, src *schema.Source) ([]history.Stretch, error)
	Scan(ctx context.Context, src *schema.Source, s history.Stretch, r position.Range, archive bool, yield func(*column.Batch) error) error
}

// Config says what is verified.
type Config struct {
	Reader *lookup.Reader
	Store  Store
	Log    Log
	// Sample bounds the entities of each view that are verified, chosen anew each time; 0 = all.
	Sample int
	// Wait bounds how long lanes may take to become whole; then what they hold counts as wrong.
	Wait time.Duration
	// Progress, if set, is told how far a view is.
	Progress func(view, what string, done, of int)
}

// Fault is one entity, or lane, that is wrong.
type Fault struct {
	View    string `json:"view"`
	Entity  string `json:"entity,omitempty"`
	Lane    string `json:"lane"`
	Feature string `json:"feature,omitempty"`
	// Want and Got are the feature's value by the plain fold and by the store, as JSON.
	Want string `json:"want,omitempty"`
	Got  string `json:"got,omitempty"`
	What string `json:"what"`
	// Positions is the log up to which was folded.
	Positions string `json:"positions,omitempty"`
}

// Report is what was found.
type Report struct {
	Entities int     `json:"entities"`
	Wrong    int     `json:"wrong"`
	Faults   []Fault `json:"faults"`
	// Events is how many events of the log were folded, Tiles how many tiles the rows held.
	Events int64 `json:"events"`
	Tiles  int64 `json:"tiles"`
}

func (r *Report) fault(f Fault) {
	r.Wrong++
	if len(r.Faults) < MaxFaults {
		r.Faults = append(r.Faults, f)
	}
}

// Run verifies the served generation of every view. An error says that it could not be carried out.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	total := &Report{Faults: []Fault{}}
	for _, name := range cfg.Reader.Views() {
		g, err := cfg.Reader.Served(ctx, name)
		if err != nil {
			return nil, err
		}
		v := &run{cfg: &cfg, view: name, gen: g, seed: maphash.MakeSeed(), rows: map[string]*row{}, report: total}
		if err := v.verify(ctx); err != nil {
			return nil, fmt.Errorf("verifying view %s: %w", name, err)
		}
	}
	return total, nil
}

// run is the verification of one view.
type run struct {
	cfg    *Config
	view   string
	gen    *lookup.Generation
	seed   maphash.Seed
	share  uint64 // entities whose hash is above are left out
	rows   map[string]*row
	events map[string][]oracle.Event
	ends   map[position.Partition]int64 // how far the log was read
	report *Report
}

// row is what the store holds of one entity, and up to where it claims the log.
type row struct {
	lane   lane.ID
	body   []byte // merged; empty for none
	tiles  int
	claims map[position.Partition]int64
	bad    string // why it cannot be verified
}

func (v *run) verify(ctx context.Context) error {
	if err := v.awaitLanes(ctx); err != nil {
		return err
	}
	stored, err := v.storedKeys(ctx)
	if err != nil {
		return err
	}
	if err := v.readRows(ctx, stored); err != nil {
		return err
	}
	if err := v.readLog(ctx); err != nil {
		return err
	}
	// Entities of the log that had no row when the store was scanned are read now; their lanes may claim more by now, so
	// the log is read on to there.
	var missing []string
	for key := range v.events {
		if v.rows[key] == nil {
			missing = append(missing, key)
		}
	}
	if err := v.readRows(ctx, missing); err != nil {
		return err
	}
	if err := v.readLog(ctx); err != nil {
		return err
	}
	return v.judge(ctx)
}

// lanesEvery is how often lanes are looked at that are not whole yet.
const lanesEvery = 100 * time.Millisecond

// awaitLanes waits, in bounded time, until every lane can claim its content.
func (v *run) awaitLanes(ctx context.Context) error {
	deadline := time.Now().Add(v.cfg.Wait)
	ids := make([]lane.ID, v.gen.Lanes)
	for n := range ids {
		ids[n] = lane.ID{Namespace: v.gen.Namespace, N: n}
	}
	for {
		marks, err := v.cfg.Store.Marks(ctx, ids)
		if err != nil {
			return fmt.Errorf("reading marks: %w", err)
		}
		whole := 0
		for _, m := range marks {
			if lookup.Claims(m) == "" {
				whole++
			}
		}
		if whole == len(ids) || !time.Now().Before(deadline) {
			return nil
		}
		v.progress("lanes whole", whole, len(ids))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lanesEvery):
		}
	}
}

func (v *run) progress(what string, done, of int) {
	if v.cfg.Progress != nil {
		v.cfg.Progress(v.view, what, done, of)
	}
}

// storedKeys returns the keys of all rows, of whatever incarnation: those of earlier ones have no row now, and if the log
// has no events of them they are not wrong.
func (v *run) storedKeys(ctx context.Context) ([]string, error) {
	seen := map[string]bool{}
	err := v.cfg.Store.Scan(ctx, v.gen.Namespace, func(id lane.RowID) error {
		seen[string(id.Key)] = true
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("scanning rows: %w", err)
	}
	v.share = ^uint64(0)
	if n := len(seen); v.cfg.Sample > 0 && v.cfg.Sample < n {
		v.share = ^uint64(0) / uint64(n) * uint64(v.cfg.Sample)
	}
	maps.DeleteFunc(seen, func(key string, _ bool) bool { return !v.chosen(key) })
	return slices.Sorted(maps.Keys(seen)), nil
}

func (v *run) chosen(key string) bool { return maphash.String(v.seed, key) <= v.share }

// readRows reads the rows of keys, each with its lane's marks.
func (v *run) readRows(ctx context.Context, keys []string) error {
	merger := v.gen.Plan.NewMerger()
	for done := 0; done < len(keys); done += rowsAtOnce {
		v.progress("rows read", done, len(keys))
		chunk := keys[done:min(done+rowsAtOnce, len(keys))]
		raw := make([][]byte, len(chunk))
		for i, k := range chunk {
			raw[i] = []byte(k)
		}
		rows, err := lookup.ExactRows(ctx, v.cfg.Store, v.gen, raw)
		if err != nil {
			return err
		}
		for i := range rows {
			v.rows[chunk[i]] = v.readRow(&rows[i], merger)
		}
	}
	return nil
}

// readLog reads the log from where it was read to, to its end now, and keeps the events of the entities chosen.
func (v *run) readLog(ctx context.Context) error {
	if v.events == nil {
		v.events, v.ends = map[string][]oracle.Event{}, map[position.Partition]int64{}
	}
	o, err := oracle.New(v.gen.Plan)
	if err != nil {
		return err
	}
	for i := range v.gen.Plan.Spec().Sources {
		src := &v.gen.Plan.Spec().Sources[i]
		stretches, err := v.cfg.Log.Stretches(ctx, src)
		if err != nil {
			return err
		}
		for _, s := range stretches {
			r := s.Range()
			if end, ok := v.ends[s.Partition]; ok {
				r.From = max(r.From, end)
			}
			if err := v.readPartition(ctx, o, src, s, r); err != nil {
				return err
			}
			v.ends[s.Partition] = max(v.ends[s.Partition], r.Next)
		}
	}
	return nil
}

func (v *run) readPartition(ctx context.Context, o *oracle.Oracle, src *schema.Source, s history.Stretch, r position.Range) error {
	if r.Empty() {
		return nil
	}
	seen := 0
	return v.cfg.Log.Scan(ctx, src, s, r, false, func(b *column.Batch) error {
		kept := column.NewBatch(src, b.Partition, false)
		for i := range b.N {
			key, ok := o.Key(oracle.Event{Batch: b, Row: i})
			if ok && v.chosen(key) {
				v.events[key] = append(v.events[key], oracle.Event{Batch: kept, Row: kept.N})
				kept.AppendRow(b, i)
			}
		}
		seen += b.N
		v.progress("records of "+s.Partition.String()+" read", seen, int(r.Next-r.From))
		return ctx.Err()
	})
}

// judge compares every entity, on all processors.
func (v *run) judge(ctx context.Context) error {
	keys := make(chan string)
	var mu sync.Mutex
	var all sync.WaitGroup
	var errs []error
	for range runtime.GOMAXPROCS(0) {
		o, err := oracle.New(v.gen.Plan)
		if err != nil {
			return err
		}
		all.Go(func() {
			for key := range keys {
				fault, events, err := v.judgeOne(o, key)
				mu.Lock()
				v.count(v.rows[key], fault, events)
				errs = append(errs, err)
				mu.Unlock()
			}
		})
	}
	todo := slices.Sorted(maps.Keys(v.rows))
	for i, key := range todo {
		if ctx.Err() != nil {
			break
		}
		if i%1024 == 0 {
			v.progress("entities compared", i, len(todo))
		}
		keys <- key
	}
	close(keys)
	all.Wait()
	slices.SortFunc(v.report.Faults, func(a, b Fault) int { return bytes.Compare([]byte(a.View+a.Entity), []byte(b.View+b.Entity)) })
	return errors.Join(append(errs, ctx.Err())...)
}

// count adds one entity to the report. One that is neither in the store nor in the log below its lane's claim is none.
func (v *run) count(r *row, f *Fault, events int) {
	if f == nil && events == 0 && len(r.body) == 0 {
		return
	}
	v.report.Entities++
	v.report.Events += int64(events)
	v.report.Tiles += int64(r.tiles)
	if f != nil {
		v.report.fault(*f)
	}
}
