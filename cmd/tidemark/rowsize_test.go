package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
)

// mayBeOff is how far a prediction of memory may be from what the server says, either way.
const mayBeOff = 0.3

// TestPlannedRows: what plan predicts of the used-car job's rows is what MEMORY USAGE says of them in a real Redis: of all
// together, of the rows that it names, and of rows with deltas and block tiles beside their bases.
func TestPlannedRows(t *testing.T) {
	t.Parallel()
	srv := redisserver.Start(t, "--hash-max-listpack-value", "65536", "--hash-max-listpack-entries", "128")
	c := redis.NewClient(&redis.Options{Addr: srv.Addr})
	defer func() { _ = c.Close() }()
	s, err := redisstore.Open(t.Context(), srv.URL(), redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	file := filepath.Join(t.TempDir(), "lines.jsonl")
	invoke(t, "", "gen", "../../jobs/usedcar", "--events", "30000", "--out", file).want(t, exitOK)
	text := invoke(t, "", "plan", "../../jobs/usedcar", "--from", file).want(t, exitOK).stdout
	for _, says := range []string{"rows after a full run", "IN REDIS", "median", "largest"} {
		if !strings.Contains(text, says) {
			t.Errorf("plan does not say %q", says)
		}
	}
	var planned struct {
		Views []struct {
			View string
			Rows rowSizes
		}
	}
	if err := json.Unmarshal([]byte(invoke(t, "", "plan", "../../jobs/usedcar", "--from", file, "-o", "json").want(t, exitOK).stdout), &planned); err != nil {
		t.Fatal(err)
	}
	j, err := loadJob("../../jobs/usedcar")
	if err != nil {
		t.Fatal(err)
	}
	log := decodeFile(t, j, file)
	for i, p := range j.Plans {
		want := planned.Views[i]
		if want.View != p.Spec().Name || want.Rows.Rows < 1000 || len(want.Rows.Sizes) != 4 {
			t.Fatalf("plan says %+v of view %s", want, p.Spec().Name)
		}
		bases := p.NewFold()
		bases.Add(log, 0, log.N)
		got := map[int]int64{} // a row's memory by its tile's size
		var all int64
		for _, row := range write(t, s, c, "usedcar:"+want.View+":aaaaaaaaaa", bases) {
			all += row.redis
			got[row.bytes] = row.redis
		}
		within(t, want.View+", all rows", float64(want.Rows.Redis), float64(all))
		for _, q := range want.Rows.Sizes {
			within(t, fmt.Sprintf("%s, %s (%d bytes)", want.View, q.Of, q.Bytes), float64(q.Redis), float64(got[q.Bytes]))
		}
		third := log.N / 3
		delta, block := p.NewFold(), p.NewFold()
		bases = p.NewFold()
		bases.Add(log, 0, third)
		delta.Add(log, third, 2*third)
		block.Add(log, 2*third, log.N)
		for _, row := range write(t, s, c, "usedcar:"+want.View+":bbbbbbbbbb", bases, delta, block) {
			within(t, fmt.Sprintf("%s, a row of %d bytes", want.View, row.bytes), float64(row.predicted), float64(row.redis))
		}
	}
}

func within(t *testing.T, what string, predicted, is float64) {
	t.Helper()
	if off := predicted/is - 1; off < -mayBeOff || off > mayBeOff {
		t.Errorf("%s: %.0f bytes predicted, Redis says %.0f", what, predicted, is)
	}
}

func decodeFile(t *testing.T, j *job.Job, file string) *column.Batch {
	t.Helper()
	in, err := openLines(j, &j.Sources[0], file, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	d, err := decode.Compile(&j.Sources[0])
	if err != nil {
		t.Fatal(err)
	}
	b := column.NewBatch(&j.Sources[0], 0, false)
	for {
		l, err := in.next()
		if err != nil {
			return b // the end; too few lines would be too few rows
		}
		d.Append(b, &record.Record{Offset: int64(b.N), Append: 1 << 45, AppendType: column.LogAppendTime, Key: l.key, Value: l.value})
	}
}

// writtenRow is a row in Redis.
type writtenRow struct {
	bytes     int // of its tiles
	predicted int
	redis     int64 // MEMORY USAGE
}

// write puts the rows of folds (a base, a delta, a block tile) into the store, and asks the server how large each is.
func write(t *testing.T, s *redisstore.Store, c *redis.Client, namespace string, folds ...*view.Fold) []writtenRow {
	t.Helper()
	const inc = lane.Incarnation("aaaaaaaaaa")
	id := lane.ID{Namespace: namespace}
	rows := map[string][]lane.Field{}
	for i, f := range folds {
		h := []tile.Header{{Kind: tile.KindBase, Run: 1}, {Kind: tile.KindDelta, Run: 2}, {Kind: tile.KindBlock, Block: 1 << 16}}[i]
		call := lane.Call{Lane: id, Name: "x", AnyMark: true, Set: "y", RowsOf: inc}
		for slot := range f.Len() {
			key := string(f.Key(slot))
			field := lane.Field{Name: h.Name(), Value: f.AppendBody(h.Append(nil), slot)}
			rows[key] = append(rows[key], field)
			call.Rows = append(call.Rows, lane.RowChange{Key: []byte(key), Set: []lane.Field{field}})
		}
		if o := s.Apply(t.Context(), []lane.Call{call})[0]; o.Err != nil || !o.Applied {
			t.Fatalf("%+v", o)
		}
	}
	pipe := c.Pipeline()
	var out []writtenRow
	var asked []*redis.IntCmd
	for key, fields := range rows {
		row := writtenRow{predicted: redisstore.RowBytes(lane.RowID{Lane: id, Incarnation: inc, Key: []byte(key)}, fields)}
		for _, f := range fields {
			row.bytes += len(f.Value)
		}
		out, asked = append(out, row), append(asked, pipe.MemoryUsage(t.Context(), "{tm:"+id.String()+"}:"+string(inc)+":"+key))
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range out {
		out[i].redis = asked[i].Val()
	}
	return out
}
