package kafkalogtest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/devbroker/foreign"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/record"
)

// codecs: what a foreign producer compresses we read, and what ours compresses the foreign consumer reads.
func codecs(b *bench) {
	t := b.create(kafkalog.TopicSpec{})
	var want []foreign.Record
	for _, codec := range slices.Sorted(maps.Keys(foreign.Codecs)) {
		recs := values(codec+" "+string(bytes.Repeat([]byte("compress me "), 50)), 100)
		b.must(b.foreign.Produce(b.ctx, b.topic, codec, recs...))
		want = append(want, recs...)
	}
	for _, codec := range []kafkalog.Codec{kafkalog.Plain, kafkalog.Gzip, kafkalog.Snappy, kafkalog.Lz4, kafkalog.Zstd} {
		p, err := b.client.NewProducer(b.topic, kafkalog.ProducerConfig{Codec: codec})
		b.must(err)
		recs := values(fmt.Sprintf("ours %d", codec), 100)
		var msgs []kafkalog.Message
		for _, r := range recs {
			msgs = append(msgs, kafkalog.Message{Value: r.Value, Partition: 0})
		}
		b.must(p.Produce(b.ctx, msgs))
		want = append(want, recs...)
	}
	got, next := b.readAll(t, 0)
	b.wantValues(got, want)
	if next != int64(len(want)) {
		b.Errorf("next is %d, want %d", next, len(want))
	}
	theirs, err := b.foreign.Consume(b.ctx, b.topic, 0, 0, len(want))
	b.must(err)
	for i := range theirs {
		if !bytes.Equal(theirs[i].Value, want[i].Value) {
			b.Fatalf("the foreign client reads %q at %d, want %q", theirs[i].Value, i, want[i].Value)
		}
	}
}

// headersNullsAndTimes: null is not empty, header keys repeat, times are kept to the millisecond.
func headersNullsAndTimes(b *bench) {
	t := b.create(kafkalog.TopicSpec{Configs: map[string]string{"retention.ms": "-1"}})
	p, err := b.client.NewProducer(b.topic, kafkalog.ProducerConfig{})
	b.must(err)
	at := time.UnixMilli(981_173_106_789)
	want := []record.Record{
		{Offset: 0, Append: at.UnixMilli(), Key: nil, Value: []byte("null key")},
		{Offset: 1, Append: at.UnixMilli() + 5, Key: []byte{}, Value: []byte{}},
		{Offset: 2, Append: at.UnixMilli() - 7, Key: []byte("tombstone"), Value: nil},
		{Offset: 3, Append: at.UnixMilli(), Key: []byte("h"), Value: []byte("v"), Headers: []record.Header{
			{Key: "a", Value: []byte("1")}, {Key: "a", Value: nil}, {Key: "", Value: []byte{}},
		}},
	}
	var msgs []kafkalog.Message
	for _, r := range want {
		msgs = append(msgs, kafkalog.Message{
			Key: r.Key, Value: r.Value, Headers: r.Headers, Time: time.UnixMilli(r.Append), Partition: 0,
		})
	}
	b.must(p.Produce(b.ctx, msgs))
	got, _ := b.readAll(t, 0)
	if fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
		b.Errorf("read\n%#v\nwant\n%#v", got, want)
	}
}

// bothTimeTypes: the batch says which time it carries, and a topic may be switched.
func bothTimeTypes(b *bench) {
	t := b.create(kafkalog.TopicSpec{AppendTime: true, Configs: map[string]string{"retention.ms": "-1"}})
	if !t.AppendTime {
		b.Fatal("the topic is not described as one with append time")
	}
	const old = 981_173_106_000
	before := time.Now().Add(-time.Minute).UnixMilli() // a broker elsewhere has a clock of its own
	for _, codec := range []string{"none", "zstd"} {
		b.must(b.foreign.Produce(b.ctx, b.topic, codec, foreign.Record{Time: old, Value: []byte("x")}, foreign.Record{Time: old + 9, Value: []byte("y")}))
	}
	b.described("message.timestamp.type", "CreateTime", func(t kafkalog.Topic) bool { return !t.AppendTime })
	b.must(b.foreign.Produce(b.ctx, b.topic, "none", foreign.Record{Time: old, Value: []byte("z")}))
	got, _ := b.readAll(t, 0)
	again, _ := b.readAll(t, 0)
	if len(got) != 5 || len(again) != 5 {
		b.Fatalf("read %d and %d records, want 5", len(got), len(again))
	}
	for i, r := range got[:4] {
		if r.AppendType != column.LogAppendTime || r.Append < before {
			b.Errorf("record %d: time %d of type %d, want the broker's", i, r.Append, r.AppendType)
		}
		if again[i].Append != r.Append {
			b.Errorf("record %d: time %d when read again, %d before", i, again[i].Append, r.Append)
		}
	}
	if r := got[4]; r.AppendType != column.CreateTime || r.Append != old {
		b.Errorf("record 4: time %d of type %d, want the producer's %d", r.Append, r.AppendType, old)
	}
}

