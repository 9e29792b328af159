package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	batch "github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/api"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/page"
	"github.com/tidemark-io/tidemark/serving/pebblestore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storehttp"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/archive"
)

// node is all roles of one job in one process.
type node struct {
	job     *job.Job
	role    string
	o       *options
	logger  logger
	cron    string
	tailAge time.Duration

	kafka   *kafkalog.Client
	store   store.Store
	catalog *catalog
	reader  *lookup.Reader
	history *history.Log
	metrics *metrics

	batch     *batchLayer
	archivers []*archive.Archiver
	past      page.History
	journals  *batch.Journals // for the pages
	audit     audit

	mu    sync.Mutex
	speed *speedLayer

	address string // of the HTTP server
	beside  sync.WaitGroup
	failed  chan error // what ends the process
	ballast []byte
}

// ballastPart is the part of --memory that a node's ballast is: memory that is counted and never touched, so that it takes
// no room. The garbage collector runs when the heap has doubled, and a node that answers thousands of lookups a second from
// a small heap would be collecting for several percent of the time, which is what its slowest answers then wait for. With
// a ballast it lets garbage grow by that much, and not by a part of a large heap as a higher GOGC would.
const ballastPart = 8

// openNode connects to the log and the store. close ends both.
func openNode(ctx context.Context, j *job.Job, o *options, l logger) (n *node, err error) {
	n = &node{job: j, role: "up", o: o, logger: l, cron: defaultCron, tailAge: archive.DefaultTailAge, failed: make(chan error, 16), ballast: make([]byte, o.memory/ballastPart)}
	if n.store, err = openStore(ctx, o, l, ownStore); err != nil {
		return nil, err
	}
	if n.kafka, err = dialKafka(ctx, o, l); err != nil {
		return nil, errors.Join(err, n.store.Close())
	}
	n.journals = batch.NewJournals(o.state, j.Name)
	n.catalog = newCatalog(j, n.store)
	n.reader = newReader(j, n.store)
	n.history = &history.Log{Dir: o.archive, Topics: n.kafka}
	n.metrics = newMetrics(n)
	return n, nil
}

func (n *node) close() error {
	n.kafka.Close()
	return n.store.Close()
}

func (n *node) group() string {
	if n.o.group != "" {
		return n.o.group
	}
	return "tidemark-" + n.job.Name
}

func (n *node) instance() string {
	if n.o.instance != "" {
		return n.o.instance
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "tidemark"
	}
	return host
}

// fail ends the process with err.
func (n *node) fail(err error) {
	if err == nil {
		return
	}
	select {
	case n.failed <- err:
	default: // the first errors are enough
	}
}

// awaitTopics waits until the topics of all sources exist, bounded by --wait, and judges them: what cannot be a log is
// refused before anything is read from it.
func (n *node) awaitTopics(ctx context.Context) error {
	for i := range n.job.Sources {
		src := &n.job.Sources[i]
		a := awaited{
			what:    "topic " + src.Topic,
			cure:    "gen and produce create it; source " + src.Name + " declares its name",
			passing: func(err error) bool { return kafkalog.Transient(err) || errors.Is(err, kafkalog.ErrNoTopic) },
		}
		t, err := retry(ctx, n.logger, a, n.o.wait, func() (kafkalog.Topic, error) { return n.kafka.Topic(ctx, src.Topic) })
		if err != nil {
			return err
		}
		if t.Compacted {
			return usagef("topic %s has cleanup.policy=compact: what was counted would be gone from the log; use a topic with cleanup.policy=delete", t.Name)
		}
		if !t.AppendTime {
			n.logger.Warn("the topic keeps the producers' own record times (CreateTime), so no broker's clock bounds the events' times: "+
				"one producer whose clock is ahead moves its entities' windows ahead; set message.timestamp.type=LogAppendTime",
				"topic", t.Name, "source", src.Name)
		}
	}
	return nil
}

// startArchive archives every source beside.
func (n *node) startArchive(ctx context.Context) error {
	for i := range n.job.Sources {
		src := n.job.Sources[i]
		t, err := n.kafka.Topic(ctx, src.Topic)
		if err != nil {
			return fmt.Errorf("describing topic %s: %w", src.Topic, err)
		}
		a, err := archive.New(archive.Config{
			Dir: n.o.archive, Source: src, Log: n.kafka.NewFetcher(t), Logger: n.logger, TailAge: n.tailAge,
			Partitions: func(ctx context.Context) ([]int32, error) { return n.partitions(ctx, &src) },
		})
		if err != nil {
			return err
		}
		n.archivers = append(n.archivers, a)
		n.beside.Go(func() { n.fail(guard(func() error { return a.Run(ctx) })) })
	}
	return nil
}

