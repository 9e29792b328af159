package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/tidemark-io/tidemark/shared/record"
)

// Fetched is what a fetch says of one partition.
type Fetched struct {
	Partition int32
	// Records are the committed records from the offset asked for on, in order of offsets, with gaps where records were
	// aborted, compacted away or are markers. They and their bytes are valid until the next Fetch or Close.
	Records []record.Record
	// Next is the offset to ask for next. It moves past markers and aborted records, so it may move without Records.
	Next int64
	// LogStart, LastStable and HighWatermark are the log's bounds; LastStable - Next is the lag. All are -1 with an Err.
	LogStart      int64
	LastStable    int64
	HighWatermark int64
	// Err says why nothing was fetched: a *RangeError, a *CorruptError, or of class ErrNoTopic, ErrRecreated or ErrRefused,
	// which stop the partition; or Transient, and the same offset may be asked for again at once (the Fetcher slows itself).
	Err error
}

// Fetcher reads partitions of one topic. It is for one goroutine; make as many as there are readers.
//
// One request goes to each leader, for all its partitions. Fetch returns as soon as one of them has answered; the others
// stay in flight and their answers are returned by later calls, if their offsets are still wanted then. So a leader with
// nothing new never delays another's records.
type Fetcher struct {
	client  *Client
	topic   Topic
	route   route
	flights map[int32]*flight // by node
	first   int               // rotates the partitions' order in requests, that none starves behind large ones
	bell    chan struct{}     // rung when a flight has landed
	running sync.WaitGroup
	out     []Fetched
	closed  bool
}

// NewFetcher returns a Fetcher of the very topic that t describes: if it is deleted and created again, fetches return
// ErrRecreated.
func (c *Client) NewFetcher(t Topic) *Fetcher {
	return &Fetcher{
		client:  c,
		topic:   t,
		route:   route{client: c, topic: t.Name, id: t.ID},
		flights: map[int32]*flight{},
		bell:    make(chan struct{}, 1),
	}
}

// Close abandons what is in flight and waits for its goroutines. No Fetch may be under way.
func (f *Fetcher) Close() {
	f.closed = true
	for _, fl := range f.flights {
		fl.cancel()
	}
	f.running.Wait()
}

