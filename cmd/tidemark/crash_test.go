//go:build crashpoints

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/crash"
)

// What the crash tests do: a small job lives, and one of its processes dies at a place.
const (
	crashEvents  = 1500            // are there at first, so that run 1 is more than one call to each lane
	crashMore    = 1200            // come after it, twice: enough for a run
	crashRate    = "800"           // events a second meanwhile: a block of each partition fills in about a second
	crashTrickle = "100"           // the same where what is waited for takes that lanes catch up
	crashGrace   = time.Second     // for which leftover rows are kept
	crashWait    = 5 * time.Minute // for a place to be come to; on an idle machine it takes a few seconds
)

// life is what a job goes through until the process that is armed dies. It returns that process.
type life func(w *crashWorld, armed []string) *process

// crashes are all places, each with the hits that the armed process dies at and the life in which it comes there. A life
// brings about more than its own place: which one is armed is all that differs.
var crashes = []struct {
	place crash.Place
	life  life
	hits  []int
}{
	// Dropped generations are looked at each minute. So this one takes a minute, beside which the others happen.
	{crash.SweepSome, dropping, []int{1}},
	{crash.ArchiveHalf, working, []int{1, 6}},
	{crash.ArchiveBeforeLink, working, []int{1, 6}},
	{crash.ArchiveAfterLink, working, []int{1, 6}},
	// The first six entries begin two views: genesis, created, served. Then runs are registered (7, 8) and checked (9, 10).
	{crash.JournalBeforeLink, working, []int{1, 2, 3, 4, 7, 8, 9, 10, 12}},
	{crash.JournalAfterLink, working, []int{1, 2, 3, 4, 7, 8, 9, 10, 12}},
	{crash.JournalBeforeLink, command("rebuild"), []int{1, 2}},
	{crash.JournalAfterLink, command("rebuild"), []int{1, 2}},
	{crash.JournalAfterLink, command("promote"), []int{1}},
	{crash.JournalAfterLink, command("drop"), []int{1}},
	{crash.GenerationUnlisted, working, []int{1, 2}},
	{crash.GenerationUnlisted, command("rebuild"), []int{1}},
	{crash.ManifestBefore, working, []int{1, 4}},
	{crash.ManifestAfter, working, []int{1, 4}},
	{crash.AliasUntold, command("rebuild"), []int{1}},
	{crash.AliasUntold, command("promote"), []int{1}},
	{crash.AliasUntold, command("rollback"), []int{1}},
	{crash.AliasUntold, command("drop"), []int{1}},
	{crash.PromoteCompared, command("promote"), []int{1}},
	{crash.RunHalf, working, []int{1, 20, 50}},
	{crash.RunBeforeName, working, []int{1, 2, 5}},
	{crash.RunAfterName, working, []int{1, 2, 5}},
	{crash.RunGone, working, []int{1, 3}},
	{crash.CheckHeld, command("batch"), []int{1}},
	{crash.LaneBegun, working, []int{1, 20}},
	{crash.LaneFirst, working, []int{1, 20}},
	{crash.LaneSome, working, []int{1, 20}},
	{crash.LaneLast, working, []int{1, 20, 40}},
	{crash.FlushUnanswered, working, []int{1, 30}},
	{crash.DropFiles, dropping, []int{1}},
	{crash.SweepSome, refilling, []int{1, 3}},
	{crash.DrainBegun, ending, []int{1}},
	{crash.DrainDone, ending, []int{1}},
	{crash.RevokeBegun, joined, []int{1}},
	{crash.RevokeDone, joined, []int{1}},
}

// TestCrashPoints: a process dies at every place that has a name, at the first time and a later one. What is left goes on
// with nothing done by hand: it is all taken in and run, every generation is exact, and nothing is left aside.
func TestCrashPoints(t *testing.T) {
	armed := map[crash.Place]bool{}
	for _, c := range crashes {
		armed[c.place] = true
	}
	for _, p := range crash.Places() {
		if !armed[p] {
			t.Errorf("nobody dies at %q", p)
		}
	}
	for n, c := range crashes {
		for _, hit := range c.hits {
			t.Run(fmt.Sprintf("%02d %s#%d", n, c.place, hit), func(t *testing.T) {
				t.Parallel()
				w := &crashWorld{installation: newInstallation(t, "")}
				t.Cleanup(func() {
					if t.Failed() && w.up != nil {
						t.Logf("the last process of all roles said:\n%s", w.up.out)
					}
				})
				w.gen(crashEvents)
				p := c.life(w, []string{crash.Variable + "=" + c.place.String() + "#" + strconv.Itoa(hit)})
				p.diedAt(c.place, hit)
				w.recover(c.place)
			})
		}
	}
}

