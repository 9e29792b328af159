package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/testdata/kafka"
)

// platform is what an operator deploys: Kafka, Redis and each role a process of its own, with the defaults but where a
// benchmark says otherwise. All of it shares the machine with the benchmark.
type platform struct {
	*installation
	redis *redisserver.Server
	speed *process
	serve *process
}

const (
	platformRate  = 5000 // events a second
	platformTopic = "usedcar-events"
)

// newPlatform begins everything; batch is idle after that.
func newPlatform(b *testing.B, linger time.Duration) *platform {
	b.Helper()
	redis := redisserver.Start(b)
	p := &platform{redis: redis, installation: &installation{
		t: b, job: "../../jobs/usedcar", kafka: kafka.Start(b).Addr, folder: b.TempDir(), store: redis.URL(),
	}}
	p.gen(1, "--partitions", "4")
	log, state := []string{"--kafka", p.kafka, "--archive", filepath.Join(p.folder, "archive")}, filepath.Join(p.folder, "state")
	tidemark(b, append([]string{"archive", p.job}, log...)...)
	tidemark(b, append([]string{"batch", p.job, "--store", p.store, "--state", state, "--cron", "@every 24h"}, log...)...).isReady("batch")
	p.begin(linger)
	p.serve = tidemark(b, "serve", p.job, "--store", p.store)
	p.serve.isReady("serve")
	return p
}

// begin begins a speed worker, and waits until it is ready.
func (p *platform) begin(linger time.Duration) {
	p.t.Helper()
	p.launch(linger)
	p.speed.isReady("speed")
}

// launch begins a speed worker.
func (p *platform) launch(linger time.Duration) {
	p.t.Helper()
	p.speed = tidemark(p.t, "speed", p.job, "--kafka", p.kafka, "--archive", filepath.Join(p.folder, "archive"), "--store", p.store,
		"--instance", "one", "--linger", linger.String())
}

// traffic makes events come from another process until the benchmark ends.
func (p *platform) traffic() {
	p.t.Helper()
	tidemark(p.t, "gen", p.job, "--kafka", p.kafka, "--events", "100000000", "--rate", strconv.Itoa(platformRate), "--seed", "7")
}

// pass lets time pass: what is measured is what happens meanwhile.
func (p *platform) pass(d time.Duration) {
	p.t.Helper()
	select {
	case <-p.t.Context().Done():
		p.t.Fatal("the benchmark ended")
	case <-time.After(d):
	}
}

