package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// Defaults of GroupConfig.
const (
	DefaultSessionTimeout    = 10 * time.Second
	DefaultHeartbeatInterval = time.Second
	DefaultRebalanceTimeout  = 15 * time.Second
	DefaultWatchInterval     = time.Second
	defaultRejoinPause       = 500 * time.Millisecond
)

// GroupConfig says how to take part in a consumer group.
type GroupConfig struct {
	// ID is the group's name. Topics are what it reads; all of them must exist.
	ID     string
	Topics []string
	// Instance is this member's stable name, the same after a restart, unlike all others'. It decides which partitions
	// the member gets.
	Instance string
	// SessionTimeout is how long the coordinator waits for a silent member before it gives its partitions away. Default
	// 10 s; brokers refuse less than their group.min.session.timeout.ms, 6 s by default.
	SessionTimeout time.Duration
	// HeartbeatInterval is how often a member shows that it lives, and how long it may take to see that its generation
	// is over. Default 1 s, at most a third of SessionTimeout.
	HeartbeatInterval time.Duration
	// RebalanceTimeout is how long a rebalance waits for members that still drain. Default 15 s.
	RebalanceTimeout time.Duration
	// WatchInterval is how often to look for new partitions. Default 1 s.
	WatchInterval time.Duration
	// Log is told about trouble with the coordinator that is being retried. May be nil.
	Log func(message string)
}

// Validate reports all faults at once. Zero durations are fine, they mean the defaults.
func (c GroupConfig) Validate() error {
	var faults []error
	if c.ID == "" {
		faults = append(faults, errors.New("field ID is empty"))
	}
	if len(c.Topics) == 0 {
		faults = append(faults, errors.New("field Topics is empty"))
	}
	if c.Instance == "" {
		faults = append(faults, errors.New("field Instance is empty"))
	}
	for _, d := range []time.Duration{c.SessionTimeout, c.HeartbeatInterval, c.RebalanceTimeout, c.WatchInterval} {
		if d < 0 {
			faults = append(faults, fmt.Errorf("a duration is negative: %s", d))
		}
	}
	if d := c.withDefaults(); len(faults) == 0 && 3*d.HeartbeatInterval > d.SessionTimeout {
		faults = append(faults, fmt.Errorf("HeartbeatInterval %s is more than a third of SessionTimeout %s",
			d.HeartbeatInterval, d.SessionTimeout))
	}
	if len(faults) > 0 {
		return fmt.Errorf("checking configuration of consumer group: %w", errors.Join(faults...))
	}
	return nil
}

func (c GroupConfig) withDefaults() GroupConfig {
	set(&c.SessionTimeout, DefaultSessionTimeout)
	set(&c.HeartbeatInterval, min(DefaultHeartbeatInterval, c.SessionTimeout/3))
	set(&c.RebalanceTimeout, DefaultRebalanceTimeout)
	set(&c.WatchInterval, DefaultWatchInterval)
	return c
}

// Group is this process's membership in a consumer group: it says which partitions are ours for now. It may be wrong for
// a while (a process that was stopped and goes on still believes what it believed), so exactness must not rest on it.
type Group struct {
	cfg    GroupConfig
	client *Client
	group  *kafka.ConsumerGroup

	// counts are the topics' numbers of partitions when they were looked at last, from before the first generation on.
	// Only the goroutine that watches for the current generation touches them.
	counts map[string]int
}

// JoinGroup begins to take part in a group. It checks that the topics exist; joining itself goes on in the background, and
// Next tells of it.
func (c *Client) JoinGroup(ctx context.Context, cfg GroupConfig) (*Group, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	counts := map[string]int{}
	for _, t := range cfg.Topics {
		m, err := c.metadata(ctx, t)
		if err != nil {
			return nil, fmt.Errorf("joining group %s: %w", cfg.ID, err)
		}
		counts[t] = len(m.leaders)
	}
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                cfg.ID,
		Brokers:           c.cfg.Brokers,
		Dialer:            &kafka.Dialer{ClientID: c.cfg.ClientID, DialFunc: c.dial, Timeout: c.cfg.DialTimeout},
		Topics:            cfg.Topics,
		GroupBalancers:    []kafka.GroupBalancer{rendezvous{cfg.Instance}},
		HeartbeatInterval: cfg.HeartbeatInterval,
		SessionTimeout:    cfg.SessionTimeout,
		RebalanceTimeout:  cfg.RebalanceTimeout,
		JoinGroupBackoff:  defaultRejoinPause,
		Timeout:           min(c.cfg.RequestTimeout, cfg.SessionTimeout/2),
		ErrorLogger:       groupLogger(cfg.Log),
	})
	if err != nil {
		return nil, fmt.Errorf("joining group %s: %w", cfg.ID, err)
	}
	return &Group{cfg: cfg, client: c, group: g, counts: counts}, nil
}