// diedAt wants a process to die there.
func (p *process) diedAt(place crash.Place, hit int) {
	p.t.Helper()
	p.exit(crashWait)
	status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	line := fmt.Sprintf("%s%s#%d", crash.Line, place, hit)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL || !strings.Contains(p.out.String(), line) {
		p.t.Fatalf("it was to say %q and die of SIGKILL: %v\n%s", line, p.cmd.ProcessState, p.out)
	}
}

// crashWorld is an installation with what runs in it.
type crashWorld struct {
	*installation
	traffic *process
	up      *process // the last one that was begun
}

// live starts a process of all roles.
func (w *crashWorld) live(env []string, args ...string) *process {
	w.t.Helper()
	all := w.flags("up", w.job, "--state", filepath.Join(w.folder, "state"), "--cron", cliCron, "--block", cliBlock, "--base-every", "2",
		"--tail-age", "0", "--session-timeout", shortSession, "--wait", roleWait)
	w.up = tidemarkWith(w.t, append([]string{withGrace + "=" + crashGrace.String()}, env...), append(all, args...)...)
	return w.up
}

// awaitRun waits until every view has a run that is in all lanes, whatever is under way besides.
func (w *crashWorld) awaitRun() {
	w.t.Helper()
	poll(w.t, "a published run of each view", w.published)
}

// published tells whether every view has a run that is in all lanes.
func (w *crashWorld) published() bool {
	var all []versionReport
	unmarshal(w.t, w.askBatch("versions", "-o", "json").want(w.t, exitOK).stdout, &all)
	published := len(all) > 0
	for i := range all {
		published = published && len(all[i].Runs) > 0 && all[i].Runs[0].Published == all[i].Lanes
	}
	return published
}

// flow makes events come until the armed process has died.
func (w *crashWorld) flow(rate string) {
	w.t.Helper()
	w.traffic = tidemark(w.t, "gen", w.job, "--kafka", w.kafka, "--events", "1000000", "--rate", rate)
}

// working is a life in which all roles run while events come.
func working(w *crashWorld, armed []string) *process {
	w.flow(crashRate)
	return w.live(armed)
}

