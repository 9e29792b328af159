package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/serving/api"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

const (
	benchLookupEvents = 600_000 // folded into the rows that are looked up
	benchLargeRows    = 400     // of them, those nearest to benchLargeBytes
	benchLargeBytes   = 4000
	benchKeys         = 100 // of one request for many keys
	benchSlice        = time.Second
	benchView         = "user"
)

// eightFeatures are a model's usual few: counts, ratios, an average, a last value, a decayed list.
var eightFeatures = []string{
	"view_cnt_7d", "view_cnt_30d", "ctr_7d", "contact_cnt_30d", "nev_share_30d", "view_price_avg_30d", "last_search", "brand_pref",
}

// lookupWorld is a view's rows in a real Redis, and a server of lookups.
type lookupWorld struct {
	b       *testing.B
	plan    *view.Plan
	admin   *redis.Client
	addr    string // of the HTTP server
	rows    []benchRow
	mux     *http.ServeMux
	visited []int32 // the row of each event: who picks one at random picks a busy entity rather than a quiet one
	large   []int   // rows of about benchLargeBytes
	ballast []byte  // as the processes have that serve
}

// benchRow is one row: its key as people write it and as Redis does.
type benchRow struct {
	text, redis string
	bytes       int
}

func newLookupWorld(b *testing.B) *lookupWorld {
	b.Helper()
	w := &lookupWorld{b: b, plan: benchJob(b).View(benchView), ballast: make([]byte, defaultMemory/ballastPart)}
	var s *redisstore.Store
	s, w.admin = benchRedis(b)
	w.serve(s)
	srv := httptest.NewServer(w.mux)
	b.Cleanup(srv.Close)
	w.addr = srv.Listener.Addr().String()
	return w
}

// rowStore is what the rows are written to and looked up in.
type rowStore interface {
	lookup.Store
	Apply(ctx context.Context, calls []lane.Call) []lane.Outcome
	PutManifest(ctx context.Context, view string, seq int64, body []byte) (bool, error)
}

// serve fills the store and makes the routes of its lookups.
func (w *lookupWorld) serve(s rowStore) {
	w.b.Helper()
	w.fill(s)
	r := lookup.NewReader(lookup.Config{Job: "usedcar", Views: []string{benchView}, Store: s, Now: time.Now})
	w.mux = http.NewServeMux()
	a := api.New(api.Config{Job: "usedcar", Lookups: r, Now: time.Now, Ready: func(context.Context) error { return nil }})
	a.RegisterLookups(w.mux)
}

// fill makes rows of generated events and writes them: of each entity a base of the first 95 events of a hundred, a delta
// of four, and a block tile of the last.
func (w *lookupWorld) fill(s rowStore) {
	w.b.Helper()
	j := benchJob(w.b)
	src := &j.Sources[0]
	d, err := decode.Compile(src)
	if err != nil {
		w.b.Fatal(err)
	}
	log := column.NewBatch(src, 0, false)
	g := jobs.Generators[j.Name](1)
	now := time.Now().UnixMilli()
	for i := range benchLookupEvents {
		at := now - int64(benchLookupEvents-i)
		r := g.Next(at)
		d.Append(log, &record.Record{Offset: int64(i), Append: at, AppendType: column.LogAppendTime, Key: r.Key, Value: r.Value})
	}
	namespace := w.manifest(s, j.Sources[0].Block)
	for n := range lane.DefaultLanes {
		p := position.Partition{Source: src.Name}
		m := lane.Mark{Incarnation: benchInc, Low: lane.Joined, Next: int64(benchLookupEvents), Append: now}
		c := lane.Call{
			Lane: lane.ID{Namespace: namespace, N: n}, Name: lane.BatchName, Replace: map[string]string{p.String(): m.Wire()},
			Set: lane.BatchMark{Incarnation: benchInc, Run: 3}.Wire(),
		}
		w.apply(s, c)
	}
	at := map[string]int{}
	for _, part := range []struct {
		h        tile.Header
		from, to int // in hundredths
	}{
		{tile.Header{Kind: tile.KindBase, Run: 1}, 0, 95},
		{tile.Header{Kind: tile.KindDelta, Run: 2}, 95, 99},
		{tile.Header{Kind: tile.KindBlock, Block: benchLookupEvents / src.Block * src.Block}, 99, 100},
	} {
		f := w.plan.NewFold()
		f.Add(log, log.N*part.from/100, log.N*part.to/100)
		w.write(s, namespace, part.h, f, at)
	}
	byBytes := make([]int, len(w.rows))
	for i := range byBytes {
		byBytes[i] = i
	}
	slices.SortFunc(byBytes, func(x, y int) int {
		return cmp.Compare(max(w.rows[x].bytes-benchLargeBytes, benchLargeBytes-w.rows[x].bytes), max(w.rows[y].bytes-benchLargeBytes, benchLargeBytes-w.rows[y].bytes))
	})
	w.large = byBytes[:benchLargeRows]
}

