package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/shared/lane"
)

func sameMarks(a, b lane.Marks) bool { return maps.Equal(a, b) }

func sameFields(a, b []lane.Field) bool {
	return slices.EqualFunc(a, b, func(f, g lane.Field) bool { return f.Name == g.Name && bytes.Equal(f.Value, g.Value) })
}

// The alphabets of random calls are small, so that calls meet; some of their letters are what layouts stumble over.
var (
	someNames  = []string{lane.BatchName, "events/0", "events/1", "we ird\n%/2"}
	someMarks  = marksAlphabet()
	someIncs   = []lane.Incarnation{incA, incB, "a"}
	someKeys   = []string{"", "k", "k\x00", "k\x00\x00", "a:b", "*", "[x]?\\", "m", "\xff\xff", "% \n}{"}
	someFields = []string{"b1", "d2", "e0/1/65536", "", "\x00", "*\n"}
	someValues = []string{"", "v", "w\x00w", "\r\n$-1\r\n", "\xff\xfe"}
	someLanes  = []int{0, 7, 255}
	someCuts   = []int64{0, 4, 5, 6, 1<<53 - 2, 1<<53 - 1}
)

// marksAlphabet has marks of both kinds, well-formed and damaged in each way that a parser can miss.
func marksAlphabet() []string {
	m := []string{lane.Dropped, "x", "aaaaaaaaaa", "a\x00a", "ünï"}
	for _, rest := range []string{
		"5 5 0", "j 5 17", "0 0 0", "j 9007199254740991 9007199254740991", "9007199254740991 9007199254740991 0",
		// From here on they do not read.
		"6 5 0", "5 5", "5 5 0 0", "05 5 0", "5 05 0", "5 5 -0", "+5 5 0", "5 5 1e3", "J 5 0", "j 9007199254740992 0",
		"j 9007199254740993 0", "j 99999999999999999 0", "j 5 ", "j  0", " 5 0", "j 5 0\n", "j 5 0x1", "j 5 0\x00", "1 2 3.0",
	} {
		m = append(m, string(incA)+" "+rest)
	}
	return append(m, string(incB)+" 3 4 5", " 3 4 5", string(incB)+" j 7 7", "a j 7 7")
}

// testModel applies random calls to the store and to lane.Decide over maps, and compares outcomes and contents.
func testModel(t *testing.T, open func(testing.TB) store.Store) {
	s := open(t)
	rapid.Check(t, func(t *rapid.T) {
		w := &world{store: s, model: memstore.New(), namespace: fresh("ns*[a]\\?")}
		t.Repeat(map[string]func(*rapid.T){
			"apply": w.apply,
			"":      w.compare,
		})
		w.scan(t)
	})
}

type world struct {
	store, model store.Store
	namespace    string
}

func (w *world) lane(t *rapid.T) lane.ID {
	return lane.ID{Namespace: w.namespace, N: rapid.SampledFrom(someLanes).Draw(t, "lane")}
}

func (w *world) apply(t *rapid.T) {
	calls := rapid.SliceOfN(rapid.Custom(w.call), 1, 4).Draw(t, "calls")
	got := w.store.Apply(context.Background(), calls)
	want := w.model.Apply(context.Background(), calls)
	for i := range want {
		if errors.Is(want[i].Err, lane.ErrStore) {
			if !errors.Is(got[i].Err, lane.ErrStore) {
				t.Fatalf("call %d %+v: got %+v, want %v", i, calls[i], got[i], want[i].Err)
			}
			continue
		}
		if got[i].Err != nil || got[i].Applied != want[i].Applied || !sameMarks(got[i].Marks, want[i].Marks) {
			t.Fatalf("call %d %+v: got %+v, want %+v", i, calls[i], got[i], want[i])
		}
	}
}

func (w *world) call(t *rapid.T) lane.Call {
	c := lane.Call{
		Lane:    w.lane(t),
		Name:    rapid.SampledFrom(someNames).Draw(t, "name"),
		AnyMark: rapid.Bool().Draw(t, "any"),
		RowsOf:  rapid.SampledFrom(someIncs).Draw(t, "rows of"),
		Join:    rapid.IntRange(0, 4).Draw(t, "join") == 0,
		Once:    rapid.IntRange(0, 4).Draw(t, "once") == 0,
	}
	// Expecting what is there is drawn often: otherwise next to nothing would be applied.
	if rapid.Bool().Draw(t, "right") {
		m, err := w.model.Marks(context.Background(), []lane.ID{c.Lane})
		if err != nil {
			t.Fatal(err)
		}
		c.Expect = m[0][c.Name]
	} else if rapid.Bool().Draw(t, "wrong") {
		c.Expect = rapid.SampledFrom(someMarks).Draw(t, "expect")
	}
	if rapid.IntRange(0, 3).Draw(t, "fenced") == 0 {
		c.Incarnation = rapid.SampledFrom(someIncs).Draw(t, "incarnation")
	}
	if rapid.IntRange(0, 3).Draw(t, "sets") > 0 {
		c.Set = rapid.SampledFrom(someMarks).Draw(t, "set")
	}
	if rapid.IntRange(0, 3).Draw(t, "replaces") == 0 {
		c.Replace = rapid.MapOfN(rapid.SampledFrom(someNames), rapid.SampledFrom(someMarks), 0, 3).Draw(t, "replace")
	}
	if rapid.IntRange(0, 2).Draw(t, "raises") == 0 {
		c.Raise = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) lane.Raise {
			return lane.Raise{Name: rapid.SampledFrom(someNames).Draw(t, "name"), Cut: rapid.SampledFrom(someCuts).Draw(t, "cut")}
		}), 0, 3).Draw(t, "raise")
	}
	c.Rows = rapid.SliceOfN(rapid.Custom(rowChange), 0, 3).Draw(t, "rows")
	return c
}

