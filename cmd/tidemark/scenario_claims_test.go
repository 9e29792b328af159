package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
)

// claims holds a world, between any two steps, to what lanes claim by their marks:
//
//   - exact and honest: a row of a lane that claims is, byte for byte, the plain fold of the entity's events below the marks;
//     one of a lane that does not claim holds no event twice;
//   - it never goes back: within a filling no mark does, unless the store itself lost something; and a lane that has a
//     filling gets no other, unless a loss took it back to before a run whose files are no longer kept.
//
// It is a second, dumber `verify`, which is asked only when a world is at rest.
type claims struct {
	w      *world
	views  map[string]*claimedView
	before map[lane.ID]lane.Marks
	behind map[lane.ID]bool // a loss took the lane back, and it has not taken in all runs again

	leftovers int // as of the last look: tiles that were not merged because a base or delta reaches them
}

// claimedView is what is known of one view, kept because a world is looked at after every step.
type claimedView struct {
	gen    *generation // the last that a manifest named
	oracle *oracle.Oracle
	merger *view.Merger
	run    int64  // the last checked, as far as a manifest told
	ends   string // of the log that events is of
	events map[string][]oracle.Event
	bodies map[string][]byte // by key and the number of events
}

func newClaims(w *world) *claims {
	return &claims{w: w, views: map[string]*claimedView{}, before: map[lane.ID]lane.Marks{}, behind: map[lane.ID]bool{}}
}

// hold looks at all lanes and rows. lost says that the store lost something since the last look.
func (c *claims) hold(lost bool) error {
	c.leftovers = 0
	for _, name := range c.w.views("") {
		gens, err := c.w.generations(name)
		if err != nil {
			return err
		}
		v := c.views[name]
		if len(gens) > 0 && (v == nil || v.gen.namespace != gens[0].namespace) {
			v = &claimedView{gen: gens[0], merger: gens[0].plan.NewMerger(), bodies: map[string][]byte{}}
			if v.oracle, err = oracle.New(gens[0].plan); err != nil {
				return err
			}
			c.views[name] = v
		}
		if v == nil {
			continue
		}
		if len(gens) > 0 {
			v.run = max(v.run, gens[0].Run)
		}
		if err := c.lanes(v, lost); err != nil {
			return fmt.Errorf("view %s: %w", name, err)
		}
	}
	return nil
}

func (c *claims) lanes(v *claimedView, lost bool) error {
	if err := c.read(v); err != nil {
		return err
	}
	keys, err := c.keys(v)
	if err != nil {
		return err
	}
	all, err := c.w.store.Marks(c.w.ctx, v.gen.ids())
	if err != nil {
		return err
	}
	for n, id := range v.gen.ids() {
		err := forward(c.before[id], all[n])
		switch {
		case err != nil && lost:
			c.behind[id] = true
		case err != nil && (!c.behind[id] || !errors.Is(err, errAnotherFilling)):
			return fmt.Errorf("lane %d went back: %w", n, err)
		}
		if b, _, err := all[n].Batch(); err == nil && b.Run > v.run {
			delete(c.behind, id)
		}
		c.before[id] = all[n]
		for _, key := range keys[n] {
			if err := c.row(v, id, key, all[n]); err != nil {
				return fmt.Errorf("lane %d with %v, entity %s: %w", n, all[n], key, err)
			}
		}
	}
	return nil
}

// read decodes and groups the log if it has grown.
func (c *claims) read(v *claimedView) error {
	sources := v.gen.plan.Spec().Sources
	if ends := c.w.log.ends(sources).String(); ends != v.ends {
		v.ends = ends
		var log []*column.Batch
		for i := range sources {
			for _, p := range c.w.log.partitions(sources[i].Name) {
				b, err := c.w.log.batch(&sources[i], p, position.Range{Next: c.w.log[p].end}, false)
				if err != nil {
					return err
				}
				log = append(log, b)
			}
		}
		v.events = v.oracle.Group(log)
	}
	return nil
}

// keys returns the entities of the log and of the store by lane.
func (c *claims) keys(v *claimedView) (map[int][]string, error) {
	seen := map[string]bool{}
	for key := range v.events {
		seen[key] = true
	}
	err := c.w.store.Scan(c.w.ctx, v.gen.namespace, func(id lane.RowID) error {
		seen[string(id.Key)] = true
		return nil
	})
	byLane := map[int][]string{}
	for _, key := range slices.Sorted(maps.Keys(seen)) {
		n := lane.Of(view.Hash([]byte(key)), v.gen.Lanes)
		byLane[n] = append(byLane[n], key)
	}
	return byLane, err
}

