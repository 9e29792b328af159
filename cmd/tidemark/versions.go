package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	batch "github.com/tidemark-io/tidemark/batch/service"
	"github.com/tidemark-io/tidemark/shared/manifest"
)

// versionReport is one generation as JSON; its fields are stable.
type versionReport struct {
	View       string      `json:"view"`
	Generation int64       `json:"generation"`
	Identity   string      `json:"identity"`
	Revision   string      `json:"revision"`
	State      string      `json:"state"`
	Lanes      int         `json:"lanes"`
	Inherited  bool        `json:"inherited"` // its journal was lost: served as the store has it, without runs
	Runs       []runReport `json:"runs"`
}

type runReport struct {
	Run       int64            `json:"run"`
	Kind      string           `json:"kind"`
	State     string           `json:"state"` // registered, failed, checked
	Cut       map[string]int64 `json:"cut"`
	Digest    string           `json:"digest"`
	Rows      int64            `json:"rows"`
	Published int              `json:"published_lanes"`
}

func newVersions() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "versions JOB",
		Short: "List generations and their runs: cut, digest, how far published",
		Long: `versions reads the journals under --state, and the store's marks to tell in how many lanes a run is. A run is registered
(with its cut, before any work), checked (its files are in place), or failed (a sampled row was not what the fold makes).`,
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
			s, err := openStore(cmd.Context(), &o, newToolLogger(cmd.ErrOrStderr()), readStore)
			if err != nil {
				return err
			}
			defer s.Close()
			all, err := batch.Versions(cmd.Context(), o.state, j.Name, viewNames(j), s.Marks)
			if err != nil {
				return batchError(err)
			}
			if o.json() {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(versionReports(all))
			}
			return printVersions(cmd.OutOrStdout(), j.Name, versionReports(all))
		},
	}
	f := cmd.Flags()
	o.storeFlag(f)
	o.stateFlag(f)
	o.waitFlag(f)
	o.outputFlag(f)
	return cmd
}

func versionReports(all []batch.Version) []versionReport {
	out := []versionReport{}
	for i := range all {
		v := &all[i]
		r := versionReport{View: v.View, Generation: v.Number, Identity: v.Identity, Revision: v.Revision, State: string(v.State), Lanes: v.Lanes, Inherited: v.Inherited, Runs: []runReport{}}
		for k := range v.Runs {
			run := &v.Runs[k]
			one := runReport{Run: run.Run, Kind: string(run.Kind), State: run.State, Cut: map[string]int64{}, Digest: run.Digest, Rows: run.Rows, Published: run.Published}
			for p, next := range run.Cut {
				one.Cut[p.String()] = next
			}
			r.Runs = append(r.Runs, one)
		}
		out = append(out, r)
	}
	return out
}

func printVersions(w io.Writer, name string, all []versionReport) error {
	if len(all) == 0 {
		fmt.Fprintf(w, "job %s has no generation under this --state yet; up and batch --once make the first\n", name)
		return nil
	}
	for _, v := range all {
		fmt.Fprintf(w, "view %s, generation %d (%s), identity %s, revision %.12s\n", v.View, v.Generation, v.stateText(), v.Identity, v.Revision)
		if v.Inherited && v.State == string(manifest.Dropped) {
			fmt.Fprintln(w, "  its journal was lost")
			continue
		}
		if v.Inherited {
			fmt.Fprintln(w, "  its journal was lost; it is fed and served as the store has it, and gets no runs")
			continue
		}
		if len(v.Runs) == 0 {
			fmt.Fprintln(w, "  no run yet")
			continue
		}
		t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
		fmt.Fprintln(t, "  RUN\tKIND\tSTATE\tROWS\tPUBLISHED\tDIGEST OF FILES\tCUT")
		for _, r := range v.Runs {
			fmt.Fprintf(t, "  %d\t%s\t%s\t%d\t%d of %d lanes\t%.16s\t%s\n", r.Run, r.Kind, r.State, r.Rows, r.Published, v.Lanes, r.Digest, cutText(r.Cut))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// stateText is the generation's state, in words where it is not over: one that is being built has all there is in its lanes
// when its last run is in each of them.
func (v *versionReport) stateText() string {
	n := len(v.Runs)
	if v.State != string(manifest.Building) || n == 0 {
		return v.State
	}
	if last := &v.Runs[n-1]; last.State != batch.RunChecked || last.Published < v.Lanes {
		return v.State
	}
	return "built: its runs are in every lane; diff, then promote or drop it"
}

// cutText prints a cut, partitions in order.
func cutText(cut map[string]int64) string {
	parts := make([]string, 0, len(cut))
	for _, p := range slices.Sorted(maps.Keys(cut)) {
		parts = append(parts, fmt.Sprintf("%s:%d", p, cut[p]))
	}
	return strings.Join(parts, " ")
}
