package storetest

import (
	"context"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// The incarnations used here; those of real lanes are random.
const (
	incA = lane.Incarnation("aaaaaaaaaa")
	incB = lane.Incarnation("bbbbbbbbbb")
)

// Run runs the suite. open returns one more client of one and the same store, which need not be empty: each test has a
// namespace of its own. The clients are the caller's to close, after the test.
func Run(t *testing.T, open func(testing.TB) store.Store) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, func(testing.TB) store.Store)
	}{
		{"like the model", testModel},
		{"two clients race on a mark", testRace},
		{"calls of one lane keep their order", testOrder},
		{"one failing call stops no other", testIndependent},
		{"a repeated call changes nothing", testRepeat},
		{"begin replaces all marks", testBegin},
		{"raise", testRaise},
		{"join", testJoin},
		{"damaged marks", testDamaged},
		{"emptying a lane", testEmptyLane},
		{"leftovers hang on the incarnation", testLeftovers},
		{"a dropped lane", testDropped},
		{"absent things", testAbsent},
		{"bytes are bytes", testBinary},
		{"empty values", testEmptyValues},
		{"many rows in a call", testManyRows},
		{"many fields in a row", testManyFields},
		{"large values", testLargeValues},
		{"marks and row of one instant", testExactInstant},
		{"scan", testScan},
		{"scan while writing", testScanWriting},
		{"scan stops with the error of yield", testScanStops},
		{"manifest", testManifest},
		{"manifest race", testManifestRace},
		{"what no store takes", testLimits},
		{"a context that has ended", testContext},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open) })
	}
}

var namespaces atomic.Int64

// fresh returns the name of a namespace that nobody has used. The prefix may be anything a namespace can be.
func fresh(prefix string) string {
	return fmt.Sprintf("%s:%d:%s", prefix, namespaces.Add(1), hex.EncodeToString(fmt.Append(nil, rand.Uint32())))
}

func freshLane() lane.ID { return lane.ID{Namespace: fresh("job:view"), N: 7} }

// do applies one call that must not fail.
func do(t testing.TB, s store.Store, c lane.Call) lane.Result {
	t.Helper()
	out := s.Apply(context.Background(), []lane.Call{c})
	if len(out) != 1 || out[0].Err != nil {
		t.Fatalf("applying %+v: %+v", c, out)
	}
	return out[0].Result
}

// must applies one call that must be applied.
func must(t testing.TB, s store.Store, c lane.Call) {
	t.Helper()
	if r := do(t, s, c); !r.Applied {
		t.Fatalf("%+v was refused; the marks are %v", c, r.Marks)
	}
}

// refused applies one call that must be refused, and returns the marks told.
func refused(t testing.TB, s store.Store, c lane.Call) lane.Marks {
	t.Helper()
	r := do(t, s, c)
	if r.Applied {
		t.Fatalf("%+v was applied", c)
	}
	return r.Marks
}

func marksOf(t testing.TB, s store.Store, id lane.ID) lane.Marks {
	t.Helper()
	m, err := s.Marks(context.Background(), []lane.ID{id})
	if err != nil || len(m) != 1 || m[0] == nil {
		t.Fatalf("reading marks: %v, %v", m, err)
	}
	return m[0]
}

func wantMarks(t testing.TB, got, want lane.Marks) {
	t.Helper()
	if !sameMarks(got, want) {
		t.Fatalf("marks are\n%q, want\n%q", got, want)
	}
}

func exactOf(t testing.TB, s store.Store, id lane.RowID) lane.Exact {
	t.Helper()
	e, err := s.Exact(context.Background(), []lane.RowID{id})
	if err != nil || len(e) != 1 {
		t.Fatalf("reading row %q: %v, %v", id.Key, e, err)
	}
	return e[0]
}

// set is a row change that sets fields: name, value, name, value.
func set(key string, nameValues ...string) lane.RowChange {
	r := lane.RowChange{Key: []byte(key)}
	for i := 0; i < len(nameValues); i += 2 {
		r.Set = append(r.Set, lane.Field{Name: nameValues[i], Value: []byte(nameValues[i+1])})
	}
	return r
}
