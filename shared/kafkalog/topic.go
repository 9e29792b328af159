package kafkalog

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/createtopics"
	"github.com/segmentio/kafka-go/protocol/describeconfigs"
)

// Topic is what a cluster says of a topic. The id is another one after the topic was deleted and created again: whoever
// keeps offsets of a topic should keep its id beside them.
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions []int32 // in order
	// AppendTime tells whether the broker stamps records with its own time. A topic may be switched while it is in use,
	// so records say for themselves which time they carry.
	AppendTime bool
	// Compacted tells whether the broker may delete records that have a successor with the same key.
	Compacted bool
	// Retention is how long the broker keeps a record by its time; negative if it keeps it for ever, or does not say.
	Retention time.Duration
}

// IDText returns the id as Kafka's own tools print it; empty if the cluster gave the topic none.
func (t Topic) IDText() string {
	if t.ID == ([16]byte{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(t.ID[:])
}

// TopicSpec says what topic to create.
type TopicSpec struct {
	Name       string
	Partitions int // at least 1
	// Replication is the number of replicas, 0 = the broker's default.
	Replication int
	// AppendTime makes the broker stamp records with its own time.
	AppendTime bool
	// Configs holds further settings of the topic, by Kafka's names, such as retention.ms.
	Configs map[string]string
}

// topicName is what Kafka admits as a topic's name, beside "." and "..".
var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// createPoll is how long CreateTopic waits between two looks at the new topic's leaders.
const createPoll = 50 * time.Millisecond

// Topic describes a topic. It returns an ErrNoTopic if there is none of that name, or none with partitions (yet).
func (c *Client) Topic(ctx context.Context, name string) (Topic, error) {
	m, err := c.metadata(ctx, name)
	if err != nil {
		return Topic{}, err
	}
	configs, err := c.topicConfigs(ctx, name, "message.timestamp.type", "cleanup.policy", retentionConfig)
	if err != nil {
		return Topic{}, err
	}
	return Topic{
		Name:       name,
		ID:         m.id,
		Partitions: slices.Sorted(maps.Keys(m.leaders)),
		AppendTime: configs["message.timestamp.type"] == "LogAppendTime",
		Compacted:  slices.Contains(strings.Split(configs["cleanup.policy"], ","), "compact"),
		Retention:  retention(configs[retentionConfig]),
	}, nil
}

// retentionConfig is a topic's setting of how many ms records are kept, -1 = for ever.
const retentionConfig = "retention.ms"

// retention reads that setting. What is longer than a time.Duration holds is for ever.
func retention(text string) time.Duration {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < 0 || ms > int64(math.MaxInt64/time.Millisecond) {
		return -1
	}
	return time.Duration(ms) * time.Millisecond
}

// topicConfigs returns the values of some of a topic's settings.
func (c *Client) topicConfigs(ctx context.Context, name string, keys ...string) (map[string]string, error) {
	res, err := ask[*describeconfigs.Response](ctx, c, anyNode, &describeconfigs.Request{
		Resources: []describeconfigs.RequestResource{{
			ResourceType: int8(kafka.ResourceTypeTopic),
			ResourceName: name,
			ConfigNames:  keys,
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("asking for settings of topic %s: %w", name, err)
	}
	values := map[string]string{}
	for _, r := range res.Resources {
		if err := codeError(r.ErrorCode); err != nil {
			return nil, fmt.Errorf("asking for settings of topic %s: %w", name, err)
		}
		for _, e := range r.ConfigEntries {
			values[e.ConfigName] = strings.ReplaceAll(e.ConfigValue, " ", "")
		}
	}
	return values, nil
}

// CreateTopic creates a topic and waits until each of its partitions has a leader (brokers answer before they serve it).
// A topic that exists with at least one partition is left as it is: created is false then, and the topic may differ from
// the spec, which the caller can see by describing it.
func (c *Client) CreateTopic(ctx context.Context, spec TopicSpec) (created bool, err error) {
	if !topicName.MatchString(spec.Name) || spec.Name == "." || spec.Name == ".." || spec.Partitions < 1 {
		return false, fmt.Errorf("creating topic %q: %w: it needs a name of Kafka's kind and at least one partition",
			spec.Name, ErrRefused)
	}
	res, err := ask[*createtopics.Response](ctx, c, controllerNode, spec.request(c.cfg.RequestTimeout))
	if err != nil {
		return false, fmt.Errorf("creating topic %s: %w", spec.Name, err)
	}
	for _, t := range res.Topics {
		if t.ErrorCode == codeTopicExists {
			return false, c.awaitLeaders(ctx, spec.Name, 1)
		}
		if err := codeError(t.ErrorCode); err != nil {
			return false, fmt.Errorf("creating topic %s: %w: %s", spec.Name, err, t.ErrorMessage)
		}
	}
	return true, c.awaitLeaders(ctx, spec.Name, spec.Partitions)
}

// request is the message that asks for the topic.
func (s TopicSpec) request(timeout time.Duration) *createtopics.Request {
	t := createtopics.RequestTopic{Name: s.Name, NumPartitions: int32(s.Partitions), ReplicationFactor: -1}
	if s.Replication > 0 {
		t.ReplicationFactor = int16(s.Replication)
	}
	if s.AppendTime {
		t.Configs = append(t.Configs, createtopics.RequestConfig{Name: "message.timestamp.type", Value: "LogAppendTime"})
	}
	for _, k := range slices.Sorted(maps.Keys(s.Configs)) {
		t.Configs = append(t.Configs, createtopics.RequestConfig{Name: k, Value: s.Configs[k]})
	}
	return &createtopics.Request{Topics: []createtopics.RequestTopic{t}, TimeoutMs: int32(timeout.Milliseconds())}
}

// awaitLeaders polls until the topic has at least the partitions, all of them led, within RequestTimeout.
func (c *Client) awaitLeaders(ctx context.Context, name string, partitions int) error {
	bounded, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	for {
		m, err := c.metadata(bounded, name)
		if err == nil && len(m.leaders) >= partitions && m.led() {
			return nil
		}
		if wait(bounded, createPoll) != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("waiting for leaders of topic %s: %w: none after %s", name, ErrUnreachable, c.cfg.RequestTimeout)
		}
	}
}

// led tells whether every partition has a leader.
func (m topicMeta) led() bool {
	for _, leader := range m.leaders {
		if leader == noLeader {
			return false
		}
	}
	return true
}

// wait returns after d, or with the context's error.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