// BenchmarkPlatformFreshness is the time from an outside client's produce call to an HTTP answer that contains the event,
// and beside it the time until a bare client has fetched it, of the same events. Floors: p50 < 20 ms, p99 at most the bare
// client's and 25 ms.
func BenchmarkPlatformFreshness(b *testing.B) {
	p := newPlatform(b, 10*time.Millisecond)
	p.traffic()
	c, err := kafkalog.Dial(b.Context(), kafkalog.Config{Brokers: []string{p.kafka}})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	producer, err := c.NewProducer(platformTopic, kafkalog.ProducerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	bare := follow(b, c)
	client := &http.Client{}
	p.pass(5 * time.Second)
	n := &node{address: httpOf(b, p.serve.out.String()), job: benchJob(b)}
	var answered, fetched []time.Duration
	for i := 0; b.Loop(); i++ {
		for probe := range 500 {
			id := fmt.Sprintf("probe-%d-%d", i, probe)
			value := fmt.Appendf(nil, `{"event_id":%q,"event_time":%d,"event_type":"view","device_id":%q,"listing_id":"l1"}`, id, time.Now().UnixMilli(), id)
			start := time.Now()
			if err := producer.Produce(b.Context(), []kafkalog.Message{{Key: []byte(id), Value: value, Partition: kafkalog.ByKey}}); err != nil {
				b.Fatal(err)
			}
			for found := false; !found; {
				found = n.profile(b, client, "device_id:"+id)
			}
			answered = append(answered, time.Since(start))
			fetched = append(fetched, bare.when(b, id).Sub(start))
		}
	}
	quantiles(b, answered)
	slices.Sort(fetched)
	at := func(all []time.Duration, q float64) time.Duration { return all[int(q*float64(len(all)-1))] }
	b.ReportMetric(at(fetched, 0.5).Seconds()*1000, "bare-p50-ms")
	b.ReportMetric(at(fetched, 0.99).Seconds()*1000, "bare-p99-ms")
	b.ReportMetric((at(answered, 0.99)-at(fetched, 0.99)).Seconds()*1000, "p99-over-bare-ms")
}

// follower is a bare client that reads the end of the topic and notes when keys arrive.
type follower struct{ seen sync.Map }

func follow(b *testing.B, c *kafkalog.Client) *follower {
	b.Helper()
	topic, err := c.Topic(b.Context(), platformTopic)
	if err != nil {
		b.Fatal(err)
	}
	bounds, err := c.Bounds(b.Context(), topic.Name, topic.Partitions)
	if err != nil {
		b.Fatal(err)
	}
	wants := make([]kafkalog.Want, 0, len(bounds))
	for partition, at := range bounds {
		wants = append(wants, kafkalog.Want{Partition: partition, Offset: at.LastStable})
	}
	f := &follower{}
	ctx, cancel := context.WithCancel(context.WithoutCancel(b.Context()))
	fetcher := c.NewFetcher(topic)
	var done sync.WaitGroup
	done.Go(func() {
		for ctx.Err() == nil {
			got, err := fetcher.Fetch(ctx, wants, 500*time.Millisecond)
			if err != nil {
				return
			}
			now := time.Now()
			for _, g := range got {
				for i := range g.Records {
					if bytes.HasPrefix(g.Records[i].Key, []byte("probe-")) {
						f.seen.Store(string(g.Records[i].Key), now)
					}
				}
				if i := slices.IndexFunc(wants, func(w kafkalog.Want) bool { return w.Partition == g.Partition }); g.Err == nil {
					wants[i].Offset = g.Next
				}
			}
		}
	})
	b.Cleanup(func() {
		cancel()
		fetcher.Close()
		done.Wait()
	})
	return f
}

// when returns when a key arrived; it waits if that is still to come.
func (f *follower) when(b *testing.B, key string) (at time.Time) {
	b.Helper()
	poll(b, "the bare client to fetch "+key, func() bool {
		v, ok := f.seen.Load(key)
		if ok {
			at, ok = v.(time.Time)
		}
		return ok
	})
	return at
}

// BenchmarkPlatformTakeover kills a speed worker at full traffic, and takes the time from its successor's assignment of all
// four partitions until their marks are a tenth of a second's events from the log's end. Floor: 3 s.
func BenchmarkPlatformTakeover(b *testing.B) {
	p := newPlatform(b, 10*time.Millisecond)
	p.traffic()
	p.pass(30 * time.Second) // so that blocks are half full
	var all []time.Duration
	var read, count int
	for b.Loop() {
		for range 5 {
			p.pass(5 * time.Second)
			p.speed.kill()
			p.launch(10 * time.Millisecond)
			p.speed.await(`partitions assigned`, time.Minute)
			start := time.Now()
			p.speed.isReady("speed")
			p.awaitCaughtUp(platformRate / 10)
			all = append(all, time.Since(start))
			read += p.speed.metric("tidemark_speed_records_decoded_total")
			count++
		}
	}
	slices.Sort(all)
	b.ReportMetric(all[len(all)/2].Seconds(), "median-s")
	b.ReportMetric(all[len(all)-1].Seconds(), "longest-s")
	b.ReportMetric(float64(read/count), "records-read")
}

// awaitCaughtUp waits until the worker owns all partitions, and its marks are no more than so many records from the end.
func (p *platform) awaitCaughtUp(most int64) {
	p.t.Helper()
	url := "http://" + httpOf(p.t, p.speed.out.String()) + "/v1/status"
	poll(p.t, "the worker to be at the log's end", func() bool {
		_, body := fetch(p.t, http.MethodGet, url, "", nil)
		var s processStatus
		unmarshal(p.t, body, &s)
		lag := int64(0)
		for _, part := range s.Speed {
			if part.Mark < 0 || part.End <= 0 {
				return false
			}
			lag += part.End - part.Mark
		}
		return len(s.Speed) == 4 && lag <= most
	})
}

// BenchmarkPlatformLinger is the seed platform's comparison of micro-batches and a stream, in one engine: the same traffic
// with flushes that wait for each other, 60 s, 1 s, 50 ms and not at all. What waiting saves is writes and CPU; what it costs
// is freshness.
func BenchmarkPlatformLinger(b *testing.B) {
	for _, linger := range []time.Duration{time.Minute, time.Second, 50 * time.Millisecond, 0} {
		b.Run("linger="+linger.String(), func(b *testing.B) {
			p := newPlatform(b, linger)
			p.traffic()
			p.pass(max(5*time.Second, linger+linger/4))
			for b.Loop() {
				before := p.figures()
				p.pass(max(20*time.Second, 2*linger))
				after := p.figures()
				events := after.folded - before.folded
				b.ReportMetric(1000*quantileBetween(before.freshness, after.freshness, 0.5), "p50-ms")
				b.ReportMetric(1000*quantileBetween(before.freshness, after.freshness, 0.99), "p99-ms")
				b.ReportMetric((after.tiles-before.tiles)/events, "tiles/event")
				b.ReportMetric(1e6*(after.cpu-before.cpu)/events, "cpu-us/event")
				b.ReportMetric(events/after.at.Sub(before.at).Seconds(), "events/s")
			}
		})
	}
}

// figures are a speed worker's counters at an instant.
type figures struct {
	at                 time.Time
	folded, tiles, cpu float64
	freshness          []bucket
}

// bucket is how many records were at most so old when they became readable.
type bucket struct{ atMost, records float64 }

func (p *platform) figures() (f figures) {
	p.t.Helper()
	code, body := fetch(p.t, http.MethodGet, "http://"+httpOf(p.t, p.speed.out.String())+"/metrics", "", nil)
	if code != http.StatusOK {
		p.t.Fatalf("metrics: %d", code)
	}
	f.at = time.Now()
	number := func(text string) float64 {
		v, err := strconv.ParseFloat(strings.Replace(text, "+Inf", "Inf", 1), 64)
		if err != nil {
			p.t.Fatal(err)
		}
		return v
	}
	value := func(name string) float64 {
		m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(body)
		if m == nil {
			p.t.Fatalf("no %s in\n%s", name, body)
		}
		return number(m[1])
	}
	f.folded, f.tiles, f.cpu = value("tidemark_speed_records_folded_total"), value("tidemark_speed_tiles_written_total"), value("process_cpu_seconds_total")
	for _, m := range regexp.MustCompile(`(?m)^tidemark_freshness_seconds_bucket\{le="([^"]+)"\} (\S+)$`).FindAllStringSubmatch(body, -1) {
		f.freshness = append(f.freshness, bucket{number(m[1]), number(m[2])})
	}
	return f
}

// quantileBetween returns a quantile of what was counted between two readings, as Prometheus does: it lies within its bucket
// as if records were spread there evenly.
func quantileBetween(before, after []bucket, q float64) float64 {
	if len(after) == 0 {
		return math.NaN()
	}
	count := func(i int) float64 {
		n := after[i].records
		if i < len(before) {
			n -= before[i].records
		}
		return n
	}
	rank, low, below := q*count(len(after)-1), 0.0, 0.0
	for i := range after {
		if n := count(i); n >= rank {
			if math.IsInf(after[i].atMost, 1) || n == below {
				return low
			}
			return low + (after[i].atMost-low)*(rank-below)/(n-below)
		}
		low, below = after[i].atMost, count(i)
	}
	return low
}

// BenchmarkPlatformMemory takes the peak RSS of a full run with --memory 128MB whose run files are large, published to Redis,
// and how a speed worker's grows while Redis does not answer for a minute. Floors: 460 MB of run files from 1 GB on; 64 MB.
func BenchmarkPlatformMemory(b *testing.B) {
	b.Run("run", func(b *testing.B) {
		j := benchJob(b)
		dir, state := b.TempDir(), b.TempDir()
		buildArchive(b, j, dir, benchEvents(b))
		store := redisserver.Start(b).URL()
		for b.Loop() {
			p := tidemark(b, "batch", "../../jobs/usedcar", "--once", "--memory", "128MB", "--archive", dir, "--state", state, "--store", store)
			if code := p.exit(30 * time.Minute); code != exitOK {
				b.Fatalf("exit code %d\n%s", code, p.out)
			}
			usage, ok := p.cmd.ProcessState.SysUsage().(*syscall.Rusage)
			if !ok {
				b.Skip("this system does not tell a process's peak memory")
			}
			b.ReportMetric(float64(usage.Maxrss)/1000, "peak-rss-MB")
			b.ReportMetric(float64(sizeOf(b, state))/1e6, "run-files-MB")
		}
	})
	b.Run("store-away", func(b *testing.B) {
		p := newPlatform(b, 10*time.Millisecond)
		p.traffic()
		p.pass(30 * time.Second)
		for b.Loop() {
			before := p.speed.rss()
			p.redis.Suspend(b)
			most := before
			for range 60 {
				p.pass(time.Second)
				most = max(most, p.speed.rss())
			}
			p.redis.Resume(b)
			p.awaitCaughtUp(platformRate)
			b.ReportMetric(float64(before)/1000, "rss-MB")
			b.ReportMetric(float64(most-before)/1000, "grows-MB")
		}
	})
}

// rss is a process's resident memory, kB.
func (p *process) rss() int64 {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Skipf("this system does not tell a process's memory: %v", err)
	}
	m := regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`).FindSubmatch(text)
	if m == nil {
		p.t.Fatalf("no resident memory in %s", text)
	}
	kB, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		p.t.Fatal(err)
	}
	return kB
}

// sizeOf is how many bytes the files of a folder have.
func sizeOf(b *testing.B, dir string) (total int64) {
	b.Helper()
	err := filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return total
}
