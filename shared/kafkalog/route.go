package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// routeAge is how long leaders are believed without a sign that they changed: new partitions appear within it.
	routeAge = 5 * time.Second
	// routePause is the least time between two questions for leaders. While an election runs, or a broker is away, a
	// caller that just calls again is slowed down to it.
	routePause = 100 * time.Millisecond
)

// route knows which nodes lead the partitions of one topic. Not safe for concurrent use.
type route struct {
	client  *Client
	topic   string
	id      [16]byte // zero: whatever topic has the name
	leaders map[int32]int32
	asked   time.Time // when the leaders were asked for last; zero = never
	stale   bool      // something indicates that leaders moved
}

// refresh asks for the leaders if they are stale or old. A refresh that was due to age only may fail without harm: the
// leaders known are good as long as they answer.
func (r *route) refresh(ctx context.Context) error {
	if r.leaders != nil && !r.stale && time.Since(r.asked) < routeAge {
		return nil
	}
	if left := routePause - time.Since(r.asked); !r.asked.IsZero() && left > 0 {
		if err := wait(ctx, left); err != nil {
			return err
		}
	}
	m, err := r.client.metadata(ctx, r.topic)
	r.asked = time.Now()
	if err != nil {
		if Transient(err) && r.leaders != nil && !r.stale {
			return nil
		}
		return err
	}
	if r.id != ([16]byte{}) && m.id != r.id {
		return fmt.Errorf("looking for leaders of topic %s: %w: its id was %x and is %x", r.topic, ErrRecreated, r.id, m.id)
	}
	r.leaders, r.stale = m.leaders, false
	return nil
}

// leader returns the node that leads a partition. If there is none, the route is stale.
func (r *route) leader(partition int32) (int32, error) {
	leader, ok := r.leaders[partition]
	if ok && leader != noLeader {
		return leader, nil
	}
	r.stale = true
	cause := errors.New("it has no leader for now")
	if !ok {
		cause = errors.New("the topic has no such partition (yet)")
	}
	return 0, fmt.Errorf("looking for the leader of %s/%d: %w: %w", r.topic, partition, ErrUnreachable, cause)
}
