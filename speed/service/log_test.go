package service_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/service"
)

// topic is a topic in memory. Its fetchers behave as kafkalog's do: what they return is gone with the next Fetch.
type topic struct {
	src *schema.Source

	mu      sync.Mutex
	parts   []*partition
	changed chan struct{} // closed with every change
	err     error         // of every Fetch
	open    int           // fetchers that were not closed
	limit   int           // records of one partition that a fetch returns
	pace    time.Duration // of a fetch that returns something
}

// partition is a partition of a topic: records with gaps between them.
type partition struct {
	records []record.Record
	start   int64
	end     int64
	err     error // of every fetch
	fetched int   // records handed out
}

func newTopic(src *schema.Source, partitions int) *topic {
	t := &topic{src: src, changed: make(chan struct{}), limit: 500}
	for range partitions {
		t.parts = append(t.parts, &partition{})
	}
	return t
}

// change changes the topic and wakes the fetchers.
func (t *topic) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
	close(t.changed)
	t.changed = make(chan struct{})
}

// produce appends values, appended now.
func (t *topic) produce(p int, values ...[]byte) {
	t.change(func() {
		part := t.parts[p]
		for _, v := range values {
			part.records = append(part.records, record.Record{
				Offset: part.end, Append: time.Now().UnixMilli(), AppendType: column.LogAppendTime, Value: v,
			})
			part.end++
		}
	})
}

// mark appends a marker: an offset without a record.
func (t *topic) mark(p int) { t.change(func() { t.parts[p].end++ }) }

// trim takes away the records of a partition below start, truncate those from end on.
func (t *topic) trim(p int, start int64) { t.change(func() { t.parts[p].start = start }) }

func (t *topic) truncate(p int, end int64) { t.change(func() { t.parts[p].end = end }) }

// fail makes the fetches of a partition return err, nil for none any more.
func (t *topic) fail(p int, err error) { t.change(func() { t.parts[p].err = err }) }

// paced returns how long a fetch takes.
func (t *topic) paced() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pace
}

func (t *topic) end(p int) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.parts[p].end
}

func (t *topic) fetched(p int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.parts[p].fetched
}

// batches decodes everything that was ever appended, a batch a partition.
func (t *topic) batches(tb testing.TB) []*column.Batch {
	tb.Helper()
	d, err := decode.Compile(t.src)
	if err != nil {
		tb.Fatal(err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []*column.Batch
	for p, part := range t.parts {
		b := column.NewBatch(t.src, int32(p), false)
		for i := range part.records {
			d.Append(b, &part.records[i])
		}
		all = append(all, b)
	}
	return all
}

// fetcher implements service.Log.
type fetcher struct {
	topic  *topic
	handed []record.Record
}

func (t *topic) newFetcher() service.Log {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open++
	return &fetcher{topic: t}
}

func (f *fetcher) Close() {
	f.topic.mu.Lock()
	defer f.topic.mu.Unlock()
	f.topic.open--
}

func (f *fetcher) Fetch(ctx context.Context, wants []kafkalog.Want, maxWait time.Duration) ([]kafkalog.Fetched, error) {
	for i := range f.handed { // what the last Fetch returned must not be used any more
		copy(f.handed[i].Value, bytes.Repeat([]byte{0xff}, len(f.handed[i].Value)))
	}
	f.handed = f.handed[:0]
	expired := time.After(maxWait)
	for last := false; ; {
		out, changed, err := f.look(wants, last)
		if pace := f.topic.paced(); pace > 0 && len(out) > 0 {
			time.Sleep(pace)
		}
		if err != nil || len(out) > 0 {
			return out, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		case <-expired:
			last = true
		}
	}
}

// look answers the wants that there is something to say of, with all also the others.
func (f *fetcher) look(wants []kafkalog.Want, all bool) ([]kafkalog.Fetched, chan struct{}, error) {
	t := f.topic
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return nil, nil, t.err
	}
	var out []kafkalog.Fetched
	for _, w := range wants {
		if got := f.answer(w); all || got.Err != nil || got.Next > w.Offset {
			out = append(out, got)
		}
	}
	return out, t.changed, nil
}

func (f *fetcher) answer(w kafkalog.Want) kafkalog.Fetched {
	part := f.topic.parts[w.Partition]
	err := part.err
	if err == nil && (w.Offset < part.start || w.Offset > part.end) {
		err = &kafkalog.RangeError{Topic: f.topic.src.Topic, Partition: w.Partition, Asked: w.Offset, LogStart: part.start, End: part.end}
	}
	if err != nil {
		return kafkalog.Fetched{Partition: w.Partition, Next: w.Offset, LogStart: -1, LastStable: -1, HighWatermark: -1, Err: err}
	}
	got := kafkalog.Fetched{Partition: w.Partition, Next: part.end, LogStart: part.start, LastStable: part.end, HighWatermark: part.end}
	from := len(f.handed)
	first, _ := slices.BinarySearchFunc(part.records, w.Offset, func(r record.Record, o int64) int { return cmp.Compare(r.Offset, o) })
	for _, r := range part.records[first:] {
		if r.Offset >= part.end {
			break
		}
		if len(f.handed)-from == f.topic.limit {
			got.Next = r.Offset
			break
		}
		r.Value = bytes.Clone(r.Value)
		f.handed = append(f.handed, r)
	}
	got.Records = f.handed[from:]
	part.fetched += len(got.Records)
	return got
}

// archive implements service.Archive over a topic's records below an end.
type archive struct {
	topics []*topic
	holds  atomic.Int64 // the end of what it holds, of every partition
	wait   func()
}

func (a *archive) set(holds int64) { a.holds.Store(holds) }

func (a *archive) Scan(ctx context.Context, src *schema.Source, p int32, from, to int64, yield func(b *column.Batch, next int64) error) (int64, error) {
	if a.wait != nil {
		a.wait()
	}
	to = min(to, a.holds.Load())
	for _, t := range a.topics {
		if t.src.Name != src.Name {
			continue
		}
		d, err := decode.Compile(src)
		if err != nil {
			return from, err
		}
		for from < to {
			next := min(to, from+5)
			b := column.NewBatch(src, p, false)
			t.mu.Lock()
			for i := range t.parts[p].records {
				if r := &t.parts[p].records[i]; r.Offset >= from && r.Offset < next {
					d.Append(b, r)
				}
			}
			t.mu.Unlock()
			if err := yield(b, next); err != nil {
				return from, err
			}
			if err := ctx.Err(); err != nil {
				return from, err
			}
			from = next
		}
	}
	return from, nil
}

// errLeaderless is what kafkalog says of a partition without a leader.
var errLeaderless = fmt.Errorf("%w: no leader for now", kafkalog.ErrUnreachable)
