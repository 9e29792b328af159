package verify

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// readRow merges a row and reads from its lane's marks, and from its own block tiles, what it must hold of the log.
func (v *run) readRow(r *lookup.Row, m *view.Merger) *row {
	out := &row{lane: r.Lane, tiles: len(r.Fields), claims: map[position.Partition]int64{}}
	if why := lookup.Claims(r.Marks); why != "" {
		out.bad, out.silent = why, true
		return out
	}
	for name, wire := range r.Marks {
		if name == lane.BatchName {
			continue
		}
		mark, err := lane.ParseMark(wire)
		p, perr := position.ParsePartition(name)
		if err = errors.Join(err, perr); err != nil {
			out.bad = err.Error()
			return out
		}
		out.claims[p] = mark.Next
	}
	m.Reset()
	for _, f := range r.Fields {
		h, err := m.AddTile(f.Value)
		if err == nil && h.Name() != f.Name {
			err = fmt.Errorf("the tile of %s stands there", h.Name())
		}
		if err != nil {
			out.bad = fmt.Sprintf("field %s: %v", f.Name, err)
			return out
		}
	}
	if err := m.Finish(); err != nil {
		out.bad = err.Error()
		return out
	}
	if m.Found() {
		out.body = m.AppendBody(nil)
		if v.cfg.At != nil {
			out.values = v.valuesOf(string(r.Key), m)
		}
	}
	v.extend(out, m)
	return out
}

// extend raises the claims to the row's own block tiles where these are further than the mark.
func (v *run) extend(out *row, m *view.Merger) {
	for _, part := range m.Parts() {
		if part.Leftover || part.Header.Kind != tile.KindBlock {
			continue
		}
		p := position.Partition{Source: v.gen.Plan.Spec().Sources[part.Header.Source].Name, ID: part.Header.Partition}
		out.claims[p] = max(out.claims[p], part.Body.Last(part.Header.Source, part.Header.Partition)+1)
	}
}

// judgeOne compares one entity with the plain fold of its events below the row's claims.
func (v *run) judgeOne(o *oracle.Oracle, key string) (*Fault, int, error) {
	r := v.rows[key]
	fault := &Fault{View: v.view, Entity: key, Lane: r.lane.String(), Positions: positions(r.claims)}
	if r.bad != "" {
		fault.What, fault.Degraded = "cannot be verified: "+r.bad, r.silent
		return fault, len(v.events[key]), nil
	}
	for _, p := range partitions(r.claims) {
		if end := v.ends[p]; r.claims[p] > end {
			fault.What = fmt.Sprintf("cannot be verified: the lane's mark of %s is %d, the log ends at %d", p, r.claims[p], end)
			return fault, len(v.events[key]), nil
		}
	}
	var below []oracle.Event
	for _, e := range v.events[key] {
		if e.Batch.Offset[e.Row] < r.claims[position.Partition{Source: e.Batch.Source.Name, ID: e.Batch.Partition}] {
			below = append(below, e)
		}
	}
	var want []byte
	if len(below) > 0 {
		var err error
		if want, err = o.Body(below); err != nil {
			return nil, 0, fmt.Errorf("folding the events of %s: %w", key, err)
		}
	}
	if bytes.Equal(want, r.body) {
		return nil, len(below), nil
	}
	v.explain(fault, want, r.body)
	return fault, len(below), nil
}

// explain says which feature differs first, both read at the newest event of either.
func (v *run) explain(f *Fault, want, got []byte) {
	a, errA := v.values(want)
	b, errB := v.values(got)
	switch {
	case len(want) == 0:
		f.What = "the store has a row, the log has no event of the entity"
		return
	case len(got) == 0:
		f.What = "the log has events of the entity, the store has no row"
		return
	case errors.Join(errA, errB) != nil:
		f.What = fmt.Sprintf("the states do not read: %v", errors.Join(errA, errB))
		return
	}
	var x, y tile.Body
	if x.ParseBody(want) == nil && y.ParseBody(got) == nil && (x.Events != y.Events || x.Newest != y.Newest) {
		f.What = fmt.Sprintf("%d events up to %s are expected, %d up to %s are there", x.Events, timeText(x.Newest), y.Events, timeText(y.Newest))
	}
	for i := range a {
		if !bytes.Equal(a[i].AppendJSON(nil), b[i].AppendJSON(nil)) {
			f.Feature = v.gen.Plan.Features()[i].Spec.Name
			f.Want, f.Got = string(a[i].AppendJSON(nil)), string(b[i].AppendJSON(nil))
			break
		}
	}
	if f.What == "" {
		f.What = "the states differ"
		if f.Feature == "" {
			f.What += ", though every feature reads the same today"
		}
	}
}

// timeText writes an event time, ms, for people.
func timeText(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

// values reads every feature of a body at its newest event.
func (v *run) values(body []byte) ([]operator.Value, error) {
	if len(body) == 0 {
		return nil, nil
	}
	f := v.gen.Plan.NewFold()
	slot := f.Slot([]byte("x"))
	if err := f.Merge(slot, body); err != nil {
		return nil, err
	}
	out := make([]operator.Value, len(v.gen.Plan.Features()))
	for i := range out {
		out[i] = f.Value(slot, i, f.Newest(slot))
	}
	return out, nil
}

func positions(claims map[position.Partition]int64) string {
	parts := make([]string, 0, len(claims))
	for _, p := range partitions(claims) {
		parts = append(parts, fmt.Sprintf("%s@%d", p, claims[p]))
	}
	return strings.Join(parts, " ")
}

// partitions returns the partitions of claims in order.
func partitions(claims map[position.Partition]int64) []position.Partition {
	return slices.SortedFunc(maps.Keys(claims), position.Partition.Compare)
}
