package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/compare"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
)

// TestGenerations is the life of a view while events flow: rebuilt, compared, promoted, rolled back, dropped; edited, and
// the same again; its state folder lost, and again. After each step every generation that is fed is verified against the
// log.
func TestGenerations(t *testing.T) {
	t.Parallel()
	l := liveGenerations(t, newInstallation(t, ""))
	l.sameRevision()
	l.edited()
	l.stateLost(4)
	l.end()
}

// TestGenerationsOnRedis is the same on a real Redis, but for the edit, which is a matter of journals and no other store's.
func TestGenerationsOnRedis(t *testing.T) {
	t.Parallel()
	l := liveGenerations(t, newInstallation(t, redisserver.Start(t).URL()))
	l.sameRevision()
	l.stateLost(3)
	l.end()
}

// generationsLive is an installation whose events flow.
type generationsLive struct {
	*installation

	up, traffic *process
	served      int64 // generation of the listings
	fed         int   // generations of all views
}

func liveGenerations(t *testing.T, in *installation) *generationsLive {
	t.Helper()
	in.ownJob()
	in.gen(1500)
	l := &generationsLive{installation: in, up: in.upSmall(), served: 1, fed: 2}
	in.awaitRuns(1)
	l.traffic = tidemark(t, "gen", in.job, "--kafka", in.kafka, "--events", "1000000", "--rate", "200")
	return l
}

// sameRevision: what is built must be equal, and promote sees to it itself.
func (l *generationsLive) sameRevision() {
	l.t.Helper()
	l.operate("rebuild", "listing")
	l.operate("promote", "listing", "--wait", commandWait)
	l.wantServed("listing", 2)
	l.verifiedAll(3)
	var d compare.Report
	unmarshal(l.t, l.operate("diff", "listing", "1", "-o", "json").stdout, &d)
	if !d.SameRevision || d.Entities == 0 || d.Differ != 0 || d.Old != 2 || d.New != 1 {
		l.t.Errorf("%+v", d)
	}
	l.operate("rollback", "listing", "--wait", commandWait)
	l.wantServed("listing", 1)
	l.verifiedAll(3)
	l.operate("drop", "listing", "2")
	if r := l.generation("promote", "listing", "2"); r.code != exitUsage || !strings.Contains(r.stderr, "dropped") {
		l.t.Errorf("promoting what was dropped: %d %s", r.code, r.stderr)
	}
	l.verifiedAll(2)
}

// edited: another revision is built beside when up begins again.
func (l *generationsLive) edited() {
	l.t.Helper()
	l.up.terminate()
	l.editView("listing.yaml", `where: event_type == "impression"`, `where: event_type == "view"`)
	l.up = l.upSmall()
	poll(l.t, "the edited view's generation", func() bool { return len(l.versionsOf("listing")) == 3 })
	l.wantServed("listing", 1)
	var d compare.Report
	poll(l.t, "the edited view to be comparable, and to differ", func() bool {
		r := l.generation("diff", "listing", "-o", "json")
		if r.code != exitOK { // it is not in the store yet
			return false
		}
		unmarshal(l.t, r.stdout, &d)
		at := slices.IndexFunc(d.Features, func(f compare.FeatureReport) bool { return f.Feature == "imp_cnt_7d" })
		return !d.SameRevision && at >= 0 && d.Features[at].Differ > 0 && len(d.Features[at].Examples) > 0
	})
	for _, f := range d.Features {
		if changed := strings.HasPrefix(f.Feature, "imp_cnt") || strings.HasPrefix(f.Feature, "ctr"); !changed && f.Differ > 0 {
			l.t.Errorf("%s was not edited: %+v", f.Feature, f)
		}
	}
	if text := l.operate("diff", "listing").stdout; !strings.Contains(text, "another revision") || strings.Contains(text, "compared 0 entities") {
		l.t.Errorf("in words: %s", text)
	}
	l.operate("promote", "listing", "--wait", commandWait)
	l.wantServed("listing", 3)
	l.verifiedAll(3)
	l.operate("rollback", "listing", "--wait", commandWait)
	l.wantServed("listing", 1)
	l.operate("promote", "listing", "3", "--wait", commandWait)
	l.served, l.fed = 3, 3
	l.verifiedAll(l.fed)
}

