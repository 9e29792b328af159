// Package foreign is a Kafka client that shares no code with tidemark's own: franz-go, for tests that need a second
// opinion, or what our client has no use for (transactions, deleting, growing).
package foreign

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// requestMillis is the timeout that admin requests carry.
const requestMillis = 10_000

// maxBatchBytes lets a batch hold more than the largest record that tidemark reads; brokers decide what they take.
const maxBatchBytes = 80 << 20

// Dialer opens connections; nil means TCP.
type Dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// Client is a foreign client of one cluster.
type Client struct {
	addr string
	dial Dialer
}

// New returns a client for the broker at addr. It connects for each call anew.
func New(addr string, dial Dialer) Client { return Client{addr, dial} }

// Record is a record to be produced, or as it was consumed.
type Record struct {
	Partition int32
	Offset    int64
	Time      int64 // ms
	Key       []byte
	Value     []byte
}

func (c Client) open(opts ...kgo.Opt) (*kgo.Client, error) {
	opts = append(opts, kgo.SeedBrokers(c.addr), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ManualFlushing(),
		kgo.ProducerBatchMaxBytes(maxBatchBytes), kgo.BrokerMaxWriteBytes(2*maxBatchBytes))
	if c.dial != nil {
		opts = append(opts, kgo.Dialer(c.dial))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("opening foreign client: %w", err)
	}
	return cl, nil
}

// Codecs are the names that Produce takes.
var Codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

// Produce appends the records, idempotently, as one batch a partition, with the named codec.
func (c Client) Produce(ctx context.Context, topic, codec string, recs ...Record) error {
	cl, err := c.open(kgo.ProducerBatchCompression(Codecs[codec]))
	if err != nil {
		return err
	}
	defer cl.Close()
	return produce(ctx, cl, topic, recs)
}

// Transaction appends the records in one transaction under the transactional id, and commits or aborts it.
func (c Client) Transaction(ctx context.Context, id, topic string, commit bool, recs ...Record) error {
	t, err := c.Begin(ctx, id, topic, recs...)
	if err != nil {
		return err
	}
	return t.End(ctx, commit)
}

// Open is an open transaction.
type Open struct{ cl *kgo.Client }

// Begin appends the records in a transaction and leaves it open.
func (c Client) Begin(ctx context.Context, id, topic string, recs ...Record) (*Open, error) {
	cl, err := c.open(kgo.TransactionalID(id))
	if err != nil {
		return nil, err
	}
	if err := cl.BeginTransaction(); err != nil {
		cl.Close()
		return nil, fmt.Errorf("beginning transaction: %w", err)
	}
	if err := produce(ctx, cl, topic, recs); err != nil {
		cl.Close()
		return nil, err
	}
	return &Open{cl}, nil
}

// End commits or aborts the transaction.
func (t *Open) End(ctx context.Context, commit bool) error {
	defer t.cl.Close()
	if err := t.cl.EndTransaction(ctx, kgo.TransactionEndTry(commit)); err != nil {
		return fmt.Errorf("ending transaction: %w", err)
	}
	return nil
}