// abortedAndMarkers: aborted records and markers are left out, offsets show the gaps, from any offset on.
func abortedAndMarkers(b *bench) {
	t := b.create(kafkalog.TopicSpec{})
	id := b.topic
	var want []foreign.Record
	add := func(commit bool, name string, n int) {
		b.must(b.foreign.Transaction(b.ctx, id, b.topic, commit, values(name, n)...))
		if commit {
			want = append(want, values(name, n)...)
		}
	}
	add(true, "first", 3)
	add(false, "aborted", 5)
	add(false, "aborted again", 1)
	add(true, "second", 2)
	b.must(b.foreign.Produce(b.ctx, b.topic, "lz4", values("plain", 4)...))
	want = append(want, values("plain", 4)...)
	add(false, "aborted at the end", 2)

	got, next := b.readAll(t, 0)
	b.wantValues(got, want)
	end := b.settled()
	if next != end.HighWatermark || end.LastStable != end.HighWatermark {
		b.Errorf("next is %d, the log's bounds are %+v", next, end)
	}
	for from := range end.HighWatermark {
		rest, next := b.readAll(t, from)
		n := slices.IndexFunc(got, func(r record.Record) bool { return r.Offset >= from })
		if n < 0 {
			n = len(got)
		}
		b.wantValues(rest, want[n:])
		if next != end.HighWatermark {
			b.Errorf("from %d: next is %d, want %d", from, next, end.HighWatermark)
		}
	}
}

// openTransaction: nothing at or behind an open transaction's first record is delivered, until it ends.
func openTransaction(b *bench) {
	t := b.create(kafkalog.TopicSpec{})
	b.must(b.foreign.Produce(b.ctx, b.topic, "none", values("before", 2)...))
	tx, err := b.foreign.Begin(b.ctx, b.topic, b.topic, values("open", 2)...)
	b.must(err)
	b.must(b.foreign.Produce(b.ctx, b.topic, "none", values("behind", 2)...))

	f := b.client.NewFetcher(t)
	defer f.Close()
	got := b.fetch(f, 0, 0)
	if len(got.Records) != 2 || got.Next != 2 || got.LastStable != 2 || got.HighWatermark != 6 {
		b.Errorf("with an open transaction: %d records, next %d, stable %d, high watermark %d; want 2, 2, 2, 6",
			len(got.Records), got.Next, got.LastStable, got.HighWatermark)
	}
	if bs := b.bounds(); bs.LastStable != 2 || bs.HighWatermark != 6 {
		b.Errorf("with an open transaction: bounds %+v, want stable 2 and high watermark 6", bs)
	}
	b.must(tx.End(b.ctx, true))
	all, next := b.readAll(t, 0)
	b.wantValues(all, slices.Concat(values("before", 2), values("open", 2), values("behind", 2)))
	if next != 7 {
		b.Errorf("next is %d, want 7, behind the marker", next)
	}
}

// onlyMarkers: an offset that holds a marker only is passed.
func onlyMarkers(b *bench) {
	t := b.create(kafkalog.TopicSpec{})
	b.must(b.foreign.Transaction(b.ctx, b.topic, b.topic, true, values("a", 1)...))
	b.must(b.foreign.Transaction(b.ctx, b.topic, b.topic, false, values("b", 1)...))
	b.settled()
	f := b.client.NewFetcher(t)
	defer f.Close()
	for _, from := range []int64{1, 3} { // the markers
		got := b.fetch(f, 0, from)
		if got.Err != nil || len(got.Records) != 0 || got.Next != 4 {
			b.Errorf("from marker at %d: %d records, next %d, error %v; want none, 4", from, len(got.Records), got.Next, got.Err)
		}
	}
}

