package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	batch "github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/speed/service"
)

// statusReport is what status prints as JSON; its fields are stable.
type statusReport struct {
	Job   string       `json:"job"`
	Views []viewStatus `json:"views"`
}

type viewStatus struct {
	View       string            `json:"view"`
	Generation int64             `json:"generation"`
	Identity   string            `json:"identity"`
	State      string            `json:"state"`
	Revision   string            `json:"revision"`
	Run        int64             `json:"run"`  // last checked run, 0 for none
	Kind       *string           `json:"kind"` // of that run; null where no journal is at hand
	Cut        map[string]int64  `json:"cut"`
	Lanes      int               `json:"lanes"`
	Whole      int               `json:"lanes_whole"`   // lanes that can claim their content
	Published  int64             `json:"published_run"` // every lane has taken in all runs up to this one
	Behind     []int             `json:"lanes_behind"`  // numbers of the lanes that have not taken in Run
	Degraded   *string           `json:"degraded"`      // why a lane cannot claim its content, of the first that cannot
	Failed     *string           `json:"failed"`        // why no more runs are made: the run after Run did not pass its check
	Partitions []partitionStatus `json:"partitions"`
}

type partitionStatus struct {
	Partition string `json:"partition"`
	Archived  int64  `json:"archived"` // first offset not in the archive
	Next      int64  `json:"next"`     // first offset that not every lane has taken in
	End       int64  `json:"end"`      // first offset that the log does not hold yet
	Lag       int64  `json:"lag"`
}

func newStatus() *cobra.Command {
	var o options
	var await bool
	var from []string
	cmd := &cobra.Command{
		Use:   "status JOB",
		Short: "Show how far every view is: runs, lanes, partitions, lag",
		Long: `status tells of every view's generations, from the store's marks, the journals, the archive and the log: the last run, how
many lanes have taken it in, and by partition the cut, how far the archive is, the offset that every lane has reached, and
the log's end. With --from it asks processes instead, and prints what each has counted: what /metrics shows, as a table.`,
		ValidArgsFunction: completeJob,
		Args:              oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			if len(from) > 0 {
				if await {
					return usagef("--await reads the store and the log itself: leave --from out")
				}
				r, err := askProcesses(cmd.Context(), j.Name, from)
				if err != nil {
					return err
				}
				return r.write(cmd.OutOrStdout(), o.json())
			}
			ctx, logger := cmd.Context(), newToolLogger(cmd.ErrOrStderr())
			s, err := openStore(ctx, &o, logger, readStore)
			if err != nil {
				return err
			}
			defer s.Close()
			h, done, err := openHistory(ctx, &o, logger)
			if err != nil {
				return err
			}
			defer done()
			c := newCatalog(j, s)
			r, err := c.status(ctx, h)
			if err == nil && await {
				r, err = c.awaitSettled(ctx, h, r, o.wait)
			}
			if err == nil {
				err = r.addKinds(ctx, batch.NewJournals(o.state, j.Name))
			}
			if err != nil {
				return lookupError(err)
			}
			if err := r.write(cmd.OutOrStdout(), o.json()); err != nil {
				return err
			}
			if await && !r.settled() {
				return &classed{errUnreachable, fmt.Errorf("not every lane has reached the log's end (waited %v): do speed and batch (or up) run?", o.wait)}
			}
			return nil
		},
	}
	f := cmd.Flags()
	o.kafkaFlag(f)
	o.storeFlag(f)
	o.archiveFlag(f)
	o.stateFlag(f)
	o.waitFlag(f)
	o.outputFlag(f)
	f.StringSliceVar(&from, "from", nil, "ask the processes that serve HTTP at `HOST:PORT,…` instead of the store and the log")
	f.BoolVar(&await, "await", false, "wait, at most --wait, until every lane has taken in the whole log")
	return cmd
}

