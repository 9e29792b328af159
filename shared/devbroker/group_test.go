package devbroker_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tidemark-io/tidemark/shared/devbroker"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
)

// deadSession is after how long the dead are thrown out, and not before the living has seen them in a generation.
const deadSession = 3 * time.Second

// TestMembersDieWhileTheyJoin: a member whose process dies while the group makes it wait is a member all the same, as on
// Kafka, and is thrown out when its session is over: its partitions do not stay with the dead. kfake by itself forgets
// one in two, so seven die.
func TestMembersDieWhileTheyJoin(t *testing.T) {
	b := start(t, devbroker.Config{})
	defer b.Close()
	c := dial(t, b.Addr())
	defer c.Close()
	if _, err := c.CreateTopic(t.Context(), kafkalog.TopicSpec{Name: "t", Partitions: 8}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second) // another rebalance forgets them too, after a minute
	defer cancel()
	g, err := c.JoinGroup(ctx, kafkalog.GroupConfig{ID: "g", Topics: []string{"t"}, Instance: "alive", SessionTimeout: deadSession, HeartbeatInterval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}()
	gen, err := g.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	gen.Run(func(own context.Context) {
		var dead []net.Conn
		for range 7 {
			dead = append(dead, join(t, b.Addr(), "g", "t"))
		}
		<-own.Done() // the group waits for us now, and the others with it
		for _, conn := range dead {
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	for together := false; ; {
		gen, err := g.Next(ctx)
		switch {
		case ctx.Err() != nil:
			t.Fatal("the dead member's partitions stay with it")
		case kafkalog.Transient(err):
		case err != nil:
			t.Fatal(err)
		case len(gen.Assigned["t"]) < 8:
			together = true
		case together:
			return
		}
	}
}

// join asks to join a group, as kafka-go does, and waits for nothing.
func join(t *testing.T, addr, group, topic string) net.Conn {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Topics, meta.UserData = []string{topic}, []byte("dead")
	req := kmsg.NewPtrJoinGroupRequest()
	req.Version, req.Group, req.ProtocolType = 2, group, "consumer"
	req.SessionTimeoutMillis, req.RebalanceTimeoutMillis = int32(deadSession.Milliseconds()), 60_000
	req.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "tidemark-rendezvous-1", Metadata: meta.AppendTo(nil)}}
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		_, err = conn.Write(kmsg.NewRequestFormatter(kmsg.FormatterClientID("dead")).AppendRequest(nil, req, 1))
	}
	if err != nil {
		t.Error(err)
	}
	return conn
}
