package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// maxExplained bounds the events that are kept in memory beyond those that are shown.
const maxExplained = 10_000

// explanation is what explain prints as JSON; its fields are stable and docs/cli.md says what they mean.
type explanation struct {
	View        string           `json:"view"`
	Key         string           `json:"key"`
	Version     explainedVersion `json:"version"`
	Found       bool             `json:"found"`
	Lane        string           `json:"lane"`
	Incarnation string           `json:"incarnation"`
	Marks       []explainedMark  `json:"marks"`
	Degraded    *string          `json:"degraded"` // as in an answer
	Error       *string          `json:"error"`    // why the row cannot be read
	AsOf        string           `json:"as_of"`
	Parts       []explainedPart  `json:"parts"`
	Features    []explainedValue `json:"features"`
	Events      []explainedEvent `json:"events"`
	EventsLeft  int              `json:"events_left_out"`
}

type explainedVersion struct {
	Generation int64  `json:"generation"`
	Identity   string `json:"identity"`
	Revision   string `json:"revision"`
}

// explainedMark is a mark of the lane. Of the batch mark Run is set, of a partition's Next.
type explainedMark struct {
	Name   string `json:"name"`
	Wire   string `json:"wire"`
	Run    *int64 `json:"run,omitempty"`    // the first run that is not in whole
	Rows   *int64 `json:"rows,omitempty"`   // of that run's file, rows that are in
	Whole  *bool  `json:"whole,omitempty"`  // all bases are in
	Next   *int64 `json:"next,omitempty"`   // first offset that is not in
	Joined *bool  `json:"joined,omitempty"` // nothing is missing below
	Low    *int64 `json:"low,omitempty"`    // of one that is not joined: what lies below is still to come from batch
	Append string `json:"append,omitempty"` // append time reached
	Error  string `json:"error,omitempty"`  // why it does not read
}

type explainedPart struct {
	Field    string           `json:"field"`
	Kind     string           `json:"kind"` // base, delta, block
	Stretch  string           `json:"stretch"`
	Bytes    int              `json:"bytes"`
	Events   int64            `json:"events"`
	Newest   string           `json:"newest"`
	Last     []string         `json:"last"`     // last event in each partition
	Leftover bool             `json:"leftover"` // not merged: base or deltas hold its events
	Error    string           `json:"error,omitempty"`
	Values   []explainedValue `json:"values"` // what this tile alone answers
}

type explainedValue struct {
	Feature string          `json:"feature"`
	Status  string          `json:"status,omitempty"`
	Value   json.RawMessage `json:"value"`
}

type explainedEvent struct {
	Position string `json:"position"`
	Time     string `json:"time"`
	Append   string `json:"append"`
	TakenIn  bool   `json:"taken_in"` // it lies below the lane's mark
	Record   string `json:"record"`
}

func newExplain() *cobra.Command {
	var o options
	var events int
	cmd := &cobra.Command{
		Use:   "explain JOB VIEW KEY [FEATURE]",
		Short: "Show what a profile is made of: base, deltas, block tiles, positions, events",
		Long: `explain reads one row with its lane's marks at one instant and shows every tile in it, with the stretch of the log that it
holds and what it alone would answer, and finds the entity's events in the log. A row that cannot be read is shown as far as
it goes, and the exit code is 4.`,
		ValidArgsFunction: completeProfile,
		Args:              func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 3, 4) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			if err := knownView(j, args[1]); err != nil {
				return err
			}
			if events < 0 {
				return usagef("--events %d: want 0 or more", events)
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
			r := newReader(j, s)
			if err := awaitServed(ctx, &o, logger, r, args[1]); err != nil {
				return err
			}
			x := &explainer{store: s, history: h, events: events}
			e, err := x.explain(ctx, r, args[1], args[2], strings.Join(args[3:], ""))
			if err != nil {
				return lookupError(err)
			}
			if err := e.write(cmd.OutOrStdout(), o.json()); err != nil {
				return err
			}
			if e.Error != nil {
				return fmt.Errorf("%w: %s", lookup.ErrTile, *e.Error)
			}
			return nil
		},
	}
	f := cmd.Flags()
	o.kafkaFlag(f)
	o.storeFlag(f)
	o.archiveFlag(f)
	o.waitFlag(f)
	o.outputFlag(f)
	f.IntVar(&events, "events", 20, "how many of the newest events to show")
	return cmd
}

// explainer reads one profile with all its parts.
type explainer struct {
	store   lookup.ExactStore
	history *history.Log
	events  int
}

