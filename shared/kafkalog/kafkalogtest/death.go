package kafkalogtest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/tidemark-io/tidemark/shared/kafkalog"
)

// The requests of a rebalance, by Kafka's numbers.
const (
	joinGroup = 11
	syncGroup = 14
)

// memberDies: a member that dies inside of a rebalance, wherever it stands in it, leaves no partition to nobody. It dies as a
// killed process does: it says no more, and its connections end.
func memberDies(b *bench) {
	b.Run("in", func(t *testing.T) { // returns when all in it have
		for name, api := range map[string]int16{"join": joinGroup, "sync": syncGroup} {
			for _, answered := range []bool{false, true} {
				for _, leads := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s,answered=%t,leads=%t", name, answered, leads), func(t *testing.T) {
						t.Parallel()
						own := *b
						var cancel context.CancelFunc
						own.ctx, cancel = context.WithTimeout(t.Context(), caseTimeout) // each waits for a session's end
						defer cancel()
						own.T = t
						own.topic = fmt.Sprintf("%s-%s-%t-%t", b.topic, name, answered, leads)
						own.memberDiesAt(api, answered, leads)
					})
				}
			}
		}
	})
}

// memberDiesAt has one member of two die when it has sent the request, or has its answer, in the rebalance that the second
// one's coming makes. The first one leads the group, and deals out its partitions.
func (b *bench) memberDiesAt(api int16, answered, leads bool) {
	b.create(kafkalog.TopicSpec{Partitions: 4})
	w := &wire{api: api, answered: answered, dial: b.Dial, dead: make(chan struct{})}
	if w.dial == nil {
		w.dial = new(net.Dialer).DialContext
	}
	doomed := *b
	var err error
	doomed.client, err = kafkalog.Dial(b.ctx, kafkalog.Config{Brokers: []string{b.Addr}, Dial: w.connect})
	b.must(err)
	defer doomed.client.Close()

	first, second := b, &doomed
	if leads {
		first, second = &doomed, b
	}
	one := first.member("one")
	defer one.Close()
	b.settle(shared(4), one)
	w.arm()
	two := second.member("two")
	defer two.Close()
	survivor := one
	if leads {
		survivor = two
	}
	// It is in a generation with the dead one first, and in one of its own when that one's session has ended.
	parts := b.settle(shared(4), survivor)
	select {
	case <-w.dead:
	default:
		b.Fatalf("the survivor has %v, and the other one lives", parts)
	}
}

// errDead is what a dead member's network says.
var errDead = errors.New("dead")

// wire is the network of a member that dies, once armed, when it has sent one kind of request or has read from its answer.
type wire struct {
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
	api      int16
	answered bool
	dead     chan struct{} // closed at its death

	mu    sync.Mutex
	armed bool
	over  bool
	conns []net.Conn
}

func (w *wire) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = true
}

// die ends all connections, for good. The coordinator may well have what was sent.
func (w *wire) die() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over || !w.armed {
		return
	}
	w.over = true
	for _, c := range w.conns {
		_ = c.Close() // it may be closed already
	}
	close(w.dead)
}

func (w *wire) connect(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := w.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		return nil, errors.Join(errDead, conn.Close())
	}
	w.conns = append(w.conns, conn)
	return &mortalConn{Conn: conn, wire: w}, nil
}

// mortalConn watches for the request at which its member dies. kafka-go writes a request of a group in one call.
type mortalConn struct {
	net.Conn
	wire *wire

	mu   sync.Mutex
	sent bool
}

func (c *mortalConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if len(p) >= 6 && int16(binary.BigEndian.Uint16(p[4:])) == c.wire.api {
		c.mu.Lock()
		c.sent = true
		c.mu.Unlock()
		if !c.wire.answered {
			c.wire.die()
		}
	}
	return n, err
}

func (c *mortalConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	sent := c.sent
	c.mu.Unlock()
	if sent && n > 0 && c.wire.answered {
		c.wire.die()
	}
	return n, err
}
