package pebblestore

import (
	"context"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/tidemark-io/tidemark/shared/lane"
)

var (
	crashLane = lane.ID{Namespace: "job:view:1", N: 7}
	crashRow  = lane.RowID{Lane: crashLane, Incarnation: "aaaaaaaaaa", Key: []byte("k")}
)

// TestPowerCut: whatever part of the unsynced writes the disk has, what opens again is the store after some number of
// whole calls, in order: a suffix is lost, and nothing else. Synced writes are not lost.
func TestPowerCut(t *testing.T) {
	const writes = 200
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	lost := 0
	for range 20 {
		disk := vfs.NewCrashableMem()
		s, err := Open("store", Options{fs: disk, MemTableBytes: 256 << 10})
		if err != nil {
			t.Fatal(err)
		}
		crashAt := rng.IntN(writes)
		var crashed *vfs.MemFS
		for n := range writes {
			if n == crashAt {
				crashed = disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(101), RNG: rng})
			}
			number(t, s, n, rng.IntN(20_000))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		got := numberAfter(t, crashed)
		if got >= crashAt {
			t.Fatalf("the store is at call %d after a power cut before call %d", got, crashAt)
		}
		lost += crashAt - 1 - got
		// Closing syncs: a power cut after it loses nothing.
		if got := numberAfter(t, disk.CrashClone(vfs.CrashCloneCfg{})); got != writes-1 {
			t.Fatalf("the store is at call %d after a power cut after its end, want %d", got, writes-1)
		}
	}
	if lost == 0 {
		t.Error("no power cut lost anything: the test tests nothing")
	}
}

// number applies a call that writes n into the mark and the row, and some bytes besides.
func number(t *testing.T, s *Store, n, size int) {
	t.Helper()
	out := s.Apply(context.Background(), []lane.Call{{
		Lane: crashLane, Name: "events/0", AnyMark: true, Set: strconv.Itoa(n), RowsOf: crashRow.Incarnation,
		Rows: []lane.RowChange{
			{Key: crashRow.Key, Set: []lane.Field{{Name: "e", Value: []byte(strconv.Itoa(n))}}},
			{Key: []byte(strconv.Itoa(n)), Set: []lane.Field{{Name: "b1", Value: make([]byte, size)}}},
		},
	}})[0]
	if out.Err != nil || !out.Applied {
		t.Fatalf("call %d: %+v", n, out)
	}
}

// numberAfter opens a disk and returns the number of the last call it has, -1 for none. Mark and rows must agree.
func numberAfter(t *testing.T, disk vfs.FS) int {
	t.Helper()
	s, err := Open("store", Options{fs: disk})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	rows := 0
	if err := s.Scan(context.Background(), crashLane.Namespace, func(lane.RowID) error { rows++; return nil }); err != nil {
		t.Fatal(err)
	}
	e, err := s.Exact(context.Background(), []lane.RowID{crashRow})
	if err != nil {
		t.Fatal(err)
	}
	if rows == 0 && len(e[0].Marks) == 0 {
		return -1
	}
	n, err := strconv.Atoi(e[0].Marks["events/0"])
	if err != nil || len(e[0].Fields) != 1 || string(e[0].Fields[0].Value) != strconv.Itoa(n) || rows != n+2 {
		t.Fatalf("marks %v, row %q and %d rows are not of one call", e[0].Marks, e[0].Fields, rows)
	}
	return n
}

func TestUnknownLayout(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Set([]byte{kindVersion}, []byte("2"), pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // and the refusal leaves the folder free
		if _, err := Open(dir, Options{}); !errors.Is(err, lane.ErrStore) || errors.Is(err, ErrLocked) {
			t.Fatalf("opening a store of another layout: %v, want ErrStore", err)
		}
	}
}

// TestForgottenMarks: a stripe that forgets the marks it remembered reads them again.
func TestForgottenMarks(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	number(t, s, 5, 0)
	st := s.stripe(crashLane)
	for i := range maxStripeLanes {
		st.mu.Lock()
		st.remember(lane.ID{Namespace: strconv.Itoa(i)}, lane.Marks{})
		st.mu.Unlock()
	}
	if len(st.marks) > maxStripeLanes {
		t.Fatalf("the stripe remembers %d lanes, want at most %d", len(st.marks), maxStripeLanes)
	}
	if _, ok := st.marks[crashLane]; ok {
		t.Fatal("nothing was forgotten")
	}
	m, err := s.Marks(context.Background(), []lane.ID{crashLane})
	if err != nil || m[0]["events/0"] != "5" {
		t.Fatalf("marks are %v, %v", m, err)
	}
}

// TestKeyFixtures freezes the layout that docs/format/store.md draws.
func TestKeyFixtures(t *testing.T) {
	id := lane.RowID{Lane: lane.ID{Namespace: "j:v:1", N: 7}, Incarnation: "k2xa", Key: []byte("u\x00")}
	for want, got := range map[string][]byte{
		"6d6a3a763a310007":                        appendLane(nil, kindMark, id.Lane),
		"726a3a763a3100076b32786100000275" + "00": appendRow(nil, id),
		"666a6f622e76696577":                      manifestKey("job.view"),
	} {
		if hex.EncodeToString(got) != want {
			t.Errorf("key %x, want %s", got, want)
		}
	}
	row := append(appendRow(nil, id), "e0/0/0"...)
	head := len("rj:v:1") + 1
	back, size, err := parseRow("j:v:1", row[head:])
	if err != nil || back.Lane != id.Lane || back.Incarnation != id.Incarnation || string(back.Key) != string(id.Key) || string(row[head+size:]) != "e0/0/0" {
		t.Errorf("the key reads as %+v, %d, %v", back, size, err)
	}
	for cut := range size { // no part of a row's key reads as a row
		if _, _, err := parseRow("j:v:1", row[head:head+cut]); !errors.Is(err, lane.ErrStore) {
			t.Errorf("a key cut to %d bytes: %v, want ErrStore", cut, err)
		}
	}
	if got := appendAfter(nil, []byte("r\xff\xff")); string(got) != "s" {
		t.Errorf("after r ff ff comes %q, want s", got)
	}
}
