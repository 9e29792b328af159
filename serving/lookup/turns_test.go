package lookup_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// heldStore holds back reads of marks, before they see anything and before they tell what they saw; nil gates are open.
type heldStore struct {
	lookup.Store
	before, after chan struct{}
	read          int
}

func (s *heldStore) Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error) {
	s.read++
	before, after := s.before, s.after
	if before != nil {
		<-before
	}
	got, err := s.Store.Marks(ctx, lanes)
	if after != nil {
		<-after
	}
	return got, err
}

// TestClaimsOfLookupsAtOnce: a lookup that saw a lane's marks early and comes back with them late does not put back what
// others were told meanwhile.
func TestClaimsOfLookupsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &heldStore{Store: w.store}
		reader := lookup.NewReader(lookup.Config{Job: "shop", Views: []string{"visitor"}, Store: store, Now: time.Now})
		ask := func(ctx context.Context) (int64, error) {
			a, err := reader.Lookup(ctx, "visitor", []string{"user:u"}, lookup.Options{Frontier: true, Newest: true})
			if err != nil {
				return 0, err
			}
			return a.Profiles[0].Frontier["clicks/0"], nil
		}
		told := make(chan int64, 2)
		tell := func() {
			next, err := ask(t.Context())
			if err != nil {
				t.Error(err)
			}
			told <- next
		}
		early, late := make(chan struct{}), make(chan struct{})
		store.before = early
		go tell() // begins first, and sees the marks last
		synctest.Wait()
		time.Sleep(time.Millisecond) // of the bubble
		store.before, store.after = nil, late
		go tell() // begins later, and would see them first and tell last
		synctest.Wait()
		w.apply(lane.Call{
			Name: "clicks/0", AnyMark: true, RowsOf: incarnation,
			Set: lane.Mark{Incarnation: incarnation, Low: lane.Joined, Next: 20}.Wire(),
		})
		close(early)
		first := <-told
		close(late)
		<-told
		if next, err := ask(t.Context()); err != nil || next < first {
			t.Errorf("one was told %d, and who asked afterwards %d, error %v", first, next, err)
		}
		if store.read != 1 {
			t.Errorf("the marks were read %d times", store.read)
		}

		// Whoever waits for another's read leaves when its time is over.
		time.Sleep(time.Second)
		slow := make(chan struct{})
		store.before, store.after = slow, nil
		go tell()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := ask(ctx); !errors.Is(err, lane.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("having waited for its time: %v", err)
		}
		close(slow)
		if next := <-told; next != 20 {
			t.Errorf("told %d", next)
		}
	})
}
