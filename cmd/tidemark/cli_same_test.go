package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/devbroker"
	"github.com/tidemark-io/tidemark/testdata/kafka"
)

// sameEvents are enough for several runs, so that rows have tiles of every kind.
const sameEvents = 4000

// TestSameEverywhere: the same events, whose record times the producer sets, give the same values at the same time, byte for
// byte, whether one process has every role or each is its own, in an embedded store or in Redis, on a development broker or
// on Apache Kafka.
func TestSameEverywhere(t *testing.T) {
	t.Parallel()
	start := time.Now().Add(-2 * time.Hour).UTC().Truncate(time.Second)
	asOf := start.Add(time.Hour).Format(time.RFC3339)
	var first json.RawMessage
	t.Run("development", func(t *testing.T) {
		first = sameOn(t, func(t *testing.T) string {
			b, err := devbroker.Start(devbroker.Config{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(b.Close)
			return b.Addr()
		}, start, asOf, nil)
	})
	t.Run("kafka", func(t *testing.T) {
		s := kafka.Start(t)
		sameOn(t, func(*testing.T) string { return s.Addr }, start, asOf, first)
	})
}

// sameOn runs every deployment on the log that a broker has of these events, and wants the same values of all. It returns
// them.
func sameOn(t *testing.T, broker func(t *testing.T) string, start time.Time, asOf string, want json.RawMessage) json.RawMessage {
	address := broker(t)
	log := &installation{t: t, job: "../../jobs/usedcar", kafka: address, folder: t.TempDir()}
	log.gen(sameEvents, "--start", start.Format(time.RFC3339))
	for _, c := range []struct {
		name string
		run  func(in *installation) []*process
		kv   func(t *testing.T, folder string) string
	}{
		{"up on Pebble", upWhole, func(_ *testing.T, folder string) string { return "pebble:" + filepath.Join(folder, "store") }},
		{"up on Redis", upWhole, func(t *testing.T, _ string) string { return redisserver.Start(t).URL() }},
		{"roles on Redis", asRoles, func(t *testing.T, _ string) string { return redisserver.Start(t).URL() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			folder := t.TempDir()
			in := &installation{t: t, job: log.job, kafka: address, folder: folder, store: c.kv(t, folder)}
			all := c.run(in)
			in.awaitQuiet()
			var r struct {
				Entities, Wrong int
				Values          json.RawMessage
			}
			unmarshal(t, in.ask("verify", "--as-of", asOf, "-o", "json").want(t, exitOK).stdout, &r)
			if r.Entities == 0 || r.Wrong > 0 || len(r.Values) == 0 {
				t.Fatalf("verified %d entities, %d wrong, %d bytes of values", r.Entities, r.Wrong, len(r.Values))
			}
			if want == nil {
				want = r.Values
			}
			if string(want) != string(r.Values) {
				t.Error(firstDifference(t, want, r.Values))
			}
			t.Logf("verified %d entities, %d wrong; %d bytes of values", r.Entities, r.Wrong, len(r.Values))
			for _, p := range all {
				p.terminate()
				if reads := !strings.Contains(p.out.String(), "ready role=serve"); reads != strings.Contains(p.out.String(), "(CreateTime), so no broker's clock bounds") {
					t.Errorf("a role that reads the log (%v) is to warn of the producers' times: %s", reads, p.out)
				}
			}
		})
	}
	return want
}

func upWhole(in *installation) []*process {
	return []*process{in.upSmall("--group", in.folder)}
}

func asRoles(in *installation) []*process {
	return []*process{
		in.role("archive"), in.role("batch"), in.role("serve"),
		in.role("speed", "--group", in.folder, "--instance", "a"), in.role("speed", "--group", in.folder, "--instance", "b"),
	}
}

// firstDifference names the first entity of which two lists of values differ.
func firstDifference(t *testing.T, a, b json.RawMessage) string {
	t.Helper()
	var x, y []json.RawMessage
	unmarshal(t, string(a), &x)
	unmarshal(t, string(b), &y)
	for i := range min(len(x), len(y)) {
		if string(x[i]) != string(y[i]) {
			return "one has " + string(x[i]) + "\nthe other " + string(y[i])
		}
	}
	return "one has more entities than the other"
}
