package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// Defaults of Options.
const (
	DefaultTimeout     = 5 * time.Second
	DefaultConnections = 16
)

// bufferBytes is the size of each connection's two buffers: pipelines of rows are some hundred kilobytes.
const bufferBytes = 128 << 10

// Options are the settings of a store in Redis; the zero value is usable.
type Options struct {
	// Timeout bounds one exchange with the server: waiting for a connection, making one, writing a pipeline and reading
	// its replies. An operation whose connection breaks is sent again at most twice, so it takes at most three times as
	// long per pipeline. 0 is DefaultTimeout.
	//
	// Of a context that ends, a deadline is kept, but a cancellation is not seen until the exchange under way is over, by Timeout at
	// the latest: the client library gives connections deadlines and watches no context while it reads. To end an exchange
	// sooner its connection would have to be closed under the library.
	Timeout time.Duration
	// Connections bounds the connections to the server; 0 is DefaultConnections.
	Connections int
	// Logger takes the client library's own messages, at debug level; nil is slog.Default. The library has one logger
	// for the whole process: the first store opened decides.
	Logger *slog.Logger
}

// Store is the store in a Redis server. It does what package lane says of stores' operations and is safe for
// concurrent use.
type Store struct {
	client   *redis.Client
	timeout  time.Duration
	warnings []string
	retries  atomic.Int64 // see Retries
}

var logOnce sync.Once

type libraryLogger struct{ log *slog.Logger }

func (l libraryLogger) Printf(ctx context.Context, format string, v ...any) {
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, v...))
	}
}

// Open connects to the server of a URL (docs/redis.md says which there are), checks that it can be a store and loads the
// function library. It errs with ErrURL if the URL is at fault, with lane.ErrUnavailable if the server does not answer and
// with lane.ErrStore if it will not do.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	o, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	logOnce.Do(func() { redis.SetLogger(libraryLogger{cmp.Or(opts.Logger, slog.Default())}) })
	timeout := cmp.Or(opts.Timeout, DefaultTimeout)
	setOptions(o, timeout, cmp.Or(opts.Connections, DefaultConnections))
	s := &Store{client: redis.NewClient(o), timeout: timeout}
	if err := s.check(ctx); err != nil {
		return nil, errors.Join(s.diagnose(ctx, o, err), s.Close())
	}
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func setOptions(o *redis.Options, timeout time.Duration, connections int) {
	o.ClientName = "tidemark"
	o.Protocol = 2 // as fast as 3, and without pushes in between
	o.DisableIdentity = true
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, timeout
	o.MaxRetries, o.DialerRetries = -1, 1 // no retries, one dial: what is sent again is decided in retry.go
	o.PoolSize, o.MaxActiveConns = connections, connections
	o.PipelinePoolSize = -1 // no second pool beside it
	o.ReadBufferSize, o.WriteBufferSize = bufferBytes, bufferBytes
}

// Retries returns how often something was sent again, for whatever reason, since the store was opened.
func (s *Store) Retries() int64 { return s.retries.Load() }

// Warnings returns what the start check found that costs memory or could not be checked, each with its cure.
func (s *Store) Warnings() []string { return s.warnings }

// Close closes the connections; operations under way end with an error.
func (s *Store) Close() error {
	if err := s.client.Close(); err != nil {
		return fmt.Errorf("%w: closing the connections to the store: %w", lane.ErrUnavailable, err)
	}
	return nil
}
