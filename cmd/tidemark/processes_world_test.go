//go:build crashpoints

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/serving/storetest/ports"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// How the processes are set up. Blocks are small and runs often, so that every fault meets a run under way.
const (
	farmBlock   = 2048
	farmCron    = "@every 10s"
	farmSession = 2 * time.Second
	farmWait    = 6 * time.Minute
	scrapeEvery = 300 * time.Millisecond
	scrapeWait  = 2 * time.Second
)

// logServer is the log as the test handles it: Apache Kafka, or the development broker.
type logServer interface {
	Address() string
	// Crash ends it at once, and brings it back at the same address with what it had.
	Crash(t testing.TB)
}

// farm is a job in processes of its roles, each with a name, over one log and one Redis.
type farm struct {
	*installation
	random  *rand.Rand
	log     logServer
	redis   *redisserver.Server
	address string // of serve, which clients know
	source  *schema.Source

	client  *kafkalog.Client
	catalog *catalog
	history *history.Log
	begun   time.Time
	since   time.Time // when what was hit last began again
	running map[string]*process

	counted counters
	dropped int // answers of a generation that is dropped
	traffic *steady
	tail    *tail
	clients *clients
}

// members are the names of the processes and what each is.
var members = []struct{ name, role string }{
	{"archive", "archive"}, {"batch", "batch"}, {"speed a", "speed"}, {"speed b", "speed"}, {"serve", "serve"},
}

