package pebblestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/tidemark-io/tidemark/serving/pebblestore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storetest"
	"github.com/tidemark-io/tidemark/shared/lane"
)

func open(t testing.TB, dir string) *pebblestore.Store {
	t.Helper()
	s, err := pebblestore.Open(dir, pebblestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	s := open(t, t.TempDir())
	storetest.Run(t, func(testing.TB) store.Store { return s })
}

var id = lane.ID{Namespace: "job:view:1", N: 7}

const inc = lane.Incarnation("aaaaaaaaaa")

// flush is the n-th flush of a lane: it writes its number into the mark and the row.
func flush(n int) lane.Call {
	expect := ""
	if n > 0 {
		expect = strconv.Itoa(n - 1)
	}
	return lane.Call{
		Lane: id, Name: "events/0", Expect: expect, Set: strconv.Itoa(n), RowsOf: inc,
		Rows: []lane.RowChange{{Key: []byte("k"), Set: []lane.Field{{Name: "e0/0/0", Value: []byte(strconv.Itoa(n))}}}},
	}
}

func apply(t testing.TB, s *pebblestore.Store, c lane.Call) {
	t.Helper()
	if o := s.Apply(context.Background(), []lane.Call{c})[0]; o.Err != nil || !o.Applied {
		t.Fatalf("%+v: %+v", c, o)
	}
}

func TestReopen(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for n := range 10 {
		apply(t, s, flush(n))
	}
	if ok, err := s.PutManifest(context.Background(), "v", 3, []byte("body")); !ok || err != nil {
		t.Fatal(ok, err)
	}
	for range 2 { // closing again does nothing
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s = open(t, dir)
	apply(t, s, flush(10))
	if seq, body, err := s.Manifest(context.Background(), "v"); seq != 3 || string(body) != "body" || err != nil {
		t.Fatalf("manifest %d %q, %v", seq, body, err)
	}
}

func TestClosed(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	_, marks := s.Marks(ctx, []lane.ID{id})
	_, rows := s.Rows(ctx, nil)
	_, exact := s.Exact(ctx, nil)
	scan := s.Scan(ctx, "n", nil)
	_, _, manifest := s.Manifest(ctx, "v")
	_, put := s.PutManifest(ctx, "v", 1, nil)
	for i, err := range []error{s.Apply(ctx, []lane.Call{flush(0)})[0].Err, marks, rows, exact, scan, manifest, put} {
		if !errors.Is(err, lane.ErrUnavailable) {
			t.Errorf("operation %d on a closed store: %v, want ErrUnavailable", i, err)
		}
	}
}

// TestCloseDuringScan: a scan whose yield uses the store does not keep Close from coming to its end.
func TestCloseDuringScan(t *testing.T) {
	s := open(t, t.TempDir())
	c := flush(0)
	for i := range 10 {
		c.Rows = append(c.Rows, lane.RowChange{Key: []byte{byte(i)}, Set: []lane.Field{{Name: "b1"}}})
	}
	apply(t, s, c)
	closed := make(chan error, 1)
	first := true
	err := s.Scan(context.Background(), id.Namespace, func(lane.RowID) error {
		if first {
			first = false
			go func() { closed <- s.Close() }()
		}
		for { // until Close is under way
			if _, err := s.Marks(context.Background(), []lane.ID{id}); err != nil {
				return err
			}
			runtime.Gosched()
		}
	})
	if !errors.Is(err, lane.ErrUnavailable) {
		t.Fatalf("scan ends with %v, want ErrUnavailable", err)
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
}

// TestLargeCall: a call larger than the table in memory goes another way through Pebble.
func TestLargeCall(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	c := flush(0)
	c.Rows[0].Set[0].Value = bytes.Repeat([]byte("x"), 3*pebblestore.DefaultMemTableBytes)
	apply(t, s, c)
	apply(t, s, flush(1))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	apply(t, open(t, dir), flush(2))
}

func TestLocked(t *testing.T) {
	if dir := os.Getenv("TIDEMARK_TEST_LOCKED_DIR"); dir != "" {
		_, err := pebblestore.Open(dir, pebblestore.Options{})
		fmt.Println("locked:", errors.Is(err, pebblestore.ErrLocked), errors.Is(err, lane.ErrStore))
		return
	}
	dir := t.TempDir()
	s := open(t, dir)
	_, err := pebblestore.Open(dir, pebblestore.Options{})
	if !errors.Is(err, pebblestore.ErrLocked) || !errors.Is(err, lane.ErrStore) {
		t.Errorf("opening twice in one process: %v, want ErrLocked and ErrStore", err)
	}
	other := exec.Command(os.Args[0], "-test.run=^TestLocked$", "-test.v")
	other.Env = append(os.Environ(), "TIDEMARK_TEST_LOCKED_DIR="+dir)
	out, err := other.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("locked: true true")) {
		t.Errorf("opening in another process: %s %v, want ErrLocked", out, err)
	}
	apply(t, s, flush(0)) // and the owner's lock is still its own
}

func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := pebblestore.Open(file, pebblestore.Options{})
	if !errors.Is(err, lane.ErrStore) || errors.Is(err, pebblestore.ErrLocked) {
		t.Fatalf("opening a file: %v, want ErrStore", err)
	}
}

func TestAddress(t *testing.T) {
	dir := t.TempDir()
	absent := func(when string) {
		t.Helper()
		if url, err := pebblestore.ReadAddress(dir); !errors.Is(err, lane.ErrUnavailable) {
			t.Fatalf("%s there is the address %q, %v; want ErrUnavailable", when, url, err)
		}
	}
	absent("at first")
	for _, url := range []string{"http://127.0.0.1:1", "http://127.0.0.1:2"} {
		if err := pebblestore.WriteAddress(dir, url); err != nil {
			t.Fatal(err)
		}
		if got, err := pebblestore.ReadAddress(dir); err != nil || got != url {
			t.Fatalf("the address is %q, %v; want %q", got, err, url)
		}
	}
	s := open(t, dir)
	absent("after opening, which removes what a killed owner left,")
	if err := pebblestore.WriteAddress(dir, "http://127.0.0.1:3"); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	absent("after closing")
	if err := pebblestore.WriteAddress(dir, ""); !errors.Is(err, lane.ErrStore) {
		t.Errorf("writing no address: %v, want ErrStore", err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "tidemark.http*")); err != nil || len(files) != 0 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}
