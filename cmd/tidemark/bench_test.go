package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/devbroker"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/speed/archive"
)

// benchEvents is the size of the archive that the full run reads; TIDEMARK_BENCH_EVENTS overrides it.
func benchEvents(b *testing.B) int64 {
	b.Helper()
	return envNumber(b, "TIDEMARK_BENCH_EVENTS", 2_000_000)
}

// envNumber is what a variable of the environment says, or usual if it is not set.
func envNumber(b *testing.B, name string, usual int64) int64 {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 {
		b.Fatalf("%s is %q, want a number above 0", name, text)
	}
	return n
}

// crowds makes of one marketplace several that do not know each other, event by event in turns: as many times the entities,
// each with fewer events. TIDEMARK_BENCH_CROWDS says how many; one as it is without.
type crowds struct{ number, next int64 }

// of returns a record's value as one of the next crowd's.
func (c *crowds) of(value []byte) []byte {
	if c.number == 1 {
		return value
	}
	c.next = (c.next + 1) % c.number
	for _, id := range []string{`"user_id":"`, `"device_id":"`, `"listing_id":"`} {
		value = bytes.Replace(value, []byte(id), fmt.Appendf(nil, "%s%d-", id, c.next), 1)
	}
	return value
}

func benchJob(b *testing.B) *job.Job {
	b.Helper()
	j, _, err := jobs.Open(jobs.Default)
	if err != nil {
		b.Fatal(err)
	}
	return j
}

// buildArchive writes n generated events as an archive of four partitions.
func buildArchive(b *testing.B, j *job.Job, dir string, n int64) (rows int64) {
	b.Helper()
	src := &j.Sources[0]
	d, err := decode.Compile(src)
	if err != nil {
		b.Fatal(err)
	}
	const partitions = 4
	writers := make([]*archivefile.Writer, partitions)
	next := make([]int64, partitions)
	batches := make([]*column.Batch, partitions)
	for p := range writers {
		writers[p] = archivefile.NewWriter(archivefile.OS{}, dir, src, int32(p), 0)
		batches[p] = column.NewBatch(src, int32(p), true)
	}
	flush := func(p int) {
		if err := writers[p].Append(batches[p]); err != nil {
			b.Fatal(err)
		}
		batches[p].Reset(int32(p))
	}
	g, c := jobs.Generators[j.Name](1), crowds{number: envNumber(b, "TIDEMARK_BENCH_CROWDS", 1)}
	for i := range n {
		now := int64(1_790_000_000_000) + i/2
		r := g.Next(now)
		p := int(kafkalog.PartitionByKey(r.Key, partitions))
		d.Append(batches[p], &record.Record{Offset: next[p], Append: now, AppendType: column.LogAppendTime, Key: r.Key, Value: c.of(r.Value)})
		next[p]++
		if batches[p].N == 8192 {
			flush(p)
		}
		if next[p]%src.Block == 0 {
			flush(p)
			if _, err := writers[p].Commit(next[p]); err != nil {
				b.Fatal(err)
			}
			rows += src.Block
			writers[p] = archivefile.NewWriter(archivefile.OS{}, dir, src, int32(p), next[p])
		}
	}
	for _, w := range writers {
		if err := w.Abort(); err != nil {
			b.Fatal(err)
		}
	}
	return rows
}

