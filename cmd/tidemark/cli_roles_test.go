package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/speed/flush"
)

// role starts a process of one role with the small blocks of these tests.
func (in *installation) role(name string, args ...string) *process {
	in.t.Helper()
	return tidemark(in.t, in.roleArgs(name, args...)...)
}

// roleArgs are the arguments of a process of one role: each is told what it needs, and no more.
func (in *installation) roleArgs(name string, args ...string) []string {
	all := []string{name, in.job, "--wait", roleWait}
	kafka := []string{"--kafka", in.kafka, "--archive", filepath.Join(in.folder, "archive")}
	store := []string{"--store", in.store}
	switch name {
	case "archive":
		all = append(append(all, kafka...), "--block", cliBlock, "--tail-age", "0")
	case "batch":
		all = append(append(append(all, kafka...), store...), "--state", filepath.Join(in.folder, "state"), "--block", cliBlock, "--cron", cliCron)
	case "speed":
		all = append(append(append(all, kafka...), store...), "--session-timeout", cliSession)
	case "audit":
		all = append(append(append(all, kafka...), store...), "--audit-rate", "1000")
	case "serve":
		all = append(all, store...)
	}
	return append(all, args...)
}

// isReady waits for a role's ready line and returns its address.
func (p *process) isReady(role string) string {
	p.t.Helper()
	return httpOf(p.t, p.await("ready role="+role+" http=", cliWait))
}

// TestRoles: the roles as processes of their own, begun before there is anything that they wait for, say what they wait
// for, do together what up does, and end in order.
func TestRoles(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, redisserver.Start(t).URL())
	serve := in.role("serve")
	serve.await("waiting for view ", cliWait)
	speeds := []*process{in.role("speed", "--instance", "a"), in.role("speed", "--instance", "b")}
	for _, p := range speeds {
		p.await("waiting for topic usedcar-events", cliWait)
	}
	arch := in.role("archive")
	arch.await("waiting for topic usedcar-events", cliWait)
	in.gen(1000)
	arch.isReady("archive")
	for _, p := range speeds {
		p.await("waiting for view ", cliWait)
	}
	batch := in.role("batch")
	batch.isReady("batch")
	serve.isReady("serve")
	audit := in.role("audit")
	audit.isReady("audit")
	for _, p := range speeds {
		p.isReady("speed")
	}
	in.gen(3000)
	in.awaitQuiet()
	in.awaitRuns(1)
	t.Log(in.verified())
	everyRoleAnswers(t, map[string]*process{"archive": arch, "batch": batch, "speed": speeds[0], "serve": serve, "audit": audit})
	audit.auditedUntil(100)
	in.statusFrom(map[string]*process{"archive": arch, "batch": batch, "speed": speeds[1], "serve": serve, "audit": audit})

	// A worker that ends in order leaves marks at the last record, and the other writes nothing that was written.
	// Batch stands still meanwhile: it may raise marks between a worker's reading and its call.
	signal := func(s os.Signal) {
		if err := batch.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	signal(syscall.SIGSTOP)
	before := speeds[1].refusals()
	speeds[0].terminate()
	in.gen(500)
	in.ask("status", "--await", "--wait", commandWait).want(t, exitOK)
	if after := speeds[1].refusals(); after != before {
		t.Errorf("of the worker that took over, calls met marks that it did not expect: %s, before %s", after, before)
	}
	signal(syscall.SIGCONT)
	in.awaitQuiet()
	t.Log(in.verified())
	for _, p := range []*process{arch, batch, speeds[1], serve, audit} {
		p.terminate()
	}
	t.Log(in.verified())
}

// refusals are a process's counts of calls that did not do what they were to do, by kind.
func (p *process) refusals() string {
	p.t.Helper()
	var all []string
	for r := flush.Further; r < flush.Refusals; r++ {
		all = append(all, r.String()+" "+strconv.Itoa(p.metric(`tidemark_store_refusals_total{kind="`+r.String()+`"}`)))
	}
	return strings.Join(all, ", ")
}

// everyRoleAnswers asks each process for what all of them tell, and for a profile: one of them has it.
func everyRoleAnswers(t *testing.T, all map[string]*process) {
	t.Helper()
	for role, p := range all {
		roleMetrics(t, role, p)
		base := "http://" + httpOf(t, p.out.String())
		for path, want := range map[string]string{
			"/healthz": "^ok$", "/readyz": "^ready$", "/metrics": "process_cpu_seconds_total", "/v1/status": `"role":"` + role + `"`, "/v1/nonsense": "no such route",
		} {
			soon(t, path+" of "+role, func() error {
				code, body := fetch(t, http.MethodGet, base+path, "", nil)
				if !regexp.MustCompile(want).MatchString(strings.TrimSpace(body)) || (code == http.StatusOK) != (path != "/v1/nonsense") {
					return fmt.Errorf("%s of %s: %d %.300s", path, role, code, body)
				}
				return nil
			})
		}
		code, body := fetch(t, http.MethodGet, base+"/v1/jobs/usedcar/views/user/profiles/user_id:u1?frontier=1", "", nil)
		if serves := role == "serve"; (code == http.StatusOK && strings.Contains(body, `"frontier":{"events/0":`)) != serves {
			t.Errorf("a lookup at %s: %d %.300s", role, code, body)
		}
		soon(t, "status of "+role, func() error {
			_, status := fetch(t, http.MethodGet, base+"/v1/status", "", nil)
			var s processStatus
			unmarshal(t, status, &s)
			if (len(s.Archive) > 0) != (role == "archive") || (len(s.Speed) > 0) != (role == "speed") || (s.Batch != "") != (role == "batch") ||
				(len(s.Views) > 0) != (role != "archive") {
				return fmt.Errorf("status of %s: %s", role, status)
			}
			return nil
		})
	}
}