// row holds one row to the plain fold.
func (c *claims) row(v *claimedView, id lane.ID, key string, marks lane.Marks) error {
	batch, begun, err := marks.Batch()
	if err != nil || !begun {
		return err
	}
	row, err := c.w.store.Exact(c.w.ctx, []lane.RowID{{Lane: id, Incarnation: batch.Incarnation, Key: []byte(key)}})
	if err != nil {
		return err
	}
	v.merger.Reset()
	for _, f := range row[0].Fields {
		if _, err := v.merger.AddTile(f.Value); err != nil {
			return err
		}
	}
	if err := v.merger.Finish(); err != nil {
		return err
	}
	for _, part := range v.merger.Parts() {
		if part.Leftover {
			c.leftovers++
		}
	}
	if degraded(marks) {
		if got := v.merger.Events(); got > int64(len(v.events[key])) {
			return fmt.Errorf("it claims nothing and holds %d events, the log has %d", got, len(v.events[key]))
		}
		return nil
	}
	below, err := eventsBelow(v.events[key], marks)
	if err != nil {
		return err
	}
	want, err := v.body(key, below)
	if err != nil {
		return err
	}
	var got []byte
	if v.merger.Found() {
		got = v.merger.AppendBody(nil)
	}
	if !bytes.Equal(want, got) {
		return fmt.Errorf("it holds %d events in %d tiles, the log has %d below the marks: got %x, want %x",
			v.merger.Events(), len(row[0].Fields), len(below), got, want)
	}
	return nil
}

func eventsBelow(events []oracle.Event, marks lane.Marks) (below []oracle.Event, err error) {
	for _, e := range events {
		m, ok, err := marks.Partition(position.Partition{Source: e.Batch.Source.Name, ID: e.Batch.Partition})
		if err != nil {
			return nil, err
		}
		if ok && e.Batch.Offset[e.Row] < m.Next {
			below = append(below, e)
		}
	}
	return below, nil
}

// body returns the plain fold of some of an entity's events, which are told by their last offsets.
func (v *claimedView) body(key string, events []oracle.Event) ([]byte, error) {
	if len(events) == 0 {
		return nil, nil
	}
	last := position.Cut{}
	for _, e := range events {
		p := position.Partition{Source: e.Batch.Source.Name, ID: e.Batch.Partition}
		last[p] = max(last[p], e.Batch.Offset[e.Row])
	}
	name := key + " " + last.String()
	if v.bodies[name] == nil {
		body, err := v.oracle.Body(events)
		if err != nil {
			return nil, err
		}
		v.bodies[name] = body
	}
	return v.bodies[name], nil
}

// degraded is the reader's rule in its plainest form: a lane claims what it holds if it is whole and joined everywhere.
func degraded(marks lane.Marks) bool {
	batch, begun, err := marks.Batch()
	if err != nil || !begun || !batch.Whole() {
		return true
	}
	for name, wire := range marks {
		if name == lane.BatchName {
			continue
		}
		if m, err := lane.ParseMark(wire); err != nil || !m.Joined() {
			return true
		}
	}
	return false
}

// errAnotherFilling is the class of forward's errors about a lane that was begun again.
var errAnotherFilling = errors.New("another filling")

// forward tells what of a lane's marks has gone back: another filling may begin anywhere, but not by itself, and within
// one nothing goes back.
func forward(before, after lane.Marks) error {
	was, begun, err := before.Batch()
	if err != nil || !begun {
		return err
	}
	is, begun, err := after.Batch()
	switch {
	case err != nil:
		return err
	case !begun:
		return fmt.Errorf("%v became %v", before, after)
	case is.Incarnation != was.Incarnation:
		return fmt.Errorf("%w: %v became %v", errAnotherFilling, before, after)
	}
	if is.Run < was.Run || (is.Run == was.Run && is.Rows < was.Rows) {
		return fmt.Errorf("%v became %v", before, after)
	}
	for name, wire := range before {
		if name == lane.BatchName {
			continue
		}
		m, err := lane.ParseMark(wire)
		if err != nil {
			return err
		}
		now, err := lane.ParseMark(after[name])
		if err != nil || now.Next < m.Next {
			return fmt.Errorf("%s: %q became %q", name, wire, after[name])
		}
	}
	return nil
}
