package kafkalog_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/shared/devbroker"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
)

// bubble runs a test against a broker on an in-memory network, on synctest's clock.
func bubble(t *testing.T, run func(t *testing.T, c *kafkalog.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		network := new(devbroker.Network)
		b, err := devbroker.Start(devbroker.Config{Listen: "127.0.0.1:9092", Network: network})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		c, err := kafkalog.Dial(t.Context(), kafkalog.Config{Brokers: []string{"127.0.0.1:9092"}, Dial: network.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		run(t, c)
	})
}

// worker follows a group and fetches what it is given, as the speed layer does, until ctx ends.
type worker struct {
	t     *testing.T
	c     *kafkalog.Client
	desc  kafkalog.Topic
	seen  chan string
	parts chan []int32
}

func (w *worker) run(ctx context.Context, g *kafkalog.Group) {
	for {
		gen, err := g.Next(ctx)
		if ctx.Err() != nil || errors.Is(err, kafkalog.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		part := gen.Assigned[w.desc.Name]
		w.parts <- part
		gen.Run(func(ctx context.Context) { w.read(ctx, part) })
	}
}

func (w *worker) read(ctx context.Context, part []int32) {
	f := w.c.NewFetcher(w.desc)
	defer f.Close()
	var wants []kafkalog.Want
	for _, p := range part {
		wants = append(wants, kafkalog.Want{Partition: p})
	}
	for ctx.Err() == nil {
		got, err := f.Fetch(ctx, wants, 500*time.Millisecond)
		if err != nil || len(wants) == 0 {
			<-ctx.Done()
			return
		}
		for _, g := range got {
			if g.Err != nil {
				w.t.Error(g.Err)
			}
			for _, r := range g.Records {
				w.seen <- string(r.Value)
			}
			i := slices.IndexFunc(wants, func(x kafkalog.Want) bool { return x.Partition == g.Partition })
			wants[i].Offset = g.Next
		}
	}
}

// TestIdleHourThenRebalance: connections that idled for an hour are opened again, the member is still in the group, and a
// second one gets its part.
func TestIdleHourThenRebalance(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkalog.Client) {
		desc := create(t, c, "quiet", 4)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		join := func(instance string) (*kafkalog.Group, *worker) {
			g, err := c.JoinGroup(ctx, kafkalog.GroupConfig{ID: "g", Topics: []string{"quiet"}, Instance: instance})
			if err != nil {
				t.Fatal(err)
			}
			w := &worker{t, c, desc, make(chan string, 100), make(chan []int32, 100)}
			go w.run(ctx, g)
			return g, w
		}
		first, one := join("one")
		if part := <-one.parts; len(part) != 4 {
			t.Fatalf("alone it has %v", part)
		}
		produce(t, c, "quiet", 2, "before")
		if v := <-one.seen; v != "before" {
			t.Fatalf("read %q", v)
		}
		time.Sleep(time.Hour) // the bubble's clock
		select {
		case part := <-one.parts:
			t.Errorf("a rebalance in an idle hour: %v", part)
		default:
		}
		produce(t, c, "quiet", 2, "after")
		if v := <-one.seen; v != "after" {
			t.Fatalf("read %q", v)
		}
		second, two := join("two")
		a, b := <-one.parts, <-two.parts
		if len(a) != 2 || len(b) != 2 {
			t.Errorf("two members have %v and %v", a, b)
		}
		begin := time.Now()
		if err := second.Close(); err != nil {
			t.Error(err)
		}
		if part := <-one.parts; len(part) != 4 {
			t.Errorf("alone again it has %v", part)
		}
		if d := time.Since(begin); d > 3*kafkalog.DefaultHeartbeatInterval {
			t.Errorf("handing over took %s", d)
		}
		if err := first.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestLongPollReturnsEmptyInTime: nothing new, and the bounds are told after the wait.
func TestLongPollReturnsEmptyInTime(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkalog.Client) {
		desc := create(t, c, "empty", 2)
		f := c.NewFetcher(desc)
		defer f.Close()
		begin := time.Now()
		got, err := f.Fetch(t.Context(), []kafkalog.Want{{Partition: 0}, {Partition: 1}}, 700*time.Millisecond)
		if err != nil || len(got) != 2 {
			t.Fatalf("%d partitions, error %v", len(got), err)
		}
		for _, g := range got {
			if g.Err != nil || len(g.Records) > 0 || g.Next != 0 || g.HighWatermark != 0 {
				t.Errorf("fetched %+v", g)
			}
		}
		if d := time.Since(begin); d < 700*time.Millisecond || d > 800*time.Millisecond {
			t.Errorf("it took %s, want 700 ms", d)
		}
	})
}

// TestProducerGivesUpInTime: a partition whose broker is gone fails the call when its timeout has passed, with names.
func TestProducerGivesUpInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(devbroker.Network)
		b, err := devbroker.Start(devbroker.Config{Listen: "127.0.0.1:9092", Network: network})
		if err != nil {
			t.Fatal(err)
		}
		c, err := kafkalog.Dial(t.Context(), kafkalog.Config{Brokers: []string{"127.0.0.1:9092"}, Dial: network.DialContext})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		create(t, c, "gone", 1)
		p, err := c.NewProducer("gone", kafkalog.ProducerConfig{Timeout: 20 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Produce(t.Context(), []kafkalog.Message{{Value: []byte("there")}}); err != nil {
			t.Fatal(err)
		}
		b.Close()
		begin := time.Now()
		err = p.Produce(t.Context(), []kafkalog.Message{{Value: []byte("gone")}, {Value: []byte("gone too")}})
		var pe *kafkalog.ProduceError
		if !errors.As(err, &pe) || !slices.Equal(pe.Failed, []int{0, 1}) || !kafkalog.Transient(err) {
			t.Errorf("error is %v", err)
		}
		if d := time.Since(begin); d < 19*time.Second || d > 21*time.Second {
			t.Errorf("it gave up after %s, want 20 s", d)
		}
	})
}

