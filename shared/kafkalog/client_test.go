package kafkalog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/devbroker"
	"github.com/tidemark-io/tidemark/shared/devbroker/foreign"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/record"
)

// broker runs a development broker until the test ends.
func broker(t testing.TB, cfg devbroker.Config) *devbroker.Broker {
	t.Helper()
	b, err := devbroker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// client dials a client that is closed when the test ends.
func client(t testing.TB, cfg kafkalog.Config) *kafkalog.Client {
	t.Helper()
	c, err := kafkalog.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// create creates a topic.
func create(t testing.TB, c *kafkalog.Client, name string, partitions int) kafkalog.Topic {
	t.Helper()
	if _, err := c.CreateTopic(t.Context(), kafkalog.TopicSpec{Name: name, Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	desc, err := c.Topic(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return desc
}

// produce appends values to one partition.
func produce(t testing.TB, c *kafkalog.Client, topic string, partition int32, values ...string) {
	t.Helper()
	p, err := c.NewProducer(topic, kafkalog.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var msgs []kafkalog.Message
	for _, v := range values {
		msgs = append(msgs, kafkalog.Message{Value: []byte(v), Partition: partition})
	}
	if err := p.Produce(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
}

func TestConfigReportsAllFaults(t *testing.T) {
	err := kafkalog.Config{Brokers: []string{"a:1, b"}, DialTimeout: -1, FetchBytes: -1, BatchBytes: 1<<30 + 1}.Validate()
	for _, want := range []string{`"b"`, "DialTimeout", "FetchBytes", "BatchBytes"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
	if err := (kafkalog.Config{Brokers: []string{" , "}}).Validate(); err == nil {
		t.Error("no brokers: no error")
	}
	if err := (kafkalog.Config{Brokers: []string{"a:1,b:2"}, BatchBytes: 1 << 30}).Validate(); err != nil {
		t.Error(err)
	}
	err = kafkalog.GroupConfig{}.Validate()
	for _, want := range []string{"ID", "Topics", "Instance"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %s", err, want)
		}
	}
	err = kafkalog.GroupConfig{ID: "g", Topics: []string{"t"}, Instance: "i", SessionTimeout: 3, HeartbeatInterval: 2}.Validate()
	if err == nil || !strings.Contains(err.Error(), "third") {
		t.Errorf("heartbeats too slow: %v", err)
	}
}

// TestDialNamesTheCause of each address.
func TestDialNamesTheCause(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = kafkalog.Dial(t.Context(), kafkalog.Config{Brokers: []string{closed + ",no-such-host.invalid:9092"}})
	if !errors.Is(err, kafkalog.ErrUnreachable) || !kafkalog.Transient(err) {
		t.Fatalf("error is %v, want ErrUnreachable", err)
	}
	for _, want := range []string{"connection refused", "no-such-host.invalid"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not name %q", err, want)
		}
	}
}

// TestDialGivesUpOnSilence: something listens and never answers.
func TestDialGivesUpOnSilence(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = kafkalog.Dial(t.Context(), kafkalog.Config{Brokers: []string{l.Addr().String()}, DialTimeout: 50 * time.Millisecond})
	if !errors.Is(err, kafkalog.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v, want ErrUnreachable and a deadline", err)
	}
}

// TestOneStringOfSeveralBrokers would kill the process if it came to kafka-go as it is.
func TestOneStringOfSeveralBrokers(t *testing.T) {
	b := broker(t, devbroker.Config{Nodes: 3})
	c := client(t, kafkalog.Config{Brokers: []string{"127.0.0.1:1, " + b.Addr()}})
	create(t, c, "several", 6)
}

// TestCloseEndsCallsUnderWay: a long poll does not outlive the client.
func TestCloseEndsCallsUnderWay(t *testing.T) {
	b := broker(t, devbroker.Config{})
	c, err := kafkalog.Dial(t.Context(), kafkalog.Config{Brokers: []string{b.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	desc := create(t, c, "long", 1)
	f := c.NewFetcher(desc)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := f.Fetch(ctx, []kafkalog.Want{{}}, time.Hour)
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled fetch: %v", err)
	}
	f.Close()
	if _, err := f.Fetch(t.Context(), []kafkalog.Want{{}}, 0); !errors.Is(err, kafkalog.ErrClosed) {
		t.Errorf("a closed fetcher: %v", err)
	}
	c.Close()
	if _, err := c.Topic(t.Context(), "long"); !kafkalog.Transient(err) && !errors.Is(err, kafkalog.ErrClosed) {
		t.Errorf("a closed client: %v", err)
	}
}

// TestIdleLeaderDelaysNobody: while one leader has nothing, another's records arrive at once.
func TestIdleLeaderDelaysNobody(t *testing.T) {
	b := broker(t, devbroker.Config{Nodes: 2})
	c := client(t, kafkalog.Config{Brokers: []string{b.Addr()}})
	desc := create(t, c, "two", 2)
	for p := range int32(2) {
		if err := b.MoveLeader("two", p, p); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	f := c.NewFetcher(desc)
	defer f.Close()
	next := []int64{0, 0}
	for i := range 20 {
		produce(t, c, "two", 1, fmt.Sprint("record ", i))
		for next[1] <= int64(i) {
			got, err := f.Fetch(ctx, []kafkalog.Want{{Partition: 0}, {Partition: 1, Offset: next[1]}}, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range got {
				if g.Err != nil && !kafkalog.Transient(g.Err) {
					t.Fatal(g.Err)
				}
				next[g.Partition] = g.Next
			}
		}
	}
}

// TestLeaderMoves: a fetch and a call of Produce follow the leader.
func TestLeaderMoves(t *testing.T) {
	b := broker(t, devbroker.Config{Nodes: 3})
	c := client(t, kafkalog.Config{Brokers: []string{b.Addr()}})
	desc := create(t, c, "moves", 1)
	f := c.NewFetcher(desc)
	defer f.Close()
	p, err := c.NewProducer("moves", kafkalog.ProducerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	next := int64(0)
	for i := range 9 {
		if err := b.MoveLeader("moves", 0, int32(i%3)); err != nil {
			t.Fatal(err)
		}
		if err := p.Produce(t.Context(), []kafkalog.Message{{Value: fmt.Append(nil, i)}}); err != nil {
			t.Fatal(err)
		}
		for next == int64(i) {
			got, err := f.Fetch(t.Context(), []kafkalog.Want{{Offset: next}}, time.Second)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range got {
				if g.Err != nil && !kafkalog.Transient(g.Err) {
					t.Fatal(g.Err)
				}
				next = g.Next
			}
		}
	}
}

// TestBrokerRestarts: a scan that has begun goes on when the broker is back, at another address even.
func TestBrokerRestarts(t *testing.T) {
	dir := t.TempDir()
	const addr = "127.0.0.1:9092"
	network := new(devbroker.Network) // in which nobody takes the address while the broker is away
	first, err := devbroker.Start(devbroker.Config{DataDir: dir, Listen: addr, Network: network})
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, kafkalog.Config{Brokers: []string{addr}, Dial: network.DialContext})
	desc := create(t, c, "survives", 1)
	produce(t, c, "survives", 0, "one", "two")

	var got []string
	restarted := make(chan *devbroker.Broker, 1)
	err = c.Scan(t.Context(), desc, 0, 0, 3, func(r *record.Record) error {
		got = append(got, string(r.Value))
		if len(got) != 2 {
			return nil
		}
		first.Close()
		second, err := devbroker.Start(devbroker.Config{DataDir: dir, Listen: addr, Network: network})
		if err != nil {
			return err
		}
		restarted <- second
		return foreign.New(addr, network.DialContext).Produce(t.Context(), "survives", "none", foreign.Record{Value: []byte("three")})
	})
	(<-restarted).Close()
	if err != nil || strings.Join(got, " ") != "one two three" {
		t.Errorf("read %v, error %v", got, err)
	}
}

// TestDamageOnTheWayIsFound: one flipped bit in a value must not arrive as a value.
func TestDamageOnTheWayIsFound(t *testing.T) {
	b := broker(t, devbroker.Config{})
	var damage atomic.Bool
	c := client(t, kafkalog.Config{
		Brokers: []string{b.Addr()},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return &damagingConn{conn, &damage}, err
		},
	})
	desc := create(t, c, "damaged", 1)
	produce(t, c, "damaged", 0, "precious")
	f := c.NewFetcher(desc)
	defer f.Close()
	fetch := func() kafkalog.Fetched {
		got, err := f.Fetch(t.Context(), []kafkalog.Want{{}}, time.Second)
		if err != nil || len(got) != 1 {
			t.Fatalf("%d partitions, error %v", len(got), err)
		}
		return got[0]
	}
	damage.Store(true)
	got := fetch()
	var ce *kafkalog.CorruptError
	if !errors.As(got.Err, &ce) || !errors.Is(got.Err, kafkalog.ErrCorrupt) || len(got.Records) > 0 || got.Next != 0 {
		t.Fatalf("damaged: %d records, next %d, error %v", len(got.Records), got.Next, got.Err)
	}
	if ce.Topic != "damaged" || ce.Partition != 0 || ce.Offset != 0 || !strings.Contains(ce.Error(), "checksum") {
		t.Errorf("the error names %v", ce)
	}
	damage.Store(false)
	if got := fetch(); got.Err != nil || string(got.Records[0].Value) != "precious" {
		t.Errorf("sound again: %v", got)
	}
}

// damagingConn flips a bit in a known value as it goes by.
type damagingConn struct {
	net.Conn
	on *atomic.Bool
}

func (d *damagingConn) Read(p []byte) (int, error) {
	n, err := d.Conn.Read(p)
	if i := bytes.Index(p[:n], []byte("precious")); i >= 0 && d.on.Load() {
		p[i] ^= 1
	}
	return n, err
}

// TestLostAnswerAppendsTwice: a producer without idempotence cannot know. A new offset is a new event.
func TestLostAnswerAppendsTwice(t *testing.T) {
	b := broker(t, devbroker.Config{})
	var armed atomic.Bool
	c := client(t, kafkalog.Config{
		Brokers: []string{b.Addr()},
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			return &cuttingConn{Conn: conn, armed: &armed}, err
		},
	})
	desc := create(t, c, "lost", 1)
	armed.Store(true)
	produce(t, c, "lost", 0, "unanswered")
	if armed.Load() {
		t.Fatal("no answer was lost")
	}
	var got []int64
	err := c.Scan(t.Context(), desc, 0, 0, 2, func(r *record.Record) error {
		got = append(got, r.Offset)
		return nil
	})
	if err != nil || !slices.Equal(got, []int64{0, 1}) {
		t.Errorf("offsets %v, error %v; want the record twice", got, err)
	}
}

// cuttingConn breaks instead of delivering the answer to the first request that contains a known value.
type cuttingConn struct {
	net.Conn
	armed *atomic.Bool
	cut   atomic.Bool
}

func (c *cuttingConn) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("unanswered")) && c.armed.Swap(false) {
		c.cut.Store(true)
	}
	return c.Conn.Write(p)
}

func (c *cuttingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p) // the broker has answered, so it has appended
	if c.cut.Load() {
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// TestCancelledFetchesLeaveNothingBehind: the buffers of an abandoned exchange are not used again (run with -race).
func TestCancelledFetchesLeaveNothingBehind(t *testing.T) {
	b := broker(t, devbroker.Config{})
	c := client(t, kafkalog.Config{Brokers: []string{b.Addr()}})
	desc := create(t, c, "cancelled", 1)
	f := c.NewFetcher(desc)
	defer f.Close()
	next := int64(0)
	for i := range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		_, err := f.Fetch(ctx, []kafkalog.Want{{Offset: next}}, time.Minute)
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		produce(t, c, "cancelled", 0, fmt.Sprint("value ", i))
		for next == int64(i) {
			got, err := f.Fetch(t.Context(), []kafkalog.Want{{Offset: next}}, time.Minute)
			if err != nil || len(got) != 1 || got[0].Err != nil {
				t.Fatalf("fetched %v, error %v", got, err)
			}
			for _, r := range got[0].Records {
				if want := fmt.Sprint("value ", r.Offset); string(r.Value) != want {
					t.Fatalf("offset %d is %q", r.Offset, r.Value)
				}
			}
			next = got[0].Next
		}
	}
}

// TestResponseLargerThanAFrame is an error that waiting does not cure.
func TestResponseLargerThanAFrame(t *testing.T) {
	b := broker(t, devbroker.Config{})
	big := client(t, kafkalog.Config{Brokers: []string{b.Addr()}})
	desc := create(t, big, "big", 1)
	produce(t, big, "big", 0, strings.Repeat("x", 10_000))
	small := client(t, kafkalog.Config{Brokers: []string{b.Addr()}, FrameBytes: 5_000})
	f := small.NewFetcher(desc)
	defer f.Close()
	got, err := f.Fetch(t.Context(), []kafkalog.Want{{}}, time.Second)
	if err != nil || len(got) != 1 || !errors.Is(got[0].Err, kafkalog.ErrTooLarge) || kafkalog.Transient(got[0].Err) {
		t.Errorf("fetched %v, error %v; want ErrTooLarge", got, err)
	}
}

// BenchmarkFetch fetches and decodes 100,000 records of about 200 bytes, lz4, again and again.
func BenchmarkFetch(b *testing.B) {
	br := broker(b, devbroker.Config{})
	c := client(b, kafkalog.Config{Brokers: []string{br.Addr()}})
	desc := create(b, c, "bench", 1)
	p, err := c.NewProducer("bench", kafkalog.ProducerConfig{Codec: kafkalog.Lz4})
	if err != nil {
		b.Fatal(err)
	}
	const n = 100_000
	msgs := make([]kafkalog.Message, n)
	for i := range msgs {
		msgs[i].Key = fmt.Appendf(nil, "user-%d", i%1000)
		msgs[i].Value = fmt.Appendf(nil, `{"event_id":"%016x","event_type":"view","user_id":"%d","listing_id":"%d","price_cent":%d,`+
			`"mileage_km":%d,"brand_id":%d,"series_id":%d,"platform":"app","position":%d}`, i*7919, i%1000, i*31, i*17, i*13, i%40, i%800, i%50)
	}
	if err := p.Produce(b.Context(), msgs); err != nil {
		b.Fatal(err)
	}
	f := c.NewFetcher(desc)
	defer f.Close()
	b.ReportAllocs()
	for b.Loop() {
		for next := int64(0); next < n; {
			got, err := f.Fetch(b.Context(), []kafkalog.Want{{Offset: next}}, time.Second)
			if err != nil || got[0].Err != nil {
				b.Fatal(err, got)
			}
			next = got[0].Next
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/record")
}

// BenchmarkProduce appends calls of 10,000 records.
func BenchmarkProduce(b *testing.B) {
	br := broker(b, devbroker.Config{})
	c := client(b, kafkalog.Config{Brokers: []string{br.Addr()}})
	create(b, c, "bench", 4)
	p, err := c.NewProducer("bench", kafkalog.ProducerConfig{})
	if err != nil {
		b.Fatal(err)
	}
	const n = 10_000
	msgs := make([]kafkalog.Message, n)
	for i := range msgs {
		msgs[i] = kafkalog.Message{
			Key: fmt.Appendf(nil, "user-%d", i), Value: bytes.Repeat([]byte("x"), 200), Partition: kafkalog.ByKey,
		}
	}
	for b.Loop() {
		if err := p.Produce(b.Context(), msgs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/record")
}
