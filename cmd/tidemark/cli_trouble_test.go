package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/operatortest"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/view"
)

// withLies names, for a test's process, a file: while it is there, the check of runs computes something else.
const withLies = "TIDEMARK_TEST_LIES"

// sabotage gives a test's process what it is to be wrong with: a check that may lie, and an operator that panics.
func sabotage() {
	if file := os.Getenv(withLies); file != "" {
		judge = func(p *view.Plan) (recompute.Judge, error) {
			o, err := oracle.New(p)
			return liar{o, file}, err
		}
	}
	if err := operator.Register(operatortest.Explosive(operatortest.SeveralRows, nil)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
}

// liar computes rows of one byte more, while a file is there.
type liar struct {
	*oracle.Oracle

	file string
}

func (l liar) Body(events []oracle.Event) ([]byte, error) {
	b, err := l.Oracle.Body(events)
	if _, none := os.Stat(l.file); none == nil {
		b = append(b, 0)
	}
	return b, err
}

// troubled is a running up to which things happen.
type troubled struct {
	*installation

	up   *process
	base string
}

// readyz wants /readyz to say all of these, or that all is well.
func (w *troubled) readyz(what ...string) (says string) {
	w.t.Helper()
	var code int
	var body string
	defer func() {
		if w.t.Failed() {
			w.t.Logf("/readyz: %d %s\n%s", code, body, w.up.out)
		}
	}()
	poll(w.t, fmt.Sprintf("/readyz to say %q", what), func() bool {
		code, body = fetch(w.t, http.MethodGet, w.base+"/readyz", "", nil)
		for _, text := range what {
			if !strings.Contains(body, text) {
				return false
			}
		}
		return (code == http.StatusOK) == (len(what) == 0)
	})
	return body
}

// metric wants one of the process's figures to come to a value soon. One that is not shown may be again: a process whose
// heartbeat was late has no partitions for a moment.
func (w *troubled) metric(name string, value int) {
	w.t.Helper()
	poll(w.t, fmt.Sprintf("%s to be %d", name, value), func() bool {
		n, shown := w.up.figure(name)
		return shown && n == value
	})
}

// status wants status, and the process itself at /v1/status, to say something soon, or not to.
func (w *troubled) status(pattern string, says bool) {
	w.t.Helper()
	p := regexp.MustCompile(pattern)
	poll(w.t, fmt.Sprintf("both of status and /v1/status to say %q: %v", pattern, says), func() bool {
		_, own := fetch(w.t, http.MethodGet, w.base+"/v1/status", "", nil)
		return p.MatchString(own) == says && p.MatchString(w.ask("status").want(w.t, exitOK).stdout) == says
	})
}

// answers wants lookups to go on, and all that is served to be right.
func (w *troubled) answers() {
	w.t.Helper()
	soon(w.t, "a lookup", func() error { // a lane in which a run is ahead of the speed layer is degraded for that moment
		code, body := fetch(w.t, http.MethodGet, w.base+"/v1/jobs/usedcar/views/user/profiles/user_id:u1", "", nil)
		if code != http.StatusOK || !strings.Contains(body, `"degraded":null`) {
			return fmt.Errorf("a lookup: %d %.300s", code, body)
		}
		return nil
	})
	w.t.Log(w.verified())
}

// bomb is what an edit of a view brings.
const bomb = "features:\n  bomb: {op: explosive, value: dwell_ms}\n"

// TestTroubleIsTold: an edited view's operator panics, a lane's mark is damaged, a run fails its check. Each time everything
// else goes on and lookups are answered; status, /readyz and the metrics say what it is, and that it is over when somebody
// has mended it.
func TestTroubleIsTold(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "")
	in.ownJob()
	in.gen(400) // not a block of any partition
	lies := filepath.Join(in.folder, "lies")
	start := func() *troubled {
		args := in.flags("up", in.job, "--state", filepath.Join(in.folder, "state"), "--session-timeout", cliSession, "--wait", roleWait,
			"--block", cliBlock, "--cron", cliCron, "--tail-age", "0")
		up := tidemarkWith(t, []string{withLies + "=" + lies}, args...)
		up.await("ready role=up http=", cliWait)
		return &troubled{in, up, "http://" + httpOf(t, up.out.String())}
	}
	w := start()
	in.awaitTakenIn()
	w.readyz()
	w.up.terminate()
	in.editView("listing.yaml", "features:\n", bomb)
	w = start()
	w.panickingOperator()
	in.editView("listing.yaml", bomb, "features:\n") // or the next that begins builds it again
	w.damagedMark()
	w.failedCheck(lies)
	w.up.terminate()
	t.Log(in.verified())
}