// manifest tells the reader of the one generation there is.
func (w *lookupWorld) manifest(s rowStore, block int64) (namespace string) {
	w.b.Helper()
	spec := w.plan.Spec()
	m := &manifest.Manifest{Seq: 1, Job: spec.Job, View: spec.Name, Generations: []manifest.Generation{{
		Identity: "aaaaaaaaaa", Number: 1, Revision: w.plan.Revision(), State: manifest.Served, Spec: *spec, Lanes: lane.DefaultLanes,
		Blocks: map[string]int64{spec.Sources[0].Name: block}, Origin: position.Cut{}, Cut: position.Cut{},
	}}}
	body, err := m.Encode()
	if err != nil {
		w.b.Fatal(err)
	}
	if _, err := s.PutManifest(w.b.Context(), manifest.Key(m.Job, m.View), 1, body); err != nil {
		w.b.Fatal(err)
	}
	return m.Namespace(&m.Generations[0])
}

func (w *lookupWorld) apply(s rowStore, c lane.Call) {
	w.b.Helper()
	if o := s.Apply(w.b.Context(), []lane.Call{c})[0]; o.Err != nil || !o.Applied {
		w.b.Fatalf("%+v", o)
	}
}

// write writes a tile of each entity, and notes the rows.
func (w *lookupWorld) write(s rowStore, namespace string, h tile.Header, f *view.Fold, at map[string]int) {
	w.b.Helper()
	calls := make([]lane.Call, lane.DefaultLanes)
	for n := range calls {
		calls[n] = lane.Call{Lane: lane.ID{Namespace: namespace, N: n}, Name: lane.BatchName, AnyMark: true, RowsOf: benchInc}
	}
	for slot := range f.Len() {
		key, n := f.Key(slot), lane.Of(f.Hash(slot), lane.DefaultLanes)
		value := f.AppendBody(h.Append(nil), slot)
		calls[n].Rows = append(calls[n].Rows, lane.RowChange{Key: key, Set: []lane.Field{{Name: h.Name(), Value: value}}})
		i, known := at[string(key)]
		if !known {
			i = len(w.rows)
			at[string(key)] = i
			w.rows = append(w.rows, benchRow{text: string(key), redis: "{tm:" + calls[n].Lane.String() + "}:" + string(benchInc) + ":" + string(key)})
		}
		w.rows[i].bytes += len(value)
		for range f.Events(slot) {
			w.visited = append(w.visited, int32(i))
		}
	}
	for _, c := range calls {
		w.apply(s, c)
	}
}

// asker is one connection to the HTTP server, as lean as a load generator's: of an answer it reads the status and the
// length, and the body into memory that it uses again.
type asker struct {
	c    net.Conn
	r    *bufio.Reader
	body []byte
}

func (w *lookupWorld) asker() *asker {
	w.b.Helper()
	c, err := new(net.Dialer).DialContext(w.b.Context(), "tcp", w.addr)
	if err != nil {
		w.b.Fatal(err)
	}
	w.b.Cleanup(func() { _ = c.Close() })
	return &asker{c: c, r: bufio.NewReaderSize(c, 64<<10)}
}

