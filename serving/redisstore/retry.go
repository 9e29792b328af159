package redisstore

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// maxResends is how often one operation is sent again after its connection broke.
const maxResends = 2

// firstPause is the longest pause before the first resend; before the second it is four times as long. Half of each is
// random, so that clients that were cut off at one moment do not come back at one.
const firstPause = 10 * time.Millisecond

// maxLoads bounds how often one operation loads the library: a server that forgets it again and again is broken.
const maxLoads = 3

// retrier is the one place that decides whether something is sent to the server again; the client library's own retries
// are off. There are two reasons to: the server does not know our functions (nothing was done), and the connection broke,
// so that there is no answer. A repeat of a call that was applied is refused, and answers with the marks, among them the
// caller's own target. What ran out of time is not sent again (a server that is slow would be asked three times what it
// cannot do once), nor is what the server answered with: those who asked know better when to try again.
//
// The zero value is for one operation.
type retrier struct {
	once           bool // never send twice what may have arrived
	resends, loads int
}

// again waits as long as is right, and tells whether to send again after err. It may load the function library.
func (r *retrier) again(ctx context.Context, s *Store, err error) bool {
	repeats := r.repeats(ctx, s, err)
	if repeats {
		s.retries.Add(1)
	}
	return repeats
}

func (r *retrier) repeats(ctx context.Context, s *Store, err error) bool {
	switch {
	case missing(err):
		r.loads++
		return r.loads <= maxLoads && s.load(ctx) == nil
	case broken(err) && !r.once:
		r.resends++
		return r.resends <= maxResends && sleep(ctx, pause(r.resends))
	}
	return false
}

// broken tells whether err is that of a connection that ended, or did not begin, before its time was over. What was sent
// through it may have been done.
func broken(err error) bool {
	if err == nil {
		return false
	}
	if _, answered := errors.AsType[redis.Error](err); answered {
		return false
	}
	if timed, ok := errors.AsType[net.Error](err); ok && timed.Timeout() {
		return false
	}
	_, repeats := permanent(err)
	return !repeats && !slices.ContainsFunc(ends, func(end error) bool { return errors.Is(err, end) })
}

// ends are the errors of exchanges that are over for another reason than a broken connection.
var ends = []error{lane.ErrStore, context.Canceled, context.DeadlineExceeded, redis.ErrClosed, redis.ErrPoolTimeout}

// pause returns how long to wait before the n-th resend, n from 1.
func pause(n int) time.Duration {
	limit := firstPause << (2 * (n - 1))
	return limit/2 + rand.N(limit/2)
}

// sleep waits for d; false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// exchange runs one command or pipeline within one deadline, whatever the caller's context says; see Options.Timeout on one that
// is cancelled.
func (s *Store) exchange(ctx context.Context, send func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return send(ctx)
}

// ask runs one command, as often as r allows. Errors are classified.
func (s *Store) ask(ctx context.Context, doing string, r *retrier, send func(context.Context) error) error {
	for {
		err := s.exchange(ctx, send)
		if !r.again(ctx, s, err) {
			return classify(doing, err)
		}
	}
}
