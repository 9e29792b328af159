package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestFailingDisk: whichever of a run's calls to the disk fails, at whichever time, nothing half done counts: what was
// published is answered, and the next run brings all of it, with nothing done by hand. The kernel itself answers EIO, by
// strace's injection, to state folder and embedded store alike.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	strace := needed(t, "strace")
	w := newRetailWorld(t)
	w.block(0)
	w.batch().want(t, exitOK)
	blocks, failed := 1, map[string]int{}
	for _, call := range []string{"fsync", "linkat", "renameat", "unlinkat", "mkdirat", "openat"} {
		for _, hit := range []int{1, 2, 5, 13} {
			w.block(int64(blocks))
			code, said, injected := w.batchUnder(strace, call, hit)
			answered := w.lines()
			if before, after := strconv.Itoa(retailBlock*blocks), strconv.Itoa(retailBlock*(blocks+1)); answered != before && answered != after {
				t.Fatalf("%s #%d: %s lines are answered, want %s or %s\n%s", call, hit, answered, before, after, said)
			}
			if injected && code != exitOK {
				failed[call]++
				// Pebble panics in a goroutine of its own where the folder of its manifest cannot be synced: nobody can recover that.
				pebble := strings.Contains(said, "panic: sync "+strings.TrimPrefix(w.store, "pebble:")+": input/output error")
				if (code != exitFailed && !pebble) || !strings.Contains(said, "input/output error") {
					t.Errorf("%s #%d: exit code %d, and it does not say what failed: %s", call, hit, code, said)
				}
			} else if code != exitOK {
				t.Errorf("%s #%d: exit code %d though nothing failed: %s", call, hit, code, said)
			}
			w.batch().want(t, exitOK)
			blocks++
			if n := w.lines(); n != strconv.Itoa(retailBlock*blocks) {
				t.Fatalf("%s #%d: after the next run %s lines are answered, want %d", call, hit, n, retailBlock*blocks)
			}
			if !injected {
				break // it calls so often in all
			}
		}
	}
	t.Logf("runs that ended because of it: %v", failed)
	for _, call := range []string{"fsync", "linkat", "renameat", "openat"} {
		if failed[call] == 0 {
			t.Errorf("no failing %s ended a run: is it injected at all?", call)
		}
	}
}

// batchUnder is batch in a process whose so-many-th system call of a kind fails with EIO.
func (w *retailWorld) batchUnder(strace, call string, hit int) (code int, said string, injected bool) {
	w.t.Helper()
	trace := filepath.Join(w.t.TempDir(), "trace")
	args := []string{
		"-f", "-qq", "-o", trace, "-e", "trace=" + call, "-e", "signal=none", "-e", "inject=" + call + ":error=EIO:when=" + strconv.Itoa(hit),
		os.Args[0], "batch", "../../jobs/retail", "--once", "--base-every", "3", "--block", strconv.Itoa(retailBlock),
		"--archive", w.archive, "--state", w.state, "--store", w.store,
	}
	cmd := exec.CommandContext(w.t.Context(), strace, args...)
	cmd.Env = append(os.Environ(), asTidemark+"=1")
	out, err := cmd.CombinedOutput()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		w.t.Fatal(err)
	}
	traced, err := os.ReadFile(trace)
	if err != nil {
		w.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out), bytes.Contains(traced, []byte("(INJECTED)"))
}
