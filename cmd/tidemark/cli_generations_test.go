package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/compare"
)

// TestGenerations is the life of a view while events flow: rebuilt, compared, promoted, rolled back, dropped; edited, and
// the same again; its state folder lost, and again. After each step every generation that is fed is verified against the
// log.
func TestGenerations(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "")
	in.ownJob()
	in.gen(1500)
	up := in.upSmall()
	in.awaitRuns(1)
	traffic := tidemark(t, "gen", in.job, "--kafka", in.kafka, "--events", "1000000", "--rate", "200")

	// The same revision: what is built must be equal, and promote sees to it itself.
	in.operate("rebuild", "listing")
	in.operate("promote", "listing", "--wait", "60s")
	in.wantServed("listing", 2)
	in.verifiedAll(3)
	var d compare.Report
	unmarshal(t, in.operate("diff", "listing", "1", "-o", "json").stdout, &d)
	if !d.SameRevision || d.Entities == 0 || d.Differ != 0 || d.Old != 2 || d.New != 1 {
		t.Errorf("%+v", d)
	}
	in.operate("rollback", "listing", "--wait", "60s")
	in.wantServed("listing", 1)
	in.verifiedAll(3)
	in.operate("drop", "listing", "2")
	if r := in.generation("promote", "listing", "2"); r.code != exitUsage || !strings.Contains(r.stderr, "dropped") {
		t.Errorf("promoting what was dropped: %d %s", r.code, r.stderr)
	}
	in.verifiedAll(2)

	// Another revision: built beside when up begins again.
	up.terminate()
	in.editView("listing.yaml", `where: event_type == "impression"`, `where: event_type == "view"`)
	up = in.upSmall()
	poll(t, "the edited view's generation", func() bool { return len(in.versionsOf("listing")) == 3 })
	in.wantServed("listing", 1)
	poll(t, "the edited view to be comparable", func() bool {
		r := in.generation("diff", "listing")
		return r.code == exitOK && strings.Contains(r.stdout, "another revision") && !strings.Contains(r.stdout, "compared 0 entities")
	})
	d = compare.Report{}
	unmarshal(t, in.operate("diff", "listing", "-o", "json").stdout, &d)
	for _, f := range d.Features {
		if changed := strings.HasPrefix(f.Feature, "imp_cnt") || strings.HasPrefix(f.Feature, "ctr"); !changed && f.Differ > 0 {
			t.Errorf("%s was not edited: %+v", f.Feature, f)
		} else if f.Feature == "imp_cnt_7d" && (f.Differ == 0 || len(f.Examples) == 0) {
			t.Errorf("%s was edited: %+v", f.Feature, f)
		}
	}
	in.operate("promote", "listing", "--wait", "60s")
	in.wantServed("listing", 3)
	in.verifiedAll(3)
	in.operate("rollback", "listing", "--wait", "60s")
	in.wantServed("listing", 1)
	in.operate("promote", "listing", "3", "--wait", "60s")
	in.verifiedAll(3)

	// The state folder is lost: what is served goes on being so, and a new generation is built beside it.
	up.kill()
	if err := os.RemoveAll(filepath.Join(in.folder, "state")); err != nil {
		t.Fatal(err)
	}
	up = in.upSmall()
	in.wantServed("listing", 3)
	in.verifiedAll(5)
	for _, view := range []string{"listing", "user"} {
		in.operate("promote", view, "--wait", "60s")
	}
	in.wantServed("listing", 4)
	in.operate("drop", "listing", "1")
	traffic.kill()
	in.awaitTakenIn()
	in.verifiedAll(0)
	up.terminate()
	in.verified()
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

// verifiedAll verifies every generation that is fed, which are this many of all views (0: any).
func (in *installation) verifiedAll(generations int) {
	in.t.Helper()
	fed := 0
	var all []versionReport
	unmarshal(in.t, in.askBatch("versions", "-o", "json").want(in.t, exitOK).stdout, &all)
	for _, v := range all {
		if v.State != "dropped" {
			fed++
		}
	}
	if generations > 0 && fed != generations {
		in.t.Fatalf("%d generations are fed, want %d: %+v", fed, generations, all)
	}
	r := in.ask("verify", "--all", "--wait", "60s").want(in.t, exitOK)
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
