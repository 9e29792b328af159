package redisstore_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// TestRowBytes compares the prediction with what a real server says of rows of many shapes.
func TestRowBytes(t *testing.T) {
	srv := redisserver.Start(t, "--hash-max-listpack-value", "65536", "--hash-max-listpack-entries", "128")
	s, c := open(t, srv.Addr), raw(t, srv.Addr)
	worst := 0.0
	for i, shape := range []struct{ key, fields, value int }{
		{1, 1, 1},
		{10, 1, 24},
		{17, 1, 94},
		{17, 4, 94},
		{17, 10, 250},
		{17, 1, 1056},
		{17, 3, 1056},
		{17, 1, 3500},
		{17, 4, 3500},
		{200, 1, 40},
		{1000, 2, 200},
		{17, 128, 20},
		{17, 1, 34_000},
		{17, 40, 5316},
		{17, 1, 65_536},
		{17, 129, 20},
		{17, 300, 94},
		{17, 1, 65_537},
		{17, 3, 200_000},
	} {
		id := lane.RowID{Lane: ids, Incarnation: inc, Key: bytes.Repeat([]byte{'k'}, shape.key)}
		id.Lane.N = i
		var fields []lane.Field
		for f := range shape.fields {
			fields = append(fields, lane.Field{Name: fmt.Sprintf("e0/0/%d", f<<16), Value: bytes.Repeat([]byte{1, 'b'}, (shape.value+1)/2)[:shape.value]})
		}
		// A row grows by a field at a time, as in life: what the server allocated on the way stays or does not.
		mark := ""
		for _, f := range fields {
			next := mark + "x"
			if len(next) > 100 {
				next = "y"
			}
			wantApplied(t, s.Apply(bg, []lane.Call{{
				Lane: id.Lane, Name: "m", Expect: mark, Set: next, RowsOf: inc, Rows: []lane.RowChange{{Key: id.Key, Set: []lane.Field{f}}},
			}}))
			mark = next
		}
		key := fmt.Sprintf("{tm:%s}:%s:%s", id.Lane, inc, id.Key)
		got, err := c.MemoryUsage(bg, key).Result()
		if err != nil || got == 0 {
			t.Fatal(got, err)
		}
		off := float64(redisstore.RowBytes(id, fields))/float64(got) - 1
		if worst = max(worst, off, -off); off < -0.1 || off > 0.1 {
			t.Errorf("%+v: predicted %d, the server says %d", shape, redisstore.RowBytes(id, fields), got)
		}
	}
	t.Logf("at most %.1f%% off", 100*worst)
}
