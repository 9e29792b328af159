package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// allBytes has every byte, so that no layout's own characters are left out.
func allBytes() string {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return string(b)
}

func testBinary(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	id.Namespace = fresh("a b\n*?[x-z]^\\%\xff")
	keys := []string{allBytes(), "\x00", "\x00\x00", "*", "?", "[a]", "\\", "%s", " ", "\n", "m", ":", "k", "k2", strings.Repeat("x", storelimit.MaxKeyBytes)}
	name := allBytes()
	c := lane.Call{Lane: id, Name: name, Set: "\x00 mark\n", RowsOf: incA}
	for _, k := range keys {
		c.Rows = append(c.Rows, set(k, name, allBytes()+k, "e0/0/0", k))
	}
	must(t, s, c)
	wantMarks(t, refused(t, s, c), lane.Marks{name: c.Set})
	for _, k := range keys {
		e := exactOf(t, s, lane.RowID{Lane: id, Incarnation: incA, Key: []byte(k)})
		want := []lane.Field{{Name: name, Value: []byte(allBytes() + k)}, {Name: "e0/0/0", Value: []byte(k)}}
		if !sameFields(e.Fields, want) {
			t.Fatalf("row %.50q reads as %.200q", k, e.Fields)
		}
	}
	rows, err := scanned(s, id.Namespace)
	if err != nil || len(rows) != len(keys) {
		t.Fatalf("scan finds %d rows, %v; want %d", len(rows), err, len(keys))
	}
	// A namespace is no pattern and no prefix.
	for _, other := range []string{strings.Replace(id.Namespace, "*", "x", 1), id.Namespace[:len(id.Namespace)-1], "*"} {
		if rows, err := scanned(s, other); err != nil || len(rows) != 0 {
			t.Fatalf("scan of %q finds %d rows, %v", other, len(rows), err)
		}
	}
}

func testEmptyValues(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	must(t, s, lane.Call{Lane: id, Name: "events/0", Set: "x", RowsOf: incA, Rows: []lane.RowChange{set("", "", ""), set("k", "b1", "")}})
	for _, k := range []string{"", "k"} {
		row := lane.RowID{Lane: id, Incarnation: incA, Key: []byte(k)}
		rows, err := s.Rows(context.Background(), []lane.RowID{row})
		if err != nil || len(rows[0]) != 1 || len(rows[0][0]) != 0 {
			t.Errorf("row %q with an empty value reads as %q, %v", k, rows, err)
		}
	}
}

func testManyRows(t *testing.T, open func(testing.TB) store.Store) {
	const n = 5000
	s, id := open(t), freshLane()
	c := lane.Call{Lane: id, Name: "events/0", Set: mark(incA, 0, n), RowsOf: incA}
	ids := make([]lane.RowID, n)
	for i := range n {
		k := "user:" + strconv.Itoa(i)
		c.Rows = append(c.Rows, set(k, "e0/0/0", k))
		ids[i] = lane.RowID{Lane: id, Incarnation: incA, Key: []byte(k)}
	}
	must(t, s, c)
	rows, err := s.Rows(context.Background(), ids)
	if err != nil {
		t.Fatal(err)
	}
	exact, err := s.Exact(context.Background(), ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		if len(rows[i]) != 1 || !bytes.Equal(rows[i][0], id.Key) || len(exact[i].Fields) != 1 || !bytes.Equal(exact[i].Fields[0].Value, id.Key) {
			t.Fatalf("row %d is %q and %q", i, rows[i], exact[i].Fields)
		}
	}
	lanes := make([]lane.ID, 300)
	for i := range lanes {
		lanes[i] = lane.ID{Namespace: id.Namespace, N: i % lane.MaxLanes}
	}
	marks, err := s.Marks(context.Background(), lanes)
	if err != nil || len(marks) != len(lanes) || len(marks[7]) != 1 || len(marks[8]) != 0 || len(marks[7+lane.MaxLanes]) != 1 {
		t.Fatalf("marks of many lanes: %d, %v", len(marks), err)
	}
}

