package devbroker_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/devbroker"
	"github.com/tidemark-io/tidemark/shared/devbroker/foreign"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/record"
)

// leakWait is how long goroutines may take to end after the last test: they end connections, on a machine that may be busy.
const leakWait = time.Minute

func TestMain(m *testing.M) {
	code := m.Run()
	end := time.Now().Add(leakWait)
	leak := goleak.Find() // which looks for half a second
	for leak != nil && time.Now().Before(end) {
		leak = goleak.Find()
	}
	if code == 0 && leak != nil {
		fmt.Fprintln(os.Stderr, leak)
		code = 1
	}
	os.Exit(code)
}

// start runs a broker and returns its address.
func start(t *testing.T, cfg devbroker.Config) *devbroker.Broker {
	t.Helper()
	b, err := devbroker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dial connects to a broker until the test ends.
func dial(t *testing.T, addr string) *kafkalog.Client {
	t.Helper()
	c, err := kafkalog.Dial(t.Context(), kafkalog.Config{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// read returns all committed records of partition 0.
func read(t *testing.T, c *kafkalog.Client, topic string) []record.Record {
	t.Helper()
	desc, err := c.Topic(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Bounds(t.Context(), topic, []int32{0})
	if err != nil {
		t.Fatal(err)
	}
	var out []record.Record
	err = c.Scan(t.Context(), desc, 0, b[0].LogStart, b[0].LastStable, func(r *record.Record) error {
		out = append(out, record.Record{
			Offset: r.Offset, Append: r.Append, AppendType: r.AppendType,
			Key: bytes.Clone(r.Key), Value: bytes.Clone(r.Value),
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAppendTimeSurvivesRestart shows that stamps are the broker's, the same on each fetch, also after a restart, also for
// a foreign client, and that a topic that is switched keeps what its batches had.
func TestAppendTimeSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	b := start(t, devbroker.Config{DataDir: dir})
	c := dial(t, b.Addr())
	ctx := t.Context()
	if _, err := c.CreateTopic(ctx, kafkalog.TopicSpec{Name: "stamped", Partitions: 1, AppendTime: true}); err != nil {
		t.Fatal(err)
	}
	f := foreign.New(b.Addr(), nil)
	old := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC).UnixMilli()
	before := time.Now().UnixMilli()
	for _, codec := range []string{"none", "lz4"} {
		err := f.Produce(ctx, "stamped", codec, foreign.Record{Time: old, Value: []byte("a")}, foreign.Record{Time: old + 1, Value: []byte("b")})
		if err != nil {
			t.Fatal(err)
		}
	}
	after := time.Now().UnixMilli()
	if err := f.SetConfig(ctx, "stamped", "message.timestamp.type", "CreateTime"); err != nil {
		t.Fatal(err)
	}
	if err := f.Produce(ctx, "stamped", "none", foreign.Record{Time: old, Value: []byte("c")}); err != nil {
		t.Fatal(err)
	}

	first := read(t, c, "stamped")
	if len(first) != 5 {
		t.Fatalf("read %d records, want 5", len(first))
	}
	for _, r := range first[:4] {
		if r.AppendType != column.LogAppendTime || r.Append < before || r.Append > after {
			t.Errorf("record %d: append time %d of type %d, want log append time in [%d,%d]", r.Offset, r.Append, r.AppendType, before, after)
		}
	}
	if r := first[4]; r.AppendType != column.CreateTime || r.Append != old {
		t.Errorf("record 4: append time %d of type %d, want create time %d", r.Append, r.AppendType, old)
	}
	seen, err := f.Consume(ctx, "stamped", 0, 0, 5)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range seen {
		if r.Time != first[i].Append {
			t.Errorf("record %d: a foreign client sees time %d, we %d", i, r.Time, first[i].Append)
		}
	}

	c.Close()
	b.Close()
	b = start(t, devbroker.Config{DataDir: dir})
	defer b.Close()
	c = dial(t, b.Addr())
	defer c.Close()
	again := read(t, c, "stamped")
	if len(again) != len(first) {
		t.Fatalf("read %d records after the restart, want %d", len(again), len(first))
	}
	for i := range again {
		if again[i].Append != first[i].Append || again[i].AppendType != first[i].AppendType || !bytes.Equal(again[i].Value, first[i].Value) {
			t.Errorf("record %d after the restart: %v, before: %v", i, again[i], first[i])
		}
	}
}

// TestRestartKeepsGroupsTopicsAndIDs shows what else the data directory holds.
func TestRestartKeepsGroupsTopicsAndIDs(t *testing.T) {
	dir := t.TempDir()
	b := start(t, devbroker.Config{DataDir: dir})
	c := dial(t, b.Addr())
	if _, err := c.CreateTopic(t.Context(), kafkalog.TopicSpec{Name: "kept", Partitions: 3, AppendTime: true}); err != nil {
		t.Fatal(err)
	}
	before, err := c.Topic(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	b.Close()
	b = start(t, devbroker.Config{DataDir: dir})
	defer b.Close()
	c = dial(t, b.Addr())
	defer c.Close()
	after, err := c.Topic(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	if after.ID != before.ID || len(after.Partitions) != 3 || !after.AppendTime {
		t.Errorf("after the restart: %+v, before: %+v", after, before)
	}
}

// TestMurmur2AgreesWithLibrdkafka compares the partition of keys with that of librdkafka's murmur2 partitioner.
func TestMurmur2AgreesWithLibrdkafka(t *testing.T) {
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		t.Skip("left out: kcat is not installed; apt-get install kcat adds it")
	}
	b := start(t, devbroker.Config{})
	defer b.Close()
	c := dial(t, b.Addr())
	defer c.Close()
	const partitions = 7
	if _, err := c.CreateTopic(t.Context(), kafkalog.TopicSpec{Name: "keys", Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	var in strings.Builder
	for i := range 200 {
		key := strings.Repeat("k", i%9) + string(rune('a'+i%26)) + strings.Repeat("é", i%3)
		in.WriteString(key + ":" + key + "\n")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, kcat, "-b", b.Addr(), "-t", "keys", "-P", "-K:", "-X", "topic.partitioner=murmur2_random")
	cmd.Stdin = strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("kcat: %v: %s", err, out)
	}
	desc, err := c.Topic(t.Context(), "keys")
	if err != nil {
		t.Fatal(err)
	}
	bounds, err := c.Bounds(t.Context(), "keys", desc.Partitions)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range desc.Partitions {
		err := c.Scan(t.Context(), desc, p, 0, bounds[p].LastStable, func(r *record.Record) error {
			n++
			if got := kafkalog.PartitionByKey(r.Key, partitions); got != p {
				t.Errorf("key %q: we say partition %d, librdkafka %d", r.Key, got, p)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n != 200 {
		t.Errorf("read %d keys, want 200", n)
	}
}

func TestStartRefusesAddressesThatClientsCannotReach(t *testing.T) {
	for _, listen := range []string{"9092", ":9092", "0.0.0.0:9092", "[::]:9092"} {
		if b, err := devbroker.Start(devbroker.Config{Listen: listen}); err == nil {
			b.Close()
			t.Errorf("listening at %q: no error", listen)
		}
	}
}