func (x *explainer) explain(ctx context.Context, r *lookup.Reader, viewName, text, feature string) (*explanation, error) {
	d, err := describe(ctx, x.store, r, viewName, text, feature)
	if err != nil {
		return nil, err
	}
	return d.explanation, x.addEvents(ctx, d.explanation, d.gen.Plan, d.row)
}

// described is an explanation without events, and what it was made of.
type described struct {
	*explanation
	gen *lookup.Generation
	row *lookup.Row
}

// describe reads a row with its lane's marks at one instant and says what it is made of. Without a feature it gives all.
func describe(ctx context.Context, s lookup.ExactStore, r *lookup.Reader, viewName, text, feature string) (*described, error) {
	g, err := r.Served(ctx, viewName)
	if err != nil {
		return nil, err
	}
	key, err := g.Plan.ParseKey(text)
	if err != nil {
		return nil, err
	}
	wanted, err := wantedFeatures(g.Plan, feature)
	if err != nil {
		return nil, err
	}
	rows, err := lookup.ExactRows(ctx, s, g, [][]byte{key})
	if err != nil {
		return nil, err
	}
	row := &rows[0]
	e := &explanation{
		View: viewName, Key: string(key), Lane: row.Lane.String(), Marks: explainMarks(row.Marks), Degraded: textOrNull(lookup.Claims(row.Marks)),
		Version: explainedVersion{Generation: g.Number, Identity: g.Identity, Revision: g.Revision},
		Parts:   []explainedPart{}, Features: []explainedValue{}, Events: []explainedEvent{},
	}
	if b, ok, err := row.Marks.Batch(); ok && err == nil {
		e.Incarnation = string(b.Incarnation)
	}
	if err := e.addRow(g.Plan, row, wanted); err != nil {
		e.Error = textOrNull(err.Error())
	}
	return &described{explanation: e, gen: g, row: row}, nil
}

func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// explainMarks returns the lane's marks, that of batch first.
func explainMarks(marks lane.Marks) []explainedMark {
	out := make([]explainedMark, 0, len(marks))
	for _, name := range slices.Sorted(maps.Keys(marks)) {
		e := explainedMark{Name: name, Wire: marks[name]}
		switch {
		case name == lane.BatchName && marks[name] == lane.Dropped:
		case name == lane.BatchName:
			b, err := lane.ParseBatchMark(marks[name])
			if err != nil {
				e.Error = err.Error()
				break
			}
			whole := b.Whole()
			e.Run, e.Rows, e.Whole = &b.Run, &b.Rows, &whole
		default:
			m, err := lane.ParseMark(marks[name])
			if err != nil {
				e.Error = err.Error()
				break
			}
			joined := m.Joined()
			e.Next, e.Joined = &m.Next, &joined
			if !joined {
				e.Low = &m.Low
			}
			if m.Append > 0 {
				e.Append = stamp(m.Append)
			}
		}
		out = append(out, e)
	}
	return out
}

// addRow merges the row and reads the features wanted. A field that does not read stands among the parts with its error.
func (e *explanation) addRow(p *view.Plan, row *lookup.Row, wanted []int) error {
	m := p.NewMerger()
	m.Reset()
	var errs []error
	for _, f := range row.Fields {
		if _, err := m.AddTile(f.Value); err != nil {
			errs = append(errs, fmt.Errorf("field %s: %w", f.Name, err))
			e.Parts = append(e.Parts, explainedPart{Field: f.Name, Kind: "unreadable", Bytes: len(f.Value), Error: err.Error(), Last: []string{}, Values: []explainedValue{}})
		}
	}
	if err := errors.Join(append(errs, m.Finish())...); err != nil {
		return err
	}
	e.Found = m.Found()
	asOf := max(time.Now().UnixMilli(), m.Newest())
	e.AsOf = stamp(asOf)
	for _, i := range wanted {
		v, status := p.FeatureValue(m.Value(i, asOf), p.Features()[i].Spec)
		e.Features = append(e.Features, explainedValue{Feature: p.Features()[i].Spec.Name, Status: string(status), Value: v.AppendJSON(nil)})
	}
	return e.addParts(p, m, wanted, asOf)
}

