package service_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/window"
	"github.com/tidemark-io/tidemark/speed/service"
)

const lanes = 4

// The partitions of the two sources.
var everyPartition = map[string][]int32{"events-topic": {0, 1}, "orders-topic": {0}}

// world is a log of two sources with blocks of different sizes, a store, two views of one generation each, and batch.
type world struct {
	gens    sync.Mutex // of batch, to which a test may add while the service asks for generations
	t       testing.TB
	r       *rand.Rand
	topics  []*topic
	store   *memstore.Store
	door    *door
	archive *archive
	batch   []*batch // by view
	logger  *slog.Logger
	said    *said
	stop    context.CancelFunc
	batched sync.WaitGroup
}

func sources() []schema.Source {
	fields := []schema.Field{
		{Name: "ts", Type: schema.Time, Required: true},
		{Name: "user", Type: schema.String},
		{Name: "item", Type: schema.String},
		{Name: "n", Type: schema.Int64},
	}
	all := []schema.Source{
		{Name: "events", Topic: "events-topic", EventTime: "ts", Block: 8, Fields: fields},
		{Name: "orders", Topic: "orders-topic", EventTime: "ts", Block: 32, Fields: fields},
	}
	for i := range all {
		all[i].SetDefaults()
	}
	return all
}

func specs() []view.Spec {
	src := sources()
	features := []view.FeatureSpec{
		{Name: "count", Op: "count"},
		{Name: "sum_1h", Op: "sum", Value: []string{"n"}, Window: window.Window{Length: window.Hour, Hop: 5 * window.Minute}},
		{Name: "last", Op: "last", Value: []string{"n"}},
	}
	return []view.Spec{
		{Job: "j", Name: "user", Sources: src, Entity: []view.KeySpec{{Kind: "user", Fields: []string{"user"}}}, Features: features},
		{Job: "j", Name: "item", Sources: src[:1], Entity: []view.KeySpec{{Kind: "item", Fields: []string{"item"}}}, Features: features},
	}
}

// inWorld runs a test in fake time.
func inWorld(t *testing.T, seed uint64, do func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed, specs())
		defer w.end()
		do(t, w)
	})
}

func newWorld(t testing.TB, seed uint64, specs []view.Spec) *world {
	t.Helper()
	w := &world{t: t, r: rand.New(rand.NewPCG(seed, 2)), store: memstore.New(), said: &said{}}
	w.logger = slog.New(w.said)
	for _, src := range sources() {
		w.topics = append(w.topics, newTopic(&src, len(everyPartition[src.Topic])))
	}
	w.door = &door{Store: w.store, r: rand.New(rand.NewPCG(seed, 3))}
	w.archive = &archive{topics: w.topics}
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	for i, spec := range specs {
		plan, err := view.Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		// The first partition was there when the generation was made, the others are new.
		b := &batch{w: w, plan: plan, ns: fmt.Sprintf("j:%s:%s", spec.Name, strings.Repeat(string(rune('a'+i)), 10)), origin: position.Cut{{Source: "events"}: 0}}
		w.batch = append(w.batch, b)
		w.batched.Go(func() { b.follow(ctx) })
	}
	return w
}

// end stops batch. Nothing may be left open.
func (w *world) end() {
	w.stop()
	w.batched.Wait()
	for _, t := range w.topics {
		if t.open != 0 {
			w.t.Errorf("%d fetchers of %s were not closed", t.open, t.src.Topic)
		}
	}
}

func (w *world) newLog(name string) service.Log {
	return w.topics[slices.IndexFunc(w.topics, func(t *topic) bool { return t.src.Topic == name })].newFetcher()
}

func (w *world) generations(context.Context) ([]service.Generation, error) {
	w.gens.Lock()
	defer w.gens.Unlock()
	var all []service.Generation
	for _, b := range w.batch {
		g := service.Generation{Namespace: b.ns, Plan: b.plan, Lanes: lanes, Block: map[string]int64{}, Origin: b.origin, Served: !b.building}
		for _, t := range w.topics {
			g.Block[t.src.Name] = t.src.Block
		}
		all = append(all, g)
	}
	return all, nil
}

// event makes one record's value; a few are malformed, late, or of no entity.
func (w *world) event() []byte {
	ts := time.Now().UnixMilli() - w.r.Int64N(1000)
	switch w.r.IntN(20) {
	case 0:
		return []byte(`{"ts":`)
	case 1:
		ts -= w.r.Int64N(3 * window.Hour)
	case 2:
		return fmt.Appendf(nil, `{"ts":%d,"n":7}`, ts)
	}
	return fmt.Appendf(nil, `{"ts":%d,"user":"u%d","item":"i%d","n":%d}`, ts, w.r.IntN(30), w.r.IntN(12), w.r.IntN(100))
}