func (n *node) partitions(ctx context.Context, src *schema.Source) ([]int32, error) {
	t, err := n.kafka.Topic(ctx, src.Topic)
	return t.Partitions, err
}

// startHTTP serves lookups, health and metrics, and an embedded store to other processes.
func (n *node) startHTTP(ctx context.Context) error {
	mux := http.NewServeMux()
	a := api.New(api.Config{Job: n.job.Name, Lookups: n.reader, Ready: n.ready, Now: time.Now})
	a.Latency = n.metrics.lookup
	a.Register(mux)
	mux.Handle("GET /metrics", n.metrics.handler())
	mux.HandleFunc("GET /v1/status", n.serveStatus)
	pages, err := page.New(n, time.Now)
	if err != nil {
		return err
	}
	pages.Register(mux)
	n.beside.Go(func() { n.sampleEachSecond(ctx) })
	dir, embedded := store.PebbleDir(n.o.store)
	if embedded {
		mux.Handle(storehttp.Prefix, storehttp.Handler(n.store))
	}
	l, err := listen(ctx, n.o.http)
	if err != nil {
		return err
	}
	n.address = l.Addr().String()
	if embedded {
		if err := pebblestore.WriteAddress(dir, "http://"+n.address); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	srv := newHTTPServer(mux)
	n.beside.Go(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			n.fail(fmt.Errorf("serving HTTP: %w", err))
		}
	})
	n.beside.Go(func() {
		<-ctx.Done()
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := srv.Shutdown(bounded); err != nil {
			n.logger.Warn("HTTP connections were cut at shutdown", "error", err)
		}
	})
	return nil
}

// listen listens at --http. An address that is none is a mistake in the flag; one that is taken is not.
func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--http %s: %w; give another port, or 0 for any", address, err)
	case err != nil:
		return nil, usagef("--http %s: %w", address, err)
	}
	return l, nil
}

// ready tells why the process cannot do its work, nil if it can.
func (n *node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var errs []error
	for _, v := range n.reader.Views() {
		if _, err := n.reader.Served(ctx, v); err != nil {
			errs = append(errs, err)
		}
	}
	if s := n.speedNow(); s != nil {
		errs = append(errs, s.service.Failed())
	}
	errs = append(errs, n.batch.failure())
	return errors.Join(errs...)
}

// speedNow returns the running speed layer, nil if none is.
func (n *node) speedNow() *speedLayer {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.speed
}

// runSpeed starts the speed layer and makes it the node's.
func (n *node) runSpeed(ctx context.Context) error {
	l, err := n.startSpeed(ctx)
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.speed = l
	n.mu.Unlock()
	return nil
}

// endSpeed stops the speed layer and waits for it. With crash nothing is drained.
func (n *node) endSpeed(crash bool) error {
	n.mu.Lock()
	l := n.speed
	n.speed = nil
	n.mu.Unlock()
	if l == nil {
		return nil
	}
	if crash {
		l.service.Abandon()
	}
	l.stop()
	return <-l.done
}

// start runs every role beside, until ctx ends. The order matters to nothing but the log's first lines.
func (n *node) start(ctx context.Context) error {
	if err := n.awaitTopics(ctx); err != nil {
		return err
	}
	b, err := newBatchLayer(n)
	if err != nil {
		return err
	}
	n.batch = b
	if err := n.startHTTP(ctx); err != nil {
		return err
	}
	if err := n.startArchive(ctx); err != nil {
		return err
	}
	n.beside.Go(func() { n.fail(n.batch.run(ctx)) })
	return n.runSpeed(ctx)
}

// awaitReady waits until every view is served.
func (n *node) awaitReady(ctx context.Context) error {
	for n.ready(ctx) != nil {
		select {
		case <-ctx.Done():
			return nil
		case err := <-n.failed:
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

// describe says what the process is and where, as the line that scripts wait for.
func (n *node) describe() string {
	return strings.TrimSpace(fmt.Sprintf("ready role=%s http=%s", n.role, n.address))
}