func groupLogger(log func(string)) kafka.Logger {
	if log == nil {
		return nil
	}
	return kafka.LoggerFunc(func(format string, args ...any) { log(fmt.Sprintf(format, args...)) })
}

// DrainLimit is how long the functions of a generation may go on after its end: no heartbeats are sent meanwhile, so a
// member that takes longer is thrown out of the group.
func (g *Group) DrainLimit() time.Duration {
	return min(g.cfg.SessionTimeout, g.cfg.RebalanceTimeout) - g.cfg.HeartbeatInterval
}

// Next waits until the generation before has ended (with all its functions) and the member has its part of the next one.
// A Transient error means that the coordinator could not be reached or refused us; call Next again. After Close it is
// ErrClosed, while functions may still be draining: wait for Close to return.
func (g *Group) Next(ctx context.Context) (*Generation, error) {
	gen, err := g.group.Next(ctx)
	switch {
	case err == nil:
		return g.begin(gen), nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, kafka.ErrGroupClosed):
		return nil, fmt.Errorf("waiting for a generation of group %s: %w", g.cfg.ID, ErrClosed)
	default:
		return nil, fmt.Errorf("waiting for a generation of group %s: %w: %w", g.cfg.ID, ErrUnreachable, err)
	}
}

// Close ends the generation, waits for its functions to drain, and leaves the group, so that the others need not wait
// for the session to time out.
func (g *Group) Close() error { return g.group.Close() }

// Generation is one agreement of a group on who reads what. It is safe for concurrent use.
type Generation struct {
	// Number grows with each generation of the group.
	Number int32
	// Assigned are our partitions by topic; each topic of the group is there, perhaps with none.
	Assigned map[string][]int32

	gen    *kafka.Generation
	give   chan struct{} // closed to end the generation by ourselves
	giveUp sync.Once
}

// begin wraps a generation, and watches for reasons to end it.
func (g *Group) begin(inner *kafka.Generation) *Generation {
	gen := &Generation{Number: inner.ID, Assigned: map[string][]int32{}, gen: inner, give: make(chan struct{})}
	for topic, ps := range inner.Assignments {
		gen.Assigned[topic] = make([]int32, 0, len(ps))
		for _, p := range ps {
			gen.Assigned[topic] = append(gen.Assigned[topic], int32(p.ID)) // p.Offset is not ours to believe
		}
	}
	gen.Run(func(ctx context.Context) { g.watch(ctx, gen.give) })
	return gen
}

// watch returns when a topic has another number of partitions than it had, or the generation is given up; its return
// ends the generation. kafka-go's own watcher shares the heartbeats' connection, misses a topic that grows just before
// it begins, and ends generations in a tight loop while a topic is away.
func (g *Group) watch(ctx context.Context, give <-chan struct{}) {
	tick := time.NewTicker(g.cfg.WatchInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-give:
			return
		case <-tick.C:
			if g.grown(ctx) {
				return
			}
		}
	}
}

// grown tells whether a topic's number of partitions has changed since it was looked at last. A topic that cannot be
// asked for has not changed.
func (g *Group) grown(ctx context.Context) bool {
	changed := false
	for topic, count := range g.counts {
		if m, err := g.client.metadata(ctx, topic); err == nil && len(m.leaders) != count {
			g.counts[topic] = len(m.leaders)
			changed = true
		}
	}
	return changed
}

// Run starts fn, with a context that ends with the generation; fn must then drain within DrainLimit and return. The next
// generation begins when all functions have returned. If fn returns before, the generation ends for this member, which
// then joins the next one.
func (g *Generation) Run(fn func(ctx context.Context)) {
	g.gen.Start(func(ctx context.Context) {
		own, cancel := context.WithCancel(ctx)
		defer cancel()
		fn(own)
	})
}

// End ends the generation for this member, as if a function had returned.
func (g *Generation) End() { g.giveUp.Do(func() { close(g.give) }) }

// CommitHint tells the group's coordinator the next offsets of partitions, for other tools to show as the group's lag.
// They are never read back. It is sent under this generation's number, so that a generation that is over cannot put back
// what its successor has written: then it returns ErrGenerationEnded and ends the generation here too, which the
// coordinator's refusal alone would not do.
func (g *Generation) CommitHint(next map[string]map[int32]int64) error {
	offsets := make(map[string]map[int]int64, len(next))
	for topic, ps := range next {
		offsets[topic] = make(map[int]int64, len(ps))
		for p, offset := range ps {
			offsets[topic][int(p)] = offset
		}
	}
	err := g.gen.CommitOffsets(offsets)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kafka.IllegalGeneration), errors.Is(err, kafka.UnknownMemberId),
		errors.Is(err, kafka.RebalanceInProgress), errors.Is(err, kafka.FencedInstanceID):
		g.End()
		return fmt.Errorf("committing offsets of generation %d: %w: %w", g.Number, ErrGenerationEnded, err)
	default:
		return fmt.Errorf("committing offsets of generation %d: %w: %w", g.Number, ErrUnreachable, err)
	}
}
