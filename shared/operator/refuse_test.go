package operator_test

import (
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

// TestStatesRefused gives each kind bytes that are well-formed but say what no events could: random damage seldom hits
// these. Newest is 1000 ms; the windows are 40 ms by 4 ms and 240 ms by 24 ms, or all time.
func TestStatesRefused(t *testing.T) {
	const newest = 1000
	two := []window.Window{{Length: 40, Hop: 4}, {Length: 240, Hop: 24}}
	all := []window.Window{window.All}
	number, last, flag := inputs{value(schema.Int32)}, inputs{value(schema.Bool)}, inputs{key(schema.Bool)}
	flagged := inputs{key(schema.Bool), remove}
	mapped := inputs{value(schema.Int32), key(schema.Bool), remove}
	uvarint := func(v uint64) string { return hex.EncodeToString(wire.AppendUvarint(nil, v)) }
	varint := func(v int64) string { return hex.EncodeToString(wire.AppendVarint(nil, v)) }
	bucket := func(v uint64) string { return "01 01 " + uvarint(v) + " 01" }
	for _, c := range []struct {
		why   string
		kind  string
		cfg   operator.Config
		state string
		ok    bool
	}{
		{"a count", "count", operator.Config{Windows: all}, "01 05", true},
		{"a count of 0", "count", operator.Config{Windows: all}, "01 00", false},
		{"the largest count", "count", operator.Config{Windows: all}, "01" + uvarint(1<<62-1), true},
		{"a count past the limit", "count", operator.Config{Windows: all}, "01" + uvarint(1<<62), false},
		{"no tiers", "count", operator.Config{Windows: all}, "00", false},
		{"a tier that there is not", "count", operator.Config{Windows: all}, "02 05", false},
		{"no cells in a tier", "count", operator.Config{Windows: two}, "01 00", false},
		{"the newest bucket", "count", operator.Config{Windows: two}, bucket(250), true},
		{"a bucket after newest", "count", operator.Config{Windows: two}, bucket(251), false},
		{"a bucket after the end of time", "count", operator.Config{Windows: two}, bucket(schema.MaxTime/4 + 1), false},
		{"fine and coarse cells of one newest time", "count", operator.Config{Windows: two}, "03 01 8801 01 01 14 01", true},
		{"a coarse cell that belongs to the finer tier", "count", operator.Config{Windows: two}, "02 01 29 01", false},
		{"a fine cell too old beside that coarse one", "count", operator.Config{Windows: two}, "03 01 01 01 01 20 01", false},
		{"a sum of 0", "sum", operator.Config{Inputs: number, Windows: all}, "01 00", false},
		{"an average of 0", "avg", operator.Config{Inputs: number, Windows: all}, "01 01 00", true},
		{"an average of nothing", "avg", operator.Config{Inputs: number, Windows: all}, "01 00 00", false},
		{"elements in two buckets", "distinct", operator.Config{Inputs: flag, Windows: two}, "02 00 01 02 f901 01 80 00 01 8101", true},
		{"an element without a bucket", "distinct", operator.Config{Inputs: flag, Windows: two}, "02 01 80 01 01 fa01 01 8101", true},
		{"elements without buckets alone", "distinct", operator.Config{Inputs: flag, Windows: two}, "02 02 80 8101", true},
		{"an element without a bucket in all time", "distinct", operator.Config{Inputs: flag, Windows: all}, "01 01 80", false},
		{"an element in two buckets", "distinct", operator.Config{Inputs: flag, Windows: two}, "02 00 01 02 f901 01 80 00 01 80", false},
		{"elements out of order", "distinct", operator.Config{Inputs: flag, Windows: all}, "02 00 01 02 8101 80", false},
		{"an element of null", "distinct", operator.Config{Inputs: flag, Windows: all}, "01 00 01 01 00", false},
		{"an element more than said", "distinct", operator.Config{Inputs: flag, Windows: all}, "01 00 01 02 80 8101", false},
		{"an element less than said", "distinct", operator.Config{Inputs: flag, Windows: all}, "02 00 01 01 80", false},
		{"no elements", "distinct", operator.Config{Inputs: flag, Windows: all}, "00 00", false},
		{"registers", "distinct", operator.Config{Inputs: flag, Windows: all}, "8108 02 01 02 01 35", true},
		{"registers without pairs", "distinct", operator.Config{Inputs: flag, Windows: two}, "8108 00", true},
		{"more elements than are kept", "distinct", operator.Config{Inputs: flag, Windows: all}, "8208 00", false},
		{"the last register", "distinct", operator.Config{Inputs: flag, Windows: all}, "8108 01 01 01" + uvarint(4095<<6|1), true},
		{"a register past the last", "distinct", operator.Config{Inputs: flag, Windows: all}, "8108 01 01 01" + uvarint(4096<<6|1), false},
		{"a register past the last by steps", "distinct", operator.Config{Inputs: flag, Windows: all}, "8108 02 01 02 01" + uvarint(4095<<6|1), false},
		{"a rank of 0", "distinct", operator.Config{Inputs: flag, Windows: all}, "8108 01 01 01 00", false},
		{"a rank past the highest", "distinct", operator.Config{Inputs: flag, Windows: all}, "8108 01 01 01 36", false},
		{"a pair more than said", "distinct", operator.Config{Inputs: flag, Windows: all}, "8108 01 01 02 01 01", false},
		{"a lower rank later", "distinct", operator.Config{Inputs: flag, Windows: two}, "8108 02 01 02 f901 01 05 00 01 04", true},
		{"an equal rank later", "distinct", operator.Config{Inputs: flag, Windows: two}, "8108 02 01 02 f901 01 05 00 01 05", false},
		{"a higher rank in a coarser bucket", "distinct", operator.Config{Inputs: flag, Windows: two}, "8108 02 03 01 fa01 01 05 01 26 01 06", true},
		{"an equal rank in a coarser bucket", "distinct", operator.Config{Inputs: flag, Windows: two}, "8108 02 03 01 fa01 01 05 01 26 01 05", false},
		{"three bins", "histogram", operator.Config{Inputs: number, Windows: all, Edges: []int64{0, 1}}, "01 02 00 05 01 07", true},
		{"no bins", "histogram", operator.Config{Inputs: number, Windows: all, Edges: []int64{0, 1}}, "01 00", false},
		{"a bin past the last", "histogram", operator.Config{Inputs: number, Windows: all, Edges: []int64{0, 1}}, "01 02 00 05 02 07", false},
		{"more bins than there are", "histogram", operator.Config{Inputs: number, Windows: all, Edges: []int64{0}}, "01 03 00 05 00 07 00 01", false},
		{"a bin of nothing", "histogram", operator.Config{Inputs: number, Windows: all, Edges: []int64{0, 1}}, "01 01 00 00", false},
		{"a variance", "variance", operator.Config{Inputs: number, Windows: all}, "01 02 06 05", true},
		{"squares too small for their sum", "variance", operator.Config{Inputs: number, Windows: all}, "01 02 06 04", false},
		{"a variance of nothing", "variance", operator.Config{Inputs: number, Windows: all}, "01 00 00 00", false},
		{"the largest int32", "max", operator.Config{Inputs: number, Windows: all}, "01" + varint(math.MaxInt32), true},
		{"an int32 too large", "max", operator.Config{Inputs: number, Windows: all}, "01" + varint(math.MaxInt32+1), false},
		{"an int32 too small", "min", operator.Config{Inputs: number, Windows: all}, "01" + varint(math.MinInt32-1), false},
		{"a first at newest", "first", operator.Config{Inputs: last, Windows: all}, "01" + uvarint(newest) + "00 00 00 8101", true},
		{"a first after newest", "first", operator.Config{Inputs: last, Windows: all}, "01" + uvarint(newest+1) + "00 00 00 8101", false},
		{"a first after its bucket", "first", operator.Config{Inputs: last, Windows: two}, "01 01" + uvarint(249) + "04 00 00 00 8101", false},
		{"a last", "last", operator.Config{Inputs: last, Windows: all}, uvarint(newest) + "00 00 00 80", true},
		{"a last after newest", "last", operator.Config{Inputs: last, Windows: all}, uvarint(newest+1) + "00 00 00 80", false},
		{"a source past the limit", "last", operator.Config{Inputs: last, Windows: all}, "01" + uvarint(1<<16+1) + "00 00 80", false},
		{"a partition past the limit", "last", operator.Config{Inputs: last, Windows: all}, "01 00" + uvarint(1<<31) + "00 80", false},
		{"an offset past the limit", "last", operator.Config{Inputs: last, Windows: all}, "01 00 00" + uvarint(1<<53) + "80", false},
		{"a bool of 2", "last", operator.Config{Inputs: last, Windows: all}, "01 00 00 00 8102", false},
		{"a null alone", "last", operator.Config{Inputs: last, Windows: all}, "01 00 00 00 00", false},
		{"two elements", "last_n", operator.Config{Inputs: last, Windows: all, N: 2}, "02 05 00 00 01 80  00 00 00 00 8101", true},
		{"more elements than n", "last_n", operator.Config{Inputs: last, Windows: all, N: 1}, "02 05 00 00 01 80  00 00 00 00 8101", false},
		{"elements out of order", "last_n", operator.Config{Inputs: last, Windows: all, N: 2}, "02 05 00 00 01 80  00 00 00 02 8101", false},
		{"two elements at one place", "last_n", operator.Config{Inputs: last, Windows: all, N: 2}, "02 05 00 00 01 80  00 00 00 01 8101", false},
		{"an element twice", "last_n", operator.Config{Inputs: last, Windows: all, N: 2}, "02 05 00 00 01 80  00 00 00 00 80", false},
		{"an element before time began", "last_n", operator.Config{Inputs: last, Windows: all, N: 2}, "02 05 00 00 01 80  06 00 00 00 8101", false},
		{"no elements", "last_n", operator.Config{Inputs: last, Windows: all, N: 2}, "00", false},
		{"two keys", "top_k", operator.Config{Inputs: inputs{key(schema.Bool)}, Windows: all}, "02 80 01 02  8101 01 01", true},
		{"keys out of order", "top_k", operator.Config{Inputs: inputs{key(schema.Bool)}, Windows: all}, "02 8101 01 02  80 01 01", false},
		{"a key twice", "top_k", operator.Config{Inputs: inputs{key(schema.Bool)}, Windows: all}, "02 80 01 02  80 01 02", false},
		{"a key of null", "top_k", operator.Config{Inputs: inputs{key(schema.Bool)}, Windows: all}, "01 00 01 02", false},
		{"a key without weight", "top_k", operator.Config{Inputs: inputs{key(schema.Bool)}, Windows: all}, "01 80 01 00", false},
		{"an element and one removed", "set", operator.Config{Inputs: flagged, Windows: all, N: 2}, "02 05 00 00 01 80 80  00 00 00 00 8101 8101", true},
		{"more elements than n", "set", operator.Config{Inputs: flagged, Windows: all, N: 1}, "02 05 00 00 01 80 80  00 00 00 00 8101 8101", false},
		{"a flag of null", "set", operator.Config{Inputs: flagged, Windows: all, N: 2}, "01 05 00 00 01 80 00", false},
		{"a flag of 2", "set", operator.Config{Inputs: flagged, Windows: all, N: 2}, "01 05 00 00 01 80 8102", false},
		{"an element of null", "set", operator.Config{Inputs: flagged, Windows: all, N: 2}, "01 05 00 00 01 00 80", false},
		{"a key and one removed", "map", operator.Config{Inputs: mapped, Windows: all, N: 2}, "02 05 00 00 01 80 81ff  00 00 00 00 8101 00", true},
		{"a value of null where nothing is removed", "map", operator.Config{Inputs: mapped[:2], Windows: all, N: 2}, "01 05 00 00 01 80 00", false},
		{"a key of null", "map", operator.Config{Inputs: mapped, Windows: all, N: 2}, "01 05 00 00 01 00 81ff", false},
		{"days 0 and 3", "active_days", operator.Config{Windows: all}, "01 00 09", false}, // newest is day 0
		{"day 0", "active_days", operator.Config{Windows: all}, "01 00 01", true},
		{"no days", "active_days", operator.Config{Windows: all}, "00", false},
		{"a bitmap without days", "active_days", operator.Config{Windows: all}, "01 00 00", false},
		{"a bitmap after the end of time", "active_days", operator.Config{Windows: all}, "01" + uvarint(1<<40) + "01", false},
		{"sessions", "sessions", operator.Config{Gap: 2, Windows: two}, "02 e007 00  03 01", true},
		{"a session after newest", "sessions", operator.Config{Gap: 2, Windows: two}, "01 e807 01", false},
		{"the newest session", "sessions", operator.Config{Gap: 2, Windows: two}, "01 e807 00", true},
		{"a session across hops", "sessions", operator.Config{Gap: 2, Windows: two}, "01 e307 01", false},
		{"sessions that should be one", "sessions", operator.Config{Gap: 2, Windows: two}, "02 e007 00 01 00", false},
		{"sessions of two hops", "sessions", operator.Config{Gap: 2, Windows: two}, "02 e307 00 00 00", true},
		{"a coarse session", "sessions", operator.Config{Gap: 2, Windows: two}, "01 c806 0f", true},
		{"one older than any reader reached beside the newest", "sessions", operator.Config{Gap: 2, Windows: two}, "02 01 00 e407 00", false},
		{"no sessions", "sessions", operator.Config{Gap: 2, Windows: two}, "00", false},
		{"no keys", "top_k", operator.Config{Inputs: inputs{key(schema.Bool)}, Windows: all}, "00", false},
	} {
		state, err := hex.DecodeString(strings.ReplaceAll(c.state, " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", c.why, err)
		}
		s := newStates(t, c.kind, &c.cfg, 1)
		err = s.Merge(0, state, newest)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, operator.ErrState) {
			t.Errorf("%s, %s %x: error %v", c.kind, c.why, state, err)
		}
	}
}

// TestDaysTooFarApartRefused gives active_days over three days states of the tenth day and before: days that no one newest
// time reached together are no state.
func TestDaysTooFarApartRefused(t *testing.T) {
	cfg := operator.Config{Windows: []window.Window{{Length: 3 * window.Day, Hop: window.Day}}}
	for marks, ok := range map[uint64]bool{1<<8 | 1<<10: true, 1<<5 | 1<<7: true, 1<<7 | 1<<10: false, 1<<11 | 1<<10: false} {
		state := append([]byte{1, 0}, wire.AppendUvarint(nil, marks)...)
		s := newStates(t, "active_days", &cfg, 1)
		if err := s.Merge(0, state, 10*window.Day); (err == nil) != ok || err != nil && !errors.Is(err, operator.ErrState) {
			t.Errorf("days %b: error %v", marks, err)
		}
	}
}
