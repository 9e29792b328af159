package main

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// TestScenariosTellDifferences: a scenario's `get` is no better than its comparisons, so each of them is shown to fail.
func TestScenariosTellDifferences(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, w *world)
		want  string
	}{
		"nothing is spoilt": {func(*testing.T, *world) {}, ""},
		"an event is missing in the store": {func(t *testing.T, w *world) {
			w.changeRow(t, func(row *lane.RowChange) { row.Del = []string{"e0/0/2"} })
		}, "speed and serving answers"},
		"an event is twice in the store": {func(t *testing.T, w *world) {
			w.changeRow(t, func(row *lane.RowChange) {
				row.Set = []lane.Field{{Name: "d2", Value: append(tile.Header{Kind: tile.KindDelta, Run: 2}.Append(nil), w.bodyOf(t, "b1")...)}}
			})
		}, "speed and serving answers"},
		"what no feature shows today differs": {func(_ *testing.T, w *world) {
			// Two days later it does not matter in which hour it was.
			w.log[w.log.partitions("")[0]].records[2].Value = []byte(expandTimes(`{"at": $08:00, "user": "ann"}`))
		}, "the row's tiles make the bytes"},
		"batch alone has another log": {func(_ *testing.T, w *world) {
			for _, run := range w.alone {
				run.tiles["user:ann"] = run.tiles["user:bob"]
			}
		}, "batch alone answers"},
	} {
		t.Run(name, func(t *testing.T) {
			w := differWorld(t)
			asOf, err := parseTime("+2d10:00")
			if err != nil {
				t.Fatal(err)
			}
			opt := lookup.Options{AsOf: asOf}
			if _, err := w.get("user", "user:ann", opt); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, w)
			_, err = w.get("user", "user:ann", opt)
			if (c.want == "") != (err == nil) || (err != nil && (!errors.Is(err, errDiffer) || !strings.Contains(err.Error(), c.want))) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// differWorld is a log of two entities that rests at a block's end, the first block in a base, the second in block tiles.
func differWorld(t *testing.T) *world {
	w := newWorld(t.Context(), quickDir(t))
	j, err := job.Load(fstest.MapFS{
		"sources/clicks.yaml": {Data: []byte("event_time: at\nblock: 2\nfields: {at: time required, user: string}\n")},
		"views/user.yaml":     {Data: []byte("sources: [clicks]\nentity: [user]\nlanes: 1\nfeatures:\n  clicks: {op: count, windows: [24h]}\n")},
	}, "shop")
	if err != nil {
		t.Fatal(err)
	}
	w.declare(j)
	for _, line := range []string{
		`clicks/0 10:01 {"at": $10:01, "user": "ann"}`, `clicks/0 10:00 {"at": $10:00, "user": "bob"}`,
		`clicks/0 10:02 {"at": $09:00, "user": "ann"}`, `clicks/0 10:03 {"at": $10:00, "user": "ann"}`,
	} {
		if err := w.log.parseEvent(line); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.archive(w.archiveDir(), w.log.partitions("")[0], 2, false); err != nil {
		t.Fatal(err)
	}
	if _, err := w.batch(batchOptions{rows: 2, calls: -1}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.worker("a").step(speedOptions{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// changeRow changes ann's row behind everybody's back.
func (w *world) changeRow(t *testing.T, change func(row *lane.RowChange)) {
	t.Helper()
	row := w.annsRow(t)
	batch, _, err := row.Marks.Batch()
	if err != nil {
		t.Fatal(err)
	}
	c := lane.RowChange{Key: row.Key}
	change(&c)
	call := lane.Call{Lane: row.Lane, AnyMark: true, RowsOf: batch.Incarnation, Rows: []lane.RowChange{c}}
	if out := w.store.Apply(w.ctx, []lane.Call{call})[0]; out.Err != nil || !out.Applied {
		t.Fatalf("%+v", out)
	}
}

// bodyOf returns the body of a tile in ann's row.
func (w *world) bodyOf(t *testing.T, name string) []byte {
	t.Helper()
	for _, f := range w.annsRow(t).Fields {
		if f.Name == name {
			_, body, err := tile.ParseHeader(f.Value)
			if err != nil {
				t.Fatal(err)
			}
			return body
		}
	}
	t.Fatalf("no tile %s", name)
	return nil
}

func (w *world) annsRow(t *testing.T) *lookup.Row {
	t.Helper()
	g, err := w.reader.Served(w.ctx, "user")
	if err != nil {
		t.Fatal(err)
	}
	row, err := w.row(g, "user:ann")
	if err != nil {
		t.Fatal(err)
	}
	return row
}