// BenchmarkFullRun is run 1 of both views, from Parquet to run files, beside the bare scan of the columns that it reads.
// Floor: 1 M events/s on two cores.
func BenchmarkFullRun(b *testing.B) {
	j := benchJob(b)
	dir := b.TempDir()
	rows := buildArchive(b, j, dir, benchEvents(b))
	src := &j.Sources[0]
	origin, cut, err := recompute.Folder(dir).Extent(b.Context(), src.Name, src.Block)
	if err != nil {
		b.Fatal(err)
	}
	syscall.Sync() // what is timed does not share the disk with the archive, nor with what went before it
	b.Run("scan", func(b *testing.B) {
		for b.Loop() {
			scanAll(b, j, dir, origin, cut)
		}
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("run", func(b *testing.B) {
		var cpu time.Duration
		for b.Loop() {
			before, out := cpuTime(), b.TempDir()
			fullRun(b, j, dir, out, cut)
			cpu += cpuTime() - before
			b.StopTimer()
			if err := os.RemoveAll(out); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
		b.ReportMetric(float64(cpu.Nanoseconds())/float64(b.N)/float64(rows), "cpu-ns/event")
		b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
	})
	b.Run("duckdb", func(b *testing.B) { besideDuckDB(b, j, dir, cut) })
}

// scanAll reads the columns that the views use, on two goroutines as a run does.
func scanAll(b *testing.B, j *job.Job, dir string, origin, cut position.Cut) {
	b.Helper()
	src := &j.Sources[0]
	fields := archivefile.Everything(src)
	fields.Archive = false
	var all sync.WaitGroup
	for p, next := range cut {
		all.Go(func() {
			err := archivefile.Scan(b.Context(), dir, src, p.ID, position.Range{From: origin[p], Next: next}, fields, func(*column.Batch) error { return nil })
			if err != nil {
				b.Error(err)
			}
		})
	}
	all.Wait()
}

// fullRun makes run files in a folder, which the caller removes: that is no part of a run. It returns how many rows each view has.
func fullRun(b *testing.B, j *job.Job, archive, out string, cut position.Cut) map[string]int64 {
	b.Helper()
	var tasks []*recompute.Task
	for _, p := range j.Plans {
		tasks = append(tasks, &recompute.Task{
			Plan: p, Identity: "aaaaaaaaaa", Run: 1, Kind: tile.KindBase, Lanes: 16, Blocks: map[string]int64{j.Sources[0].Name: j.Sources[0].Block},
			From: position.Cut{}, To: cut, Folder: filepath.Join(out, p.Spec().Name), FileName: func(l int) string { return fmt.Sprintf("%02x.run", l) },
		})
	}
	e := &recompute.Engine{Archive: recompute.Folder(archive)}
	outcomes, err := e.Run(b.Context(), tasks)
	if err != nil {
		b.Fatal(err)
	}
	rows := map[string]int64{}
	for i, o := range outcomes {
		if o.Mismatch != nil {
			b.Fatalf("%+v", o.Mismatch)
		}
		rows[j.Plans[i].Spec().Name] = o.Rows
	}
	return rows
}

// benchNode runs every role on a development broker, with traffic at this rate.
func benchNode(b *testing.B, rate float64) *node {
	b.Helper()
	broker, err := devbroker.Start(devbroker.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(broker.Close)
	dir := b.TempDir()
	o := options{
		kafka: []string{broker.Addr()}, store: "pebble:" + filepath.Join(dir, "store"), archive: filepath.Join(dir, "archive"),
		state: filepath.Join(dir, "state"), http: defaultHTTP, linger: 10 * time.Millisecond, wait: time.Minute, session: 10 * time.Second, memory: defaultMemory, grace: defaultGrace,
	}
	dep := &deployment{options: o, name: "bench", roles: everyRole, cron: defaultCron, tailAge: archive.DefaultTailAge}
	n, err := openNode(b.Context(), benchJob(b), dep, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	if err := ensureTopic(ctx, n.kafka, &n.job.Sources[0], defaultParts, true, n.logger); err != nil {
		b.Fatal(err)
	}
	if err := n.start(ctx); err != nil {
		b.Fatal(err)
	}
	if err := n.awaitReady(ctx); err != nil {
		b.Fatal(err)
	}
	d := &demo{node: n, flags: &demoFlags{rate: rate, seed: 1}}
	if d.producer, err = newPacedProducer(n.kafka, n.job.Sources[0].Topic, rate); err != nil {
		b.Fatal(err)
	}
	produced := make(chan error, 1)
	go func() { produced <- d.produce(ctx) }()
	b.Cleanup(func() {
		cancel()
		err := <-produced
		if serr := n.endSpeed(false); err == nil {
			err = serr
		}
		n.beside.Wait()
		if cerr := n.close(); err == nil {
			err = cerr
		}
		if err != nil {
			b.Error(err)
		}
	})
	return n
}

// profile asks the node for a profile over HTTP.
func (n *node) profile(b *testing.B, client *http.Client, key string) (found bool) {
	b.Helper()
	url := fmt.Sprintf("http://%s/v1/jobs/%s/views/user/profiles/%s", n.address, n.job.Name, key)
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, nil)
	if err != nil {
		b.Fatal(err)
	}
	res, err := client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Found bool `json:"found"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		b.Fatal(err)
	}
	return answer.Found
}

func quantiles(b *testing.B, all []time.Duration) {
	b.Helper()
	slices.Sort(all)
	ms := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))].Microseconds()) / 1000 }
	b.ReportMetric(ms(0.5), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
}

// BenchmarkFreshness is the time from an outside client's produce call to an HTTP answer that contains the event, at 5k
// events/s and linger 10 ms, batch idle. Floor: p99 < 100 ms.
func BenchmarkFreshness(b *testing.B) {
	n := benchNode(b, 5000)
	c, err := kafkalog.Dial(b.Context(), kafkalog.Config{Brokers: n.o.kafka})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	p, err := c.NewProducer(n.job.Sources[0].Topic, kafkalog.ProducerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	client := &http.Client{}
	var all []time.Duration
	for i := 0; b.Loop(); i++ {
		for probe := range 300 {
			id := fmt.Sprintf("probe-%d-%d", i, probe)
			value := fmt.Appendf(nil, `{"event_id":%q,"event_time":%d,"event_type":"view","device_id":%q,"listing_id":"l1"}`, id, time.Now().UnixMilli(), id)
			start := time.Now()
			if err := p.Produce(b.Context(), []kafkalog.Message{{Key: []byte(id), Value: value, Partition: kafkalog.ByKey}}); err != nil {
				b.Fatal(err)
			}
			found := false
			for !found {
				found = n.profile(b, client, "device_id:"+id)
			}
			all = append(all, time.Since(start))
		}
	}
	quantiles(b, all)
}

// BenchmarkLookup is the latency of lookups of one key, all features, at 2k/s over HTTP while 2k events/s come in.
// Floor: p99 < 5 ms.
func BenchmarkLookup(b *testing.B) {
	n := benchNode(b, 2000)
	const rate, workers = 2000, 16
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers}}
	var mu sync.Mutex
	var all []time.Duration
	for b.Loop() {
		ticks := make(chan time.Time, rate)
		var done sync.WaitGroup
		for w := range workers {
			done.Go(func() {
				for due := range ticks {
					n.profile(b, client, "device_id:d"+strconv.Itoa(w))
					mu.Lock()
					all = append(all, time.Since(due))
					mu.Unlock()
				}
			})
		}
		start := time.Now()
		for i := range 10 * rate {
			due := start.Add(time.Duration(i) * time.Second / rate)
			if d := time.Until(due); d > 0 {
				<-time.After(d)
			}
			ticks <- due
		}
		close(ticks)
		done.Wait()
	}
	quantiles(b, all)
}
