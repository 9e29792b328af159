package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/speed/service"
)

const (
	// benchSpeedEvents lie in the topic before the speed layer begins.
	benchSpeedEvents = 400_000
	benchRounds      = 5
	benchConns       = 16 // as many as a process has
	benchInc         = lane.Incarnation("aaaaaaaaaa")
)

// benchRedis is a real Redis, as docs/redis.md wants it: a store in it, and a plain client of it.
func benchRedis(b *testing.B) (*redisstore.Store, *redis.Client) {
	b.Helper()
	srv := redisserver.Start(b, "--hash-max-listpack-value", "65536", "--hash-max-listpack-entries", "128")
	s, err := redisstore.Open(b.Context(), srv.URL(), redisstore.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	c := redis.NewClient(&redis.Options{Addr: srv.Addr, Protocol: 2, PoolSize: benchConns})
	b.Cleanup(func() { _ = c.Close() })
	return s, c
}

// recorder is a store that keeps the calls that it passes on, and knows when the last that wrote rows was answered.
type recorder struct {
	*redisstore.Store

	mu      sync.Mutex
	keep    bool
	flushes [][]lane.Call // in the order of their answers
	last    time.Time
	tiles   int
}

// Apply passes the calls on.
func (r *recorder) Apply(ctx context.Context, calls []lane.Call) []lane.Outcome {
	out := r.Store.Apply(ctx, calls)
	now, tiles := time.Now(), 0
	for i := range calls {
		tiles += len(calls[i].Rows)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tiles += tiles
	if tiles > 0 {
		r.last = now
	}
	if r.keep {
		r.flushes = append(r.flushes, copyCalls(calls))
	}
	return out
}

// copyCalls copies what belongs to the caller.
func copyCalls(calls []lane.Call) []lane.Call {
	calls = slices.Clone(calls)
	for i := range calls {
		rows := slices.Clone(calls[i].Rows)
		for k := range rows {
			rows[k].Key = slices.Clone(rows[k].Key)
			rows[k].Set = slices.Clone(rows[k].Set)
			for f := range rows[k].Set {
				rows[k].Set[f].Value = slices.Clone(rows[k].Set[f].Value)
			}
		}
		calls[i].Rows = rows
	}
	return calls
}

// beginLanes begins the lanes of a generation as batch does for one that has no runs.
func beginLanes(b *testing.B, s *redisstore.Store, namespace string, lanes int, partitions []position.Partition) {
	b.Helper()
	for n := range lanes {
		c := lane.Call{
			Lane: lane.ID{Namespace: namespace, N: n}, Name: lane.BatchName, Replace: map[string]string{},
			Set: lane.BatchMark{Incarnation: benchInc, Run: 1}.Wire(),
		}
		for _, p := range partitions {
			c.Replace[p.String()] = lane.Mark{Incarnation: benchInc, Low: lane.Joined}.Wire()
		}
		if o := s.Apply(b.Context(), []lane.Call{c})[0]; o.Err != nil || !o.Applied {
			b.Fatalf("%+v", o)
		}
	}
}

// allMine is the ownership of all partitions by one process.
type allMine struct {
	partitions map[string][]int32
	given      bool
}

// Next gives all partitions once.
func (a *allMine) Next(ctx context.Context) (*service.Assignment, error) {
	if a.given {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	a.given = true
	return &service.Assignment{Partitions: a.partitions, Lost: context.WithoutCancel(ctx), Drained: func() {}}, nil
}

// speedWorld is a topic full of events, in a broker of its own process, and a real Redis.
type speedWorld struct {
	b          *testing.B
	job        *job.Job
	kafka      *kafkalog.Client
	topic      kafkalog.Topic
	partitions []position.Partition
	ends       map[string]int64 // by partition
	store      *redisstore.Store
	admin      *redis.Client
}

func newSpeedWorld(b *testing.B) *speedWorld {
	b.Helper()
	w := &speedWorld{b: b, job: benchJob(b), ends: map[string]int64{}}
	w.store, w.admin = benchRedis(b)
	broker := tidemark(b, "broker", "--data", "", "--listen", "127.0.0.1:0")
	addr := strings.TrimPrefix(broker.await("ready role=broker", cliWait), "ready role=broker kafka=")
	output(b, invokeTimeout, "gen", "../../jobs/usedcar", "--kafka", addr, "--events", strconv.Itoa(benchSpeedEvents))
	var err error
	if w.kafka, err = kafkalog.Dial(b.Context(), kafkalog.Config{Brokers: []string{addr}}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.kafka.Close)
	src := &w.job.Sources[0]
	if w.topic, err = w.kafka.Topic(b.Context(), src.Topic); err != nil {
		b.Fatal(err)
	}
	bounds, err := w.kafka.Bounds(b.Context(), w.topic.Name, w.topic.Partitions)
	if err != nil {
		b.Fatal(err)
	}
	for id, bound := range bounds {
		p := position.Partition{Source: src.Name, ID: id}
		w.partitions, w.ends[p.String()] = append(w.partitions, p), bound.LastStable
	}
	return w
}

// round lets the speed layer take in the whole topic into lanes of their own, and returns how long that took.
func (w *speedWorld) round(n int, r *recorder) time.Duration {
	w.b.Helper()
	var gens []service.Generation
	mine := &allMine{partitions: map[string][]int32{}}
	for _, p := range w.partitions {
		mine.partitions[w.topic.Name] = append(mine.partitions[w.topic.Name], p.ID)
	}
	for _, p := range w.job.Plans {
		g := service.Generation{
			Namespace: manifest.Namespace(w.job.Name, p.Spec().Name, fmt.Sprintf("%010d", n)), Plan: p, Lanes: laneCount(p.Spec()),
			Block: map[string]int64{}, Origin: position.Cut{}, Served: true,
		}
		for i := range w.job.Sources {
			g.Block[w.job.Sources[i].Name] = w.job.Sources[i].Block
		}
		beginLanes(w.b, w.store, g.Namespace, g.Lanes, w.partitions)
		gens = append(gens, g)
	}
	s, err := service.New(service.Config{
		Sources: w.job.Sources, NewLog: func(string) service.Log { return w.kafka.NewFetcher(w.topic) }, Store: r, Archive: archivefile.Dir(w.b.TempDir()),
		Ownership: mine, Generations: func(context.Context) ([]service.Generation, error) { return gens, nil },
		Logger: slog.New(slog.DiscardHandler), Linger: 50 * time.Millisecond,
	})
	if err != nil {
		w.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.b.Context())
	defer cancel()
	ended := make(chan error, 1)
	start := time.Now()
	go func() { ended <- s.Run(ctx) }()
	for !w.caughtUp(gens) {
		select {
		case err := <-ended:
			w.b.Fatalf("the speed layer ended: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		w.b.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last.Sub(start)
}

// caughtUp tells whether every lane has taken in the whole topic.
func (w *speedWorld) caughtUp(gens []service.Generation) bool {
	for i := range gens {
		var ids []lane.ID
		for n := range gens[i].Lanes {
			ids = append(ids, lane.ID{Namespace: gens[i].Namespace, N: n})
		}
		all, err := w.store.Marks(w.b.Context(), ids)
		if err != nil {
			w.b.Fatal(err)
		}
		for _, marks := range all {
			for _, p := range w.partitions {
				if m, ok, err := marks.Partition(p); err != nil || !ok || m.Next < w.ends[p.String()] {
					return false
				}
			}
		}
	}
	return true
}

// replay makes the recorded calls from a loop, into lanes of their own: one goroutine that sends the calls of one flush as the
// speed layer sent them, in one pipeline, waits for the replies, and sends those of the next. Nothing is folded or encoded,
// and what a call expects is what the one before it in its lane left, so that each is applied.
func (w *speedWorld) replay(n int, flushes [][]lane.Call) time.Duration {
	w.b.Helper()
	moved := make([][]lane.Call, len(flushes))
	begun := map[string]bool{}
	for i, calls := range flushes {
		moved[i] = slices.Clone(calls)
		for k := range calls {
			ns := calls[k].Lane.Namespace + ":" + strconv.Itoa(n)
			if moved[i][k].Lane.Namespace = ns; !begun[ns] {
				begun[ns] = true
				beginLanes(w.b, w.store, ns, lane.DefaultLanes, w.partitions)
			}
		}
	}
	start := time.Now()
	for _, calls := range moved {
		for _, o := range w.store.Apply(w.b.Context(), calls) {
			if o.Err != nil || !o.Applied {
				w.b.Fatalf("a call of the loop: %+v", o)
			}
		}
	}
	return time.Since(start)
}

// cpu returns the processor time, in seconds, that this process and the Redis take for do: what a busy machine does to the
// clock it does not do to this.
func (w *speedWorld) cpu(do func()) float64 {
	w.b.Helper()
	before := cpuTime().Seconds() + redisCPU(w.b, w.admin)
	do()
	return cpuTime().Seconds() + redisCPU(w.b, w.admin) - before
}

// redisCPU returns the processor time, in seconds, that the server has taken.
func redisCPU(b *testing.B, c *redis.Client) (sum float64) {
	b.Helper()
	info, err := c.Info(b.Context(), "cpu").Result()
	if err != nil {
		b.Fatal(err)
	}
	for _, name := range []string{"used_cpu_sys:", "used_cpu_user:"} {
		_, rest, _ := strings.Cut(info, "\n"+name)
		value, _, _ := strings.Cut(rest, "\r")
		seconds, err := strconv.ParseFloat(value, 64)
		if err != nil {
			b.Fatal(err)
		}
		sum += seconds
	}
	return sum
}

// BenchmarkSpeedRedis is the speed layer, saturated: both used-car views, from a topic in a broker of its own process into a real
// Redis, beside the same function calls, recorded and made again from a loop. cpu counts this process and Redis, not the
// broker; cores is how much of the processors the speed layer and Redis got. The loop needs one core at a time, which even a
// busy machine has, the speed layer both: where cores is well below 1.5 the ratio says more of the machine than of it, and
// cpu-ratio, that of the processor times, is the one to compare. Floors: half of the loop's rate, and 60k events/s on two
// cores that are not throttled.
func BenchmarkSpeedRedis(b *testing.B) {
	w := newSpeedWorld(b)
	recorded := &recorder{Store: w.store, keep: true}
	w.round(0, recorded)
	var rates, ratios, loops, cpus, cpuRatios, cores []float64
	tiles := 0
	for b.Loop() {
		for range benchRounds {
			n := 1 + len(rates)
			r := &recorder{Store: w.store}
			var took, loop time.Duration
			cpu := w.cpu(func() { took = w.round(n, r) })
			loopCPU := w.cpu(func() { loop = w.replay(n, recorded.flushes) })
			more := float64(r.tiles) / float64(recorded.tiles) // tiles than the loop wrote
			rates, loops = append(rates, benchSpeedEvents/took.Seconds()), append(loops, benchSpeedEvents/loop.Seconds())
			ratios = append(ratios, loop.Seconds()/took.Seconds()*more)
			cpus, cpuRatios = append(cpus, cpu*1e6/benchSpeedEvents), append(cpuRatios, loopCPU/cpu*more)
			cores = append(cores, cpu/took.Seconds())
			tiles += r.tiles
			if err := w.admin.FlushAll(b.Context()).Err(); err != nil { // no round's memory is the next one's
				b.Fatal(err)
			}
		}
	}
	b.Logf("events/s %.0f, loop %.0f, ratios %.2f", rates, loops, ratios)
	medianOf(b, "events/s", rates)
	medianOf(b, "loop-events/s", loops)
	medianOf(b, "ratio", ratios)
	medianOf(b, "cpu-µs/event", cpus)
	medianOf(b, "cpu-ratio", cpuRatios)
	medianOf(b, "cores", cores)
	b.ReportMetric(float64(tiles)/float64(len(rates))/benchSpeedEvents, "tiles/event")
}

// medianOf reports the median of rounds.
func medianOf(b *testing.B, name string, rounds []float64) {
	b.Helper()
	slices.Sort(rounds)
	b.ReportMetric(rounds[len(rounds)/2], name)
}