// testManyFields: more fields than Lua's stack holds, set and deleted by one call each.
func testManyFields(t *testing.T, open func(testing.TB) store.Store) {
	const n = 10_001
	s, row := open(t), lane.RowID{Lane: freshLane(), Incarnation: incA, Key: []byte("k")}
	r := lane.RowChange{Key: row.Key}
	for i := range n {
		r.Set = append(r.Set, lane.Field{Name: fmt.Sprintf("e0/0/%06d", i), Value: []byte(strconv.Itoa(i))})
	}
	must(t, s, lane.Call{Lane: row.Lane, Name: "x", Set: "1", RowsOf: incA, Rows: []lane.RowChange{r}})
	if e := exactOf(t, s, row); !sameFields(e.Fields, r.Set) {
		t.Fatalf("%d fields are not the %d written", len(e.Fields), n)
	}
	// The same call deletes and sets: the deletes come first, so a name in both stays.
	d := lane.RowChange{Key: row.Key, Set: r.Set[:3]}
	for _, f := range r.Set {
		d.Del = append(d.Del, f.Name)
	}
	must(t, s, lane.Call{Lane: row.Lane, Name: "x", Expect: "1", RowsOf: incA, Rows: []lane.RowChange{d}})
	if e := exactOf(t, s, row); !sameFields(e.Fields, r.Set[:3]) {
		t.Fatalf("after the deletes the row has %d fields", len(e.Fields))
	}
}

func testLargeValues(t *testing.T, open func(testing.TB) store.Store) {
	const n, size = 8, 5 << 20
	s, id := open(t), freshLane()
	c := lane.Call{Lane: id, Name: "x", Set: "1", RowsOf: incA}
	rows := make([]lane.RowID, n)
	for i := range n {
		k := []byte{byte(i)}
		c.Rows = append(c.Rows, lane.RowChange{Key: k, Set: []lane.Field{{Name: "b1", Value: bytes.Repeat(k, size)}}})
		rows[i] = lane.RowID{Lane: id, Incarnation: incA, Key: k}
	}
	must(t, s, c)
	got, err := s.Rows(context.Background(), rows)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if len(got[i]) != 1 || !bytes.Equal(got[i][0], c.Rows[i].Set[0].Value) {
			t.Fatalf("large value %d is not what was written", i)
		}
	}
}

// testExactInstant: each call writes its number into the mark and the row; whoever reads both sees one number.
func testExactInstant(t *testing.T, open func(testing.TB) store.Store) {
	const writes = 300
	row := lane.RowID{Lane: freshLane(), Incarnation: incA, Key: []byte("k")}
	w, r := open(t), open(t)
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		defer done.Store(true)
		for i := range writes {
			n := strconv.Itoa(i)
			out := w.Apply(context.Background(), []lane.Call{{
				Lane: row.Lane, Name: "x", AnyMark: true, Set: n, RowsOf: incA, Rows: []lane.RowChange{set("k", "e", n)},
			}})[0]
			if out.Err != nil || !out.Applied {
				t.Errorf("write %d: %+v", i, out)
				return
			}
		}
	})
	for !done.Load() {
		exact, err := r.Exact(context.Background(), []lane.RowID{row, row, row})
		if err != nil {
			t.Error(err)
			break
		}
		for _, e := range exact {
			if len(e.Marks) != len(e.Fields) || len(e.Fields) == 1 && string(e.Fields[0].Value) != e.Marks["x"] {
				t.Errorf("marks %q with row %q", e.Marks, e.Fields)
			}
		}
	}
	wg.Wait()
}

func testScan(t *testing.T, open func(testing.TB) store.Store) {
	s := open(t)
	ns := fresh("scan")
	var want []string
	for _, n := range []int{0, 1, 15, 255} {
		id := lane.ID{Namespace: ns, N: n}
		for _, inc := range []lane.Incarnation{incA, incB} {
			c := lane.Call{Lane: id, AnyMark: true, Name: "x", Set: string(inc), RowsOf: inc}
			for i := range 1500 {
				k := strconv.Itoa(i)
				c.Rows = append(c.Rows, set(k, "b1", k, "d2", k))
				want = append(want, fmt.Sprintf("%d %s %q", n, inc, k))
			}
			must(t, s, c)
		}
	}
	must(t, s, lane.Call{Lane: lane.ID{Namespace: ns + ":01", N: 0}, Name: "x", Set: "y", RowsOf: incA, Rows: []lane.RowChange{set("no", "b1", "")}})
	slices.Sort(want)
	got, err := scanned(s, ns)
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("scan finds %d rows, %v; want %d", len(got), err, len(want))
	}
}

