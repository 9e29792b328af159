package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"math"
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
	// RecordsAtOnce is how many records of the log one pass may cover: the events of the entities that it compares are held
	// in memory. A longer log is read once for each share of the entities.
	RecordsAtOnce = 8 << 20
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
	// Generations returns what of a view is verified; nil = the generation that is served.
	Generations func(ctx context.Context, view string) ([]*lookup.Generation, error)
	// Sample bounds the entities of each view that are verified, chosen anew each time; 0 = all.
	Sample int
	// Wait bounds how long lanes may take to become whole, before and while rows are read; then what they hold counts as wrong.
	Wait time.Duration
	// RecordsAtOnce bounds the memory of a pass, in records of the log; default (0) RecordsAtOnce.
	RecordsAtOnce int64
	// At, if not nil, adds to the report what every entity's features are at the time that it says.
	At *lookup.Options
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
	// Degraded says that the lane itself claims nothing, as answers of it do.
	Degraded bool `json:"degraded,omitempty"`
}

// Report is what was found.
type Report struct {
	Entities int `json:"entities"`
	Wrong    int `json:"wrong"`
	// Degraded is how many of the wrong ones are so because their lanes claim nothing.
	Degraded int     `json:"degraded"`
	Faults   []Fault `json:"faults"`
	// Events is how many events of the log were folded, Tiles how many tiles the rows held.
	Events int64 `json:"events"`
	Tiles  int64 `json:"tiles"`
	// Lost are the records, as "partition [from,to)", that nobody has, which was accepted: nothing is expected of them.
	Lost []string `json:"lost,omitempty"`
	// Values are those of every entity that was verified and has a row, in order; none unless Config.At asks for them.
	Values []Values `json:"values,omitempty"`
}

func (r *Report) fault(f Fault) {
	r.Wrong++
	if f.Degraded {
		r.Degraded++
	}
	if len(r.Faults) < MaxFaults {
		r.Faults = append(r.Faults, f)
	}
}

// Run verifies the served generation of every view, or those that Config.Generations names. An error says that it could
// not be carried out.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	if cfg.Generations == nil {
		cfg.Generations = func(ctx context.Context, view string) ([]*lookup.Generation, error) {
			g, err := cfg.Reader.Served(ctx, view)
			return []*lookup.Generation{g}, err
		}
	}
	total := &Report{Faults: []Fault{}}
	for _, name := range cfg.Reader.Views() {
		if err := cfg.verifyView(ctx, name, total); err != nil {
			return nil, err
		}
	}
	sortValues(total.Values)
	slices.SortFunc(total.Faults, func(a, b Fault) int { return cmp.Compare(a.View+a.Entity, b.View+b.Entity) })
	return total, nil
}

// verifyView adds what is found of the generations of a view. One that is dropped meanwhile is none any more: what was found
// of it says nothing, and those that are left are looked at instead. Each further round takes another drop.
func (c *Config) verifyView(ctx context.Context, name string, total *Report) error {
	verified := map[string]bool{}
	for again := true; again; {
		again = false
		all, err := c.Generations(ctx, name)
		if err != nil {
			return err
		}
		for _, g := range all {
			if verified[g.Namespace] {
				continue
			}
			v := &run{cfg: c, view: name, gen: g, seed: maphash.MakeSeed(), report: &Report{}}
			gone, err := v.verify(ctx)
			if err != nil {
				return fmt.Errorf("verifying generation %d of view %s: %w", g.Number, name, err)
			}
			if gone {
				again = true
				continue
			}
			verified[g.Namespace] = true
			total.add(v.report)
		}
	}
	return nil
}

// add adds what another report found.
func (r *Report) add(one *Report) {
	r.Entities, r.Wrong, r.Degraded = r.Entities+one.Entities, r.Wrong+one.Wrong, r.Degraded+one.Degraded
	r.Events, r.Tiles = r.Events+one.Events, r.Tiles+one.Tiles
	r.Values = append(r.Values, one.Values...)
	r.Faults = append(r.Faults, one.Faults[:min(len(one.Faults), MaxFaults-len(r.Faults))]...)
	r.Lost = append(r.Lost, one.Lost...) // views share sources
	slices.Sort(r.Lost)
	r.Lost = slices.Compact(r.Lost)
}

