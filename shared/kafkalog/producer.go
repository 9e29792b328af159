package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/tidemark-io/tidemark/shared/record"
)

// Defaults and limits of ProducerConfig.
const (
	DefaultProduceTimeout = 30 * time.Second
	DefaultProduceBytes   = 1_000_000
	maxProduceBytes       = 64 << 20
	// maxBatchEntries bounds the messages of one batch.
	maxBatchEntries = 10_000
	// maxProduceInFlight bounds the partitions that one call writes to at a time.
	maxProduceInFlight = 8
	// produceFrameBytes bounds a Produce response, which lists at worst every record of a batch with its fault.
	produceFrameBytes = 16 << 20
)

// ProducerConfig says how to produce. Acks are always those of all in-sync replicas.
type ProducerConfig struct {
	// Codec compresses batches. Default: none.
	Codec Codec
	// Timeout bounds one call of Produce with all its retries; it must exceed the time that a new leader takes (10 s
	// by default in Kafka). Default 30 s.
	Timeout time.Duration
	// BatchBytes bounds a batch before compression. The broker's own limit is message.max.bytes (1,048,588 by default,
	// after compression). Default 1,000,000, at most 64 MiB.
	BatchBytes int
}

// Message is a record to be produced.
type Message struct {
	Key     []byte // nil = null
	Value   []byte // nil = null (a tombstone)
	Headers []record.Header
	// Time is the record's create time; the zero Time means now. On topics with append time the broker overrides it.
	Time time.Time
	// Partition is where to append, ByKey to choose by the key.
	Partition int32
}

// ByKey as a Message's partition chooses it by the Murmur2 hash of the key, as Java clients and librdkafka's murmur2
// partitioners do. Messages with a null key are dealt out in turn.
const ByKey = int32(-1)

// Producer appends to one topic. Not safe for concurrent use.
type Producer struct {
	client *Client
	cfg    ProducerConfig
	route  route
	turn   int // deals out messages without a key
}

// ProduceError says which messages of a call were not, or not surely, appended. It wraps the first cause.
type ProduceError struct {
	Topic  string
	Failed []int // indexes into the call's messages, in order; all others were appended
	Of     int   // number of messages in the call
	Err    error
}

// Error says how many failed and why the first one did.
func (e *ProduceError) Error() string {
	return fmt.Sprintf("producing to topic %s: %d of %d messages failed, the first is number %d: %s",
		e.Topic, len(e.Failed), e.Of, e.Failed[0], e.Err)
}

// Unwrap returns the first cause.
func (e *ProduceError) Unwrap() error { return e.Err }

// NewProducer returns a producer for a topic, which must exist when Produce is called.
func (c *Client) NewProducer(topic string, cfg ProducerConfig) (*Producer, error) {
	set(&cfg.Timeout, DefaultProduceTimeout)
	set(&cfg.BatchBytes, DefaultProduceBytes)
	if cfg.Codec > Zstd || cfg.Timeout < 0 || cfg.BatchBytes < 0 || cfg.BatchBytes > maxProduceBytes {
		return nil, fmt.Errorf("checking producer configuration: %w: codec %d, timeout %s, batch bytes %d",
			ErrRefused, cfg.Codec, cfg.Timeout, cfg.BatchBytes)
	}
	return &Producer{client: c, cfg: cfg, route: route{client: c, topic: topic}}, nil
}

// Produce appends the messages and returns when all in-sync replicas have them. Big calls are fast: the messages are put
// into one batch a partition, as far as they fit. Messages of one partition are appended in their order. Transient
// failures are retried within the timeout, which may append a batch twice (at new offsets) if an answer was lost.
//
// The error is a *ProduceError that says which messages failed; a message that is too large, or for a partition that
// does not exist, fails the call before anything is sent.
func (p *Producer) Produce(ctx context.Context, msgs []Message) error {
	if len(msgs) == 0 {
		return nil
	}
	all := make([]int, len(msgs))
	for i := range all {
		all[i] = i
	}
	bounded, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	if err := p.firstRoute(bounded); err != nil {
		return p.failure(msgs, all, p.late(ctx, err))
	}
	queues, bad, err := p.plan(msgs)
	if err != nil {
		return p.failure(msgs, []int{bad}, err)
	}
	for {
		p.round(bounded, queues)
		left := slices.ContainsFunc(queues, func(q *queue) bool { return !q.done() && Transient(q.err) })
		if !left || bounded.Err() != nil {
			break
		}
		p.route.stale = true
		if err := p.route.refresh(bounded); err != nil && !Transient(err) && bounded.Err() == nil {
			break
		}
	}
	return p.outcome(ctx, msgs, queues)
}

// late gives an error that comes from the call's own timeout the class that it belongs to.
func (p *Producer) late(ctx context.Context, err error) error {
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) && !Transient(err) {
		return fmt.Errorf("%w: not done after %s: %w", ErrUnreachable, p.cfg.Timeout, err)
	}
	return err
}

// firstRoute finds the topic, riding out transient failures.
func (p *Producer) firstRoute(ctx context.Context) error {
	for {
		err := p.route.refresh(ctx)
		if err == nil || !Transient(err) || ctx.Err() != nil {
			return err
		}
	}
}