func produce(ctx context.Context, cl *kgo.Client, topic string, recs []Record) error {
	var mu sync.Mutex
	var errs []error
	for _, r := range recs {
		out := &kgo.Record{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
		if r.Time != 0 {
			out.Timestamp = time.UnixMilli(r.Time)
		}
		cl.Produce(ctx, out, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	err := cl.Flush(ctx)
	mu.Lock()
	defer mu.Unlock()
	if err = errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("producing: %w", err)
	}
	return nil
}

// Consume returns the first n committed records of a partition from an offset on.
func (c Client) Consume(ctx context.Context, topic string, partition int32, from int64, n int) ([]Record, error) {
	cl, err := c.open(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().At(from)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	var out []Record
	for len(out) < n {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			return nil, fmt.Errorf("consuming: %w", err)
		}
		for _, r := range fs.Records() {
			out = append(out, Record{r.Partition, r.Offset, r.Timestamp.UnixMilli(), r.Key, r.Value})
		}
	}
	return out[:n], nil
}

// Trim deletes a partition's records below an offset.
func (c Client) Trim(ctx context.Context, topic string, partition int32, below int64) error {
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = requestMillis
	p := kmsg.NewDeleteRecordsRequestTopicPartition()
	p.Partition, p.Offset = partition, below
	t := kmsg.NewDeleteRecordsRequestTopic()
	t.Topic = topic
	t.Partitions = append(t.Partitions, p)
	req.Topics = append(req.Topics, t)
	return c.admin(ctx, "deleting records", req, func(r kmsg.Response) int16 {
		return r.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode //nolint:errcheck // the request's own kind
	})
}

// Delete deletes a topic, and returns when the broker tells of it no more: it may answer before.
func (c Client) Delete(ctx context.Context, topic string) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TimeoutMillis = requestMillis
	t := kmsg.NewDeleteTopicsRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	req.TopicNames = []string{topic}
	err := c.admin(ctx, "deleting topic", req, func(r kmsg.Response) int16 {
		return r.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode //nolint:errcheck // the request's own kind
	})
	for err == nil && ctx.Err() == nil {
		if _, err = c.partitions(ctx, topic); errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil
		}
	}
	return errors.Join(err, ctx.Err())
}

// Grow gives a topic more partitions, count in all, and returns when the broker tells of them: it may answer before.
func (c Client) Grow(ctx context.Context, topic string, count int32) error {
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = requestMillis
	t := kmsg.NewCreatePartitionsRequestTopic()
	t.Topic, t.Count = topic, count
	req.Topics = append(req.Topics, t)
	err := c.admin(ctx, "creating partitions", req, func(r kmsg.Response) int16 {
		return r.(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode //nolint:errcheck // the request's own kind
	})
	for err == nil && ctx.Err() == nil {
		var n int
		if n, err = c.partitions(ctx, topic); n >= int(count) {
			return nil
		}
	}
	return errors.Join(err, ctx.Err())
}

// partitions returns how many partitions the broker says that a topic has.
func (c Client) partitions(ctx context.Context, topic string) (n int, err error) {
	req := kmsg.NewPtrMetadataRequest()
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = &topic
	req.Topics = append(req.Topics, t)
	err = c.admin(ctx, "counting partitions", req, func(r kmsg.Response) int16 {
		of := r.(*kmsg.MetadataResponse).Topics[0] //nolint:errcheck // the request's own kind
		n = len(of.Partitions)
		return of.ErrorCode
	})
	return n, err
}

// SetConfig sets one of a topic's settings.
func (c Client) SetConfig(ctx context.Context, topic, name, value string) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	e := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	e.Name, e.Value = name, &value
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	res.Configs = append(res.Configs, e)
	req.Resources = append(req.Resources, res)
	return c.admin(ctx, "setting configuration", req, func(r kmsg.Response) int16 {
		return r.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode //nolint:errcheck // the request's own kind
	})
}

// Committed returns the offset that a group has committed for a partition, -1 for none.
func (c Client) Committed(ctx context.Context, group, topic string, partition int32) (int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = group
	gt := kmsg.NewOffsetFetchRequestGroupTopic()
	gt.Topic, gt.Partitions = topic, []int32{partition}
	g.Topics = append(g.Topics, gt)
	req.Groups = append(req.Groups, g)
	offset := int64(-1)
	err := c.admin(ctx, "fetching committed offset", req, func(r kmsg.Response) int16 {
		res := r.(*kmsg.OffsetFetchResponse) //nolint:errcheck // the request's own kind
		p := res.Groups[0].Topics[0].Partitions[0]
		offset = p.Offset
		return p.ErrorCode
	})
	return offset, err
}

func (c Client) admin(ctx context.Context, what string, req kmsg.Request, code func(kmsg.Response) int16) error {
	cl, err := c.open()
	if err != nil {
		return err
	}
	defer cl.Close()
	res, err := cl.Request(ctx, req)
	if err == nil {
		err = kerr.ErrorForCode(code(res))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
