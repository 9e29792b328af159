package main

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	batch "github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/audit"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/page"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/speed/archive"
)

// node is the roles of one job that a process has. What none of them needs is nil.
type node struct {
	job     *job.Job
	role    string // the name of them all
	roles   roles
	o       *options
	logger  logger
	cron    string
	tailAge time.Duration
	rate    float64 // of the audit, entities a second; 0 = none

	kafka   *kafkalog.Client // of roles that read the log
	history *history.Log     // likewise
	topics  sourceTopics     // likewise: what awaitTopics has found, and nobody changes after
	store   store.Store      // of roles that use it
	catalog *catalog         // likewise
	reader  *lookup.Reader   // likewise
	metrics *metrics

	batch    *batchLayer
	auditor  *audit.Auditor // nil where nothing is audited
	past     page.History
	journals *batch.Journals // for the pages

	mu        sync.Mutex
	speed     *speedLayer
	archivers []*archive.Archiver // by source

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

// openNode connects to what the roles need: the log, the store. close ends that.
func openNode(ctx context.Context, j *job.Job, d *deployment, l logger) (n *node, err error) {
	o := &d.options
	n = &node{
		job: j, role: d.name, roles: d.roles, o: o, logger: l, cron: d.cron, tailAge: d.tailAge, rate: d.auditRate, topics: sourceTopics{},
		failed: make(chan error, 16), ballast: make([]byte, o.memory/ballastPart),
	}
	n.metrics = newMetrics(n)
	if d.roles.any(storeRoles) {
		s, err := openStore(ctx, o, l, ownStore)
		if err != nil {
			return nil, err
		}
		n.store = n.metrics.store.counted(s)
		n.catalog = newCatalog(j, n.store)
		n.reader = newReader(j, n.store)
	}
	if d.roles.any(logRoles) {
		if n.kafka, err = dialKafka(ctx, o, l); err != nil {
			return nil, errors.Join(err, n.close())
		}
		n.history = &history.Log{Dir: o.archive, Topics: n.kafka}
	}
	n.journals = batch.NewJournals(o.state, j.Name)
	return n, nil
}

func (n *node) close() error {
	if n.kafka != nil {
		n.kafka.Close()
	}
	if n.store != nil {
		return n.store.Close()
	}
	return nil
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
		if err := n.sameTopic(src, topicOf(t)); err != nil {
			return err
		}
		if !t.AppendTime {
			n.logger.Warn("the topic keeps the producers' own record times (CreateTime), so no broker's clock bounds the events' times: "+
				"one producer whose clock is ahead moves its entities' windows ahead; set message.timestamp.type=LogAppendTime",
				"topic", t.Name, "source", src.Name)
		}
	}
	return nil
}

// ready tells why the process cannot do its work, or what of it somebody has to mend; nil if all is well.
func (n *node) ready(ctx context.Context) error {
	errs := []error{n.working(ctx)}
	if n.batch != nil {
		errs = append(errs, n.batch.failure(), n.batch.refused())
	}
	if s := n.speedNow(); s != nil {
		errs = append(errs, s.service.Failed())
	}
	return errors.Join(errs...)
}

// working tells why the process cannot do its work, nil if it can. One that answers lookups works when it answers them:
// that its own speed layer waits for its partitions is a matter of freshness, and what is at fault may be of a view's
// generation that nobody is answered by.
func (n *node) working(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var errs []error
	if n.reader != nil {
		for _, v := range n.reader.Views() {
			if _, err := n.reader.Served(ctx, v); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if n.roles.any(archiveRole) && !n.roles.any(serveRole) {
		errs = append(errs, n.archiveReady())
	}
	if n.roles.any(speedRole) && !n.roles.any(serveRole) {
		errs = append(errs, n.speedNow().joined())
	}
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

// start runs the roles beside, until ctx ends. The order matters to nothing but the log's first lines.
func (n *node) start(ctx context.Context) (err error) {
	if n.roles.any(logRoles) {
		if err := n.awaitTopics(ctx); err != nil {
			return err
		}
	}
	if n.roles.any(batchRole) {
		if n.batch, err = newBatchLayer(n); err != nil {
			return err
		}
	}
	if n.roles.any(auditRole) && n.rate > 0 {
		if n.auditor, err = newAuditor(n, n.rate); err != nil {
			return err
		}
	}
	if err := n.startHTTP(ctx); err != nil {
		return err
	}
	if n.roles.any(archiveRole) {
		if err := n.startArchive(ctx); err != nil {
			return err
		}
	}
	if n.roles.any(batchRole) {
		n.beside.Go(func() { n.fail(n.batch.run(ctx)) })
	} else if n.roles.any(storeRoles) {
		// Another process keeps the manifests.
		if err := awaitServed(ctx, n.o, n.logger, n.reader, n.reader.Views()...); err != nil {
			return err
		}
	}
	if n.auditor != nil {
		n.beside.Go(func() { n.fail(guard(func() error { n.runAudit(ctx); return nil })) })
	}
	if n.roles.any(speedRole) {
		return n.runSpeed(ctx)
	}
	return nil
}

// awaitReady waits until the process can do its work.
func (n *node) awaitReady(ctx context.Context) error {
	for n.working(ctx) != nil {
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