// ask sends a request and reads the answer, whose body it returns; that is valid until the next call.
func (a *asker) ask(request []byte) ([]byte, error) {
	if _, err := a.c.Write(request); err != nil {
		return nil, err
	}
	length, ok := -1, false
	for first := true; ; first = false {
		line, err := a.r.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if first {
			ok = bytes.HasPrefix(line, []byte("HTTP/1.1 200 "))
		}
		if text, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(text))); err != nil {
				return nil, err
			}
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	if length < 0 {
		return nil, errors.New("an answer without its length")
	}
	a.body = slices.Grow(a.body[:0], length)[:length]
	if _, err := io.ReadFull(a.r, a.body); err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("not answered: %s", a.body)
	}
	return a.body, nil
}

// get is the request for one profile with all features.
func (w *lookupWorld) get(row int) []byte {
	return fmt.Appendf(nil, "GET /v1/jobs/usedcar/views/%s/profiles/%s HTTP/1.1\r\nHost: x\r\n\r\n", benchView, strings.ReplaceAll(w.rows[row].text, " ", "%20"))
}

// batchGet is the request for many profiles.
func (w *lookupWorld) batchGet(rows []int, features []string) []byte {
	body := w.batchBody(rows, features)
	head := fmt.Appendf(nil, "POST /v1/jobs/usedcar/views/%s/profiles:batchGet HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", benchView, len(body))
	return append(head, body...)
}

// batchBody is its body. Keys and names of features here are such that Go quotes them as JSON does.
func (w *lookupWorld) batchBody(rows []int, features []string) []byte {
	b := []byte(`{"keys":[`)
	for i, at := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, w.rows[at].text)
	}
	b = append(b, ']')
	for i, name := range features {
		if i == 0 {
			b = append(b, `,"features":[`...)
		} else {
			b = append(b, ',')
		}
		b = strconv.AppendQuote(b, name)
	}
	if len(features) > 0 {
		b = append(b, ']')
	}
	return append(b, '}')
}

// pace is how fast something was done.
type pace struct {
	rate float64 // a second
	cpu  float64 // µs of this process (the client too) and of Redis, each
}

