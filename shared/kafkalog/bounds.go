package kafkalog

import (
	"context"
	"fmt"

	"github.com/segmentio/kafka-go/protocol/listoffsets"
)

// Bounds are the ends of a partition's log.
type Bounds struct {
	LogStart      int64 // first offset that the log holds
	LastStable    int64 // below it no transaction is open: what a Fetcher reads ends here
	HighWatermark int64 // offset that the next record will get
}

// The special timestamps and isolation levels of ListOffsets.
const (
	atStart         = int64(-2)
	atEnd           = int64(-1)
	readUncommitted = int8(0)
	readCommitted   = int8(1)
)

// Bounds asks the partitions' leaders for the ends of their logs. Since the three ends are asked for one after the other,
// in this order, LastStable <= HighWatermark holds while the log grows. Offsets always mean the topic as it is now.
func (c *Client) Bounds(ctx context.Context, topic string, partitions []int32) (map[int32]Bounds, error) {
	m, err := c.metadata(ctx, topic)
	if err != nil {
		return nil, err
	}
	byNode := map[int32][]int32{}
	for _, p := range partitions {
		leader, ok := m.leaders[p]
		if !ok {
			return nil, fmt.Errorf("asking for bounds of %s/%d: %w: the topic has no such partition", topic, p, ErrNoTopic)
		}
		if leader == noLeader {
			return nil, fmt.Errorf("asking for bounds of %s/%d: %w: no leader for now", topic, p, ErrUnreachable)
		}
		byNode[leader] = append(byNode[leader], p)
	}
	bounds := make(map[int32]Bounds, len(partitions))
	for id, ps := range byNode {
		if err := c.boundsOf(ctx, topic, id, ps, bounds); err != nil {
			return nil, fmt.Errorf("asking for bounds of topic %s: %w", topic, err)
		}
	}
	return bounds, nil
}

// boundsOf fills in the bounds of the partitions that one node leads.
func (c *Client) boundsOf(ctx context.Context, topic string, id int32, ps []int32, bounds map[int32]Bounds) error {
	start, err := c.listOffsets(ctx, topic, id, ps, atStart, readUncommitted)
	if err != nil {
		return err
	}
	stable, err := c.listOffsets(ctx, topic, id, ps, atEnd, readCommitted)
	if err != nil {
		return err
	}
	end, err := c.listOffsets(ctx, topic, id, ps, atEnd, readUncommitted)
	if err != nil {
		return err
	}
	for _, p := range ps {
		bounds[p] = Bounds{LogStart: start[p], LastStable: stable[p], HighWatermark: end[p]}
	}
	return nil
}

// listOffsets asks one leader for one end of some of its partitions.
func (c *Client) listOffsets(
	ctx context.Context, topic string, id int32, ps []int32, at int64, isolation int8,
) (map[int32]int64, error) {
	t := listoffsets.RequestTopic{Topic: topic}
	for _, p := range ps {
		t.Partitions = append(t.Partitions,
			listoffsets.RequestPartition{Partition: p, CurrentLeaderEpoch: -1, Timestamp: at})
	}
	res, err := ask[*listoffsets.Response](ctx, c, id,
		&listoffsets.Request{ReplicaID: -1, IsolationLevel: isolation, Topics: []listoffsets.RequestTopic{t}})
	if err != nil {
		return nil, err
	}
	offsets := make(map[int32]int64, len(ps))
	for _, t := range res.Topics {
		for _, p := range t.Partitions {
			if err := codeError(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("partition %d: %w", p.Partition, err)
			}
			offsets[p.Partition] = p.Offset
		}
	}
	for _, p := range ps {
		if _, ok := offsets[p]; !ok {
			return nil, fmt.Errorf("partition %d: %w: the response lacks it", p, ErrRefused)
		}
	}
	return offsets, nil
}
