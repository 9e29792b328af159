package archivefile_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

var (
	ours   = schema.Topic{Name: "trips-1", ID: "AAAAAAAAAAAAAAAAAAAAAQ"}
	theirs = schema.Topic{Name: "trips-1", ID: "AAAAAAAAAAAAAAAAAAAAAg"}
)

// TestTopicIsKept: the first one stays, and any other is refused; the file is as it was when its codec was frozen.
func TestTopicIsKept(t *testing.T) {
	dir := t.TempDir()
	if got, err := archivefile.Topic(dir, "trips"); err != nil || got.Known() {
		t.Fatalf("nothing kept: %+v, %v", got, err)
	}
	if err := archivefile.KeepTopic(archivefile.OS{}, dir, "trips", schema.Topic{Name: "trips-1"}); err != nil {
		t.Fatal(err)
	}
	if err := archivefile.CheckTopic(dir, "trips", theirs); err != nil {
		t.Fatalf("a topic whose id is not known was kept: %v", err)
	}
	for range 2 {
		if err := archivefile.KeepTopic(archivefile.OS{}, dir, "trips", ours); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := archivefile.Topic(dir, "trips"); err != nil || got != ours {
		t.Fatalf("kept %+v, %v", got, err)
	}
	for name, err := range map[string]error{
		"keeping":  archivefile.KeepTopic(archivefile.OS{}, dir, "trips", theirs),
		"checking": archivefile.CheckTopic(dir, "trips", theirs),
	} {
		if !errors.Is(err, schema.ErrTopic) {
			t.Errorf("%s another: %v", name, err)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "trips", "topic.json"))
	if err != nil {
		t.Fatal(err)
	}
	frozen := filepath.Join("testdata", "trips", "topic.json")
	if want, err := os.ReadFile(frozen); err != nil || string(got) != string(want) {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "trips")); err != nil || len(entries) != 1 {
		t.Errorf("left in the folder: %v, %v", entries, err)
	}
	// Partitions lie beside it.
	if ids, err := archivefile.Partitions(dir, "trips"); err != nil || len(ids) != 0 {
		t.Errorf("partitions %v, %v", ids, err)
	}
}

// TestTopicDamage: any changed byte, a missing end, another source's file and another codec are refused.
func TestTopicDamage(t *testing.T) {
	dir := filepath.Join("testdata")
	b, err := os.ReadFile(filepath.Join(dir, "trips", "topic.json"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(source string, b []byte) error {
		t.Helper()
		copied := t.TempDir()
		if err := os.Mkdir(filepath.Join(copied, source), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, source, "topic.json"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := archivefile.Topic(copied, source)
		return err
	}
	for i := range len(b) - 1 { // the last line feed says nothing
		for _, bit := range []byte{1, 4, 64} {
			spoilt := append([]byte{}, b...)
			spoilt[i] ^= bit
			if err := check("trips", spoilt); !errors.Is(err, archivefile.ErrDamaged) && !errors.Is(err, archivefile.ErrVersion) {
				t.Fatalf("byte %d changed: %v", i, err)
			}
		}
		if err := check("trips", b[:i]); !errors.Is(err, archivefile.ErrDamaged) {
			t.Fatalf("cut at byte %d: %v", i, err)
		}
	}
	if err := check("rides", b); !errors.Is(err, archivefile.ErrDamaged) {
		t.Errorf("of another source: %v", err)
	}
	if err := check("trips", []byte(`{"codec":2,"anything":1}`+"\n{}\n")); !errors.Is(err, archivefile.ErrVersion) {
		t.Errorf("of another codec: %v", err)
	}
}

// TestTopicFaults lets each step of writing fail: nothing half written is ever read, and the next try succeeds.
func TestTopicFaults(t *testing.T) {
	for n := 1; ; n++ {
		dir := t.TempDir()
		f := &failing{left: n, err: syscall.ENOSPC}
		err := archivefile.KeepTopic(f, dir, "trips", ours)
		if err == nil {
			if n < 5 {
				t.Fatalf("only %d steps: %v", n, f.log)
			}
			return
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("step %d: %v", n, err)
		}
		if got, err := archivefile.Topic(dir, "trips"); err != nil || got.Known() && got != ours {
			t.Fatalf("after step %d failed: %+v, %v", n, got, err)
		}
		if err := archivefile.KeepTopic(archivefile.OS{}, dir, "trips", ours); err != nil {
			t.Fatalf("after step %d failed: %v", n, err)
		}
		// What a failure leaves aside is removed as what a death leaves.
		p := position.Partition{Source: "trips"}
		if _, err := archivefile.RemoveAbandoned(dir, p, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(filepath.Join(dir, "trips")); err != nil || len(entries) != 1 {
			t.Fatalf("after step %d failed: %v, %v", n, entries, err)
		}
	}
}

// TestTopicRace: of two that come together one is right, and the other is told.
func TestTopicRace(t *testing.T) {
	dir := t.TempDir()
	errs := make([]error, 8)
	var all sync.WaitGroup
	for i := range errs {
		all.Go(func() {
			topic := ours
			if i%2 == 1 {
				topic = theirs
			}
			errs[i] = archivefile.KeepTopic(archivefile.OS{}, dir, "trips", topic)
		})
	}
	all.Wait()
	kept, err := archivefile.Topic(dir, "trips")
	if err != nil {
		t.Fatal(err)
	}
	for i, err := range errs {
		if mine := kept == ours == (i%2 == 0); mine != (err == nil) || err != nil && !errors.Is(err, schema.ErrTopic) {
			t.Errorf("kept is %+v, number %d got %v", kept, i, err)
		}
	}
}
