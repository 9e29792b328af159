package kafka_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/testdata/kafka"
)

// TestServerGoesOn: what was acknowledged is there after a crash and after an end in order, at the same address.
func TestServerGoesOn(t *testing.T) {
	s := kafka.Start(t)
	produced := int64(0)
	for _, end := range []func(){func() {}, s.Kill, s.Stop} {
		end()
		if produced > 0 {
			s.Restart(t)
		}
		c, err := kafkalog.Dial(t.Context(), kafkalog.Config{Brokers: []string{s.Addr}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.CreateTopic(t.Context(), kafkalog.TopicSpec{Name: "t", Partitions: 1}); err != nil {
			t.Fatal(err)
		}
		bounds, err := c.Bounds(t.Context(), "t", []int32{0})
		if err != nil || bounds[0].HighWatermark != produced {
			t.Fatalf("the log has the bounds %+v, error %v; want %d records", bounds, err, produced)
		}
		p, err := c.NewProducer("t", kafkalog.ProducerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Produce(t.Context(), []kafkalog.Message{{Value: []byte("kept")}}); err != nil {
			t.Fatal(err)
		}
		produced++
		c.Close()
	}
}

// TestScript: a cluster is begun once, gone on with when told so, and a running one is left alone.
func TestScript(t *testing.T) {
	s := kafka.Start(t)
	s.Kill() // what it needs is there
	dir := filepath.Join(t.TempDir(), "cluster")
	run := func(want bool, args ...string) string {
		t.Helper()
		// Its output goes to a file: a broker that goes on would keep a pipe open.
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		cmd := exec.CommandContext(t.Context(), "./kafka.sh", args...)
		cmd.Stdout, cmd.Stderr = out, out
		err = cmd.Run()
		said, readErr := os.ReadFile(out.Name())
		if readErr != nil || (err == nil) != want {
			t.Fatalf("kafka.sh %v: %v, %v\n%s", args, err, readErr, said)
		}
		return strings.TrimSpace(string(said))
	}
	defer func() { run(true, "stop", dir) }()
	if said := run(false, "start", "--again", dir); !strings.Contains(said, "no cluster") {
		t.Errorf("nothing to go on with: %s", said)
	}
	first := run(true, "start", dir, "num.partitions=3")
	if said := run(false, "start", "--again", dir); !strings.Contains(said, "runs, as process") {
		t.Errorf("it runs: %s", said)
	}
	run(true, "stop", dir)
	run(true, "stop", dir)
	if said := run(false, "start", dir); !strings.Contains(said, "--again") {
		t.Errorf("it holds a cluster: %s", said)
	}
	again := run(true, "start", "--again", dir)
	if a, b := strings.Fields(first), strings.Fields(again); a[0] != b[0] || a[1] == b[1] {
		t.Errorf("started as %s, then as %s; want the same address and another process", first, again)
	}
}