// Fetch asks for records and returns those of the partitions that have answered, in no particular order; at most one
// Fetched a partition. If there is nothing new, it returns after about maxWait, with the bounds. Each partition may be in
// wants once. An error means that nothing at all could be asked: the context's, ErrClosed, or one about the topic.
func (f *Fetcher) Fetch(ctx context.Context, wants []Want, maxWait time.Duration) ([]Fetched, error) {
	if f.closed {
		return nil, fmt.Errorf("fetching topic %s: %w", f.topic.Name, ErrClosed)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.out = f.out[:0]
	for len(wants) > 0 {
		f.collect(ctx, wants)
		if len(f.out) > 0 {
			break
		}
		if err := f.route.refresh(ctx); err != nil {
			return nil, err
		}
		f.launch(ctx, wants, maxWait)
		if len(f.out) > 0 { // partitions without a leader
			break
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-f.bell:
		}
	}
	return f.out, nil
}

// launch sends a request to each leader that has none in flight.
func (f *Fetcher) launch(ctx context.Context, wants []Want, maxWait time.Duration) {
	f.first++
	for _, w := range wants {
		leader, err := f.route.leader(w.Partition)
		if err != nil {
			f.out = append(f.out, failed(w, err))
			continue
		}
		fl := f.flights[leader]
		if fl == nil {
			fl = &flight{node: leader, frame: new(frame), decoder: newDecoder(f.client.cfg.BatchBytes), cancel: func() {}}
			f.flights[leader] = fl
		}
		if fl.state == grounded {
			fl.state = boarding
			fl.wants = fl.wants[:0]
		}
		if fl.state == boarding {
			fl.wants = append(fl.wants, w)
		}
	}
	for _, fl := range f.flights {
		if fl.state == boarding {
			f.start(ctx, fl, maxWait)
		}
	}
}

// start sends a flight's request. The flight outlives the call of Fetch that starts it, so it has a context of its own.
func (f *Fetcher) start(ctx context.Context, fl *flight, maxWait time.Duration) {
	cfg := &f.client.cfg
	fl.state = flying
	fl.frame.node, fl.frame.api, fl.frame.limit = node(fl.node), fetchAPI, cfg.FrameBytes
	fl.frame.request = appendFetchRequest(fl.frame.request[:0], cfg.ClientID, f.topic.ID, fl.wants, f.first%len(fl.wants),
		fetchLimits{
			waitMillis:     int32(min(maxWait, time.Hour).Milliseconds()),
			fetchBytes:     int32(cfg.FetchBytes),
			partitionBytes: int32(cfg.PartitionBytes),
		})
	apart, cancel := context.WithCancel(context.WithoutCancel(ctx))
	fl.cancel = cancel
	fl.landed = make(chan struct{})
	f.running.Go(func() {
		defer cancel()
		_, fl.err = f.client.send(apart, fl.frame, maxWait+cfg.RequestTimeout)
		close(fl.landed)
		select {
		case f.bell <- struct{}{}:
		default: // it rings already
		}
	})
}

// collect reads the answers of the flights that have landed.
func (f *Fetcher) collect(ctx context.Context, wants []Want) {
	for _, fl := range f.flights {
		if fl.state != flying || !fl.hasLanded() {
			continue
		}
		fl.state = grounded
		err := fl.err
		if err == nil && (!fl.response.parse(fl.frame.body()) || fl.response.code != 0) {
			err = errors.Join(codeError(fl.response.code), fmt.Errorf("%w: malformed response", ErrRefused))
		}
		if err != nil {
			f.lost(fl, wants, err)
			continue
		}
		fl.decoder.begin(f.client.cfg.DecodedBytes)
		for i := range fl.response.answers {
			a := &fl.response.answers[i]
			if w, ok := wanted(wants, fl.wants, a.partition); ok && !f.answered(a.partition) {
				f.out = append(f.out, f.answer(ctx, fl.decoder, w, a))
			}
		}
	}
}

// answered tells whether this call has something of the partition already: when its leader moves, the old one's answer
// and the new one's may land together.
func (f *Fetcher) answered(partition int32) bool {
	return slices.ContainsFunc(f.out, func(o Fetched) bool { return o.Partition == partition })
}

// lost tells of a flight that has failed. The connection's goroutine may still write to the buffer of an abandoned
// exchange, so it is given away, and the decoder with it, which may have handed out parts of it.
func (f *Fetcher) lost(fl *flight, wants []Want, err error) {
	f.route.stale = true
	delete(f.flights, fl.node)
	for _, w := range fl.wants {
		if slices.Contains(wants, w) && !f.answered(w.Partition) {
			f.out = append(f.out, failed(w, fmt.Errorf("fetching %s/%d at offset %d: %w", f.topic.Name, w.Partition, w.Offset, err)))
		}
	}
}

// wanted returns what was asked of a partition, if that is still what is wanted.
func wanted(now, then []Want, partition int32) (Want, bool) {
	i := slices.IndexFunc(then, func(w Want) bool { return w.Partition == partition })
	if i < 0 || !slices.Contains(now, then[i]) {
		return Want{}, false
	}
	return then[i], true
}

// failed is what a fetch says of a partition that it got nothing of.
func failed(w Want, err error) Fetched {
	return Fetched{Partition: w.Partition, Next: w.Offset, LogStart: -1, LastStable: -1, HighWatermark: -1, Err: err}
}

// answer turns one partition's answer into what the caller gets.
func (f *Fetcher) answer(ctx context.Context, d *decoder, w Want, a *fetchAnswer) Fetched {
	if a.code != 0 {
		return failed(w, f.codeError(ctx, w, a))
	}
	if w.Offset < a.logStart {
		// The log was trimmed between the look at the offset and the answer: what is returned may begin behind a gap.
		return failed(w, &RangeError{f.topic.Name, w.Partition, w.Offset, a.logStart, a.highWatermark})
	}
	recs, next, ft := d.decode(a.batches, w.Offset, a.aborted)
	if ft.what != "" {
		return failed(w, &CorruptError{f.topic.Name, w.Partition, ft.offset, ft.text()})
	}
	return Fetched{
		Partition:     w.Partition,
		Records:       recs,
		Next:          next,
		LogStart:      a.logStart,
		LastStable:    a.lastStable,
		HighWatermark: a.highWatermark,
	}
}

// codeError says what a partition's error code means.
func (f *Fetcher) codeError(ctx context.Context, w Want, a *fetchAnswer) error {
	where := fmt.Sprintf("fetching %s/%d at offset %d", f.topic.Name, w.Partition, w.Offset)
	switch a.code {
	case codeOffsetOutOfRange:
		return f.rangeError(ctx, w)
	case codeCorruptMessage:
		return &CorruptError{f.topic.Name, w.Partition, w.Offset, "the broker found its own log damaged"}
	case codeUnknownTopic, codeUnknownTopicID, codeWrongTopicID:
		// A broker that has not heard of a new topic says the same as one that has heard of its end: the metadata
		// decides, which the next Fetch asks for.
		f.route.stale = true
		return fmt.Errorf("%s: %w: the leader does not know the topic", where, ErrUnreachable)
	}
	err := codeError(a.code)
	f.route.stale = f.route.stale || Transient(err)
	return fmt.Errorf("%s: %w", where, err)
}

// rangeError asks for the bounds, since the broker leaves them out of the answer that an offset is out of them.
func (f *Fetcher) rangeError(ctx context.Context, w Want) error {
	b, err := f.client.Bounds(ctx, f.topic.Name, []int32{w.Partition})
	if err != nil {
		return fmt.Errorf("finding the range of %s/%d, which lacks offset %d: %w", f.topic.Name, w.Partition, w.Offset, err)
	}
	r := b[w.Partition]
	if r.LogStart <= w.Offset && w.Offset <= r.HighWatermark {
		// It has come to be in range: a follower that became leader was behind for a moment.
		return fmt.Errorf("fetching %s/%d at offset %d: %w: out of range a moment ago", f.topic.Name, w.Partition, w.Offset, ErrUnreachable)
	}
	return &RangeError{f.topic.Name, w.Partition, w.Offset, r.LogStart, r.HighWatermark}
}
