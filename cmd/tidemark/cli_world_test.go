package main

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/store"
)

// What the command-line tests have in common: small blocks, so that a few thousand events make several runs.
const (
	cliBlock = "256"
	cliCron  = "@every 1s"
	pollPace = 50 * time.Millisecond
	// cliWait is for whatever a test waits for. On an idle machine it takes a few seconds; the bound is there to end a test
	// that waits in vain, and a machine that is ten times slower is to be no reason for that.
	cliWait = 5 * time.Minute
	// commandWait is how long a command waits for what it needs, for the same reason.
	commandWait = "5m"
	// roleWait is how long a role waits for what others, who may be begun after it, bring about.
	roleWait = "5m"
	// cliSession is that of a group's members. Half of it bounds a request to the group, and a process that is not let run
	// for as long loses its partitions for a moment.
	cliSession = "6s"
	// shortSession is for tests that kill and begin again, and would wait long for the dead one's partitions.
	shortSession = "1s"
)

// upSmall runs all roles with small blocks, and returns when they are ready.
func (in *installation) upSmall(args ...string) *process {
	in.t.Helper()
	p := in.up(append([]string{"--block", cliBlock, "--cron", cliCron, "--tail-age", "0"}, args...)...)
	p.await("ready role=up http=", cliWait)
	return p
}

// gen appends generated events.
func (in *installation) gen(events int, args ...string) {
	in.t.Helper()
	args = append([]string{"gen", in.job, "--kafka", in.kafka, "--events", strconv.Itoa(events)}, args...)
	invoke(in.t, "", args...).want(in.t, exitOK)
}

// ask runs a command that reads store, log and archive.
func (in *installation) ask(command string, args ...string) result {
	in.t.Helper()
	return invoke(in.t, "", in.flags(append([]string{command, in.job}, args...)...)...)
}

// log prints the log.
func (in *installation) log(args ...string) result {
	in.t.Helper()
	args = append([]string{"log", in.job, "--kafka", in.kafka, "--archive", filepath.Join(in.folder, "archive")}, args...)
	return invoke(in.t, "", args...).want(in.t, exitOK)
}

// askBatch runs a command that reads or writes the state folder too.
func (in *installation) askBatch(command string, args ...string) result {
	in.t.Helper()
	all := []string{command, in.job, "--store", in.store, "--state", filepath.Join(in.folder, "state")}
	if command == "batch" {
		all = append(all, "--archive", filepath.Join(in.folder, "archive"))
	}
	return invoke(in.t, "", append(all, args...)...)
}

// poll calls done, at a pace, until it says so.
func poll(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(cliWait); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", cliWait, what)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("the test ended while it waited for %s", what)
		case <-time.After(pollPace):
		}
	}
}

// soon calls check, at a pace, until it finds nothing wrong; else the test fails with what it found last.
func soon(t testing.TB, what string, check func() error) {
	t.Helper()
	last := errors.New("it was not looked at")
	defer func() {
		if last != nil {
			t.Error(last)
		}
	}()
	poll(t, what, func() bool {
		last = check()
		return last == nil
	})
}

// awaitRuns waits until batch has published at least n runs of every view, and none is under way.
func (in *installation) awaitRuns(n int) {
	in.t.Helper()
	poll(in.t, strconv.Itoa(n)+" published runs of each view", func() bool {
		var all []versionReport
		unmarshal(in.t, in.askBatch("versions", "-o", "json").want(in.t, exitOK).stdout, &all)
		ready := len(all) > 0
		for i := range all {
			runs := all[i].Runs
			ready = ready && len(runs) >= n && runs[len(runs)-1].Published == all[i].Lanes
		}
		return ready
	})
}

// openStore opens the store itself, as the test's hand in it.
func (in *installation) openStore() store.Store {
	in.t.Helper()
	s, err := store.Open(in.t.Context(), in.store, store.Options{})
	if err != nil {
		in.t.Fatal(err)
	}
	in.t.Cleanup(func() { _ = s.Close() })
	return s
}

// unmarshal reads one JSON value.
func unmarshal(t testing.TB, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %.400s", err, text)
	}
}

// terminate asks a process to end and wants exit code 0.
func (p *process) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sigterm); err != nil {
		p.t.Fatal(err)
	}
	if code := p.exit(cliWait); code != exitOK {
		p.t.Fatalf("exit code %d after SIGTERM\n%s", code, p.out)
	}
}

// httpOf returns the address that a ready line tells.
func httpOf(t testing.TB, out string) string {
	t.Helper()
	_, rest, ok := strings.Cut(out, " http=")
	if !ok {
		t.Fatalf("no address in %q", out)
	}
	address, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(address)
}

// listenSomewhere takes a port until the test ends.
func listenSomewhere(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// awaitQuiet waits until every lane has the whole log, and batch has published all that can be in a run.
func (in *installation) awaitQuiet() {
	in.t.Helper()
	poll(in.t, "everything to be taken in, run and published", func() bool {
		return quiet(in.t, in.ask("status", "-o", "json").want(in.t, exitOK).stdout)
	})
}

// quiet tells whether a status, in JSON, says that every lane has the whole log, and that all that can be in a run is in one
// and published.
func quiet(t testing.TB, status string) bool {
	t.Helper()
	block, err := strconv.ParseInt(cliBlock, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	var s statusReport
	unmarshal(t, status, &s)
	rests := s.settled()
	for _, v := range s.Views {
		rests = rests && v.Published == v.Run
		for _, p := range v.Partitions {
			rests = rests && v.Cut[p.Partition] == p.End/block*block
		}
	}
	return rests
}

// flipByte changes one byte of a file.
func flipByte(t testing.TB, file string, at int) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil || len(b) <= at {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	b[at] ^= 1
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
