package main

import (
	"context"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
)

// What the kill tests do: `up` is killed this often while this many events are produced.
const (
	killEvents = 300_000
	killRate   = 10_000
	kills      = 10
)

// TestKilledOnPebble: up is killed with SIGKILL ten times over 300k events; afterwards every entity is right, with nothing
// done by hand.
func TestKilledOnPebble(t *testing.T) {
	killTest(t, newInstallation(t, ""), func(int) {})
}

// TestKilledOnRedis is the same on a real Redis, which itself is restarted empty once.
func TestKilledOnRedis(t *testing.T) {
	r := redisserver.Start(t)
	killTest(t, newInstallation(t, r.URL()), func(kill int) {
		if kill == kills/2 {
			r.Kill()
			r.Restart(t)
		}
	})
}

func killTest(t *testing.T, in *installation, after func(kill int)) {
	if testing.Short() {
		t.Skip("takes a minute of real processes; run without -short")
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	gen := tidemark(t, "gen", "../../jobs/usedcar", "--kafka", in.kafka, "--events", strconv.Itoa(killEvents), "--rate", strconv.Itoa(killRate))
	for kill := range kills {
		up := in.up("--session-timeout", shortSession)
		at := int64((kill+1)*killEvents/(kills+1) + r.IntN(killEvents/(2*kills)))
		in.awaitRecords(at)
		up.kill()
		after(kill)
	}
	if code := gen.exit(cliWait); code != 0 {
		t.Fatalf("gen: exit code %d\n%s", code, gen.out)
	}
	up := in.up() // nobody kills it: it may have a session that a busy machine keeps
	up.await("ready role=up", cliWait)
	in.awaitTakenIn()
	t.Log(in.verified())
	if err := up.cmd.Process.Signal(sigterm); err != nil {
		t.Fatal(err)
	}
	if code := up.exit(cliWait); code != 0 {
		t.Fatalf("up after SIGTERM: exit code %d\n%s", code, up.out)
	}
	// The profiles outlive the process that wrote them.
	t.Log(in.verified())
}

// awaitRecords waits until the topic holds this many records.
func (in *installation) awaitRecords(n int64) {
	in.t.Helper()
	ctx, cancel := context.WithTimeout(in.t.Context(), cliWait)
	defer cancel()
	c, err := kafkalog.Dial(ctx, kafkalog.Config{Brokers: []string{in.kafka}})
	if err != nil {
		in.t.Fatal(err)
	}
	defer c.Close()
	for total := int64(0); total < n; {
		total = 0
		topic, err := c.Topic(ctx, "usedcar-events")
		if err == nil {
			bounds, err := c.Bounds(ctx, topic.Name, topic.Partitions)
			if err != nil {
				in.t.Fatal(err)
			}
			for _, b := range bounds {
				total += b.HighWatermark
			}
		}
		select {
		case <-ctx.Done():
			in.t.Fatalf("the topic holds %d records, %d were waited for", total, n)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// awaitTakenIn waits until status says that every lane is at the log's end.
func (in *installation) awaitTakenIn() {
	in.t.Helper()
	output(in.t, invokeTimeout, in.flags("status", in.job, "--await", "--wait", commandWait)...)
}