// TestRolesGiveUp: what a role needs and does not find within --wait ends it, with its name and the cure.
func TestRolesGiveUp(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, redisserver.Start(t).URL())
	for role, says := range map[string][]string{
		"archive": {"topic usedcar-events", "gen and produce create it"},
		"batch":   {"topic usedcar-events", "gen and produce create it"},
		"speed":   {"topic usedcar-events", "gen and produce create it"},
		"serve":   {"view listing", "batch"},
	} {
		r := invoke(t, "", in.roleArgs(role, "--wait", "0s")...).want(t, exitUnreachable)
		for _, s := range says {
			if !strings.Contains(r.stderr, s) {
				t.Errorf("%s does not say %q: %s", role, s, r.stderr)
			}
		}
	}
	in.gen(10)
	r := invoke(t, "", in.roleArgs("speed", "--wait", "1s")...).want(t, exitUnreachable)
	if !strings.Contains(r.stderr, "view listing") {
		t.Errorf("speed without a manifest: %s", r.stderr)
	}
}

// TestBatchFull: with --full a run gives every row one fresh base, and what is published then is right.
func TestBatchFull(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, redisserver.Start(t).URL())
	in.gen(3000)
	arch, speed := in.role("archive"), in.role("speed")
	once := func(args ...string) string {
		t.Helper()
		return invoke(t, "", append([]string{
			"batch", in.job, "--once", "--wait", commandWait, "--block", cliBlock, "--store", in.store, "--archive", filepath.Join(in.folder, "archive"),
			"--state", filepath.Join(in.folder, "state"),
		}, args...)...).want(t, exitOK).stdout
	}
	arch.isReady("archive")
	poll(t, "a run that covers something", func() bool { return strings.Contains(once(), "run 1 (full)") })
	speed.isReady("speed")
	in.gen(3000)
	var line string
	poll(t, "another run", func() bool {
		line = once("--full")
		return strings.Contains(line, "(compact)")
	})
	var all []versionReport
	unmarshal(t, in.askBatch("versions", "-o", "json").want(t, exitOK).stdout, &all)
	for i := range all {
		if last := all[i].Runs[len(all[i].Runs)-1]; last.Rows == 0 || last.Kind != "compact" {
			t.Errorf("run %d of view %s: %s with %d rows", last.Run, all[i].View, last.Kind, last.Rows)
		}
	}
	in.ask("status", "--await", "--wait", commandWait).want(t, exitOK)
	t.Log(in.verified())
	if out := in.askBatch("batch", "--check").want(t, exitOK).stdout; !strings.Contains(out, " 0 wrong") {
		t.Error(out)
	}
	row := invoke(t, "", in.flags("explain", in.job, "listing", "l0", "-o", "json")...).want(t, exitOK).stdout
	if !strings.Contains(row, `"kind":"base"`) || strings.Contains(row, `"kind":"delta"`) {
		t.Errorf("a row after a full run: %s", row)
	}
	arch.terminate()
	speed.terminate()
}

// TestBlocksAreKept: batch knows the blocks that a view was made with, also when the store has lost everything while batch was
// away, and nobody says --block again.
func TestBlocksAreKept(t *testing.T) {
	t.Parallel()
	server := redisserver.Start(t)
	in := newInstallation(t, server.URL())
	in.gen(2000)
	arch, batch, speed := in.role("archive"), in.role("batch"), in.role("speed")
	speed.isReady("speed")
	in.awaitRuns(1)
	batch.kill()
	server.Restart(t)
	args := in.roleArgs("batch")
	at := slices.Index(args, "--block")
	batch = tidemark(t, slices.Delete(args, at, at+2)...)
	batch.isReady("batch")
	in.awaitQuiet()
	t.Log(in.verified())
	for _, p := range []*process{arch, batch, speed} {
		p.terminate()
	}
}

// TestGrace: a process that cannot drain within --grace says so and does not pretend to have; a second SIGTERM ends it at
// once. Both exit with 4, and what was not written is written by whoever goes on.
func TestGrace(t *testing.T) {
	t.Parallel()
	server := redisserver.Start(t)
	in := newInstallation(t, server.URL())
	in.gen(500)
	arch, batch := in.role("archive"), in.role("batch")
	batch.isReady("batch")
	signal := func(p *process, s os.Signal) {
		t.Helper()
		if err := p.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		grace string
		says  string
		twice bool
	}{{"1s", "had not drained within 1s", false}, {"10m", "a second time", true}} {
		speed := in.role("speed", "--grace", c.grace)
		speed.isReady("speed")
		in.ask("status", "--await", "--wait", commandWait).want(t, exitOK)
		server.Suspend(t)
		const folded = "tidemark_speed_records_folded_total"
		before := speed.metric(folded)
		in.gen(500)
		poll(t, "records to be folded", func() bool {
			n, shown := speed.figure(folded)
			return shown && n >= before+500
		})
		signal(speed, sigterm)
		if c.twice {
			speed.await("draining", cliWait)
			signal(speed, sigterm)
		}
		if code := speed.exit(cliWait); code != exitFailed || !strings.Contains(speed.out.String(), c.says) {
			t.Errorf("exit code %d\n%s", code, speed.out)
		}
		server.Resume(t)
	}
	speed := in.role("speed")
	in.awaitQuiet()
	t.Log(in.verified())
	for _, p := range []*process{arch, batch, speed} {
		p.terminate()
	}
}
