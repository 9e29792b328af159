package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// fetchBackoff is how long the fetcher waits after the log could not be reached.
const fetchBackoff = 200 * time.Millisecond

// rowsPerDelivery bounds the rows of one batch: smaller ones keep freshness low while a partition catches up.
const rowsPerDelivery = 16_384

// fetcher fetches and decodes the partitions of one source. One goroutine runs it.
type fetcher struct {
	src     *schema.Source
	log     Log
	archive Archive
	wait    time.Duration
	decoder *decode.Decoder
	feeds   map[int32]*feed
	wake    chan struct{}
	logger  *slog.Logger
	stats   *Stats
	spawn   func(func()) // runs a function beside, waited for at the end

	unreachable bool // said so already
}

// run fetches until ctx is done.
func (f *fetcher) run(ctx context.Context) {
	wants := make([]kafkalog.Want, 0, len(f.feeds))
	epochs := make(map[int32]int, len(f.feeds))
	for ctx.Err() == nil {
		wants = wants[:0]
		for p, fd := range f.feeds {
			if offset, epoch, ok := fd.want(); ok {
				wants = append(wants, kafkalog.Want{Partition: p, Offset: offset})
				epochs[p] = epoch
			}
		}
		if len(wants) == 0 {
			select {
			case <-ctx.Done():
			case <-f.wake:
			}
			continue
		}
		fetched, err := f.log.Fetch(ctx, wants, f.wait)
		f.reachable(ctx, err)
		for i := range fetched {
			f.deliver(ctx, &fetched[i], wants, epochs[fetched[i].Partition])
		}
		if err != nil {
			pause(ctx, fetchBackoff)
		}
	}
}

// reachable says once that the log cannot be reached, and once that it can be again.
func (f *fetcher) reachable(ctx context.Context, err error) {
	if ctx.Err() != nil || (err != nil) == f.unreachable {
		return
	}
	f.unreachable = err != nil
	if err != nil {
		f.logger.Warn("log cannot be fetched; waiting, nothing is lost", "topic", f.src.Topic, "error", err)
		return
	}
	f.logger.Info("log can be fetched again", "topic", f.src.Topic)
}

// deliver decodes what was fetched of one partition and hands it to its worker.
func (f *fetcher) deliver(ctx context.Context, got *kafkalog.Fetched, wants []kafkalog.Want, epoch int) {
	fd := f.feeds[got.Partition]
	from := int64(paused)
	for _, w := range wants {
		if w.Partition == got.Partition {
			from = w.Offset
		}
	}
	if fd == nil || from == paused {
		return
	}
	if got.Err != nil {
		f.troubled(ctx, fd, from, epoch, got.Err)
		return
	}
	for records := got.Records; ; {
		n := min(len(records), rowsPerDelivery)
		next := got.Next
		if n < len(records) {
			next = records[n].Offset
		}
		if next == from {
			return
		}
		var b *column.Batch
		select {
		case b = <-fd.free:
		case <-ctx.Done():
			return
		}
		b.Reset(got.Partition)
		for i := range records[:n] {
			f.decoder.Append(b, &records[i])
		}
		f.stats.decoded(b)
		if !fd.advance(epoch, next) {
			fd.recycle(b)
			return
		}
		fd.out <- delivery{batch: b, from: from, next: next, epoch: epoch, end: got.LastStable}
		records, from = records[n:], next
		if len(records) == 0 {
			return
		}
	}
}

// troubled decides what a partition's error means: a trimmed head is read from the archive, what may pass is tried
// again, everything else stops the partition with its name; nothing is ever skipped.
func (f *fetcher) troubled(ctx context.Context, fd *feed, from int64, epoch int, err error) {
	var out *kafkalog.RangeError
	switch {
	case errors.As(err, &out) && out.Asked < out.LogStart:
		fd.recover(epoch, true)
		f.spawn(func() { f.readArchive(ctx, fd, from, out.LogStart, epoch) })
	case kafkalog.Transient(err):
		f.reachable(ctx, err)
		pause(ctx, fetchBackoff)
	default:
		f.stop(fd, from, err)
	}
}

func (f *fetcher) stop(fd *feed, at int64, err error) {
	pos := position.Position{Partition: position.Partition{Source: f.src.Name, ID: fd.partition}, Offset: at}
	err = fmt.Errorf("partition stopped at %s, nothing is skipped: %w", pos, err)
	fd.fail(err)
	f.logger.Error("partition stopped", "partition", pos.Partition.String(), "offset", at, "error", err)
}

// readArchive delivers [from, to) from the archive. What the archive lacks stops the partition.
func (f *fetcher) readArchive(ctx context.Context, fd *feed, from, to int64, epoch int) {
	f.logger.Info("reading the head of a trimmed partition from the archive", "source", f.src.Name, "partition", fd.partition, "from", from, "to", to)
	at := from
	reached, err := f.archive.Scan(ctx, f.src, fd.partition, from, to, func(b *column.Batch, next int64) error {
		select {
		case spare := <-fd.free:
			if !fd.advance(epoch, next) {
				fd.recycle(spare)
				return context.Canceled
			}
			// The archive's batch is a foreign one; it takes the place of ours until it is recycled.
			fd.out <- delivery{batch: b, from: at, next: next, epoch: epoch}
			at = next
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	switch {
	case ctx.Err() != nil || errors.Is(err, context.Canceled):
	case err != nil:
		f.stop(fd, at, err)
	case reached < to:
		f.stop(fd, reached, fmt.Errorf("records %v are neither in the log nor in the archive", position.Range{From: reached, Next: to}))
	}
	fd.recover(epoch, false)
}

// pause waits for d or for the context's end.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
