package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/tidemark-io/tidemark/serving/pebblestore"
	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/serving/storehttp"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// Store is a store of lanes. Package lane says what each operation means; every store here passes package storetest.
type Store interface {
	Apply(ctx context.Context, calls []lane.Call) []lane.Outcome
	Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error)
	Rows(ctx context.Context, rows []lane.RowID) ([][][]byte, error)
	Exact(ctx context.Context, rows []lane.RowID) ([]lane.Exact, error)
	Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error
	Manifest(ctx context.Context, view string) (seq int64, body []byte, err error)
	PutManifest(ctx context.Context, view string, seq int64, body []byte) (bool, error)

	// Close ends the use of the store. What was applied is durable as far as the store makes it so.
	Close() error
}

var (
	_ Store = (*pebblestore.Store)(nil)
	_ Store = (*redisstore.Store)(nil)
	_ Store = (*storehttp.Client)(nil)
)

// The beginnings of the URLs that Open knows.
const (
	pebblePrefix = "pebble:"
	redisPrefix  = "redis://"
	redissPrefix = "rediss://"
)

// ErrURL is the class of errors about a URL that names no store; it is a mistake of whoever gave it, not of the store.
var ErrURL = errors.New("not the URL of a store")

// Options are what the kinds of stores can be told; the zero value is usable.
type Options struct {
	// Logger takes the libraries' own messages, at debug level; nil is slog.Default.
	Logger *slog.Logger
	// Warn, if not nil, is called while opening for each setting of the store that an operator should mend.
	Warn func(warning string)
	// Timeout bounds one exchange with a store in another process; 0 is the default of the kind of store.
	Timeout time.Duration
	// CacheBytes is the size of the embedded store's cache in bytes; 0 is pebblestore.DefaultCacheBytes.
	CacheBytes int64
	// Owner says that only opening the embedded store itself will do: with it, a store that another process has open is
	// an error of class pebblestore.ErrLocked, also if that process serves it.
	Owner bool
}

// Check tells, without opening a store, whether url has the form of a store's URL and the files that it names can be read;
// if not, the error is of class ErrURL.
func Check(url string) error {
	switch {
	case strings.HasPrefix(url, redisPrefix), strings.HasPrefix(url, redissPrefix):
		return asURL(redisstore.CheckURL(url))
	case strings.HasPrefix(url, pebblePrefix) && len(url) > len(pebblePrefix):
		return nil
	default:
		return fmt.Errorf("%w: %q, want pebble:DIR, redis://HOST:PORT/DB or rediss://HOST:PORT/DB", ErrURL, url)
	}
}

// asURL makes what Redis calls a fault of its URL one of class ErrURL too.
func asURL(err error) error {
	if errors.Is(err, redisstore.ErrURL) {
		return fmt.Errorf("%w: %w", ErrURL, err)
	}
	return err
}

// PebbleDir returns the folder of the embedded store that url names; ok is false where it names another kind.
func PebbleDir(url string) (dir string, ok bool) {
	dir, ok = strings.CutPrefix(url, pebblePrefix)
	return dir, ok && dir != ""
}

// Open opens the store that url names: pebble:DIR, redis://… or rediss://….
//
// If another process has the embedded store open and serves it, the result is a client of that process, unless
// Options.Owner says otherwise; if it does not serve it, the error is of class pebblestore.ErrLocked. Errors are of
// class ErrURL, lane.ErrUnavailable (trying again may help) or lane.ErrStore.
func Open(ctx context.Context, url string, opts Options) (Store, error) {
	if err := Check(url); err != nil {
		return nil, err
	}
	if dir, ok := PebbleDir(url); ok {
		return openPebble(dir, opts)
	}
	s, err := redisstore.Open(ctx, url, redisstore.Options{Timeout: opts.Timeout, Logger: opts.Logger})
	if err != nil {
		return nil, fmt.Errorf("opening the store in Redis: %w", asURL(err))
	}
	for _, w := range s.Warnings() {
		if opts.Warn != nil {
			opts.Warn(w)
		}
	}
	return s, nil
}

func openPebble(dir string, opts Options) (Store, error) {
	s, err := pebblestore.Open(dir, pebblestore.Options{CacheBytes: opts.CacheBytes, Logger: opts.Logger})
	if err == nil {
		return s, nil
	}
	if errors.Is(err, pebblestore.ErrLocked) && !opts.Owner {
		address := func() (string, error) { return pebblestore.ReadAddress(dir) }
		if _, addressErr := address(); addressErr == nil {
			return storehttp.NewClient(address, cmp.Or(opts.Timeout, storehttp.DefaultTimeout)), nil
		}
	}
	return nil, fmt.Errorf("opening the embedded store: %w", err)
}

// Applier is what EmptyLane needs of a store.
type Applier interface {
	Apply(ctx context.Context, calls []lane.Call) []lane.Outcome
}

// EmptyLane deletes all marks of a lane, damaged ones too. It is the cure of a damaged lane, whatever the store: batch
// begins the lane again and it fills itself.
func EmptyLane(ctx context.Context, s Applier, id lane.ID) error {
	call := lane.Call{Lane: id, AnyMark: true, Replace: map[string]string{}}
	if o := s.Apply(ctx, []lane.Call{call})[0]; o.Err != nil {
		return fmt.Errorf("emptying lane %s: %w", id, o.Err)
	}
	return nil
}
