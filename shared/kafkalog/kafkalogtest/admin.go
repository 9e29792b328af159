package kafkalogtest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark-io/tidemark/shared/kafkalog"
)

// described: what a caller decides by is told.
func described(b *bench) {
	t := b.create(kafkalog.TopicSpec{Partitions: 3})
	if t.Name != b.topic || t.ID == ([16]byte{}) || !slices.Equal(t.Partitions, []int32{0, 1, 2}) || t.AppendTime || t.Compacted {
		b.Errorf("the topic is described as %+v", t)
	}
	b.described("cleanup.policy", "compact,delete", func(t kafkalog.Topic) bool { return t.Compacted })
	b.described("retention.ms", "3600000", func(t kafkalog.Topic) bool { return t.Retention == time.Hour })
	b.described("retention.ms", "-1", func(t kafkalog.Topic) bool { return t.Retention < 0 })
}

// described changes a setting and waits until the topic is described so.
func (b *bench) described(name, value string, so func(kafkalog.Topic) bool) {
	b.must(b.foreign.SetConfig(b.ctx, b.topic, name, value))
	for {
		t, err := b.client.Topic(b.ctx, b.topic)
		b.must(err)
		if so(t) {
			return
		}
	}
}

// createTwice: the second time nothing happens, and it is told.
func createTwice(b *bench) {
	spec := kafkalog.TopicSpec{Name: b.topic, Partitions: 2}
	created, err := b.client.CreateTopic(b.ctx, spec)
	if err != nil || !created {
		b.Errorf("first: created %t, error %v", created, err)
	}
	spec.Partitions = 5
	created, err = b.client.CreateTopic(b.ctx, spec)
	if err != nil || created {
		b.Errorf("second: created %t, error %v", created, err)
	}
	t, err := b.client.Topic(b.ctx, b.topic)
	b.must(err)
	if len(t.Partitions) != 2 {
		b.Errorf("partitions are %v, want 2", t.Partitions)
	}
	_, err = b.client.CreateTopic(b.ctx, kafkalog.TopicSpec{Name: "not a name!", Partitions: 1})
	if !errors.Is(err, kafkalog.ErrRefused) {
		b.Errorf("a bad name: %v, want ErrRefused", err)
	}
}

// unknownTopic: every way to ask for it says so.
func unknownTopic(b *bench) {
	_, err := b.client.Topic(b.ctx, b.topic)
	if !errors.Is(err, kafkalog.ErrNoTopic) {
		b.Errorf("Topic: %v", err)
	}
	if _, err = b.client.Bounds(b.ctx, b.topic, []int32{0}); !errors.Is(err, kafkalog.ErrNoTopic) {
		b.Errorf("Bounds: %v", err)
	}
	_, err = b.client.JoinGroup(b.ctx, kafkalog.GroupConfig{ID: b.topic, Topics: []string{b.topic}, Instance: "a"})
	if !errors.Is(err, kafkalog.ErrNoTopic) {
		b.Errorf("JoinGroup: %v", err)
	}
	p, err := b.client.NewProducer(b.topic, kafkalog.ProducerConfig{})
	b.must(err)
	if err = p.Produce(b.ctx, []kafkalog.Message{{}}); !errors.Is(err, kafkalog.ErrNoTopic) {
		b.Errorf("Produce: %v", err)
	}
	f := b.client.NewFetcher(kafkalog.Topic{Name: b.topic, ID: [16]byte{1}})
	defer f.Close()
	if _, err = f.Fetch(b.ctx, []kafkalog.Want{{}}, 0); !errors.Is(err, kafkalog.ErrNoTopic) {
		b.Errorf("Fetch: %v", err)
	}
}

// producerFailures: nothing is sent when a message cannot be, and it is named.
func producerFailures(b *bench) {
	b.create(kafkalog.TopicSpec{Partitions: 2})
	p, err := b.client.NewProducer(b.topic, kafkalog.ProducerConfig{BatchBytes: 10_000})
	b.must(err)
	ok := kafkalog.Message{Value: []byte("fine"), Partition: kafkalog.ByKey}
	for _, c := range []struct {
		bad   kafkalog.Message
		class error
	}{
		{kafkalog.Message{Value: make([]byte, 10_001), Partition: kafkalog.ByKey}, kafkalog.ErrTooLarge},
		{kafkalog.Message{Value: []byte("x"), Partition: 7}, kafkalog.ErrRefused},
	} {
		err := p.Produce(b.ctx, []kafkalog.Message{ok, ok, c.bad, ok})
		var pe *kafkalog.ProduceError
		if !errors.As(err, &pe) || !errors.Is(err, c.class) || !slices.Equal(pe.Failed, []int{2}) {
			b.Errorf("error is %v, want a ProduceError of message 2, class %v", err, c.class)
		}
	}
	if bs := b.bounds(); bs.HighWatermark != 0 {
		b.Errorf("the log has %d records, want none", bs.HighWatermark)
	}
}

// producerOrder: one call of many batches keeps the order of each partition, and keys go to their partitions.
func producerOrder(b *bench) {
	const partitions, n = 4, 5_000
	t := b.create(kafkalog.TopicSpec{Partitions: partitions})
	p, err := b.client.NewProducer(b.topic, kafkalog.ProducerConfig{BatchBytes: 20_000, Codec: kafkalog.Lz4})
	b.must(err)
	want := make([][]string, partitions)
	var msgs []kafkalog.Message
	for i := range n {
		key := []byte(fmt.Sprint("key ", i%100))
		v := fmt.Sprint("value ", i)
		home := kafkalog.PartitionByKey(key, partitions)
		want[home] = append(want[home], v)
		msgs = append(msgs, kafkalog.Message{Key: key, Value: []byte(v), Partition: kafkalog.ByKey})
	}
	b.must(p.Produce(b.ctx, msgs))
	f := b.client.NewFetcher(t)
	defer f.Close()
	for id := range want {
		var got []string
		for next := int64(0); len(got) < len(want[id]); {
			g := b.fetch(f, int32(id), next)
			b.must(g.Err)
			for _, r := range g.Records {
				got = append(got, string(r.Value))
			}
			next = g.Next
		}
		if !slices.Equal(got, want[id]) {
			b.Errorf("partition %d is out of order", id)
		}
	}
}