// run is the verification of one view.
type run struct {
	cfg    *Config
	view   string
	gen    *lookup.Generation
	seed   maphash.Seed
	share  uint64 // entities whose hash is above are left out
	pass   uint64 // of passes: the entities whose hash modulo passes it is
	passes uint64
	whole  map[lane.ID]bool // lanes that claimed their content when they were looked at last: a row of theirs is waited for
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
	bad    string  // why it cannot be verified
	silent bool    // because its lane claims nothing
	values *Values // if Config.At asks for them
}

// verify fills the report, or tells that the generation is gone: it was dropped.
func (v *run) verify(ctx context.Context) (gone bool, err error) {
	if err := v.awaitLanes(ctx); err != nil {
		return false, err
	}
	if err := v.plan(ctx); err != nil {
		return false, err
	}
	for v.pass = 0; v.pass < v.passes; v.pass++ {
		v.rows, v.events, v.ends = map[string]*row{}, map[string][]oracle.Event{}, map[position.Partition]int64{}
		if err := v.verifyPass(ctx); err != nil {
			return false, err
		}
	}
	if v.report.Wrong == 0 {
		return false, nil
	}
	return v.dropped(ctx)
}

// plan decides which entities are compared, and in how many passes.
func (v *run) plan(ctx context.Context) error {
	entities, records := 0, int64(0)
	err := v.cfg.Store.Scan(ctx, v.gen.Namespace, func(lane.RowID) error { entities++; return ctx.Err() })
	if err != nil {
		return fmt.Errorf("scanning rows: %w", err)
	}
	for i := range v.gen.Plan.Spec().Sources {
		stretches, err := v.cfg.Log.Stretches(ctx, &v.gen.Plan.Spec().Sources[i])
		if err != nil {
			return err
		}
		for _, s := range stretches {
			records += s.Range().Next - s.Range().From
			for _, lost := range s.Lost {
				v.report.Lost = append(v.report.Lost, s.Partition.String()+" "+lost.String())
			}
		}
	}
	v.share = math.MaxUint64
	if v.cfg.Sample > 0 && v.cfg.Sample < entities {
		part := float64(v.cfg.Sample) / float64(entities)
		v.share = uint64(part * (1 << 63) * 2)
		records = int64(part * float64(records))
	}
	atOnce := cmp.Or(v.cfg.RecordsAtOnce, RecordsAtOnce)
	v.passes = max(1, uint64((records+atOnce-1)/atOnce))
	return nil
}

// verifyPass verifies the entities of one pass.
func (v *run) verifyPass(ctx context.Context) error {
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

func (v *run) progress(what string, done, of int) {
	if v.cfg.Progress != nil {
		v.cfg.Progress(v.view, what, done, of)
	}
}

// storedKeys returns the keys of all rows of the pass, of whatever incarnation: those of earlier ones have no row now, and
// if the log has no events of them they are not wrong.
func (v *run) storedKeys(ctx context.Context) ([]string, error) {
	seen := map[string]bool{}
	err := v.cfg.Store.Scan(ctx, v.gen.Namespace, func(id lane.RowID) error {
		if v.chosen(string(id.Key)) {
			seen[string(id.Key)] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("scanning rows: %w", err)
	}
	return slices.Sorted(maps.Keys(seen)), nil
}

func (v *run) chosen(key string) bool {
	hash := maphash.String(v.seed, key)
	return hash <= v.share && hash%v.passes == v.pass
}

// readOnce reads the rows of keys.
func (v *run) readOnce(ctx context.Context, keys []string) error {
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
	if r.values != nil {
		v.report.Values = append(v.report.Values, *r.values)
	}
	if f != nil {
		v.report.fault(*f)
	}
}
