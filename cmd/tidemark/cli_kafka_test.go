package main

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tidemark-io/tidemark/shared/devbroker/foreign"
	"github.com/tidemark-io/tidemark/shared/devbroker/scripted"
	"github.com/tidemark-io/tidemark/testdata/kafka"
)

// TestKafkaRefused: what cannot be a log is said at once, or after --wait where it may still become one, with the cure.
func TestKafkaRefused(t *testing.T) {
	t.Parallel()
	old := scripted.Start(t, func(_ *scripted.Broker, req kmsg.Request) kmsg.Response {
		if r, ok := req.(*kmsg.ApiVersionsRequest); ok {
			return scripted.Versions(r, map[kmsg.Key]int16{kmsg.Fetch: 12})
		}
		return nil
	})
	compacted := newInstallation(t, "")
	compacted.gen(10)
	if err := foreign.New(compacted.kafka, nil).SetConfig(t.Context(), "usedcar-events", "cleanup.policy", "compact"); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		kafka string
		wait  string
		code  int
		says  []string
	}{
		"too old":       {old.Addr(), "10m", exitFailed, []string{old.Addr(), "version 13 of Fetch", "Kafka 3.1"}},
		"no partitions": {scripted.Start(t, scripted.Empty).Addr(), "1s", exitUnreachable, []string{"topic usedcar-events", "no partitions", "gen and produce create it"}},
		"compacted":     {compacted.kafka, "10m", exitUsage, []string{"usedcar-events", "cleanup.policy=compact", "cleanup.policy=delete"}},
	} {
		for _, role := range []string{"up", "archive"} {
			args := []string{role, "../../jobs/usedcar", "--kafka", c.kafka, "--wait", c.wait, "--archive", t.TempDir()}
			if role == "up" {
				args = append(args, "--store", "pebble:"+t.TempDir(), "--state", t.TempDir())
			}
			r := invoke(t, "", args...).want(t, c.code)
			for _, s := range c.says {
				if !strings.Contains(r.stderr, s) {
					t.Errorf("%s, %s does not say %q: %s", name, role, s, r.stderr)
				}
			}
		}
	}
}

// TestRealKafka: the whole path on an Apache Kafka, with records whose times are years old and the producer's (CreateTime,
// which is warned of), while the broker is killed and comes back and the topic grows, and after it was deleted and made again.
func TestRealKafka(t *testing.T) {
	t.Parallel()
	broker := kafka.Start(t)
	in := newInstallation(t, "")
	in.kafka = broker.Addr
	in.gen(4000, "--start", "2024-01-31T18:00:00Z", "--seed", "1")
	up := in.up("--tail-age", "1s")
	up.await("CreateTime", cliWait)
	up.isReady("up")
	in.awaitTakenIn()
	t.Log(in.verified())

	broker.Kill()
	up.await("log cannot be reached; waiting", cliWait)
	broker.Restart(t)
	if err := foreign.New(in.kafka, nil).Grow(t.Context(), "usedcar-events", 8); err != nil { // it had 4
		t.Fatal(err)
	}
	in.gen(4000, "--start", "2024-02-01T18:00:00Z", "--seed", "2")
	in.awaitTakenIn()
	if log := in.log().stdout; !strings.Contains(log, "events/7@0\t") {
		t.Errorf("the log has nothing in the new partitions: %.1000s", log)
	}
	t.Log(in.verified())
	up.terminate()

	before := in.topicNow("usedcar-events")
	if err := foreign.New(in.kafka, nil).Delete(t.Context(), "usedcar-events"); err != nil {
		t.Fatal(err)
	}
	in.gen(9000)
	in.refuse([]string{"archive", "up", "log"}, before.ID, in.topicNow("usedcar-events").ID, "deleted and created again")
}