// ending is a life whose process is told to end while it works.
func ending(w *crashWorld, armed []string) *process {
	w.flow(crashTrickle)
	p := w.live(armed, "--session-timeout", cliSession) // it is to have its partitions when it is told to end
	p.await("ready role=up", crashWait)
	w.awaitRun()
	if err := p.cmd.Process.Signal(sigterm); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// joined is a life in which another process comes to share the partitions, and goes again, until the first one dies.
func joined(w *crashWorld, armed []string) *process {
	w.store = redisserver.Start(w.t).URL()
	w.flow(crashTrickle)
	p := w.live(armed, "--instance", "one", "--session-timeout", cliSession)
	p.await("ready role=up", crashWait)
	// A heartbeat that comes late ends the group's generation too: then it has died before anybody came, at its place.
	poll(w.t, "a published run of each view, or the death", func() bool { return !p.lives() || w.published() })
	for p.lives() {
		other := w.live(nil, "--instance", "two")
		poll(w.t, "the other to have partitions, or the first one to die", func() bool {
			return !p.lives() || strings.Contains(other.out.String(), "partitions assigned")
		})
		if p.lives() {
			other.kill()
		}
	}
	return p
}

// lives tells whether a process has not ended.
func (p *process) lives() bool {
	select {
	case err := <-p.ended:
		p.ended <- err
		return false
	default:
		return true
	}
}

// dropping is a life in which a generation is dropped.
func dropping(w *crashWorld, armed []string) *process {
	w.flow(crashTrickle)
	p := w.live(armed)
	p.await("ready role=up", crashWait)
	w.awaitRun()
	last := len(commandsOfGenerations) - 1
	for _, c := range commandsOfGenerations[:last] {
		w.operate(c[0], c[1:]...)
	}
	// What dies may do so before the command has told the store, once the journal has it.
	drop := w.generation(commandsOfGenerations[last][0], commandsOfGenerations[last][1:]...)
	if drop.code != exitUnreachable || !strings.Contains(drop.stderr, "it is written down") {
		drop.want(w.t, exitOK)
	}
	return p
}

// refilling is a life in which lanes are emptied, so that they are filled again beside the rows that they had.
func refilling(w *crashWorld, armed []string) *process {
	w.flow(crashTrickle)
	p := w.live(armed)
	p.await("ready role=up", crashWait)
	w.awaitRun()
	args := []string{"refill", w.job, "--store", w.store}
	var all []versionReport
	unmarshal(w.t, w.askBatch("versions", "-o", "json").want(w.t, exitOK).stdout, &all)
	for i := range all {
		for n := range all[i].Lanes {
			args = append(args, fmt.Sprintf("usedcar:%s:%s:%02x", all[i].View, all[i].Identity, n))
		}
	}
	invoke(w.t, "", args...).want(w.t, exitOK)
	return p
}

// commandsOfGenerations is what is done to generations, in this order.
var commandsOfGenerations = [][]string{
	{"rebuild", "listing"},
	{"promote", "listing", "2", "--wait", commandWait},
	{"rollback", "listing", "--wait", commandWait},
	{"drop", "listing", "2"},
}

// command returns a life in which all roles run, and a command dies that is given beside them. Those that go before it in a
// generation's life are given first.
func command(name string) life {
	return func(w *crashWorld, armed []string) *process {
		w.flow(crashTrickle)
		w.live(nil).await("ready role=up", crashWait)
		w.awaitRun()
		state := []string{"--store", w.store, "--state", filepath.Join(w.folder, "state")}
		if name == "batch" {
			return tidemarkWith(w.t, armed, append([]string{name, w.job, "--check", "--archive", filepath.Join(w.folder, "archive")}, state...)...)
		}
		for _, c := range commandsOfGenerations {
			if c[0] != name {
				w.operate(c[0], c[1:]...)
				continue
			}
			args := append([]string{name, w.job}, c[1:]...)
			if name == "rebuild" {
				args = append(args, "--archive", filepath.Join(w.folder, "archive"))
			}
			return tidemarkWith(w.t, armed, append(args, state...)...)
		}
		w.t.Fatalf("there is no command %q", name)
		return nil
	}
}

// recover lets what is left go on, and wants all to be well: while those go on that did not die; after all are killed and
// one begins; and when that one has made more runs.
func (w *crashWorld) recover(place crash.Place) {
	w.t.Helper()
	if w.up.lives() {
		w.verifiedAll(0)
	}
	w.traffic.kill()
	w.up.kill()
	for _, path := range w.leftAside() {
		// As if the crash were long ago: what is young may be a live process's.
		old := time.Now().Add(-2 * time.Hour)
		if err := os.Chtimes(path, old, old); err != nil {
			w.t.Fatal(err)
		}
	}
	w.live(nil).await("ready role=up", crashWait)
	for range 2 {
		w.gen(crashMore)
		w.awaitRest()
		w.verifiedAll(0)
	}
	if place == crash.CheckHeld {
		// What a full check has left aside is the next one's to remove.
		w.askBatch("batch", "--check").want(w.t, exitOK)
	}
	poll(w.t, "nothing to be left aside", func() bool { return len(w.leftAside()) == 0 })
}

// awaitRest waits until everything is taken in, run and published. It asks the process itself: a command for each look would
// cost more than what is waited for.
func (w *crashWorld) awaitRest() {
	w.t.Helper()
	url := "http://" + httpOf(w.t, w.up.out.String()) + "/v1/status"
	poll(w.t, "everything to be taken in, run and published", func() bool {
		code, body := fetch(w.t, http.MethodGet, url, "", nil)
		return code == http.StatusOK && quiet(w.t, body)
	})
}

// leftAside returns the files and folders of archive and state that are on their way in or out.
func (w *crashWorld) leftAside() (all []string) {
	w.t.Helper()
	for _, root := range []string{"archive", "state"} {
		err := filepath.WalkDir(filepath.Join(w.folder, root), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // it went meanwhile
			}
			if err == nil && strings.HasPrefix(d.Name(), ".") {
				all = append(all, path)
			}
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
	return all
}