func wantedFeatures(p *view.Plan, name string) ([]int, error) {
	if name == "" {
		all := make([]int, len(p.Features()))
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	if i := p.Feature(name); i >= 0 {
		return []int{i}, nil
	}
	names := make([]string, 0, len(p.Features()))
	for i := range p.Features() {
		names = append(names, p.Features()[i].Spec.Name)
	}
	return nil, fmt.Errorf("%w: %s; the view has %s", lookup.ErrNoFeature, name, strings.Join(names, ", "))
}

// addParts says of each tile what it is and what it alone gives.
func (e *explanation) addParts(p *view.Plan, m *view.Merger, wanted []int, asOf int64) error {
	alone := p.NewFold()
	for _, part := range m.Parts() {
		ep := explainedPart{
			Field: part.Header.Name(), Kind: kindName(part.Header.Kind), Stretch: stretchOf(p, part.Header), Bytes: len(part.Encoded),
			Events: part.Body.Events, Newest: stamp(part.Body.Newest), Leftover: part.Leftover,
		}
		for _, pos := range part.Body.Pos {
			ep.Last = append(ep.Last, fmt.Sprintf("%s/%d@%d", p.Spec().Sources[pos.Source].Name, pos.Partition, pos.Last))
		}
		alone.Reset()
		slot := alone.Slot([]byte(e.Key))
		if err := alone.Merge(slot, part.Encoded); err != nil {
			return fmt.Errorf("reading tile %s: %w", ep.Field, err)
		}
		for _, i := range wanted {
			ep.Values = append(ep.Values, explainedValue{Feature: p.Features()[i].Spec.Name, Value: alone.Value(slot, i, asOf).AppendJSON(nil)})
		}
		e.Parts = append(e.Parts, ep)
	}
	return nil
}

func kindName(k tile.Kind) string {
	switch k {
	case tile.KindBlock:
		return "block"
	case tile.KindDelta:
		return "delta"
	case tile.KindBase:
		return "base"
	}
	return "unknown"
}

func stretchOf(p *view.Plan, h tile.Header) string {
	switch h.Kind {
	case tile.KindBlock:
		src := p.Spec().Sources[h.Source]
		return fmt.Sprintf("%s/%d from %d on", src.Name, h.Partition, h.Block)
	case tile.KindDelta:
		return fmt.Sprintf("run %d: between cut %d and cut %d", h.Run, h.Run-1, h.Run)
	case tile.KindBase:
		return fmt.Sprintf("run %d: everything below cut %d", h.Run, h.Run)
	}
	return ""
}

// addEvents finds the entity's events in the log and keeps the newest.
func (x *explainer) addEvents(ctx context.Context, e *explanation, p *view.Plan, row *lookup.Row) error {
	o, err := oracle.New(p)
	if err != nil {
		return err
	}
	all := &newestEvents{limit: x.events}
	for i := range p.Spec().Sources {
		src := &p.Spec().Sources[i]
		stretches, err := x.history.Stretches(ctx, src)
		if err != nil {
			return err
		}
		for _, s := range stretches {
			mark, _, err := row.Marks.Partition(s.Partition)
			if err != nil {
				mark.Next = 0 // a damaged mark claims nothing; it stands among the marks with its error
			}
			err = x.history.Scan(ctx, src, s, s.Range(), true, func(b *column.Batch) error {
				for i := range b.N {
					if key, ok := o.Key(oracle.Event{Batch: b, Row: i}); ok && key == e.Key {
						all.add(b.Time[i], eventOf(src, b, i, mark.Next))
					}
				}
				return ctx.Err()
			})
			if err != nil {
				return err
			}
		}
	}
	all.cut()
	for i := range all.list {
		e.Events = append(e.Events, all.list[i].explainedEvent)
	}
	e.EventsLeft = all.left
	return nil
}

// newestEvents keeps the newest events of those added, in bounded memory.
type newestEvents struct {
	limit int
	left  int
	list  []timedEvent
}

type timedEvent struct {
	time int64
	explainedEvent
}

func (n *newestEvents) add(time int64, e explainedEvent) {
	n.list = append(n.list, timedEvent{time, e})
	if len(n.list) > n.limit+maxExplained {
		n.cut()
	}
}

// cut leaves the newest in order, newest first.
func (n *newestEvents) cut() {
	slices.SortStableFunc(n.list, func(a, b timedEvent) int { return cmp.Compare(b.time, a.time) })
	keep := min(len(n.list), n.limit)
	n.left += len(n.list) - keep
	n.list = n.list[:keep]
}

func eventOf(src *schema.Source, b *column.Batch, row int, next int64) explainedEvent {
	pos := position.Position{Partition: position.Partition{Source: src.Name, ID: b.Partition}, Offset: b.Offset[row]}
	return explainedEvent{
		Position: pos.String(), Time: stamp(b.Time[row]), Append: stamp(b.Append[row]), TakenIn: b.Offset[row] < next,
		Record: string(archivefile.AppendJSON(nil, b, row)),
	}
}