// produce appends n events, anywhere.
func (w *world) produce(n int) {
	for range n {
		t := w.topics[w.r.IntN(len(w.topics))]
		w.produceTo(t, w.r.IntN(len(t.parts)), 1)
	}
}

func (w *world) produceTo(t *topic, p, n int) {
	values := make([][]byte, n)
	for i := range values {
		values[i] = w.event()
	}
	t.produce(p, values...)
	if w.r.IntN(10) == 0 {
		t.mark(p)
	}
}

// traffic appends events for a while, one each gap.
func (w *world) traffic(d, gap time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(gap) {
		w.produce(1)
	}
}

func (w *world) batches() (all []*column.Batch) {
	for _, t := range w.topics {
		all = append(all, t.batches(w.t)...)
	}
	return all
}

// ends returns the log's ends.
func (w *world) ends() position.Cut {
	ends := position.Cut{}
	for _, t := range w.topics {
		for p := range t.parts {
			ends[position.Partition{Source: t.src.Name, ID: int32(p)}] = t.end(p)
		}
	}
	return ends
}

// atEnd tells whether all marks of the first view's lanes are at the log's end.
func (w *world) atEnd() bool {
	w.t.Helper()
	ends := w.ends()
	for n := range lanes {
		for p, next := range w.marks(w.batch[0], n) {
			if next != ends[p] {
				return false
			}
		}
	}
	return true
}

// marks returns where one lane's partition marks are, of those that it has.
func (w *world) marks(b *batch, n int) position.Cut {
	w.t.Helper()
	marks, err := w.store.Marks(context.Background(), []lane.ID{{Namespace: b.ns, N: n}})
	if err != nil {
		w.t.Fatal(err)
	}
	cut := position.Cut{}
	for p := range w.ends() {
		if mark, ok, err := marks[0].Partition(p); ok && err == nil {
			cut[p] = mark.Next
		}
	}
	return cut
}

// cut returns a random cut of whole blocks, none below a former one.
func (w *world) cut(former position.Cut) position.Cut {
	cut := position.Cut{}
	for _, t := range w.topics {
		for p := range t.parts {
			id := position.Partition{Source: t.src.Name, ID: int32(p)}
			most := position.Block(t.end(p), t.src.Block)
			if cut[id] = former.Next(id); most > cut[id] {
				cut[id] += position.Block(w.r.Int64N(most-cut[id]+1), t.src.Block)
			}
		}
	}
	return cut
}

// check holds every row to the plain fold of the log up to its claim; at the end the claim has to be the log's end.
func (w *world) check(atEnd bool) {
	w.t.Helper()
	for _, b := range w.batch {
		w.checkView(b, atEnd)
	}
}

