package kafkalog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/apiversions"
)

// Versions of the protocol that we speak ourselves. Those of Metadata and Fetch are the lowest that carry topic ids.
const (
	metadataVersion = 10
	fetchVersion    = 13
	produceVersion  = 9
)

const (
	// layoutAge bounds how old Transport's picture of the cluster's nodes may be. Leaders are not taken from it.
	layoutAge = 2 * time.Second
	// metadataFrameBytes bounds a Metadata response: a topic of 100,000 partitions takes some 5 MB.
	metadataFrameBytes = 64 << 20
)

// Client is a connection to a cluster. It is safe for concurrent use; the Fetchers, Producers and Groups made from it
// have rules of their own. Close it last.
type Client struct {
	cfg       Config
	addr      net.Addr
	transport *kafka.Transport
	stop      context.CancelFunc

	mu     sync.Mutex
	conns  map[*trackedConn]struct{} // all open connections; nil once closed
	closed bool
}

// Dial reaches one of the brokers and checks that it speaks the versions needed. It tries each address once and returns
// an ErrUnreachable that wraps every address's own cause (kafka-go, left to dial by itself, says "Broker Not Available"
// whatever the cause); waiting for a cluster to come up is the caller's. The context bounds the dialling only.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &Client{
		cfg:   cfg,
		addr:  kafka.TCP(cfg.Brokers...),
		stop:  stop,
		conns: map[*trackedConn]struct{}{},
	}
	c.transport = &kafka.Transport{
		Dial:           c.dial,
		DialTimeout:    cfg.DialTimeout,
		ClientID:       cfg.ClientID,
		MetadataTTL:    layoutAge,
		MetadataTopics: []string{}, // nodes only; nil would ask for every topic of the cluster, again and again
		Context:        life,
	}
	if err := c.greet(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// greet asks the first broker that answers for its versions.
func (c *Client) greet(ctx context.Context) error {
	var causes []error
	for _, address := range c.cfg.Brokers {
		err := c.greetBroker(ctx, address)
		if err == nil || errors.Is(err, ErrUnsupported) {
			return err
		}
		causes = append(causes, err)
	}
	return fmt.Errorf("dialling kafka: %w: %w", ErrUnreachable, errors.Join(causes...))
}

func (c *Client) greetBroker(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DialTimeout)
	defer cancel()
	conn, err := c.dial(ctx, "tcp", address)
	if err != nil {
		return err
	}
	pc := protocol.NewConn(conn, c.cfg.ClientID)
	defer pc.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	m, err := pc.RoundTrip(&apiversions.Request{})
	if err != nil {
		return fmt.Errorf("asking %s for its versions: %w", address, errors.Join(err, ctx.Err()))
	}
	res, ok := m.(*apiversions.Response)
	if !ok || res.ErrorCode != 0 {
		return fmt.Errorf("asking %s for its versions: %w", address, kafka.Error(res.ErrorCode))
	}
	return checkVersions(address, res.ApiKeys)
}

// checkVersions refuses a broker that lacks what we speak ourselves.
func checkVersions(address string, keys []apiversions.ApiKeyResponse) error {
	need := map[protocol.ApiKey]int16{
		protocol.Metadata: metadataVersion,
		protocol.Fetch:    fetchVersion,
		protocol.Produce:  produceVersion,
	}
	for _, k := range keys {
		if v, ok := need[protocol.ApiKey(k.ApiKey)]; ok && k.MinVersion <= v && v <= k.MaxVersion {
			delete(need, protocol.ApiKey(k.ApiKey))
		}
	}
	for api, v := range need {
		return fmt.Errorf("dialling kafka at %s: %w: it lacks version %d of %s (Kafka 3.1 and later have it)",
			address, ErrUnsupported, v, api)
	}
	return nil
}

// Close closes all connections. Calls under way fail. Fetchers, Producers and Groups are to be closed before.
func (c *Client) Close() {
	c.mu.Lock()
	conns := c.conns
	c.conns, c.closed = nil, true
	c.mu.Unlock()

	c.stop()
	c.transport.CloseIdleConnections()
	for conn := range conns {
		conn.Conn.Close()
	}
}

// dial opens a connection that Close will close. Transport alone would leave connections in use open until their
// deadline, minutes after Close in a long poll.
func (c *Client) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.cfg.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	t := &trackedConn{Conn: conn, client: c}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errors.Join(ErrClosed, conn.Close())
	}
	c.conns[t] = struct{}{}
	return t, nil
}

// trackedConn leaves its client's list when it is closed.
type trackedConn struct {
	net.Conn
	client *Client
}

// Close closes the connection.
func (t *trackedConn) Close() error {
	t.client.mu.Lock()
	delete(t.client.conns, t)
	t.client.mu.Unlock()
	return t.Conn.Close()
}

// send exchanges one message, within timeout: without a deadline kafka-go sets none on the socket either.
func (c *Client) send(ctx context.Context, m protocol.Message, timeout time.Duration) (protocol.Message, error) {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	res, err := c.transport.RoundTrip(bounded, c.addr, m)
	switch {
	case err == nil:
		return res, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrUnreachable):
		return nil, err
	default:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
}

// ask sends one of kafka-go's messages to a node and returns its response.
func ask[T protocol.Message](ctx context.Context, c *Client, to int32, m protocol.Message) (T, error) {
	var zero T
	res, err := c.send(ctx, &call{node: node(to), inner: m, clientID: c.cfg.ClientID}, c.cfg.RequestTimeout)
	if err != nil {
		return zero, err
	}
	if r, ok := res.(*reply); ok {
		if t, ok := r.Message.(T); ok {
			return t, nil
		}
	}
	return zero, fmt.Errorf("%w: an unexpected kind of response to %s", ErrRefused, m.ApiKey())
}
