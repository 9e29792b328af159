package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/batch/publish"
	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// batchOptions say how a batch process goes.
type batchOptions struct {
	rows int // in a call of publishing
	// every is in how many runs a hash range gets a fresh base; 0 = as a process does that is told nothing.
	every int64
	// calls is after how many calls that reach the store the process dies; negative = it does not.
	calls int
	// held lets the call on which it dies be in flight, to arrive later or never.
	held bool
	// registered lets it die when the run is registered and nothing is computed yet.
	registered bool
}

// errKilled ends a process that a scenario kills.
var errKilled = errors.New("killed")

// killedArchive lets the process that reads it die.
type killedArchive struct {
	recompute.Archive
	kill bool
}

// Read implements recompute.Archive.
func (a killedArchive) Read(ctx context.Context, p recompute.Piece, src *schema.Source, fields []int, yield func(*column.Batch) error) error {
	if a.kill {
		return errKilled
	}
	return a.Archive.Read(ctx, p, src, fields, yield)
}

// batchRole returns a new batch process over the journals that there are.
func (w *world) batchRole(o batchOptions) (*service.Service, error) {
	return service.New(service.Config{
		Job: w.job.Name, Plans: w.job.Plans, State: w.stateDir(), Store: w.store, Workers: 1, Random: w.fill, Every: o.every,
		Archive: killedArchive{recompute.Folder(w.archiveDir()), o.registered},
		Limits:  publish.Limits{RowsPerSecond: -1, BytesPerSecond: -1, RowsPerCall: o.rows},
		Logger:  slog.New(slog.DiscardHandler),
	})
}

// batch runs one batch process: `tidemark batch --once`. The error of one that is killed is errKilled.
func (w *world) batch(o batchOptions) (service.Report, error) {
	s, err := w.batchRole(o)
	if err != nil {
		return service.Report{}, err
	}
	if o.calls >= 0 {
		left := o.calls
		w.store.SetFaults(func(op memstore.Op) memstore.Fate {
			if op.Kind != memstore.Apply {
				return memstore.Deliver
			}
			switch left--; {
			case left == -1 && o.held:
				return memstore.Hold
			case left < 0:
				return memstore.LoseCall
			}
			return memstore.Deliver
		})
		defer w.store.SetFaults(nil)
	}
	r, err := s.Once(w.ctx)
	if errors.Is(err, errKilled) || (o.calls >= 0 && errors.Is(err, lane.ErrUnavailable)) {
		err = errKilled
	}
	return r, err
}

// check makes the full check: `tidemark batch --check`.
func (w *world) check() (service.CheckReport, error) {
	s, err := w.batchRole(batchOptions{rows: 1})
	if err != nil {
		return service.CheckReport{}, err
	}
	return s.Check(w.ctx)
}

func showRuns(r service.Report, err error) string {
	var sb strings.Builder
	if r.Skipped != "" {
		fmt.Fprintln(&sb, r.Skipped)
	}
	for _, run := range r.Runs {
		fmt.Fprintf(&sb, "%s run %d %s up to %s: %d rows of %d events\n",
			run.View, run.Run, run.Kind, run.Cut, run.Checked.Rows, run.Checked.Events)
	}
	if err != nil {
		fmt.Fprintf(&sb, "ended: %v\n", err)
	}
	return sb.String()
}

func showCheck(r service.CheckReport) string {
	var sb strings.Builder
	for i := range r.Views {
		v := &r.Views[i]
		same := "the same digest"
		if v.Files != v.Recompute {
			same = "DIFFERENT DIGESTS"
		}
		if v.Run == 0 {
			same = "nothing to compare"
		}
		fmt.Fprintf(&sb, "%s run %d: %d rows, %d wrong, %s\n", v.View, v.Run, v.Rows, v.Wrong, same)
		for _, m := range v.First {
			fmt.Fprintf(&sb, "  %s: %s\n", m.Key, m.Reason)
		}
	}
	return sb.String()
}

// aloneRun is what batch alone makes of the whole log: one full run, and nothing of speed.
type aloneRun struct {
	end   string // of the log
	tiles map[string][]byte
}

// aloneTiles returns the bases of all entities of a view by a full run over the whole log, which must rest where a block
// ends: whole says whether it does, and if not, why.
func (w *world) aloneTiles(plan *view.Plan) (tiles map[string][]byte, why string, err error) {
	spec := plan.Spec()
	ends := w.log.ends(spec.Sources)
	blocks := map[string]int64{}
	for i := range spec.Sources {
		blocks[spec.Sources[i].Name] = spec.Sources[i].Block
	}
	for _, p := range ends.Partitions() {
		if position.Block(ends[p], blocks[p.Source]) != ends[p] {
			return nil, fmt.Sprintf("the log of %s ends inside of a block", p), nil
		}
	}
	key := plan.Revision()
	if run := w.alone[key]; run != nil && run.end == ends.String() {
		return run.tiles, "", nil
	}
	for _, p := range ends.Partitions() {
		if _, err := w.archive(w.wholeDir(), p, ends[p], false); err != nil {
			return nil, "", err
		}
	}
	run := &aloneRun{end: ends.String(), tiles: map[string][]byte{}}
	if err := w.runAlone(plan, ends, blocks, run.tiles); err != nil {
		return nil, "", fmt.Errorf("running batch alone: %w", err)
	}
	w.alone[key] = run
	return run.tiles, "", nil
}

const aloneIdentity = "aloneaaaaa"

func (w *world) runAlone(plan *view.Plan, ends position.Cut, blocks map[string]int64, tiles map[string][]byte) (err error) {
	task := &recompute.Task{
		Plan: plan, Identity: aloneIdentity, Run: 1, Kind: tile.KindBase, Lanes: 1, Blocks: blocks, From: position.Cut{}, To: ends,
		Folder: filepath.Join(w.dir, "alone"), FileName: journal.RunFileName,
	}
	engine := &recompute.Engine{Archive: recompute.Folder(w.wholeDir()), Workers: 1}
	outs, err := engine.Run(w.ctx, []*recompute.Task{task})
	if err != nil {
		return err
	}
	out := outs[0]
	defer func() { err = errors.Join(err, out.Draft.Discard()) }()
	if out.Mismatch != nil {
		return fmt.Errorf("%s: %s", out.Mismatch.Key, out.Mismatch.Reason)
	}
	file, err := runfile.Open(out.Draft.Path(journal.RunFileName(0)), runfile.Meta{Identity: aloneIdentity, Run: 1, Lanes: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	for {
		row, err := file.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		tiles[string(row.Key)] = append([]byte(nil), row.Tile...)
	}
}
