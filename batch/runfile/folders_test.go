package runfile_test

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// TestSeekRange reads every hash range of files of random rows, in random order.
func TestSeekRange(t *testing.T) {
	for seed := range uint64(4) {
		rng := rand.New(rand.NewPCG(seed, 2))
		n := int(seed % 4)
		rows := someRows(rng, n, 300*int(seed))
		path, _ := writeFile(t, meta(n), rows)
		r, err := runfile.Open(path, meta(n))
		must(t, err)
		for _, i := range rng.Perm(64) {
			hashRange := n*64 + i
			var want []runfile.Row
			for _, row := range rows {
				if lane.Range(row.Hash) == hashRange {
					want = append(want, row)
				}
			}
			count, err := r.SeekRange(hashRange)
			if err != nil || count != int64(len(want)) {
				t.Fatalf("seed %d, range %d: %d rows, want %d; %v", seed, hashRange, count, len(want), err)
			}
			if count == 0 {
				continue
			}
			got, err := readAll(r)
			must(t, err)
			if !equal(got[:count], want) {
				t.Fatalf("seed %d, range %d: other rows", seed, hashRange)
			}
		}
		must(t, r.Close())
	}
}

// draft makes the draft of a run of one file with one row.
func draft(t *testing.T, folder, key string) *runfile.Draft {
	t.Helper()
	d, err := runfile.NewDraft(folder)
	must(t, err)
	w, err := d.Create("00.run", meta(0))
	must(t, err)
	row := frozenRows()[1]
	row.Hash, row.Key = 1, []byte(key)
	must(t, w.Append(&row))
	_, err = w.Close()
	must(t, err)
	return d
}

// TestCommitLeavesEqualFiles shows that the files of a run that is repeated stay where they are, so that whoever has said
// meanwhile that they are right finds them at any moment, and that others give way.
func TestCommitLeavesEqualFiles(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "runs", "00000003")
	must(t, draft(t, folder, "a").Commit())
	first, err := os.Stat(filepath.Join(folder, "00.run"))
	must(t, err)
	for _, step := range []struct {
		key  string
		same bool
	}{{"a", true}, {"b", false}} {
		d := draft(t, folder, step.key)
		must(t, d.Commit())
		must(t, d.Discard())
		now, err := os.Stat(filepath.Join(folder, "00.run"))
		must(t, err)
		if os.SameFile(first, now) != step.same {
			t.Errorf("repeated with %q: the same file %v", step.key, !step.same)
		}
	}
	f, err := os.Open(filepath.Join(folder, "00.run"))
	must(t, err)
	b, err := io.ReadAll(f)
	must(t, errors.Join(err, f.Close()))
	must(t, os.WriteFile(filepath.Join(folder, "01.run"), b, 0o600)) // a file too many is another folder, too
	must(t, draft(t, folder, "b").Commit())
	left, err := os.ReadDir(filepath.Dir(folder))
	must(t, err)
	if files, err := os.ReadDir(folder); err != nil || len(files) != 1 || len(left) != 1 {
		t.Errorf("%v, %v, %v", files, left, err)
	}
}

// TestFolders lists, holds and removes.
func TestFolders(t *testing.T) {
	runs := filepath.Join(t.TempDir(), "runs")
	folder := func(name string) string { return filepath.Join(runs, name) }
	if have, err := runfile.Folders(runs); err != nil || len(have) != 0 {
		t.Fatalf("%v, %v", have, err)
	}
	for _, name := range []string{"00000010", "00000002", "00000009"} {
		must(t, draft(t, folder(name), "a").Commit())
	}
	draft(t, folder("00000011"), "a")
	held := folder(".check")
	must(t, runfile.Hold(folder("00000002"), held))
	must(t, runfile.Remove(folder("00000002")))
	must(t, runfile.Remove(folder("00000002"))) // another process was first
	if have, err := runfile.Folders(runs); err != nil || !slices.Equal(have, []int64{9, 10}) {
		t.Fatalf("%v, %v", have, err)
	}
	must(t, runfile.RemoveDrafts(folder("00000012")))
	left, err := os.ReadDir(runs)
	must(t, err)
	if len(left) != 3 { // the two runs, and what is held
		t.Fatalf("left: %v", left)
	}
	r, err := runfile.Open(filepath.Join(held, "00.run"), meta(0))
	must(t, err)
	must(t, errors.Join(r.Verify(), r.Close()))
	if err := runfile.Hold(folder("00000002"), held); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}