// stateLost: what is served goes on being so, and a new generation of each view, which for the listings is this one, is
// built beside it.
func (l *generationsLive) stateLost(next int64) {
	l.t.Helper()
	l.up.kill()
	if err := os.RemoveAll(filepath.Join(l.folder, "state")); err != nil {
		l.t.Fatal(err)
	}
	l.up = l.upSmall()
	l.wantServed("listing", l.served)
	l.verifiedAll(l.fed + 2)
	for _, view := range []string{"listing", "user"} {
		l.operate("promote", view, "--wait", commandWait)
	}
	l.wantServed("listing", next)
	l.operate("drop", "listing", "1")
}

// end ends the traffic, and wants everything to be right when all of it is taken in.
func (l *generationsLive) end() {
	l.t.Helper()
	l.traffic.kill()
	l.awaitTakenIn()
	l.verifiedAll(0)
	l.up.terminate()
	l.verified()
}

// ownJob makes the installation use a copy of its job, to be edited.
func (in *installation) ownJob() {
	in.t.Helper()
	dir := filepath.Join(in.folder, "job", filepath.Base(in.job))
	if err := os.CopyFS(dir, os.DirFS(in.job)); err != nil {
		in.t.Fatal(err)
	}
	in.job = dir
}

// editView replaces text in the file of a view.
func (in *installation) editView(file, from, to string) {
	in.t.Helper()
	path := filepath.Join(in.job, "views", file)
	b, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(b, []byte(from)) {
		in.t.Fatalf("%v, or no %q in %s", err, from, path)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(b, []byte(from), []byte(to)), 0o600); err != nil {
		in.t.Fatal(err)
	}
}

// generation runs a command of the job's generations.
func (in *installation) generation(command string, args ...string) result {
	in.t.Helper()
	all := []string{command, in.job, "--store", in.store, "--state", filepath.Join(in.folder, "state")}
	if command == "rebuild" {
		all = append(all, "--archive", filepath.Join(in.folder, "archive"))
	}
	return invoke(in.t, "", append(all, args...)...)
}

// operate is generation, and wants it to succeed.
func (in *installation) operate(command string, args ...string) result {
	in.t.Helper()
	return in.generation(command, args...).want(in.t, exitOK)
}

// versionsOf returns a view's generations.
func (in *installation) versionsOf(view string) (out []versionReport) {
	in.t.Helper()
	var all []versionReport
	unmarshal(in.t, in.askBatch("versions", "-o", "json").want(in.t, exitOK).stdout, &all)
	for _, v := range all {
		if v.View == view {
			out = append(out, v)
		}
	}
	return out
}

// wantServed wants a view to be answered by this generation.
func (in *installation) wantServed(view string, number int64) {
	in.t.Helper()
	var a struct {
		Version struct{ Generation int64 }
	}
	r := invoke(in.t, "", "get", in.job, view, "l0", "--store", in.store, "-o", "json").want(in.t, exitOK)
	if unmarshal(in.t, r.stdout, &a); a.Version.Generation != number {
		in.t.Fatalf("generation %d answers for view %s, want %d", a.Version.Generation, view, number)
	}
}

// verifiedAll verifies every generation that is fed, once they are this many of all views (0: any): what a role that begins
// has to build it builds when it is ready.
func (in *installation) verifiedAll(generations int) {
	in.t.Helper()
	fed := 0
	poll(in.t, strconv.Itoa(generations)+" generations that are fed", func() bool {
		fed = 0
		var all []versionReport
		unmarshal(in.t, in.askBatch("versions", "-o", "json").want(in.t, exitOK).stdout, &all)
		for _, v := range all {
			if v.State != "dropped" {
				fed++
			}
		}
		return generations == 0 || fed == generations
	})
	r := in.ask("verify", "--all", "--wait", commandWait).want(in.t, exitOK)
	in.t.Logf("%d generations: %s", fed, strings.TrimSpace(r.stdout))
}

// TestEnoughIsCompared: generations of one revision agree if most of the sample could be compared and all of that is equal.
func TestEnoughIsCompared(t *testing.T) {
	for _, c := range []struct{ entities, differ, moving, code int }{
		{10, 0, 10, exitOK},
		{0, 0, 0, exitOK}, // nobody is in either
		{10, 0, 11, exitUnreachable},
		{0, 0, 1, exitUnreachable},
		{10, 1, 40, exitWrong},
	} {
		if got := exitCode(agreed(&compare.Report{Entities: c.entities, Differ: c.differ, Moving: c.moving})); got != c.code {
			t.Errorf("%+v: exit code %d", c, got)
		}
	}
}
