package durable_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tidemark-io/tidemark/batch/durable"
)

// Of many that link one name at once, exactly one wins, and its content is what stands there.
func TestLinkIsCompareAndSet(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := durable.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "name")
	var wg sync.WaitGroup
	won := make(chan byte, 16)
	for n := range byte(16) {
		wg.Go(func() {
			switch err := durable.Link(path, []byte{n}); {
			case err == nil:
				won <- n
			case !errors.Is(err, durable.ErrExists):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(won)
	if len(won) != 1 {
		t.Fatalf("%d won", len(won))
	}
	got, err := os.ReadFile(path)
	if winner := <-won; err != nil || len(got) != 1 || got[0] != winner {
		t.Fatalf("%v, %v; want the winner's %d", got, err, winner)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("left aside: %v, %v", files, err)
	}
}

func TestLinkIntoNoFolder(t *testing.T) {
	if err := durable.Link(filepath.Join(t.TempDir(), "none", "x"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

func TestMkdirAllOverAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := durable.MkdirAll(filepath.Join(path, "below")); err == nil {
		t.Fatal("made a folder in a file")
	}
}
