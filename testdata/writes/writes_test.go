package writes

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/serving/storetest/faultproxy"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/speed/flush"
)

var (
	writesFlag = flag.Int("writes", 1_000_000, "tiles to write")
	seedFlag   = flag.Uint64("seed", 0, "seed of the faults, 0 = any")
	oneInFlag  = flag.Int("onein", 60, "one in so many pieces on the wire meets a fault")
)

const (
	workers = 4
	// timeout is how long the client waits, late how much too late a late answer or request comes.
	timeout = 300 * time.Millisecond
	late    = 400 * time.Millisecond
	// patience bounds what comes before the faults.
	patience = time.Minute
	// reportEvery is how often the long form says how far it is.
	reportEvery = 20 * time.Second
)

// TestWrites: of all tile writes none is lost and none has an effect twice, though every kind of fault is met.
func TestWrites(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	flushes := *writesFlag / (workers * lanes * tilesPerCall)
	if flushes == 0 {
		t.Fatalf("-writes %d: want at least %d", *writesFlag, workers*lanes*tilesPerCall)
	}
	srv := redisserver.Start(t, "--hash-max-listpack-value", "65536", "--hash-max-listpack-entries", "128")
	proxy := faultproxy.Start(t, srv.Addr)
	raw := redis.NewClient(&redis.Options{Addr: srv.Addr, ReadTimeout: time.Minute})
	defer func() { _ = raw.Close() }()
	s := prepare(t, "redis://"+proxy.Addr)
	defer func() { _ = s.Close() }()
	before := readBooks(t, raw)

	proxy.Random(seed, *oneInFlag, late)
	begun := time.Now()
	all := runAll(t, s, flushes, begun)
	took := time.Since(begun)
	proxy.Random(0, 0, 0)
	for proxy.Late() > 0 { // a late call may still do harm
		readBooks(t, raw)
	}

	done := readBooks(t, raw).minus(before)
	calls := workers * lanes * flushes
	tiles := calls * tilesPerCall
	counts := proxy.Counts()
	t.Logf("%d tile writes in %d calls, %.0f/s, seed %d; the server ran %d calls, so %d repeats and late ones; requests lost %d, cut %d, late %d, answers lost %d, cut %d, late %d; outcomes unknown %d",
		tiles, calls, float64(tiles)/took.Seconds(), seed, done.calls, done.calls-calls,
		counts[faultproxy.LostRequest], counts[faultproxy.HalfRequest], counts[faultproxy.LateRequest],
		counts[faultproxy.LostAnswer], counts[faultproxy.HalfAnswer], counts[faultproxy.LateAnswer], all[flush.Unknown])

	// One HSET a tile and one a mark: more is an effect that was had twice, fewer a write that was lost.
	if want := tiles + calls; done.sets != want {
		t.Errorf("the server ran %d HSETs, want %d (seed %d)", done.sets, want, seed)
	}
	lost := compare(t, raw, flushes)
	if lost > 0 {
		t.Errorf("%d tiles are not what was written last (seed %d)", lost, seed)
	}
	t.Logf("lost %d, double effects %d", lost, max(done.sets-tiles-calls, 0))
	for f := faultproxy.LostRequest; f < faultproxy.Fates; f++ {
		if counts[f] == 0 {
			t.Errorf("fault %d was never met (seed %d)", f, seed)
		}
	}
	if all[flush.Unknown] == 0 || done.calls <= calls {
		t.Errorf("%d outcomes were unknown and %d calls repeated: the faults did no harm", all[flush.Unknown], done.calls-calls)
	}
	for _, r := range []flush.Refusal{flush.Behind, flush.Absent, flush.Incarnation, flush.Gone} {
		if all[r] > 0 {
			t.Errorf("%d calls were refused as %s: the store lost marks (seed %d)", all[r], r, seed)
		}
	}
}

// prepare begins the lanes and opens the hasty store that the workers use. Neither is what is tested, so both get the time
// that they need on a busy machine.
func prepare(t *testing.T, url string) *redisstore.Store {
	t.Helper()
	patient, err := redisstore.Open(t.Context(), url, redisstore.Options{Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = patient.Close() }()
	for _, o := range patient.Apply(t.Context(), begin()) {
		if o.Err != nil || !o.Applied {
			t.Fatalf("beginning a lane: %+v", o)
		}
	}
	for end := time.Now().Add(patience); ; {
		s, err := redisstore.Open(t.Context(), url, redisstore.Options{Timeout: timeout})
		if err == nil {
			return s
		}
		if !errors.Is(err, lane.ErrUnavailable) || time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

// runAll lets all workers write, and returns how their calls ended.
func runAll(t *testing.T, s Store, flushes int, begun time.Time) (all [flush.Refusals]int) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var done, said atomic.Int64
	var wg sync.WaitGroup
	team := make([]*worker, workers)
	for id := range team {
		team[id] = newWorker(id, s)
		wg.Go(func() {
			err := team[id].run(ctx, flushes, func() {
				tiles, now := done.Add(lanes*tilesPerCall), time.Since(begun)
				if last := said.Load(); now > time.Duration(last)+reportEvery && said.CompareAndSwap(last, int64(now)) {
					t.Logf("%v: %d tiles", now.Round(time.Second), tiles)
				}
			})
			if err != nil {
				t.Error(err)
				cancel()
			}
		})
	}
	wg.Wait()
	for _, w := range team {
		for r, n := range w.refusals {
			all[r] += n
		}
	}
	return all
}

// books is what the server has counted.
type books struct{ sets, calls int }

func (b books) minus(o books) books { return books{b.sets - o.sets, b.calls - o.calls} }

// readBooks reads the server's counts once they stand still.
func readBooks(t *testing.T, c *redis.Client) books {
	t.Helper()
	for last := (books{-1, -1}); ; {
		info, err := c.Info(t.Context(), "commandstats").Result()
		if err != nil {
			t.Fatal(err)
		}
		b := books{count(t, info, "hset"), count(t, info, "fcall")}
		if b == last {
			return b
		}
		last = b
	}
}

func count(t *testing.T, info, command string) int {
	t.Helper()
	_, rest, found := strings.Cut(info, "cmdstat_"+command+":calls=")
	n := 0
	if _, err := fmt.Sscanf(rest, "%d,", &n); found && err != nil {
		t.Fatalf("reading the count of %s: %v", command, err)
	}
	return n
}

// compare returns how many tiles are not what was written last, rows and marks included.
func compare(t *testing.T, c *redis.Client, flushes int) (wrong int) {
	t.Helper()
	end := int64(flushes) * tilesPerCall
	for n := range lanes {
		prefix := "{tm:" + laneID(n).String() + "}:"
		for p := range workers {
			mark, err := c.HGet(t.Context(), prefix+"m", partition(p).String()).Result()
			if err != nil {
				t.Fatal(err)
			}
			if want := (lane.Mark{Incarnation: incarnation, Low: lane.Joined, Next: end}).Wire(); mark != want {
				t.Errorf("the mark of lane %d, worker %d is %q, want %q", n, p, mark, want)
			}
		}
		for row := range min(end, rowsPerLane) {
			last := row + (end-1-row)/rowsPerLane*rowsPerLane
			got, err := c.HGetAll(t.Context(), prefix+string(incarnation)+":"+string(rowKey(row))).Result()
			if err != nil {
				t.Fatal(err)
			}
			for p := range workers {
				want := fill(make([]byte, tileBytes), p, n, last)
				if len(got) != workers || !bytes.Equal([]byte(got[fieldName(p)]), want) {
					wrong++
				}
			}
		}
	}
	return wrong
}
