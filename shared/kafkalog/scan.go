package kafkalog

import (
	"context"
	"time"

	"github.com/tidemark-io/tidemark/shared/record"
)

const (
	scanWait  = 500 * time.Millisecond // how long one fetch of a Scan waits for records
	scanPause = 200 * time.Millisecond // between tries while Kafka is away
)

// Scan calls fn with each committed record of a partition from offset from up to, not including, to, in order of offsets;
// for tools, one partition at a time. A record is valid during the call only. If to lies beyond the last stable offset,
// Scan waits for it. It rides out transient failures and ends with fn's first error, the context's, or one that stops the
// partition.
func (c *Client) Scan(ctx context.Context, t Topic, partition int32, from, to int64, fn func(*record.Record) error) error {
	f := c.NewFetcher(t)
	defer f.Close()
	for next := from; next < to; {
		got, err := f.Fetch(ctx, []Want{{partition, next}}, scanWait)
		if err == nil && len(got) == 1 {
			err = got[0].Err
		}
		if Transient(err) {
			err = wait(ctx, scanPause)
		}
		if err != nil {
			return err
		}
		for i := range got {
			if err := scanRecords(got[i].Records, to, fn); err != nil {
				return err
			}
			next = got[i].Next
		}
	}
	return nil
}

// scanRecords calls fn with the records below offset to.
func scanRecords(recs []record.Record, to int64, fn func(*record.Record) error) error {
	for i := range recs {
		if recs[i].Offset >= to {
			return nil
		}
		if err := fn(&recs[i]); err != nil {
			return err
		}
	}
	return nil
}