// panickingOperator is about an edit whose operator panics: first in the speed layer, for there is no run to begin from yet,
// then in its first run.
func (w *troubled) panickingOperator() {
	w.t.Helper()
	w.readyz("view listing, generation 2", "is not fed from partition events/", "boom")
	w.metric("tidemark_batch_failed", 0)
	w.metric(`tidemark_speed_stopped{partition="events/0"}`, 1)
	w.answers()
	w.gen(1500, "--seed", "2")
	if says := w.readyz("making run 1 of generation", "of view listing: worker panicked: boom"); strings.Contains(says, "goroutine") || !strings.Contains(w.up.out.String(), `"stack":"goroutine`) {
		w.t.Errorf("the place of a panic belongs into the log, not here: %s", says)
	}
	poll(w.t, "the served generation to have its run", func() bool {
		v := w.versionsOf("listing")
		return len(v) == 2 && len(v[0].Runs) > 0 && v[0].Runs[0].Published == v[0].Lanes && len(v[1].Runs) == 1 && v[1].Runs[0].State == "registered"
	})
	w.metric("tidemark_batch_failed", 1)
	w.answers()
	w.operate("drop", "listing", "2")
	w.readyz()
	w.metric("tidemark_batch_failed", 0)
	w.metric(`tidemark_speed_stopped{partition="events/0"}`, 0)
	w.awaitQuiet()
	w.answers()
}

// damagedMark makes the batch mark of one lane mean nothing. Its own runs wait until it is refilled.
func (w *troubled) damagedMark() {
	w.t.Helper()
	bad := lane.ID{Namespace: "usedcar:listing:" + w.versionsOf("listing")[0].Identity, N: 3}
	before := len(w.versionsOf("listing")[0].Runs)
	if o := w.openStore().Apply(w.t.Context(), []lane.Call{{Lane: bad, Name: lane.BatchName, AnyMark: true, Set: "nonsense"}})[0]; o.Err != nil || !o.Applied {
		w.t.Fatalf("%+v", o)
	}
	w.readyz(bad.String(), "delete all marks of the lane")
	w.gen(1500, "--seed", "3")
	poll(w.t, "all other lanes to have the next run", func() bool {
		v := w.versionsOf("listing")[0]
		last := len(v.Runs) - 1
		return last >= before && v.Runs[last].Published == v.Lanes-1
	})
	w.metric(`tidemark_batch_lanes_refused{generation="1",view="listing"}`, 1)
	w.metric(`tidemark_batch_lanes_refused{generation="1",view="user"}`, 0)
	w.metric("tidemark_batch_failed", 0)
	w.status(`lane 03 is behind|`+regexp.QuoteMeta(bad.String()), true)
	invoke(w.t, "", "refill", w.job, bad.String(), "--store", w.store).want(w.t, exitOK)
	w.readyz()
	w.awaitQuiet()
	w.metric(`tidemark_batch_lanes_refused{generation="1",view="listing"}`, 0)
	w.status("is behind|"+regexp.QuoteMeta(bad.String()), false)
	w.answers()
}

// failedCheck makes the check of a run lie, and stop to.
func (w *troubled) failedCheck(lies string) {
	w.t.Helper()
	if err := os.WriteFile(lies, nil, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.gen(1500, "--seed", "4")
	says := regexp.MustCompile(`of view listing: .*batch --repeat (\d+) makes it again`).FindStringSubmatch(w.readyz("run failed its check", "batch --repeat"))
	if says == nil {
		w.t.Fatal("/readyz does not say which run to repeat")
	}
	run, err := strconv.Atoi(says[1])
	if err != nil {
		w.t.Fatal(err)
	}
	w.metric("tidemark_batch_failed", 1)
	w.status(fmt.Sprintf(`failed"?: ?"?run %d failed its check at .*batch --repeat %d`, run, run), true)
	w.metric(`tidemark_batch_run{generation="1",view="listing"}`, run-1)
	w.answers()
	repeat := []string{
		"batch", w.job, "--repeat", says[1], "--store", w.store, "--archive", filepath.Join(w.folder, "archive"), "--state", filepath.Join(w.folder, "state"),
	}
	still := tidemarkWith(w.t, []string{withLies + "=" + lies}, repeat...)
	if code := still.exit(cliWait); code != exitWrong {
		w.t.Errorf("repeated before the cause is mended: exit code %d\n%s", code, still.out)
	}
	w.metric("tidemark_batch_failed", 1)
	if err := os.Remove(lies); err != nil {
		w.t.Fatal(err)
	}
	invoke(w.t, "", repeat...).want(w.t, exitOK)
	w.readyz()
	w.metric("tidemark_batch_failed", 0)
	w.awaitQuiet()
	w.status("failed its check", false)
	w.answers()
}