// compactionGaps: where records were compacted away, single ones or whole batches, what is left is delivered from any offset
// on, and the next offset is right. (No topic of a source may be compacted; but a topic may have been.)
func compactionGaps(b *bench) {
	t := b.create(kafkalog.TopicSpec{Configs: map[string]string{
		"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.001", "segment.ms": "1000", "retention.ms": "-1",
	}})
	at := time.Now().Add(-time.Hour).UnixMilli()
	batch := func(name string, keys string) {
		var recs []foreign.Record
		for i, k := range keys {
			recs = append(recs, foreign.Record{Time: at, Key: []byte(string(k)), Value: fmt.Appendf(nil, "%s %d", name, i)})
		}
		b.must(b.foreign.Produce(b.ctx, b.topic, "none", recs...))
	}
	batch("first", "abcde")
	batch("second", "abc")
	batch("third", "abx")
	at += time.Minute.Milliseconds() // the end of a segment; the last one is never compacted
	batch("last", "a")
	want := []string{"first 3", "first 4", "second 2", "third 0", "third 1", "third 2", "last 0"}
	offsets := []int64{3, 4, 7, 8, 9, 10, 11}
	for { // until the broker has compacted
		if b.Compact != nil {
			b.Compact()
		}
		if got, _ := b.readAll(t, 0); len(got) == len(want) {
			break
		}
		b.must(b.ctx.Err())
	}
	for from := range int64(12) {
		got, next := b.readAll(t, from)
		first, _ := slices.BinarySearch(offsets, from)
		if len(got) != len(want)-first || next != 12 {
			b.Fatalf("from %d: %d records, next %d; want %d and 12", from, len(got), next, len(want)-first)
		}
		for i, r := range got {
			if string(r.Value) != want[first+i] || r.Offset != offsets[first+i] {
				b.Errorf("from %d: record %d is %q at offset %d", from, i, r.Value, r.Offset)
			}
		}
	}
}

// trimmedLog: an offset below the log's start stops with names, it is never skipped.
func trimmedLog(b *bench) {
	t := b.create(kafkalog.TopicSpec{})
	b.must(b.foreign.Produce(b.ctx, b.topic, "none", values("x", 10)...))
	b.must(b.foreign.Produce(b.ctx, b.topic, "none", values("y", 10)...))
	b.must(b.foreign.Trim(b.ctx, b.topic, 0, 15))
	f := b.client.NewFetcher(t)
	defer f.Close()
	b.wantRange(b.fetch(f, 0, 3).Err, 3, 15, 20)
	b.wantRange(b.fetch(f, 0, 14).Err, 14, 15, 20)
	// The batch begins below the log's start; what lies there is not delivered.
	got := b.fetch(f, 0, 15)
	if got.Err != nil || len(got.Records) != 5 || got.Records[0].Offset != 15 || got.LogStart != 15 {
		b.Errorf("at the log's start: %d records, log start %d, error %v", len(got.Records), got.LogStart, got.Err)
	}
	if bs := b.bounds(); bs != (kafkalog.Bounds{LogStart: 15, LastStable: 20, HighWatermark: 20}) {
		b.Errorf("bounds are %+v", bs)
	}
}

// beyondTheEnd: an offset that the log has not reached means that the log lost something.
func beyondTheEnd(b *bench) {
	t := b.create(kafkalog.TopicSpec{})
	b.must(b.foreign.Produce(b.ctx, b.topic, "none", values("x", 10)...))
	f := b.client.NewFetcher(t)
	defer f.Close()
	b.wantRange(b.fetch(f, 0, 30).Err, 30, 0, 10)
	got := b.fetch(f, 0, 10) // the end itself is where to wait
	if got.Err != nil || got.Next != 10 || len(got.Records) != 0 {
		b.Errorf("at the end: %d records, next %d, error %v", len(got.Records), got.Next, got.Err)
	}
}