// saturate lets benchConns goroutines do one thing after the other for a while.
func (w *lookupWorld) saturate(worker func(n int) func() error) pace {
	w.b.Helper()
	var done atomic.Int64
	var all sync.WaitGroup
	before := cpuTime().Seconds() + redisCPU(w.b, w.admin)
	ctx, cancel := context.WithTimeout(w.b.Context(), benchSlice)
	defer cancel()
	start := time.Now()
	for n := range benchConns {
		one := worker(n)
		all.Go(func() {
			for ctx.Err() == nil {
				if err := one(); err != nil {
					w.b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	all.Wait()
	n := float64(done.Load())
	return pace{n / time.Since(start).Seconds(), (cpuTime().Seconds() + redisCPU(w.b, w.admin) - before) * 1e6 / n}
}

// paced asks so many times a second for ten seconds, and reports the latencies from when each request was due.
func (w *lookupWorld) paced(rate int, request func(r *rand.Rand) []byte) {
	w.b.Helper()
	const seconds = 10
	due := make(chan time.Time, rate*seconds)
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	for n := range benchConns {
		a, r := w.asker(), rand.New(rand.NewPCG(uint64(n), 1))
		all.Go(func() {
			for at := range due {
				if _, err := a.ask(request(r)); err != nil {
					w.b.Error(err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(at))
				mu.Unlock()
			}
		})
	}
	start := time.Now()
	for i := range rate * seconds {
		at := start.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if d := time.Until(at); d > 0 {
			<-time.After(d)
		}
		due <- at
	}
	close(due)
	all.Wait()
	quantiles(w.b, took)
}

// BenchmarkRedisLookup looks up profiles over HTTP from a real Redis: at a fixed rate, and saturated beside what a plain client
// gets of the same rows, in turn. Floors: one key with all features at 2k/s p99 < 5 ms, and saturated 0.12 of one HVALS a
// round trip on as many connections; 100 keys of 4 kB at 50/s p99 < 20 ms, and saturated 0.10 of pipelined HVALS of the same
// rows with all features, 0.18 with eight.
func BenchmarkRedisLookup(b *testing.B) {
	w := newLookupWorld(b)
	b.Run("one/paced", func(b *testing.B) {
		w.b = b
		for b.Loop() {
			w.paced(2000, func(r *rand.Rand) []byte { return w.get(w.busy(r)) })
		}
	})
	b.Run("one/saturated", func(b *testing.B) {
		w.b = b
		w.inTurn(w.oneHVALS, map[string]func(int) func() error{"all": w.oneLookup})
	})
	b.Run("hundred/paced", func(b *testing.B) {
		w.b = b
		for b.Loop() {
			w.paced(50, func(r *rand.Rand) []byte { return w.batchGet(w.some(r), nil) })
		}
	})
	b.Run("hundred/saturated", func(b *testing.B) {
		w.b = b
		w.inTurn(w.manyHVALS, map[string]func(int) func() error{
			"all":   func(n int) func() error { return w.manyLookups(n, nil) },
			"eight": func(n int) func() error { return w.manyLookups(n, eightFeatures) },
		})
	})
}

// inTurn measures the yardstick and each lookup in rounds, and reports the medians of the rates, of the ratios, and of what
// one takes of the processor, which a busy machine changes less.
func (w *lookupWorld) inTurn(yardstick func(int) func() error, lookups map[string]func(int) func() error) {
	w.b.Helper()
	rounds := map[string][]float64{}
	note := func(name string, v float64) { rounds[name] = append(rounds[name], v) }
	for w.b.Loop() {
		for range benchRounds {
			raw := w.saturate(yardstick)
			note("hvals/s", raw.rate)
			note("hvals-cpu-µs", raw.cpu)
			for name, l := range lookups {
				p := w.saturate(l)
				note(name+"/s", p.rate)
				note(name+"-cpu-µs", p.cpu)
				note(name+"-ratio", p.rate/raw.rate)
			}
		}
	}
	for name, values := range rounds {
		medianOf(w.b, name, values)
	}
}

// busy picks the entity of an event.
func (w *lookupWorld) busy(r *rand.Rand) int { return int(w.visited[r.IntN(len(w.visited))]) }

// some picks rows of about 4 kB, each once.
func (w *lookupWorld) some(r *rand.Rand) []int {
	rows := make([]int, benchKeys)
	for i, at := range r.Perm(len(w.large))[:benchKeys] {
		rows[i] = w.large[at]
	}
	return rows
}

func (w *lookupWorld) oneHVALS(n int) func() error {
	r := rand.New(rand.NewPCG(uint64(n), 2))
	return func() error { return w.admin.HVals(w.b.Context(), w.rows[w.busy(r)].redis).Err() }
}

func (w *lookupWorld) oneLookup(n int) func() error {
	a, r := w.asker(), rand.New(rand.NewPCG(uint64(n), 2))
	return func() error {
		body, err := a.ask(w.get(w.busy(r)))
		if err == nil && !bytes.Contains(body, []byte(`"found":true`)) {
			err = fmt.Errorf("an entity is not found: %s", body)
		}
		return err
	}
}

func (w *lookupWorld) manyHVALS(n int) func() error {
	r := rand.New(rand.NewPCG(uint64(n), 3))
	return func() error {
		pipe := w.admin.Pipeline()
		for _, i := range w.some(r) {
			pipe.HVals(w.b.Context(), w.rows[i].redis)
		}
		_, err := pipe.Exec(w.b.Context())
		return err
	}
}

func (w *lookupWorld) manyLookups(n int, features []string) func() error {
	a, r := w.asker(), rand.New(rand.NewPCG(uint64(n), 3))
	return func() error {
		body, err := a.ask(w.batchGet(w.some(r), features))
		if found := bytes.Count(body, []byte(`"found":true`)); err == nil && found != benchKeys {
			err = fmt.Errorf("%s of %d keys are found", strconv.Itoa(found), benchKeys)
		}
		return err
	}
}