func (w *world) checkView(b *batch, atEnd bool) {
	w.t.Helper()
	o, err := oracle.New(b.plan)
	if err != nil {
		w.t.Fatal(err)
	}
	entities := o.Group(w.batches())
	for key, events := range entities {
		w.checkRow(b, o, key, events, atEnd)
	}
	err = w.store.Scan(context.Background(), b.ns, func(id lane.RowID) error {
		if _, known := entities[string(id.Key)]; !known {
			w.t.Errorf("row of %s, which has no events", id.Key)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) checkRow(b *batch, o *oracle.Oracle, key string, events []oracle.Event, atEnd bool) {
	w.t.Helper()
	marks, m := w.row(b, key)
	claim, ok := w.claim(b, marks, m)
	if !ok {
		if atEnd {
			w.t.Fatalf("%s of %s: at the end its lane has the marks %v", key, b.ns, marks)
		}
		return
	}
	ends := w.ends()
	for p, next := range claim {
		if atEnd && next != ends[p] {
			w.t.Fatalf("%s of %s: at the end %s is claimed up to %d of %d; marks %v", key, b.ns, p, next, ends[p], marks)
		}
	}
	var below []oracle.Event
	for _, e := range events {
		if e.Batch.Offset[e.Row] < claim.Next(position.Partition{Source: e.Batch.Source.Name, ID: e.Batch.Partition}) {
			below = append(below, e)
		}
	}
	var want, got []byte
	if len(below) > 0 {
		var err error
		if want, err = o.Body(below); err != nil {
			w.t.Fatal(err)
		}
	}
	if m.Found() {
		got = m.AppendBody(nil)
	}
	if !bytes.Equal(want, got) {
		w.t.Fatalf("%s of %s at %v: got %x, want %x", key, b.ns, marks, got, want)
	}
}

// row reads an entity and the marks of its lane.
func (w *world) row(b *batch, key string) (lane.Marks, *view.Merger) {
	w.t.Helper()
	id := lane.ID{Namespace: b.ns, N: lane.Of(view.Hash([]byte(key)), lanes)}
	marks, err := w.store.Marks(context.Background(), []lane.ID{id})
	if err != nil {
		w.t.Fatal(err)
	}
	m := b.plan.NewMerger()
	m.Reset()
	mark, begun, err := marks[0].Batch()
	if err != nil || !begun {
		return marks[0], m
	}
	rows, err := w.store.Rows(context.Background(), []lane.RowID{{Lane: id, Incarnation: mark.Incarnation, Key: []byte(key)}})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, enc := range rows[0] {
		if _, err := m.AddTile(enc); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := m.Finish(); err != nil {
		w.t.Fatalf("%s of %s: %v", key, b.ns, err)
	}
	return marks[0], m
}

// claim returns up to where an answer is exact: the marks, or the row itself where it is further; false if it is degraded.
func (w *world) claim(b *batch, marks lane.Marks, m *view.Merger) (position.Cut, bool) {
	w.t.Helper()
	claim := position.Cut{}
	for _, t := range w.topics {
		rank := b.plan.SourceRank(t.src.Name)
		if rank < 0 {
			continue
		}
		for p := range t.parts {
			id := position.Partition{Source: t.src.Name, ID: int32(p)}
			mark, ok, err := marks.Partition(id)
			if err != nil {
				w.t.Fatal(err)
			}
			if !ok || !mark.Joined() {
				return nil, false
			}
			claim[id] = max(mark.Next, m.Last(rank, int32(p))+1)
		}
	}
	return claim, true
}

// door is the store's front: it can be slow, hang and fail without the store's knowledge, and counts who comes through.
type door struct {
	*memstore.Store

	mu    sync.Mutex
	r     *rand.Rand // of faults
	delay time.Duration
	hangs bool
	away  bool // every request fails at once
	deaf  bool // one that hangs heeds its deadline alone
	calls int  // requests that were let through
	fate  func(c *lane.Call) error
}

// wobble returns a random part of d.
func (d *door) wobble(most time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(d.r.Int64N(int64(most)))
}

func (d *door) set(f func(d *door)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(d)
}

func (d *door) passed() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.calls
}

// wait lets a request through after the delay; a store that hangs lets none through.
func (d *door) wait(ctx context.Context) error {
	d.mu.Lock()
	hangs, away, deaf, delay := d.hangs, d.away, d.deaf, d.delay
	d.mu.Unlock()
	switch {
	case away:
		return lane.ErrUnavailable
	case hangs && deaf:
		until, _ := ctx.Deadline()
		time.Sleep(time.Until(until))
	case hangs:
		<-ctx.Done()
	case delay > 0:
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%w: %w", lane.ErrUnavailable, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	return nil
}

func (d *door) Apply(ctx context.Context, calls []lane.Call) []lane.Outcome {
	if err := d.wait(ctx); err != nil {
		return slices.Repeat([]lane.Outcome{{Err: err}}, len(calls))
	}
	d.mu.Lock()
	fate := d.fate
	d.mu.Unlock()
	var out []lane.Outcome
	for i := range calls {
		var err error
		if fate != nil {
			err = fate(&calls[i])
		}
		if err != nil {
			out = append(out, lane.Outcome{Err: err})
			continue
		}
		out = append(out, d.Store.Apply(ctx, calls[i:i+1])...)
	}
	return out
}

func (d *door) Marks(ctx context.Context, ids []lane.ID) ([]lane.Marks, error) {
	if err := d.wait(ctx); err != nil {
		return nil, err
	}
	return d.Store.Marks(ctx, ids)
}

// said is a log handler that remembers.
type said struct {
	mu    sync.Mutex
	lines []string
}

func (s *said) Enabled(context.Context, slog.Level) bool { return true }
func (s *said) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s *said) WithGroup(string) slog.Handler            { return s }
func (s *said) Handle(_ context.Context, r slog.Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, r.Message)
	return nil
}

// count returns how many lines contain a text.
func (s *said) count(text string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if strings.Contains(l, text) {
			n++
		}
	}
	return n
}
