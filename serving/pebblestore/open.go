package pebblestore

import (
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// ErrLocked says that another process, or another part of this one, has the folder open. Errors of it are of class
// lane.ErrStore too and name the cure.
var ErrLocked = errors.New("store folder is in use")

// Store is the embedded store. It does what package lane says of stores' operations and is safe for concurrent use.
type Store struct {
	dir     string
	db      *pebble.DB
	lock    *pebble.Lock
	stripes [stripeCount]stripe

	life   sync.Mutex // guards closed, and entering against closing
	closed bool
	users  sync.WaitGroup // operations under way
}

// Open opens the store in dir, creating it if it is not there, and removes the address that an earlier owner left. It
// errs with ErrLocked if the folder is in use and with lane.ErrStore if it is damaged or of another version.
func Open(dir string, opts Options) (*Store, error) {
	opts = opts.withDefaults()
	if err := opts.fs.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("%w: making the folder of the store: %w", lane.ErrStore, err)
	}
	lock, err := pebble.LockDirectory(dir, opts.fs)
	if err != nil {
		return nil, lockError(dir, err)
	}
	s := &Store{dir: dir, lock: lock}
	if err := s.open(opts); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return s, nil
}

// heldHere is Pebble's text for a folder that this very process has open; it has no error value for it.
const heldHere = "lock held by current process"

// lockError tells a folder that is in use, for which systems say EAGAIN, from one that cannot be locked at all.
func lockError(dir string, err error) error {
	if !errors.Is(err, syscall.EAGAIN) && err.Error() != heldHere {
		return fmt.Errorf("%w: locking %s: %w", lane.ErrStore, dir, err)
	}
	return fmt.Errorf("%w: %w: %s is open elsewhere; stop that process, or reach the store through its HTTP address (%w)",
		lane.ErrStore, ErrLocked, dir, err)
}

func (s *Store) open(opts Options) error {
	db, err := pebble.Open(s.dir, opts.pebble(s.lock))
	if err != nil {
		return fmt.Errorf("%w: opening the store in %s: %w", lane.ErrStore, s.dir, err)
	}
	s.db = db
	if err := errors.Join(s.checkVersion(), removeAddress(s.dir)); err != nil {
		return errors.Join(err, db.Close())
	}
	for i := range s.stripes {
		s.stripes[i].marks = map[lane.ID]lane.Marks{}
	}
	return nil
}

// checkVersion refuses a database of another layout and numbers a new one.
func (s *Store) checkVersion() error {
	v, err := s.get([]byte{kindVersion})
	if err != nil {
		return err
	}
	if v == nil {
		if err := s.db.Set([]byte{kindVersion}, []byte(layoutVersion), pebble.Sync); err != nil {
			return fmt.Errorf("%w: numbering the layout of %s: %w", lane.ErrStore, s.dir, err)
		}
		return nil
	}
	if string(v) != layoutVersion {
		return fmt.Errorf("%w: %s has layout %q, this tidemark knows %q: use the tidemark that wrote it, or another folder",
			lane.ErrStore, s.dir, v, layoutVersion)
	}
	return nil
}

// get returns a copy of a key's value, nil where there is none.
func (s *Store) get(key []byte) ([]byte, error) {
	v, closer, err := s.db.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%w: reading from %s: %w", lane.ErrStore, s.dir, err)
	}
	v = append([]byte{}, v...)
	if err := closer.Close(); err != nil {
		return nil, fmt.Errorf("%w: reading from %s: %w", lane.ErrStore, s.dir, err)
	}
	return v, nil
}

// Close waits for the operations under way, refuses new ones, and makes all changes durable. Closing again does nothing.
func (s *Store) Close() error {
	s.life.Lock()
	if s.closed {
		s.life.Unlock()
		return nil
	}
	s.closed = true
	s.life.Unlock()
	s.users.Wait()
	return errors.Join(
		removeAddress(s.dir),
		s.db.Close(), // syncs its log
		s.lock.Close(),
	)
}

// enter begins an operation; leave ends it. Pebble panics when it is used after its end, so the end waits.
func (s *Store) enter() error {
	s.life.Lock()
	defer s.life.Unlock()
	if s.closed {
		return fmt.Errorf("%w: %s is closed", lane.ErrUnavailable, s.dir)
	}
	s.users.Add(1)
	return nil
}

func (s *Store) leave() { s.users.Done() }
