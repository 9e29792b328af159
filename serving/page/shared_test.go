package page_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/serving/page"
)

// dear is a source whose overviews take a while.
type dear struct {
	fake
	mu    sync.Mutex
	calls int
	busy  int
	err   error
}

func (d *dear) Overview(ctx context.Context) (*page.Overview, error) {
	d.mu.Lock()
	d.calls++
	d.busy++
	if d.busy > 1 {
		d.err = errors.New("two overviews are made at a time")
	}
	err := d.err
	d.mu.Unlock()
	time.Sleep(100 * time.Millisecond) // in a bubble: no time passes outside of it
	d.mu.Lock()
	d.busy--
	d.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	o, _ := d.fake.Overview(ctx)
	return o, err
}

// TestViewersShareAnOverview: whatever the number of viewers, an overview is made once in OverviewAge, also one that fails,
// and the viewer that it was made for first may go away meanwhile.
func TestViewersShareAnOverview(t *testing.T) {
	for name, failure := range map[string]error{"made": nil, "failed": errors.New("the store is away")} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { viewers(t, failure) }) })
	}
}

func viewers(t *testing.T, failure error) {
	source := &dear{err: failure}
	h, err := page.New(source, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.Register(mux)
	want := http.StatusOK
	if failure != nil {
		want = http.StatusServiceUnavailable
	}
	ask := func(ctx context.Context) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/?part=1", http.NoBody))
		if w.Code != want {
			t.Errorf("%d, want %d: %s", w.Code, want, w.Body)
		}
	}
	for round := range 3 {
		var wg sync.WaitGroup
		first, leave := context.WithCancel(t.Context())
		wg.Go(func() { ask(first) })
		synctest.Wait()
		impatient, cancel := context.WithCancel(t.Context())
		cancel()
		h := httptest.NewRecorder()
		mux.ServeHTTP(h, httptest.NewRequestWithContext(impatient, http.MethodGet, "/", http.NoBody)) // does not wait
		leave()
		for range 50 {
			wg.Go(func() { ask(t.Context()) })
		}
		wg.Wait()
		if source.calls != round+1 {
			t.Fatalf("%d overviews were made in %d rounds", source.calls, round+1)
		}
		time.Sleep(page.OverviewAge - time.Nanosecond)
		ask(t.Context())
		if source.calls != round+1 {
			t.Fatal("an overview was made again before its time")
		}
		time.Sleep(time.Nanosecond)
	}
}