// awaitSettled asks again until every lane has taken in the whole log, or wait is over.
func (c *catalog) awaitSettled(ctx context.Context, h *history.Log, r *statusReport, wait time.Duration) (*statusReport, error) {
	var err error
	for deadline := time.Now().Add(wait); err == nil && !r.settled() && time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(retryEvery / 2):
		}
		r, err = c.status(ctx, h)
	}
	return r, err
}

// status reads how far everything is. Without a log to ask, partitions are left out.
func (c *catalog) status(ctx context.Context, h *history.Log) (*statusReport, error) {
	out := &statusReport{Job: c.job.Name, Views: []viewStatus{}}
	ms, err := c.manifests(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range ms {
		for i := range m.Generations {
			if m.Generations[i].State == manifest.Dropped {
				continue // nothing is to come of it; versions lists it
			}
			v, err := c.generationStatus(ctx, h, m, &m.Generations[i])
			if err != nil {
				return nil, err
			}
			out.Views = append(out.Views, *v)
		}
	}
	return out, nil
}

func (c *catalog) generationStatus(ctx context.Context, h *history.Log, m *manifest.Manifest, g *manifest.Generation) (*viewStatus, error) {
	v := &viewStatus{
		View: m.View, Generation: g.Number, Identity: g.Identity, State: string(g.State), Revision: g.Revision, Run: g.Run,
		Cut: map[string]int64{}, Lanes: g.Lanes, Behind: []int{}, Partitions: []partitionStatus{},
	}
	for p, next := range g.Cut {
		v.Cut[p.String()] = next
	}
	if f := g.Failed; f != nil {
		v.Failed = textOrNull(fmt.Sprintf("run %d failed its check at %s: %s; no more runs are made: mend the cause, then batch --repeat %d", f.Run, f.Entity, f.Reason, f.Run))
	}
	marks, err := c.store.Marks(ctx, m.LaneIDs(g))
	if err != nil {
		return nil, fmt.Errorf("reading marks of view %s: %w", m.View, err)
	}
	least := map[string]int64{} // by partition, where every lane is
	v.Published = g.Run
	for n, lm := range marks {
		why := lookup.Claims(lm)
		if why == "" {
			v.Whole++
		} else if v.Degraded == nil {
			v.Degraded = &why
		}
		run := int64(0)
		if b, ok, err := lm.Batch(); err == nil && ok {
			run = b.Run - 1
		}
		if v.Published = min(v.Published, run); run < g.Run {
			v.Behind = append(v.Behind, n)
		}
	}
	for i := 0; h != nil && i < len(g.Spec.Sources); i++ {
		stretches, err := h.Stretches(ctx, &g.Spec.Sources[i])
		if err != nil {
			return nil, err
		}
		for _, s := range stretches {
			name := s.Partition.String()
			least[name] = s.Range().Next
			for _, lm := range marks {
				mark, _, err := lm.Partition(s.Partition)
				if err != nil {
					v.Degraded = textOrNull(err.Error())
				}
				least[name] = min(least[name], mark.Next)
			}
			v.Partitions = append(v.Partitions, partitionOf(s, least[name]))
		}
	}
	return v, nil
}

func partitionOf(s history.Stretch, next int64) partitionStatus {
	end := s.Range().Next
	return partitionStatus{Partition: s.Partition.String(), Archived: s.Archive.Next, Next: next, End: end, Lag: max(end-next, 0)}
}

// addKinds says of what kind the runs are, as far as there are journals. Those that are not there say nothing.
func (r *statusReport) addKinds(ctx context.Context, journals *batch.Journals) error {
	names := make([]string, len(r.Views))
	for i := range r.Views {
		names[i] = r.Views[i].View
	}
	slices.Sort(names)
	versions, err := journals.Versions(ctx, slices.Compact(names), nil)
	if err != nil {
		return err
	}
	for i := range r.Views {
		for k := range versions {
			v := &r.Views[i]
			if runs := versions[k].Runs; versions[k].Identity == v.Identity && v.Run > 0 && v.Run <= int64(len(runs)) {
				v.Kind = textOrNull(string(runs[v.Run-1].Kind))
			}
		}
	}
	return nil
}

// settled tells whether every lane of every view claims the whole log.
func (r *statusReport) settled() bool {
	for _, v := range r.Views {
		if v.Whole < v.Lanes {
			return false
		}
		for _, p := range v.Partitions {
			if p.Lag > 0 {
				return false
			}
		}
	}
	return len(r.Views) > 0
}

func (r *statusReport) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(r)
	}
	if len(r.Views) == 0 {
		fmt.Fprintf(w, "job %s has no manifest in this store yet; the batch role (up, batch --once) writes it\n", r.Job)
		return nil
	}
	for _, v := range r.Views {
		fmt.Fprintf(w, "view %s, generation %d (%s, %s): %s, %d of %d lanes whole\n",
			v.View, v.Generation, v.State, v.Identity, v.runs(), v.Whole, v.Lanes)
		if v.Failed != nil {
			fmt.Fprintf(w, "  failed: %s\n", *v.Failed)
		}
		if v.Degraded != nil {
			fmt.Fprintf(w, "  degraded: %s\n", *v.Degraded)
		}
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "  PARTITION\tCUT\tARCHIVED\tEVERY LANE AT\tLOG END\tLAG")
		for _, p := range v.Partitions {
			fmt.Fprintf(t, "  %s\t%d\t%d\t%d\t%d\t%d\n", p.Partition, v.Cut[p.Partition], p.Archived, p.Next, p.End, p.Lag)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// runs says how far batch is.
func (v *viewStatus) runs() string {
	run := fmt.Sprintf("run %d", v.Run)
	if v.Kind != nil {
		run += " (" + *v.Kind + ")"
	}
	switch {
	case v.Run == 0:
		return "no run yet"
	case v.Published == v.Run:
		return run + " published"
	}
	which := fmt.Sprintf("%d lanes are", len(v.Behind))
	if len(v.Behind) == 1 {
		which = fmt.Sprintf("lane %02x is", v.Behind[0])
	}
	return fmt.Sprintf("run %d, every lane has taken in run %d, %s behind", v.Run, v.Published, which)
}

// processStatus is what a process says of itself at /v1/status.
type processStatus struct {
	Role string `json:"role"`
	statusReport
	Archive []archiveStatus          `json:"archive"` // partitions that this process archives
	Speed   []service.PartitionState `json:"speed"`   // partitions that this process owns
	Batch   string                   `json:"batch"`   // empty of a process that makes no runs
	Figures []figure                 `json:"figures"` // what /metrics shows
}

// archiveStatus is how far the archive of a partition is, by the process that fills it.
type archiveStatus struct {
	Partition string `json:"partition"`
	Archived  int64  `json:"archived"` // first offset that no file holds
	Position  int64  `json:"position"` // first offset that was not fetched
	End       int64  `json:"end"`      // the log's end as last seen, -1 if not seen yet
	Failed    string `json:"failed,omitempty"`
}

func (n *node) serveStatus(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	st := &statusReport{Job: n.job.Name, Views: []viewStatus{}}
	if n.catalog != nil {
		var err error
		if st, err = n.catalog.status(ctx, n.history); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	out := processStatus{Role: n.role, statusReport: *st, Archive: []archiveStatus{}, Speed: []service.PartitionState{}}
	if n.batch != nil {
		out.Batch = n.batch.summary()
		if err := out.addKinds(ctx, n.journals); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	var err error
	if out.Figures, err = gatherFigures(n.metrics.registry); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for _, all := range n.archived() {
		for _, p := range all {
			out.Archive = append(out.Archive, archiveStatus{p.Partition.String(), p.Archived, p.Position, p.End, p.Failed})
		}
	}
	if l := n.speedNow(); l != nil {
		out.Speed = l.service.Stats.Partitions()
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(out); err != nil {
		n.logger.Debug("status could not be sent", "error", err)
	}
}
