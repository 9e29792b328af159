package service_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/manifest"
)

// twoRuns makes two runs, and returns a state folder as it was after the first.
func twoRuns(t *testing.T) (w *world, backup string) {
	w = newWorld(t, 5)
	w.grow(0.3)
	_, err := w.service().Once(t.Context())
	must(t, err)
	backup = w.state + "-backup"
	must(t, os.CopyFS(backup, os.DirFS(w.state)))
	w.grow(0.5)
	_, err = w.service().Once(t.Context())
	must(t, err)
	return w, backup
}

// TestStateRestoredWhileStoreAway starts the role on a state folder that was restored from an older backup, while the
// store cannot say so: no run is registered before it can.
func TestStateRestoredWhileStoreAway(t *testing.T) {
	w, backup := twoRuns(t)
	w.state = backup
	w.grow(0.9)
	w.store.SetFaults(func(memstore.Op) memstore.Fate { return memstore.LoseCall })
	synctest.Test(t, func(t *testing.T) {
		done := make(chan error)
		go func() { done <- w.service().Run(t.Context()) }()
		time.Sleep(time.Minute)
		w.store.SetFaults(nil)
		if err := <-done; !errors.Is(err, publish.ErrNewer) || !strings.Contains(err.Error(), "restore the newer state folder") {
			t.Errorf("got %v", err)
		}
	})
	if n := len(w.digests()); n != 2 {
		t.Fatalf("%d runs in the journals, want 1 of each view", n)
	}
}

// TestStateParted shows that journals that went on from an older backup are refused whatever their number is, and that
// an emptied store is filled from them.
func TestStateParted(t *testing.T) {
	for _, longer := range []bool{false, true} {
		w, backup := twoRuns(t)
		filled := w.store
		w.state, w.store = backup, memstore.New()
		for i := range 2 {
			if w.grow(0.8 + 0.2*float64(i)); i == 0 || longer {
				_, err := w.service().Once(t.Context())
				must(t, err)
			}
		}
		own := w.store
		w.store = filled
		before := w.manifest("visitor").Served().Cut
		if _, err := w.service().Once(t.Context()); !errors.Is(err, publish.ErrNewer) || !strings.Contains(err.Error(), "older backup") {
			t.Fatalf("longer %v: got %v", longer, err)
		}
		if after := w.manifest("visitor").Served().Cut; !after.Equal(before) {
			t.Fatalf("longer %v: the manifest moved from %s to %s", longer, before, after)
		}
		w.store = own
		own.Empty()
		_, err := w.service().Once(t.Context())
		must(t, err)
		w.verify()
	}
}

// TestOtherShape shows that a namespace that has other lanes or blocks in the store than in the journals is refused,
// whatever the number of the store's manifest is, and that both are named.
func TestOtherShape(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*manifest.Generation)
		says   []string
	}{
		"lanes":  {func(g *manifest.Generation) { g.Lanes *= 2 }, []string{"lanes there and", "in the journals"}},
		"blocks": {func(g *manifest.Generation) { g.Blocks["clicks"] = 1 << 20 }, []string{"clicks:1048576", "there and of map", "in the journals"}},
	} {
		for _, older := range []int64{0, 1} {
			w, _ := twoRuns(t)
			m := w.manifest("visitor")
			w.store = memstore.New()
			m.Seq -= older
			c.change(m.Served())
			body, err := m.Encode()
			must(t, err)
			_, err = w.store.PutManifest(t.Context(), manifest.Key(m.Job, m.View), m.Seq, body)
			must(t, err)
			_, err = w.service().Once(t.Context())
			for _, says := range append(c.says, m.Namespace(m.Served()), w.state) {
				if !errors.Is(err, publish.ErrNewer) || !strings.Contains(err.Error(), says) {
					t.Errorf("%s, %d older: got %v, want ErrNewer with %q", name, older, err, says)
				}
			}
		}
	}
}

// TestManyProcesses makes runs with several processes at once over one new state folder: none of them fails.
func TestManyProcesses(t *testing.T) {
	for seed := range uint64(8) {
		w := newWorld(t, 100+seed)
		for _, part := range []float64{0.3, 0.6, 0.9} {
			w.grow(part)
			var wg sync.WaitGroup
			errs := make([]error, 3)
			for i := range errs {
				wg.Go(func() { _, errs[i] = w.service().Once(t.Context()) })
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		_, err := w.service().Once(t.Context())
		must(t, err)
		w.verify()
	}
}

// TestArchiveFault shows that a file that does not read ends the making of runs and not the care of lanes, that Once says
// so, and that the run is repeated when the file is mended.
func TestArchiveFault(t *testing.T) {
	w := newWorld(t, 13)
	w.grow(0.4)
	_, err := w.service().Once(t.Context())
	must(t, err)
	w.grow(1)
	damaged := errors.New("damaged")
	w.archive.Spoil = func(p recompute.Piece, _ int, _ *column.Batch) error {
		return fmt.Errorf("reading %s: %w", p.Path, damaged)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, done := w.service(), make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(time.Minute)
		m := w.manifest("visitor")
		id := m.LaneIDs(m.Served())[0]
		w.store.EmptyLane(id)
		w.awaitLane(id)
		err := s.Failure()
		if !errors.Is(err, service.ErrArchive) || !errors.Is(err, damaged) || !strings.Contains(err.Error(), "@") || w.told(service.EventStopped) != 1 {
			t.Errorf("failure %v", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, service.ErrArchive) {
			t.Errorf("Run: got %v", err)
		}
	})
	if m := w.manifest("visitor"); m.Served().Run != 1 || m.Served().State != manifest.Served {
		t.Fatalf("%+v", m)
	}
	if _, err := w.service().Once(t.Context()); !errors.Is(err, service.ErrArchive) || !errors.Is(err, damaged) {
		t.Fatalf("Once: got %v", err)
	}
	w.archive.Spoil = nil
	r, err := w.service().Once(t.Context())
	must(t, err)
	if len(r.Runs) != 2 || r.Runs[0].Run != 2 {
		t.Fatalf("%+v", r)
	}
	w.verify()
}
