package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/speed/service"
)

// ownership makes a consumer group the speed layer's source of partitions.
type ownership struct {
	group  *kafkalog.Group
	logger logger
	joined atomic.Bool // it has been told, once, which partitions are ours
}

// Next waits for the next assignment. What may pass is tried again, and said once.
func (o *ownership) Next(ctx context.Context) (*service.Assignment, error) {
	for said := false; ; said = true {
		gen, err := o.group.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case kafkalog.Transient(err):
			if !said {
				o.logger.Warn("consumer group cannot be joined; trying again", "error", err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(retryEvery):
			}
			continue
		case err != nil:
			return nil, err
		}
		o.joined.Store(true)
		drained := make(chan struct{})
		lost := make(chan context.Context, 1)
		gen.Run(func(ctx context.Context) {
			lost <- ctx
			<-drained
		})
		return &service.Assignment{Partitions: gen.Assigned, Lost: <-lost, Drained: sync.OnceFunc(func() { close(drained) })}, nil
	}
}

// speedLayer is a running speed layer.
type speedLayer struct {
	service   *service.Service
	ownership *ownership
	stop      context.CancelFunc
	done      chan error
}

// joined tells why no partition can be this layer's, nil if it has a say in who has which.
func (l *speedLayer) joined() error {
	if l == nil || !l.ownership.joined.Load() {
		return errors.New("the speed layer has not joined its consumer group yet")
	}
	return nil
}

// maxDrain bounds the last flushes when partitions go to somebody else, who waits for it.
const maxDrain = 5 * time.Second

// startSpeed joins the group and runs the speed layer beside.
func (n *node) startSpeed(ctx context.Context) (*speedLayer, error) {
	var topics []string
	byName := map[string]kafkalog.Topic{}
	for i := range n.job.Sources {
		t, err := n.kafka.Topic(ctx, n.job.Sources[i].Topic)
		if err != nil {
			return nil, fmt.Errorf("describing topic %s: %w", n.job.Sources[i].Topic, err)
		}
		byName[t.Name] = t
		topics = append(topics, t.Name)
	}
	group, err := n.kafka.JoinGroup(ctx, kafkalog.GroupConfig{
		ID: n.group(), Topics: topics, Instance: n.instance(), SessionTimeout: n.o.session, HeartbeatInterval: n.o.session / 10, Log: func(m string) { n.logger.Debug("consumer group", "message", m) },
	})
	if err != nil {
		return nil, fmt.Errorf("joining consumer group %s: %w", n.group(), err)
	}
	own := &ownership{group: group, logger: n.logger}
	s, err := service.New(service.Config{
		Sources: n.job.Sources, NewLog: func(topic string) service.Log { return n.kafka.NewFetcher(byName[topic]) },
		Store: n.store, Archive: archivefile.Dir(n.o.archive), Ownership: own,
		Generations: n.generations, Logger: n.logger, Linger: n.o.linger,
		Drain: min(maxDrain, group.DrainLimit()), Grace: n.o.grace + maxDrain, // the node is the judge of grace
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &speedLayer{service: s, ownership: own, stop: cancel, done: make(chan error, 1)}
	go func() {
		err := guard(func() error { return s.Run(ctx) })
		if ctx.Err() == nil {
			// Nobody asked it to end, and nobody waits at done.
			n.fail(fmt.Errorf("the speed layer ended: %w", cmp.Or(err, errEnded)))
			err = nil
		}
		if cerr := group.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("leaving consumer group: %w", cerr)
		}
		l.done <- err
	}()
	return l, nil
}

// errEnded is why a layer ended that gave no reason.
var errEnded = errors.New("it gave no reason")
