package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Bounds of producing.
const (
	produceBatch    = 5_000 // records in one call
	produceBatchAge = 20 * time.Millisecond
	defaultParts    = 4 // partitions of a topic that is created
)

// ensureTopic creates the source's topic if it is not there; one that is there is left as it is.
func ensureTopic(ctx context.Context, client *kafkalog.Client, src *schema.Source, partitions int, appendTime bool, logger logger) error {
	spec := kafkalog.TopicSpec{Name: src.Topic, Partitions: partitions, AppendTime: appendTime}
	if !appendTime {
		// Retention goes by record times, and simulated ones may be older than it allows before anybody has read them.
		spec.Configs = map[string]string{"retention.ms": "-1"}
	}
	created, err := client.CreateTopic(ctx, spec)
	if err != nil {
		return fmt.Errorf("creating topic %s: %w", src.Topic, err)
	}
	if created {
		stamps := "CreateTime"
		if appendTime {
			stamps = "LogAppendTime"
		}
		logger.Info("topic created", "topic", src.Topic, "partitions", partitions, "record_times", stamps)
	}
	return nil
}

// pacedProducer gathers messages into large calls, at a rate if there is one.
type pacedProducer struct {
	producer *kafkalog.Producer
	rate     float64 // records a second; 0 = as they come
	start    time.Time
	sent     atomic.Int64
	pending  []kafkalog.Message
	limit    int
}

func newPacedProducer(client *kafkalog.Client, topic string, rate float64) (*pacedProducer, error) {
	p, err := client.NewProducer(topic, kafkalog.ProducerConfig{})
	if err != nil {
		return nil, err
	}
	limit := produceBatch
	if rate > 0 {
		limit = max(1, min(limit, int(rate*produceBatchAge.Seconds())))
	}
	return &pacedProducer{producer: p, rate: rate, start: time.Now(), limit: limit}, nil
}

// add takes one message and sends what has gathered when it is enough, waiting first if the rate says so. The end of ctx
// ends the waiting, not the sending.
func (p *pacedProducer) add(ctx context.Context, m kafkalog.Message) error {
	p.pending = append(p.pending, m)
	if len(p.pending) < p.limit {
		return nil
	}
	if p.rate > 0 {
		due := p.start.Add(time.Duration(float64(p.total()) / p.rate * float64(time.Second)))
		if d := time.Until(due); d > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(d):
			}
		}
	}
	return p.flush(context.WithoutCancel(ctx))
}

// total returns how many records were appended. Safe for concurrent use.
func (p *pacedProducer) total() int64 { return p.sent.Load() }

// flush sends what has gathered.
func (p *pacedProducer) flush(ctx context.Context) error {
	if len(p.pending) == 0 {
		return nil
	}
	if err := p.producer.Produce(ctx, p.pending); err != nil {
		return fmt.Errorf("appending %d records: %w", len(p.pending), err)
	}
	p.sent.Add(int64(len(p.pending)))
	p.pending = p.pending[:0]
	return nil
}