// queue is what one call sends to one partition: batches in order.
type queue struct {
	partition int32
	entries   []entry
	indexes   []int // of the entries in the call's messages
	sent      int   // entries acknowledged
	err       error // why the last round ended before all were sent
}

func (q *queue) done() bool { return q.sent == len(q.entries) }

// plan puts the messages into queues. bad is the index of the message at fault, with an error.
func (p *Producer) plan(msgs []Message) (queues []*queue, bad int, err error) {
	byPartition := map[int32]*queue{}
	now := time.Now()
	for i := range msgs {
		m := &msgs[i]
		e := entry{time: m.Time.UnixMilli(), key: m.Key, value: m.Value, headers: m.Headers}
		if m.Time.IsZero() {
			e.time = now.UnixMilli()
		}
		if e.size() > p.cfg.BatchBytes {
			return nil, i, fmt.Errorf("%w: a message of about %d bytes, the limit is %d", ErrTooLarge, e.size(), p.cfg.BatchBytes)
		}
		id := p.partition(m)
		if _, ok := p.route.leaders[id]; !ok {
			return nil, i, fmt.Errorf("%w: the topic has no partition %d", ErrRefused, id)
		}
		q := byPartition[id]
		if q == nil {
			q = &queue{partition: id}
			byPartition[id] = q
			queues = append(queues, q)
		}
		q.entries = append(q.entries, e)
		q.indexes = append(q.indexes, i)
	}
	return queues, 0, nil
}

// partition chooses a message's partition.
func (p *Producer) partition(m *Message) int32 {
	switch n := len(p.route.leaders); {
	case m.Partition != ByKey:
		return m.Partition
	case m.Key == nil:
		p.turn++
		return int32(p.turn % n)
	default:
		return PartitionByKey(m.Key, n)
	}
}

// PartitionByKey returns the partition of n, at least 1, that a key belongs to by Kafka's default partitioner.
func PartitionByKey(key []byte, n int) int32 {
	// The balancer wants the partitions' numbers; it takes the one at index hash mod n, which is that index.
	ids := make([]int, n)
	for i := range ids {
		ids[i] = i
	}
	return int32(kafka.Murmur2Balancer{Consistent: true}.Balance(kafka.Message{Key: key}, ids...))
}

// round sends what the queues still hold, several queues at a time, each until its first failure.
func (p *Producer) round(ctx context.Context, queues []*queue) {
	var running sync.WaitGroup
	slots := make(chan struct{}, maxProduceInFlight)
	for _, q := range queues {
		if q.done() || q.err != nil && !Transient(q.err) {
			continue
		}
		var leader int32
		if leader, q.err = p.route.leader(q.partition); q.err != nil {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			q.err = nil
			for !q.done() && q.err == nil {
				q.err = p.sendNext(ctx, q, leader)
			}
		})
	}
	running.Wait()
}

// sendNext sends a queue's next batch.
func (p *Producer) sendNext(ctx context.Context, q *queue, leader int32) error {
	n := cutEntries(q.entries[q.sent:], p.cfg.BatchBytes)
	batch, err := encodeBatch(q.entries[q.sent:q.sent+n], p.cfg.Codec)
	if err != nil {
		return err
	}
	c := p.client
	timeout := c.cfg.RequestTimeout
	f := &frame{
		node:    node(leader),
		api:     protocol.Produce,
		request: appendProduceRequest(nil, c.cfg.ClientID, p.route.topic, q.partition, int32(timeout.Milliseconds()), batch),
		limit:   produceFrameBytes,
	}
	if _, err := c.send(ctx, f, timeout); err != nil {
		return err
	}
	code, message, ok := parseProduceResponse(f.body())
	if !ok {
		return fmt.Errorf("%w: a malformed response to Produce", ErrRefused)
	}
	if err := codeError(code); err != nil {
		return fmt.Errorf("%w: %s", err, message)
	}
	q.sent += n
	return nil
}

// cutEntries returns how many entries go into the next batch, at least one.
func cutEntries(entries []entry, limit int) int {
	size := 0
	for i := range entries {
		size += entries[i].size()
		if i > 0 && size > limit || i == maxBatchEntries {
			return i
		}
	}
	return len(entries)
}

// outcome is nil if all queues are done, else the error that says which messages failed.
func (p *Producer) outcome(ctx context.Context, msgs []Message, queues []*queue) error {
	var failed []int
	var cause error
	for _, q := range queues {
		if q.done() {
			continue
		}
		failed = append(failed, q.indexes[q.sent:]...)
		if cause == nil {
			cause = fmt.Errorf("partition %d: %w", q.partition, p.late(ctx, q.err))
		}
	}
	if len(failed) == 0 {
		return nil
	}
	slices.Sort(failed)
	return p.failure(msgs, failed, cause)
}

func (p *Producer) failure(msgs []Message, failed []int, err error) error {
	return &ProduceError{Topic: p.route.topic, Failed: failed, Of: len(msgs), Err: err}
}
