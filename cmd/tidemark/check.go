package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/view"
)

func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:   "check JOB",
		Short: "Check a job's files: every fault at once, with file, line and cure",
		Args:  oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			features := 0
			for _, p := range j.Plans {
				features += len(p.Features())
			}
			fmt.Fprintf(cmd.OutOrStdout(), "job %s is fine: %d sources, %d views, %d features\n", j.Name, len(j.Sources), len(j.Views), features)
			return nil
		},
	}
}

func newPlan() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "plan JOB",
		Short: "Show what features become: shared states, the columns they read, the tasks that keep them",
		Args:  oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			if o.json() {
				return planJSON(cmd.OutOrStdout(), j)
			}
			for i := range j.Plans {
				if err := printPlan(cmd.OutOrStdout(), j.Plans[i]); err != nil {
					return err
				}
			}
			return nil
		},
	}
	o.outputFlag(cmd.Flags())
	return cmd
}

// plannedState is a state of a plan as JSON.
type plannedState struct {
	Operator string   `json:"operator"`
	Version  int      `json:"version"`
	Inputs   []string `json:"inputs"`
	Where    string   `json:"where,omitempty"`
	Hops     []string `json:"windows"`
	Features []string `json:"features"`
}

func statesOf(p *view.Plan) []plannedState {
	out := make([]plannedState, 0, len(p.States()))
	for i := range p.States() {
		s := &p.States()[i]
		ps := plannedState{Operator: s.Kind.Name, Version: s.Kind.Version, Inputs: append([]string{}, s.Inputs...), Where: s.Where}
		for _, w := range s.Config.Windows {
			if w.Length == 0 {
				ps.Hops = append(ps.Hops, "all")
				continue
			}
			ps.Hops = append(ps.Hops, fmt.Sprintf("%v by %v", time.Duration(w.Length)*time.Millisecond, time.Duration(w.Hop)*time.Millisecond))
		}
		for _, f := range s.Features {
			ps.Features = append(ps.Features, p.Features()[f].Spec.Name)
		}
		out = append(out, ps)
	}
	return out
}

func planJSON(w io.Writer, j *job.Job) error {
	type viewPlan struct {
		View     string         `json:"view"`
		Revision string         `json:"revision"`
		Features int            `json:"features"`
		States   []plannedState `json:"states"`
	}
	var out []viewPlan
	for _, p := range j.Plans {
		out = append(out, viewPlan{View: p.Spec().Name, Revision: p.Revision(), Features: len(p.Features()), States: statesOf(p)})
	}
	return json.NewEncoder(w).Encode(map[string]any{"job": j.Name, "views": out})
}

func printPlan(w io.Writer, p *view.Plan) error {
	spec := p.Spec()
	fmt.Fprintf(w, "view %s (revision %.12s): %d features from %d states\n", spec.Name, p.Revision(), len(p.Features()), len(p.States()))
	for i := range spec.Sources {
		s := &spec.Sources[i]
		fmt.Fprintf(w, "  source %s (topic %s, blocks of %d): one task a partition and role: archive, fold; %d lanes take the tiles\n", s.Name, s.Topic, s.Block, laneCount(spec))
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "  STATE\tINPUTS\tWHERE\tWINDOWS\tFEATURES")
	for _, s := range statesOf(p) {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", s.Operator, strings.Join(s.Inputs, ", "), s.Where, strings.Join(s.Hops, ", "), strings.Join(s.Features, " "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range p.Features() {
		if f := &p.Features()[i]; f.State < 0 {
			fmt.Fprintf(w, "  %s = %s / %s, when read\n", f.Spec.Name, p.Features()[f.Num].Spec.Name, p.Features()[f.Den].Spec.Name)
		}
	}
	return nil
}

// laneCount returns how many lanes a new generation of the view gets.
func laneCount(spec *view.Spec) int {
	if spec.Lanes == 0 {
		return lane.DefaultLanes
	}
	return spec.Lanes
}