// insideABatch: brokers answer with whole batches.
func insideABatch(b *bench) {
	t := b.create(kafkalog.TopicSpec{})
	b.must(b.foreign.Produce(b.ctx, b.topic, "zstd", values("x", 50)...))
	for _, from := range []int64{0, 1, 25, 49} {
		got, next := b.readAll(t, from)
		b.wantValues(got, values("x", 50)[from:])
		if next != 50 {
			b.Errorf("from %d: next is %d", from, next)
		}
	}
}

// largeBatch: a batch over the limits is fetched all the same, whatever stands beside it.
func largeBatch(b *bench) {
	b.create(kafkalog.TopicSpec{Partitions: 3})
	for p := range int32(3) {
		recs := values(string(bytes.Repeat([]byte("large "), 20_000)), 5)
		for i := range recs {
			recs[i].Partition = p
		}
		b.must(b.foreign.Produce(b.ctx, b.topic, "none", recs...))
	}
	small, err := kafkalog.Dial(b.ctx, kafkalog.Config{
		Brokers: []string{b.Addr}, Dial: b.Dial, PartitionBytes: 1000, FetchBytes: 2000, DecodedBytes: 1000,
	})
	b.must(err)
	defer small.Close()
	t, err := small.Topic(b.ctx, b.topic)
	b.must(err)
	f := small.NewFetcher(t)
	defer f.Close()
	next, seen := map[int32]int64{}, 0
	for seen < 15 {
		var wants []kafkalog.Want
		for p := range int32(3) {
			wants = append(wants, kafkalog.Want{Partition: p, Offset: next[p]})
		}
		got, err := f.Fetch(b.ctx, wants, 200*time.Millisecond)
		b.must(err)
		for _, g := range got {
			b.must(g.Err)
			seen += len(g.Records)
			next[g.Partition] = g.Next
		}
	}
}

// topicGrows: new partitions can be fetched soon.
func topicGrows(b *bench) {
	t := b.create(kafkalog.TopicSpec{Partitions: 4})
	f := b.client.NewFetcher(t)
	defer f.Close()
	b.fetch(f, 3, 0)
	b.must(b.foreign.Grow(b.ctx, b.topic, 8))
	r := value("new")
	r.Partition = 7
	b.must(b.foreign.Produce(b.ctx, b.topic, "none", r))
	got := b.fetch(f, 7, 0)
	if got.Err != nil || len(got.Records) != 1 {
		b.Errorf("the new partition: %d records, error %v", len(got.Records), got.Err)
	}
	t, err := b.client.Topic(b.ctx, b.topic)
	b.must(err)
	if !slices.Equal(t.Partitions, []int32{0, 1, 2, 3, 4, 5, 6, 7}) {
		b.Errorf("partitions are %v", t.Partitions)
	}
}

// recreated: a topic of the same name is not the same topic, also when it is as long as the old one was.
func recreated(b *bench) {
	t := b.create(kafkalog.TopicSpec{})
	b.must(b.foreign.Produce(b.ctx, b.topic, "none", values("old", 5)...))
	f := b.client.NewFetcher(t)
	defer f.Close()
	if got := b.fetch(f, 0, 0); got.Next != 5 {
		b.Fatalf("next is %d, want 5", got.Next)
	}
	b.must(b.foreign.Delete(b.ctx, b.topic))
	for {
		_, err := b.client.CreateTopic(b.ctx, kafkalog.TopicSpec{Name: b.topic, Partitions: 1})
		if err == nil {
			break
		}
		if b.ctx.Err() != nil {
			b.Fatal(err)
		}
	}
	b.must(b.foreign.Produce(b.ctx, b.topic, "none", values("new", 20)...))
	for {
		got, err := f.Fetch(b.ctx, []kafkalog.Want{{Partition: 0, Offset: 5}}, 200*time.Millisecond)
		if errors.Is(err, kafkalog.ErrRecreated) {
			break
		}
		b.must(err)
		if len(got) == 1 && len(got[0].Records) > 0 {
			b.Fatalf("records of the new topic: %q", got[0].Records[0].Value)
		}
	}
	now, err := b.client.Topic(b.ctx, b.topic)
	b.must(err)
	if now.ID == t.ID {
		b.Error("the topic's id is the old one")
	}
}