// newFarm starts Redis, creates the topic, and connects to both.
func newFarm(t *testing.T, seed uint64, log logServer) *farm {
	t.Helper()
	redis := redisserver.Start(t)
	f := &farm{
		installation: &installation{t: t, job: "../../jobs/usedcar", kafka: log.Address(), store: redis.URL(), folder: t.TempDir()},
		random:       rand.New(rand.NewPCG(seed, 0)), log: log, redis: redis, begun: time.Now(), running: map[string]*process{},
	}
	f.address = ports.Free(t)
	j, err := loadJob(f.job)
	if err != nil {
		t.Fatal(err)
	}
	f.source = &j.Sources[0]
	if f.client, err = kafkalog.Dial(t.Context(), kafkalog.Config{Brokers: []string{log.Address()}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.client.Close)
	if err := ensureTopic(t.Context(), f.client, f.source, defaultParts, true, newToolLogger(io.Discard)); err != nil {
		t.Fatal(err)
	}
	f.catalog = newCatalog(j, f.openStore())
	f.history = &history.Log{Dir: filepath.Join(f.folder, "archive"), Topics: f.client}
	f.counted = counters{seen: map[*process]map[string]int{}}
	f.follow(j, seed)
	t.Cleanup(f.tellLast)
	return f
}

// follow begins what happens beside: traffic, what reads it back, clients, and whoever reads the counters.
func (f *farm) follow(j *job.Job, seed uint64) {
	ctx, cancel := context.WithCancel(f.t.Context())
	var beside sync.WaitGroup
	f.t.Cleanup(func() { cancel(); beside.Wait() })
	f.traffic = &steady{client: f.client, perTick: trafficPerTick(), topic: f.source.Topic, next: jobs.Generators[j.Name](seed).Next}
	f.tail = newTail(f.client, f.source.Topic)
	f.clients = newClients(f)
	beside.Go(func() { f.traffic.run(ctx) })
	beside.Go(func() { f.tail.run(ctx) })
	beside.Go(func() { f.clients.run(ctx) })
	beside.Go(func() { f.scrape(ctx) })
}

// args are the arguments of a member.
func (f *farm) args(name, role string) []string {
	all := []string{role, f.job, "--wait", roleWait}
	kafka := []string{"--kafka", f.kafka, "--archive", filepath.Join(f.folder, "archive")}
	store, block := []string{"--store", f.store}, []string{"--block", strconv.Itoa(farmBlock)}
	switch role {
	case "archive":
		return append(append(append(all, kafka...), block...), "--tail-age", "0")
	case "batch":
		return append(append(append(append(all, kafka...), store...), block...), "--state", filepath.Join(f.folder, "state"), "--cron", farmCron)
	case "speed":
		return append(append(append(all, kafka...), store...), "--instance", name, "--session-timeout", farmSession.String())
	}
	return append(append(all, store...), "--http", f.address)
}

// begin starts a member, armed to die at a place if one is given.
func (f *farm) begin(name string, armed ...string) *process {
	f.t.Helper()
	for _, m := range members {
		if m.name == name {
			p := tidemarkWith(f.t, armed, f.args(m.name, m.role)...)
			f.counted.mu.Lock()
			f.running[name] = p
			f.counted.mu.Unlock()
			return p
		}
	}
	f.t.Fatalf("there is no member %q", name)
	return nil
}

// goesOn says that what was hit begins again now: how long it takes to recover counts from here.
func (f *farm) goesOn() { f.since = time.Now() }

// ready begins a member and waits until it does its work.
func (f *farm) ready(name string) {
	f.t.Helper()
	f.goesOn()
	f.begin(name).await("ready role=", farmWait)
}

// kill ends a member at once.
func (f *farm) kill(name string) {
	f.scrapeOnce(f.t.Context())
	f.running[name].kill()
}

// fallTo arms a member, and waits until it has died at the place.
func (f *farm) fallTo(name string, place crash.Place, hit int, brings func()) {
	f.t.Helper()
	f.kill(name)
	p := f.begin(name, crash.Variable+"="+place.String()+"#"+strconv.Itoa(hit))
	if brings != nil {
		p.await("ready role=", farmWait)
		brings()
	}
	p.diedAt(place, hit)
}

// moment lets a seeded number of records be appended, so that a fault hits what is then under way.
func (f *farm) moment() {
	f.t.Helper()
	at := f.traffic.sent.Load() + f.random.Int64N(2*f.traffic.rate())
	f.until("records to be appended", func() (bool, error) { return f.traffic.sent.Load() >= at, nil })
}

// until waits for done, at most farmWait. Whoever was sent away by a server that is being restarted asks again.
func (f *farm) until(what string, done func() (bool, error)) {
	f.t.Helper()
	var last error
	for deadline := time.Now().Add(farmWait); ; {
		ok, err := done()
		switch {
		case err == nil && ok:
			return
		case err != nil && !errors.Is(err, lane.ErrUnavailable) && !kafkalog.Transient(err):
			f.t.Fatalf("waiting for %s: %v", what, err)
		case time.Now().After(deadline):
			f.t.Fatalf("waited %v for %s (%v)", farmWait, what, last)
		}
		last = err
		if trouble := errors.Join(f.traffic.failed(), f.tail.failed(), f.clients.failed()); trouble != nil {
			f.t.Fatalf("while waiting for %s: %v", what, trouble)
		}
		select {
		case <-f.t.Context().Done():
			f.t.Fatalf("the test ended while it waited for %s", what)
		case <-time.After(pollPace):
		}
	}
}

// recovery is what must be again after a fault, beside that every lane claims the log up to where it was.
type recovery uint8

const (
	takenIn  recovery = 0
	archived recovery = 1 << iota // the archive has all blocks that were complete
	newRun                        // every served view has a run, in every lane, that it had not before
)

// recovered waits until what a fault hit does its work again, and returns how long that took since it began again.
func (f *farm) recovered(what recovery, before int64) time.Duration {
	f.t.Helper()
	ends := f.ends()
	f.until("recovery", func() (bool, error) {
		st, err := f.catalog.status(f.t.Context(), f.history)
		if err != nil || len(st.Views) == 0 {
			return false, err
		}
		for i := range st.Views {
			if !f.recoveredView(&st.Views[i], ends, what, before) {
				return false, nil
			}
		}
		_, err = f.clients.ask("user", "device_id:nobody")
		return err == nil, nil
	})
	return time.Since(f.since)
}

func (f *farm) recoveredView(v *viewStatus, ends map[string]int64, what recovery, before int64) bool {
	ok := v.Whole == v.Lanes && (what&newRun == 0 || v.Published > before)
	for _, p := range v.Partitions {
		end := ends[p.Partition]
		ok = ok && p.Next >= end && (what&archived == 0 || p.Archived >= end/farmBlock*farmBlock)
	}
	return ok
}

// ends returns where every partition of the log ends.
func (f *farm) ends() map[string]int64 {
	out := map[string]int64{}
	f.until("the log's end", func() (bool, error) {
		t, err := f.client.Topic(f.t.Context(), f.source.Topic)
		if err != nil {
			return false, err
		}
		bounds, err := f.client.Bounds(f.t.Context(), t.Name, t.Partitions)
		for p, b := range bounds {
			out[fmt.Sprintf("%s/%d", f.source.Name, p)] = b.HighWatermark
		}
		return err == nil, err
	})
	return out
}

// lastRun returns the run that every lane of every served view has.
func (f *farm) lastRun() (run int64) {
	f.until("the last run", func() (bool, error) {
		st, err := f.catalog.status(f.t.Context(), f.history)
		if err != nil {
			return false, err
		}
		for i := range st.Views {
			if v := &st.Views[i]; i == 0 || v.Published < run {
				run = v.Published
			}
		}
		return len(st.Views) > 0, nil
	})
	return run
}

// counters are what processes have counted, those that are dead as last seen.
type counters struct {
	mu   sync.Mutex // of running too
	seen map[*process]map[string]int
}

var refusalLine = regexp.MustCompile(`(?m)^tidemark_store_refusals_total\{[^}]*kind="([a-z ]+)"[^}]*\} (\d+)$`)

// scrape reads the counters of all processes again and again.
func (f *farm) scrape(ctx context.Context) {
	for ctx.Err() == nil {
		f.scrapeOnce(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(scrapeEvery):
		}
	}
}

func (f *farm) scrapeOnce(ctx context.Context) {
	f.counted.mu.Lock()
	var all []*process
	for _, p := range f.running {
		all = append(all, p)
	}
	f.counted.mu.Unlock()
	for _, p := range all {
		_, address, ok := strings.Cut(p.out.String(), " http=")
		address, _, _ = strings.Cut(address, "\n")
		body := ""
		if ok {
			body = scrapeFrom(ctx, address)
		}
		for _, m := range refusalLine.FindAllStringSubmatch(body, -1) {
			n, err := strconv.Atoi(m[2])
			if err != nil {
				continue
			}
			f.counted.mu.Lock()
			if f.counted.seen[p] == nil {
				f.counted.seen[p] = map[string]int{}
			}
			f.counted.seen[p][m[1]] = max(f.counted.seen[p][m[1]], n)
			f.counted.mu.Unlock()
		}
	}
}

// scrapeFrom returns a process's metrics, empty if it does not answer: it may be dead, stopped, or not there yet.
func scrapeFrom(ctx context.Context, address string) string {
	ctx, cancel := context.WithTimeout(ctx, scrapeWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return ""
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return ""
	}
	return string(b)
}

// refusals returns how many calls of all processes were refused, by kind.
func (f *farm) refusals() map[string]int {
	f.counted.mu.Lock()
	defer f.counted.mu.Unlock()
	out := map[string]int{}
	for _, kinds := range f.counted.seen {
		for kind, n := range kinds {
			out[kind] += n
		}
	}
	return out
}

// tellLast shows, where the test failed, what the processes said last.
func (f *farm) tellLast() {
	if !f.t.Failed() {
		return
	}
	const lines = 15
	for name, p := range f.running {
		said := strings.Split(strings.TrimSpace(p.out.String()), "\n")
		f.t.Logf("%s (%v) said last:\n%s", name, p.cmd.ProcessState, strings.Join(said[max(0, len(said)-lines):], "\n"))
	}
}