func rowChange(t *rapid.T) lane.RowChange {
	return lane.RowChange{
		Key: []byte(rapid.SampledFrom(someKeys).Draw(t, "key")),
		Del: rapid.SliceOfN(rapid.SampledFrom(someFields), 0, 2).Draw(t, "del"),
		Set: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) lane.Field {
			return lane.Field{
				Name:  rapid.SampledFrom(someFields).Draw(t, "field"),
				Value: []byte(rapid.SampledFrom(someValues).Draw(t, "value")),
			}
		}), 0, 2).Draw(t, "set"),
	}
}

// compare reads everything that calls can have touched.
func (w *world) compare(t *rapid.T) {
	var lanes []lane.ID
	var rows []lane.RowID
	for _, n := range someLanes {
		id := lane.ID{Namespace: w.namespace, N: n}
		lanes = append(lanes, id)
		for _, inc := range someIncs {
			for _, key := range someKeys {
				rows = append(rows, lane.RowID{Lane: id, Incarnation: inc, Key: []byte(key)})
			}
		}
	}
	gotMarks, wantMarks := both(t, w, func(s store.Store) ([]lane.Marks, error) { return s.Marks(context.Background(), lanes) })
	for i := range lanes {
		if !sameMarks(gotMarks[i], wantMarks[i]) {
			t.Fatalf("marks of lane %s: got %q, want %q", lanes[i], gotMarks[i], wantMarks[i])
		}
	}
	gotExact, wantExact := both(t, w, func(s store.Store) ([]lane.Exact, error) { return s.Exact(context.Background(), rows) })
	gotRows, _ := both(t, w, func(s store.Store) ([][][]byte, error) { return s.Rows(context.Background(), rows) })
	for i, id := range rows {
		if !sameMarks(gotExact[i].Marks, wantExact[i].Marks) || !sameFields(gotExact[i].Fields, wantExact[i].Fields) {
			t.Fatalf("row %+v: got %q, want %q", id, gotExact[i], wantExact[i])
		}
		if gotRows[i] == nil || !sameValues(gotRows[i], wantExact[i].Fields) {
			t.Fatalf("values of row %+v: got %q, want those of %q", id, gotRows[i], wantExact[i].Fields)
		}
	}
}

// sameValues tells whether values are those of the fields, in any order.
func sameValues(values [][]byte, fields []lane.Field) bool {
	want := make([][]byte, len(fields))
	for i, f := range fields {
		want[i] = f.Value
	}
	got := slices.Clone(values)
	slices.SortFunc(got, bytes.Compare)
	slices.SortFunc(want, bytes.Compare)
	return slices.EqualFunc(got, want, bytes.Equal)
}

func both[T any](t *rapid.T, w *world, read func(store.Store) (T, error)) (got, want T) {
	got, err := read(w.store)
	if err != nil {
		t.Fatal(err)
	}
	want, err = read(w.model)
	if err != nil {
		t.Fatal(err)
	}
	return got, want
}

func (w *world) scan(t *rapid.T) {
	got, want := both(t, w, func(s store.Store) ([]string, error) { return scanned(s, w.namespace) })
	if !slices.Equal(got, want) {
		t.Fatalf("scan: got %q, want %q", got, want)
	}
}

// scanned returns the rows of a namespace, each once, in order.
func scanned(s store.Store, namespace string) ([]string, error) {
	rows := map[string]bool{}
	err := s.Scan(context.Background(), namespace, func(id lane.RowID) error {
		if id.Lane.Namespace != namespace {
			return fmt.Errorf("scan of %q yields a row of %q", namespace, id.Lane.Namespace)
		}
		rows[fmt.Sprintf("%d %s %q", id.Lane.N, id.Incarnation, id.Key)] = true
		return nil
	})
	return slices.Sorted(maps.Keys(rows)), err
}
