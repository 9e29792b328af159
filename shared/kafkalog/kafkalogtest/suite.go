// Package kafkalogtest is the conformance suite of kafkalog: what must hold against any broker, be it the development
// broker or a real Kafka. A second client (franz-go) writes what ours cannot, and gives a second opinion.
package kafkalogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/devbroker/foreign"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/record"
)

// caseTimeout bounds one case.
const caseTimeout = 2 * time.Minute

// Cluster says where the broker under test is.
type Cluster struct {
	Addr string
	// Dial opens connections; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// SessionTimeout of group members, not below what the broker admits. Default 6 s.
	SessionTimeout time.Duration
	// Compact makes the broker compact its topics now; nil if it does so by itself within a case's patience.
	Compact func()
}

// Run runs every case, each on topics of its own, so that it can be repeated on a cluster that lives on.
func Run(t *testing.T, c Cluster) {
	t.Helper()
	if c.SessionTimeout == 0 {
		c.SessionTimeout = 6 * time.Second
	}
	for _, k := range []struct {
		name string
		run  func(*bench)
	}{
		{"Codecs", codecs},
		{"HeadersNullsAndTimes", headersNullsAndTimes},
		{"BothTimeTypesInOneTopic", bothTimeTypes},
		{"AbortedTransactionsAndMarkers", abortedAndMarkers},
		{"OpenTransactionHoldsReadersBack", openTransaction},
		{"OnlyMarkersMoveTheOffset", onlyMarkers},
		{"CompactionLeavesGaps", compactionGaps},
		{"TrimmedLogStops", trimmedLog},
		{"OffsetBeyondTheEndStops", beyondTheEnd},
		{"StartInsideABatch", insideABatch},
		{"OneBatchLargerThanTheLimit", largeBatch},
		{"TopicGrows", topicGrows},
		{"RecreatedTopicStops", recreated},
		{"TopicsAreDescribed", described},
		{"CreateTopicTwice", createTwice},
		{"UnknownTopic", unknownTopic},
		{"ProducerNamesWhatFailed", producerFailures},
		{"ProducerKeepsOrder", producerOrder},
		{"GroupSharesAndHandsOver", groupSharesAndHandsOver},
		{"RestartedMemberGetsItsPartitionsBack", restartedMember},
		{"ZombieCannotCommit", zombie},
		{"GroupSeesNewPartitions", groupSeesGrowth},
		{"MemberDiesInARebalance", memberDies},
		{"KcatReadsAndWrites", kcatReadsAndWrites},
	} {
		t.Run(k.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), caseTimeout)
			defer cancel()
			client, err := kafkalog.Dial(ctx, kafkalog.Config{Brokers: []string{c.Addr}, Dial: c.Dial})
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			b := &bench{T: t, Cluster: c, ctx: ctx, client: client, foreign: foreign.New(c.Addr, c.Dial)}
			b.topic = fmt.Sprintf("suite-%s-%d", k.name, time.Now().UnixNano())
			k.run(b)
		})
	}
}

// bench is what a case works with.
type bench struct {
	*testing.T
	Cluster

	ctx     context.Context //nolint:containedctx // the case's own, a test's stand-in for an argument
	client  *kafkalog.Client
	foreign foreign.Client
	topic   string // a name that no other case uses
}

// must ends the case on an error.
func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// create creates the case's topic and returns its description.
func (b *bench) create(spec kafkalog.TopicSpec) kafkalog.Topic {
	b.Helper()
	spec.Name = b.topic
	spec.Partitions = max(spec.Partitions, 1)
	if _, err := b.client.CreateTopic(b.ctx, spec); err != nil {
		b.Fatal(err)
	}
	t, err := b.client.Topic(b.ctx, b.topic)
	b.must(err)
	return t
}

// value is a foreign record with a value only.
func value(format string, args ...any) foreign.Record {
	return foreign.Record{Value: fmt.Appendf(nil, format, args...)}
}

// values returns n records, "prefix 0" and so on.
func values(prefix string, n int) []foreign.Record {
	recs := make([]foreign.Record, n)
	for i := range recs {
		recs[i] = value("%s %d", prefix, i)
	}
	return recs
}

// bounds returns the bounds of partition 0, riding out transient failures.
func (b *bench) bounds() kafkalog.Bounds {
	b.Helper()
	for {
		m, err := b.client.Bounds(b.ctx, b.topic, []int32{0})
		if err == nil {
			return m[0]
		}
		if !kafkalog.Transient(err) || b.ctx.Err() != nil {
			b.Fatal(err)
		}
	}
}

// settled returns the bounds of partition 0 once no transaction is open: Kafka answers the end of a transaction before its
// marker is in the log.
func (b *bench) settled() kafkalog.Bounds {
	b.Helper()
	for {
		bs := b.bounds()
		if bs.LastStable == bs.HighWatermark {
			return bs
		}
	}
}

// readAll fetches partition 0 from an offset until the end, and returns copies of the records and the
// offset that it stopped at.
func (b *bench) readAll(t kafkalog.Topic, from int64) ([]record.Record, int64) {
	b.Helper()
	end := b.settled().LastStable
	f := b.client.NewFetcher(t)
	defer f.Close()
	var out []record.Record
	next := from
	for next < end {
		got := b.fetch(f, 0, next)
		if got.Err != nil {
			b.Fatal(got.Err)
		}
		if len(got.Records) > 0 && got.Records[0].Offset < next {
			b.Fatalf("fetching at %d returned offset %d", next, got.Records[0].Offset)
		}
		for _, r := range got.Records {
			out = append(out, clone(r))
		}
		next = got.Next
	}
	return out, next
}

// fetch fetches one partition once, riding out transient failures.
func (b *bench) fetch(f *kafkalog.Fetcher, partition int32, offset int64) kafkalog.Fetched {
	b.Helper()
	for {
		got, err := f.Fetch(b.ctx, []kafkalog.Want{{Partition: partition, Offset: offset}}, 300*time.Millisecond)
		b.must(err)
		if len(got) != 1 || got[0].Partition != partition {
			b.Fatalf("fetching partition %d returned %d partitions", partition, len(got))
		}
		if !kafkalog.Transient(got[0].Err) {
			return got[0]
		}
	}
}

func clone(r record.Record) record.Record {
	r.Key, r.Value = bytes.Clone(r.Key), bytes.Clone(r.Value)
	hs := r.Headers
	r.Headers = nil
	for _, h := range hs {
		r.Headers = append(r.Headers, record.Header{Key: h.Key, Value: bytes.Clone(h.Value)})
	}
	return r
}

// wantValues compares the records' values, in order.
func (b *bench) wantValues(got []record.Record, want []foreign.Record) {
	b.Helper()
	if len(got) != len(want) {
		b.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range got {
		if !bytes.Equal(got[i].Value, want[i].Value) {
			b.Fatalf("record %d (offset %d) is %q, want %q", i, got[i].Offset, got[i].Value, want[i].Value)
		}
	}
}

// wantRange expects a RangeError.
func (b *bench) wantRange(err error, asked, start, end int64) {
	b.Helper()
	var r *kafkalog.RangeError
	if !errors.As(err, &r) || !errors.Is(err, kafkalog.ErrOutOfRange) || kafkalog.Transient(err) {
		b.Fatalf("error is %v, want a RangeError", err)
	}
	want := kafkalog.RangeError{Topic: b.topic, Partition: 0, Asked: asked, LogStart: start, End: end}
	if *r != want {
		b.Errorf("error is %v, want %v", r, &want)
	}
}
