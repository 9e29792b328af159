package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// explanation is what explain prints as JSON; its fields are stable.
type explanation struct {
	View        string            `json:"view"`
	Key         string            `json:"key"`
	Lane        string            `json:"lane"`
	Incarnation string            `json:"incarnation"`
	Marks       map[string]string `json:"marks"`
	Degraded    string            `json:"degraded,omitempty"`
	AsOf        string            `json:"as_of"`
	Parts       []explainedPart   `json:"parts"`
	Features    []explainedValue  `json:"features"`
	Events      []explainedEvent  `json:"events"`
	EventsLeft  int               `json:"events_left_out"`
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
	Values   []explainedValue `json:"values"`   // what this tile alone answers
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
	Record   string `json:"record"`
}

func newExplain() *cobra.Command {
	var o options
	var events int
	cmd := &cobra.Command{
		Use:   "explain JOB VIEW KEY [FEATURE]",
		Short: "Show what a profile is made of: base, deltas, block tiles, positions, events",
		Args:  func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 3, 4) },
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			j, err := loadJob(args[0])
			if err != nil {
				return err
			}
			ctx, logger := cmd.Context(), newLogger(cmd.ErrOrStderr())
			s, err := openStore(ctx, &o, logger, false)
			if err != nil {
				return err
			}
			defer s.Close()
			h, done, err := openHistory(ctx, &o, logger)
			if err != nil {
				return err
			}
			defer done()
			x := &explainer{store: s, history: h, events: events}
			e, err := x.explain(ctx, newReader(j, s), args[1], args[2], strings.Join(args[3:], ""))
			if err != nil {
				return lookupError(err)
			}
			if o.json() {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(e)
			}
			return e.print(cmd.OutOrStdout())
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
	rows, err := lookup.ExactRows(ctx, x.store, g, [][]byte{key})
	if err != nil {
		return nil, err
	}
	row := &rows[0]
	e := &explanation{
		View: viewName, Key: string(key), Lane: row.Lane.String(), Marks: row.Marks, Degraded: lookup.Claims(row.Marks),
		Parts: []explainedPart{}, Features: []explainedValue{}, Events: []explainedEvent{},
	}
	if b, ok, err := row.Marks.Batch(); ok && err == nil {
		e.Incarnation = string(b.Incarnation)
	}
	m := g.Plan.NewMerger()
	m.Reset()
	for _, f := range row.Fields {
		if _, err := m.AddTile(f.Value); err != nil {
			return nil, fmt.Errorf("reading field %s of %s: %w", f.Name, key, err)
		}
	}
	if err := m.Finish(); err != nil {
		return nil, fmt.Errorf("merging the row of %s: %w", key, err)
	}
	asOf := max(time.Now().UnixMilli(), m.Newest())
	e.AsOf = stamp(asOf)
	for _, i := range wanted {
		v, status := g.Plan.FeatureValue(m.Value(i, asOf), g.Plan.Features()[i].Spec)
		e.Features = append(e.Features, explainedValue{Feature: g.Plan.Features()[i].Spec.Name, Status: string(status), Value: v.AppendJSON(nil)})
	}
	if err := e.addParts(g.Plan, m, wanted, asOf); err != nil {
		return nil, err
	}
	return e, x.addEvents(ctx, e, g.Plan, key)
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
	return nil, fmt.Errorf("%w: %s", lookup.ErrNoFeature, name)
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
func (x *explainer) addEvents(ctx context.Context, e *explanation, p *view.Plan, key []byte) error {
	fold := p.NewFold()
	type found struct {
		time int64
		explainedEvent
	}
	var all []found
	for i := range p.Spec().Sources {
		src := &p.Spec().Sources[i]
		stretches, err := x.history.Stretches(ctx, src)
		if err != nil {
			return err
		}
		for _, s := range stretches {
			err := x.history.Scan(ctx, src, s, s.Range(), true, func(b *column.Batch) error {
				for row := range b.N {
					if !isOf(fold, b, row, key) {
						continue
					}
					all = append(all, found{time: b.Time[row], explainedEvent: eventOf(src, b, row)})
				}
				return ctx.Err()
			})
			if err != nil {
				return err
			}
		}
	}
	slices.SortStableFunc(all, func(a, b found) int { return int(b.time - a.time) })
	for i := range all[:min(len(all), x.events)] {
		e.Events = append(e.Events, all[i].explainedEvent)
	}
	e.EventsLeft = len(all) - len(e.Events)
	return nil
}

// isOf tells whether a row belongs to the entity, by folding it alone.
func isOf(f *view.Fold, b *column.Batch, row int, key []byte) bool {
	f.Reset()
	return f.Add(b, row, row+1) == 1 && bytes.Equal(f.Key(0), key)
}

func eventOf(src *schema.Source, b *column.Batch, row int) explainedEvent {
	pos := position.Position{Partition: position.Partition{Source: src.Name, ID: b.Partition}, Offset: b.Offset[row]}
	return explainedEvent{
		Position: pos.String(), Time: stamp(b.Time[row]), Append: stamp(b.Append[row]), Record: string(archivefile.AppendJSON(nil, b, row)),
	}
}

// print shows the explanation to a person.
func (e *explanation) print(w io.Writer) error {
	fmt.Fprintf(w, "%s %s, lane %s, incarnation %s, as of %s\n", e.View, e.Key, e.Lane, e.Incarnation, e.AsOf)
	if e.Degraded != "" {
		fmt.Fprintf(w, "degraded: %s\n", e.Degraded)
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(e.Marks)) {
		fmt.Fprintf(t, "  mark %s\t%s\n", name, e.Marks[name])
	}
	fmt.Fprintln(t, "\nPART\tSTRETCH\tEVENTS\tNEWEST\tBYTES\tLAST")
	for _, p := range e.Parts {
		name := p.Kind + " " + p.Field
		if p.Leftover {
			name += " (leftover, not merged)"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%d\t%s\n", name, p.Stretch, p.Events, p.Newest, p.Bytes, strings.Join(p.Last, " "))
	}
	fmt.Fprintln(t, "\nFEATURE\tVALUE\tOF WHICH, TILE BY TILE")
	for i, f := range e.Features {
		var parts []string
		for _, p := range e.Parts {
			if !p.Leftover {
				parts = append(parts, p.Field+": "+string(p.Values[i].Value))
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", f.Feature, f.Value, strings.Join(parts, " · "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nevents, newest first (%d more)\n", e.EventsLeft)
	for _, ev := range e.Events {
		fmt.Fprintf(w, "  %s  %s  %s\n", ev.Time, ev.Position, ev.Record)
	}
	return nil
}
