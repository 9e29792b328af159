package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// Defaults of Options.
const (
	DefaultTimeout     = 5 * time.Second
	DefaultConnections = 16
)

// retries is how often the client library sends a command or pipeline again whose reply did not come.
const retries = 2

// The pauses before these retries.
const (
	minBackoff = 10 * time.Millisecond
	maxBackoff = 200 * time.Millisecond
)

// onceConnections suffice for calls that begin lanes and for manifests, which are rare.
const onceConnections = 2

// Options are the settings of a store in Redis; the zero value is usable. What the URL says about pools, timeouts and
// retries is not used.
type Options struct {
	// Timeout bounds connecting, and writing or reading one pipeline; with the retries, an operation takes at most
	// three times as long per pipeline. 0 is DefaultTimeout.
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
	once     *redis.Client // sends nothing twice
	timeout  time.Duration
	warnings []string
}

var logOnce sync.Once

type libraryLogger struct{ log *slog.Logger }

func (l libraryLogger) Printf(ctx context.Context, format string, v ...any) {
	if l.log.Enabled(ctx, slog.LevelDebug) {
		l.log.DebugContext(ctx, "redis client", "text", fmt.Sprintf(format, v...))
	}
}

// Open connects to the server of a redis:// or rediss:// URL, checks that it can be a store and loads the function
// library. It errs with lane.ErrUnavailable if the server does not answer and with lane.ErrStore if it will not do.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the store's URL: %w", lane.ErrStore, err)
	}
	logOnce.Do(func() { redis.SetLogger(libraryLogger{cmp.Or(opts.Logger, slog.Default())}) })
	timeout := cmp.Or(opts.Timeout, DefaultTimeout)
	s := &Store{
		client:  redis.NewClient(clientOptions(o, timeout, cmp.Or(opts.Connections, DefaultConnections), retries)),
		once:    redis.NewClient(clientOptions(o, timeout, onceConnections, -1)),
		timeout: timeout,
	}
	if err := s.check(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.load(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func clientOptions(base *redis.Options, timeout time.Duration, connections, retries int) *redis.Options {
	o := *base
	o.ClientName = "tidemark"
	o.Protocol = 2 // as fast as 3, and without pushes in between
	o.DisableIdentity = true
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, timeout
	o.DialerRetries = 1
	o.MaxRetries, o.MinRetryBackoff, o.MaxRetryBackoff = retries, minBackoff, maxBackoff
	o.PoolSize, o.MaxActiveConns = connections, connections
	return &o
}

// Warnings returns what the start check found that costs memory or could not be checked, each with its cure.
func (s *Store) Warnings() []string { return s.warnings }

// Close closes the connections; operations under way end with an error.
func (s *Store) Close() error {
	if err := errors.Join(s.client.Close(), s.once.Close()); err != nil {
		return fmt.Errorf("%w: closing the connections to the store: %w", lane.ErrUnavailable, err)
	}
	return nil
}

// deadline bounds one pipeline with all its retries, whatever the caller's context says.
func (s *Store) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, (retries+1)*s.timeout)
}
