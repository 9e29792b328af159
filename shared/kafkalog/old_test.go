package kafkalog_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tidemark-io/tidemark/shared/devbroker/scripted"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
)

// TestOldKafka: a broker that lacks what we speak ourselves is refused at once, by name, and not waited for.
func TestOldKafka(t *testing.T) {
	for name, c := range map[string]struct {
		speaks map[kmsg.Key]int16
		lacks  string
	}{
		"3.0":               {map[kmsg.Key]int16{kmsg.Fetch: 12}, "version 13 of Fetch"},
		"no topic ids":      {map[kmsg.Key]int16{kmsg.Metadata: 9}, "version 10 of Metadata"},
		"no flexible batch": {map[kmsg.Key]int16{kmsg.Produce: 8}, "version 9 of Produce"},
		"no such request":   {map[kmsg.Key]int16{kmsg.Fetch: -1}, "version 13 of Fetch"},
	} {
		t.Run(name, func(t *testing.T) {
			b := scripted.Start(t, func(_ *scripted.Broker, req kmsg.Request) kmsg.Response {
				if r, ok := req.(*kmsg.ApiVersionsRequest); ok {
					return scripted.Versions(r, c.speaks)
				}
				return nil
			})
			_, err := kafkalog.Dial(t.Context(), kafkalog.Config{Brokers: []string{b.Addr()}})
			if !errors.Is(err, kafkalog.ErrUnsupported) || kafkalog.Transient(err) {
				t.Fatalf("error is %v, want ErrUnsupported", err)
			}
			for _, says := range []string{b.Addr(), c.lacks, "Kafka 3.1"} {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("error %q does not say %q", err, says)
				}
			}
		})
	}
}

// TestTopicWithoutPartitions: such a topic is none (yet), for whoever describes, joins or creates it.
func TestTopicWithoutPartitions(t *testing.T) {
	b := scripted.Start(t, scripted.Empty)
	c := client(t, kafkalog.Config{Brokers: []string{b.Addr()}})
	if _, err := c.Topic(t.Context(), "empty"); !errors.Is(err, kafkalog.ErrNoTopic) || !strings.Contains(err.Error(), "no partitions") {
		t.Errorf("describing it: %v", err)
	}
	if _, err := c.Bounds(t.Context(), "empty", []int32{0}); !errors.Is(err, kafkalog.ErrNoTopic) {
		t.Errorf("its bounds: %v", err)
	}
	p, err := c.NewProducer("empty", kafkalog.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Produce(t.Context(), []kafkalog.Message{{Value: []byte("x"), Partition: kafkalog.ByKey}}); !errors.Is(err, kafkalog.ErrNoTopic) {
		t.Errorf("producing to it: %v", err)
	}
	_, err = c.JoinGroup(t.Context(), kafkalog.GroupConfig{ID: "g", Topics: []string{"empty"}, Instance: "a"})
	if !errors.Is(err, kafkalog.ErrNoTopic) {
		t.Errorf("joining a group for it: %v", err)
	}
}