// TestSilentCoordinatorEndsTheGeneration within a heartbeat and its timeout: the member must not go on believing.
func TestSilentCoordinatorEndsTheGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := new(devbroker.Network)
		b, err := devbroker.Start(devbroker.Config{Listen: "127.0.0.1:9092", Network: network})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		var silent atomic.Bool
		c, err := kafkalog.Dial(t.Context(), kafkalog.Config{
			Brokers: []string{"127.0.0.1:9092"},
			Dial: func(ctx context.Context, n, address string) (net.Conn, error) {
				conn, err := network.DialContext(ctx, n, address)
				return &silentConn{conn, &silent}, err
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		create(t, c, "t", 1)
		g, err := c.JoinGroup(t.Context(), kafkalog.GroupConfig{ID: "g", Topics: []string{"t"}, Instance: "a"})
		if err != nil {
			t.Fatal(err)
		}
		gen, err := g.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		gen.Run(func(ctx context.Context) { <-ctx.Done(); close(ended) })
		silent.Store(true)
		begin := time.Now()
		<-ended
		if d := time.Since(begin); d > kafkalog.DefaultHeartbeatInterval+kafkalog.DefaultSessionTimeout/2 {
			t.Errorf("it ended after %s", d)
		}
		silent.Store(false)
		for {
			if gen, err = g.Next(t.Context()); err == nil {
				break
			}
			if !kafkalog.Transient(err) {
				t.Fatal(err)
			}
		}
		if len(gen.Assigned["t"]) != 1 {
			t.Errorf("when it speaks again we have %v", gen.Assigned)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
}

// silentConn swallows what the other side says.
type silentConn struct {
	net.Conn
	on *atomic.Bool
}

func (s *silentConn) Read(p []byte) (int, error) {
	for {
		n, err := s.Conn.Read(p)
		if err != nil || !s.on.Load() {
			return n, err
		}
	}
}

// TestCommitOfAnEndedGenerationEndsIt: the coordinator's refusal alone would leave the worker running.
func TestCommitOfAnEndedGenerationEndsIt(t *testing.T) {
	bubble(t, func(t *testing.T, c *kafkalog.Client) {
		create(t, c, "t", 1)
		cfg := kafkalog.GroupConfig{ID: "g", Topics: []string{"t"}, Instance: "a", RebalanceTimeout: 5 * time.Second}
		g, err := c.JoinGroup(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		old, err := g.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		old.Run(func(ctx context.Context) { <-ctx.Done(); close(ended) })
		old.End()
		old.End()
		<-ended
		gen, err := g.Next(t.Context())
		if err != nil || gen.Number <= old.Number || len(gen.Assigned["t"]) != 1 {
			t.Fatalf("after the end: %+v, error %v", gen, err)
		}
		if err := old.CommitHint(map[string]map[int32]int64{"t": {0: 5}}); err == nil {
			t.Error("an old generation's commit is accepted")
		}
		if g.DrainLimit() != 4*time.Second {
			t.Errorf("the drain limit is %s, want 4 s", g.DrainLimit())
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
}