// testScanWriting: what is there throughout is found, whatever comes and goes; yield uses the store itself.
func testScanWriting(t *testing.T, open func(testing.TB) store.Store) {
	const stays = 10_000
	s, other, id := open(t), open(t), freshLane()
	c := lane.Call{Lane: id, AnyMark: true, Name: "x", Set: "1", RowsOf: incA}
	for i := range stays {
		c.Rows = append(c.Rows, set("stays"+strconv.Itoa(i), "b1", "v"))
	}
	must(t, s, c)
	var done atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; !done.Load(); i++ {
			k := []byte("comes" + strconv.Itoa(i))
			gone := []byte("comes" + strconv.Itoa(i-1))
			out := other.Apply(context.Background(), []lane.Call{{
				Lane: id, AnyMark: true, Name: "y", Set: strconv.Itoa(i), RowsOf: incA,
				Rows: []lane.RowChange{set(string(k), "b1", "v"), {Key: gone, Del: []string{"b1"}}},
			}})[0]
			if out.Err != nil {
				t.Error(out.Err)
				return
			}
		}
	})
	found := map[string]bool{}
	err := s.Scan(context.Background(), id.Namespace, func(id lane.RowID) error {
		if len(found)%1000 == 0 {
			if _, err := s.Marks(context.Background(), []lane.ID{id.Lane}); err != nil {
				return err
			}
		}
		if strings.HasPrefix(string(id.Key), "stays") {
			found[string(id.Key)] = true
		}
		return nil
	})
	done.Store(true)
	wg.Wait()
	if err != nil || len(found) != stays {
		t.Fatalf("scan finds %d of the %d rows that stay, %v", len(found), stays, err)
	}
}

func testScanStops(t *testing.T, open func(testing.TB) store.Store) {
	s, id := open(t), freshLane()
	must(t, s, lane.Call{Lane: id, Name: "x", Set: "1", RowsOf: incA, Rows: []lane.RowChange{set("a", "b1", "v"), set("b", "b1", "v")}})
	enough, n := errors.New("enough"), 0
	err := s.Scan(context.Background(), id.Namespace, func(lane.RowID) error { n++; return enough })
	if !errors.Is(err, enough) || n != 1 {
		t.Fatalf("scan ends with %v after %d rows", err, n)
	}
}

func testManifest(t *testing.T, open func(testing.TB) store.Store) {
	s, view := open(t), fresh("job.view")
	ctx := context.Background()
	is := func(seq int64, body string) {
		t.Helper()
		gotSeq, got, err := s.Manifest(ctx, view)
		if err != nil || gotSeq != seq || string(got) != body {
			t.Fatalf("manifest is %d %q, %v; want %d %q", gotSeq, got, err, seq, body)
		}
	}
	put := func(seq int64, body string, want bool) {
		t.Helper()
		if ok, err := s.PutManifest(ctx, view, seq, []byte(body)); err != nil || ok != want {
			t.Fatalf("putting manifest %d: %t, %v; want %t", seq, ok, err, want)
		}
	}
	is(0, "")
	put(9, "nine", true)
	put(9, "other nine", false)
	put(8, "eight", false)
	is(9, "nine")
	put(10, allBytes(), true) // a number, not a string: "10" sorts before "9"
	is(10, allBytes())
	put(1<<53-1, "", true)
	is(1<<53-1, "")
	if seq, _, err := s.Manifest(ctx, view+"2"); err != nil || seq != 0 {
		t.Fatalf("another view has manifest %d, %v", seq, err)
	}
}

func testManifestRace(t *testing.T, open func(testing.TB) store.Store) {
	view := fresh("job.view")
	var wg sync.WaitGroup
	var wins atomic.Int64
	for range 2 {
		s := open(t)
		wg.Go(func() {
			for seq := int64(1); seq <= 50; seq++ {
				ok, err := s.PutManifest(context.Background(), view, seq, []byte(strconv.FormatInt(seq, 10)))
				if err != nil {
					t.Error(err)
				}
				if ok {
					wins.Add(1)
				}
			}
		})
	}
	wg.Wait()
	seq, body, err := open(t).Manifest(context.Background(), view)
	if err != nil || seq != 50 || string(body) != "50" || wins.Load() != 50 {
		t.Fatalf("manifest %d %q, %v after %d wins", seq, body, err, wins.Load())
	}
}
