package service_test

import (
	"testing"

	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/manifest"
)

// TestDropDuringRun: a generation is dropped, and its files are removed, while a run of it is being made. That is no fault of
// the run: it ends, the role goes on, and what it was to make of the others is made all the same.
func TestDropDuringRun(t *testing.T) {
	w := newWorld(t, 31)
	w.grow(0.3)
	w.once()
	w.edit(onlyFavs)
	w.once()
	w.grow(0.6)
	w.archive.Spoil = func(recompute.Piece, int, *column.Batch) error {
		w.archive.Spoil = nil
		must(t, w.service().Drop(t.Context(), "visitor", 2))
		must(t, w.service().Tend(t.Context()))
		return nil
	}
	cfg := w.config()
	cfg.Workers = 1
	role, err := service.New(cfg)
	must(t, err)
	r, err := role.Once(t.Context())
	if must(t, err); len(r.Runs) != 2 || r.Skipped != "" {
		t.Fatalf("%+v", r)
	}
	// The declared revision has no generation any more: a role that begins makes one.
	if r := w.once(); len(r.Runs) != 1 {
		t.Fatalf("%+v", r)
	}
	w.verifyAll(manifest.Served, manifest.Dropped, manifest.Building)
	w.wantDropped(2)
}
