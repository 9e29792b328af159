package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/window"
)

func newCheck() *cobra.Command {
	return &cobra.Command{
		Use:               "check JOB",
		Short:             "Check a job's files, its tests among them: every fault at once, with file, line and cure",
		ValidArgsFunction: completeJob,
		Args:              oneJob,
		RunE: func(cmd *cobra.Command, args []string) error {
			j, tests, err := loadTested(args[0])
			if err != nil {
				return err
			}
			features := 0
			for _, p := range j.Plans {
				features += len(p.Features())
			}
			fmt.Fprintf(cmd.OutOrStdout(), "job %s is fine: %s, %s, %s, %s\n", j.Name,
				counted(len(j.Sources), "source"), counted(len(j.Views), "view"), counted(features, "feature"), counted(len(tests), "test"))
			return nil
		},
	}
}

// counted says how many there are of something.
func counted(n int, of string) string {
	if n != 1 {
		of += "s"
	}
	return fmt.Sprintf("%d %s", n, of)
}

func newPlan() *cobra.Command {
	var o options
	var from, source string
	cmd := &cobra.Command{
		Use:   "plan JOB",
		Short: "Show what features become: shared states, the columns they read, the tasks that keep them",
		Long: `plan shows, for each view, the states that its features share, the fields and computed columns that these read, and the tasks
that keep them: for each partition of a source one archiver and one fold, for each lane one merge and one publication.
With --from it folds the first million lines of a file (as gen --out writes and produce reads them) into rows, and says how large
these are and what they will take in Redis.`,
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
			var rows map[string]*rowSizes
			if from != "" {
				if rows, err = readSample(cmd, j, source, from); err != nil {
					return err
				}
			}
			if o.json() {
				return planJSON(cmd.OutOrStdout(), j, rows)
			}
			for i := range j.Sources {
				printSource(cmd.OutOrStdout(), &j.Sources[i])
			}
			for i := range j.Plans {
				if err := printPlan(cmd.OutOrStdout(), j.Plans[i], rows[j.Plans[i].Spec().Name]); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	o.outputFlag(f)
	f.StringVar(&from, "from", "", "`FILE` with lines to make rows of; - is standard input")
	f.StringVar(&source, "source", "", "`NAME` of the source that the file's lines are of (default the job's only one)")
	return cmd
}

// readSample makes rows of a file's lines.
func readSample(cmd *cobra.Command, j *job.Job, source, from string) (map[string]*rowSizes, error) {
	src, err := pickSource(j, source)
	if err != nil {
		return nil, err
	}
	in, err := openLines(j, src, from, cmd.InOrStdin())
	if err != nil {
		return nil, err
	}
	rows, read, err := sampleRows(j, src, in)
	if err := errors.Join(err, in.Close()); err != nil {
		return nil, err
	}
	if read == maxSampleLines {
		fmt.Fprintf(cmd.ErrOrStderr(), "only the first %d lines of %s are looked at\n", read, from)
	}
	return rows, nil
}

// plannedState is a state of a plan as JSON.
type plannedState struct {
	Operator string   `json:"operator"`
	Version  int      `json:"version"`
	Approx   bool     `json:"approx,omitempty"`
	Inputs   []string `json:"inputs"`
	N        int      `json:"n,omitempty"`
	Gap      string   `json:"gap,omitempty"`
	Edges    []int64  `json:"edges,omitempty"` // in units of the value
	Where    string   `json:"where,omitempty"`
	Hops     []string `json:"windows"`
	Features []string `json:"features"`
	Warning  string   `json:"warning,omitempty"`
}

// manyHops is how many hops a window may have without a warning: a state keeps a bucket of each in which there are events.
const manyHops = 2000

// name is what keeps the state, with what its features say of it.
func (s *plannedState) name() string {
	var with []string
	if s.Approx {
		with = append(with, "approx")
	}
	if s.N > 0 {
		with = append(with, fmt.Sprintf("n=%d", s.N))
	}
	if s.Gap != "" {
		with = append(with, "gap="+s.Gap)
	}
	if len(s.Edges) > 0 {
		with = append(with, strings.ReplaceAll(fmt.Sprintf("edges=%d", s.Edges), " ", ","))
	}
	if len(with) == 0 {
		return s.Operator
	}
	return s.Operator + " (" + strings.Join(with, ", ") + ")"
}

func statesOf(p *view.Plan) []plannedState {
	out := make([]plannedState, 0, len(p.States()))
	for i := range p.States() {
		s := &p.States()[i]
		ps := plannedState{
			Operator: s.Kind.Name, Version: s.Kind.Version, Approx: s.Kind.Approx, Inputs: append([]string{}, s.Inputs...), Where: s.Where,
			N: s.Config.N, Edges: s.Config.Edges,
		}
		if s.Config.Gap > 0 {
			ps.Gap = window.Text(s.Config.Gap)
		}
		for _, w := range s.Config.Windows {
			if w.Length == 0 {
				ps.Hops = append(ps.Hops, "all")
				continue
			}
			ps.Hops = append(ps.Hops, window.Text(w.Length)+" by "+window.Text(w.Hop))
			if hops := w.Length / w.Hop; hops > manyHops {
				ps.Warning = fmt.Sprintf("%s by %s is %d hops, and a state keeps a bucket of each in which there are events: name a longer hop",
					window.Text(w.Length), window.Text(w.Hop), hops)
			}
		}
		for _, f := range s.Features {
			ps.Features = append(ps.Features, p.Features()[f].Spec.Name)
		}
		out = append(out, ps)
	}
	return out
}

func planJSON(w io.Writer, j *job.Job, rows map[string]*rowSizes) error {
	type sourcePlan struct {
		Source      string `json:"source"`
		Topic       string `json:"topic"`
		EventTime   string `json:"event_time"`
		ToleranceMS int64  `json:"tolerance_ms"`
		Block       int64  `json:"block"`
	}
	type viewPlan struct {
		View     string         `json:"view"`
		Revision string         `json:"revision"`
		Lanes    int            `json:"lanes"`
		Features int            `json:"features"`
		States   []plannedState `json:"states"`
		Rows     *rowSizes      `json:"rows,omitempty"`
	}
	out := struct {
		Job     string       `json:"job"`
		Sources []sourcePlan `json:"sources"`
		Views   []viewPlan   `json:"views"`
	}{Job: j.Name, Sources: []sourcePlan{}, Views: []viewPlan{}}
	for i := range j.Sources {
		s := &j.Sources[i]
		out.Sources = append(out.Sources, sourcePlan{Source: s.Name, Topic: s.Topic, EventTime: s.EventTime, ToleranceMS: s.ToleranceMS, Block: s.Block})
	}
	for _, p := range j.Plans {
		out.Views = append(out.Views, viewPlan{
			View: p.Spec().Name, Revision: p.Revision(), Lanes: laneCount(p.Spec()), Features: len(p.Features()), States: statesOf(p),
			Rows: rows[p.Spec().Name],
		})
	}
	return json.NewEncoder(w).Encode(out)
}

// printSource says what decides a source's times, and what its partitions cost.
func printSource(w io.Writer, s *schema.Source) {
	fmt.Fprintf(w, "source %s: topic %s, blocks of %d\n", s.Name, s.Topic, s.Block)
	bound := "the broker's append time"
	if s.ToleranceMS > 0 {
		bound += " + " + window.Text(s.ToleranceMS)
	}
	fmt.Fprintf(w, "  event time = min(%s, %s). The topic should have message.timestamp.type=LogAppendTime: with CreateTime\n", s.EventTime, bound)
	fmt.Fprintln(w, "  the producers stamp records themselves, and the bound means nothing (roles warn of it)")
	fmt.Fprintln(w, "  each partition is one task of the archive, and of the speed layer one fetch and decode, and a fold for each view")
}

func printPlan(w io.Writer, p *view.Plan, rows *rowSizes) error {
	spec := p.Spec()
	fmt.Fprintf(w, "view %s (revision %.12s): %s from %s\n", spec.Name, p.Revision(), counted(len(p.Features()), "feature"), counted(len(p.States()), "state"))
	names := make([]string, 0, len(spec.Sources))
	for i := range spec.Sources {
		names = append(names, spec.Sources[i].Name)
	}
	fmt.Fprintf(w, "  reads %s; %d lanes take the tiles: of batch, each is one task of merging and publishing\n", strings.Join(names, ", "), laneCount(spec))
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "  STATE\tINPUTS\tWHERE\tWINDOWS\tFEATURES")
	states := statesOf(p)
	for i := range states {
		s := &states[i]
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", s.name(), strings.Join(s.Inputs, ", "), s.Where, strings.Join(s.Hops, ", "), strings.Join(s.Features, " "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for i := range states {
		if s := &states[i]; s.Warning != "" {
			fmt.Fprintf(w, "  warning: %s of %s: %s\n", s.Operator, strings.Join(s.Features, ", "), s.Warning)
		}
	}
	for i := range p.Features() {
		if f := &p.Features()[i]; f.State < 0 {
			fmt.Fprintf(w, "  %s = %s / %s, when read\n", f.Spec.Name, p.Features()[f.Num].Spec.Name, p.Features()[f.Den].Spec.Name)
		}
	}
	if rows == nil {
		return nil
	}
	return rows.print(w)
}

// laneCount returns how many lanes a new generation of the view gets.
func laneCount(spec *view.Spec) int {
	if spec.Lanes == 0 {
		return lane.DefaultLanes
	}
	return spec.Lanes
}
