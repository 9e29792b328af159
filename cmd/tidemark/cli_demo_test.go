package main

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
)

const retailExcerpt = "../../testdata/retail/online-retail-5000.csv"

// demoLineFields are what a line of the demo tells.
type demoLineFields struct {
	rate            float64
	fresh           string
	tiles           float64
	verified, wrong int
}

// demoLines reads the demo's lines from its output.
func demoLines(t *testing.T, out string) []demoLineFields {
	t.Helper()
	var all []demoLineFields
	for l := range strings.Lines(out) {
		if !strings.Contains(l, " events/s · ") {
			continue
		}
		parts := strings.Split(strings.TrimSpace(l), " · ")
		var f demoLineFields
		_, err := fmt.Sscanf(parts[0], "%f events/s", &f.rate)
		if err == nil {
			_, err = fmt.Sscanf(parts[len(parts)-1], "verified %d, wrong %d", &f.verified, &f.wrong)
		}
		if err == nil {
			_, err = fmt.Sscanf(parts[len(parts)-2], "%f tiles/row", &f.tiles)
		}
		if f.fresh = parts[1]; err != nil || !strings.HasPrefix(f.fresh, "fresh ") || len(parts) != 5 {
			t.Errorf("a line that does not read (%v): %s", err, l)
		}
		all = append(all, f)
	}
	return all
}

// judged wants the end of a demo to say that every entity was compared and none was wrong, and returns how much happened.
func judged(t *testing.T, out string) (records, runs, restarts, entities int) {
	t.Helper()
	wrong := -1
	for l := range strings.Lines(out) {
		l = strings.NewReplacer("records", "record", "runs", "run", "restarts", "restart").Replace(l)
		_, _ = fmt.Sscanf(l, "taken in: %d record, %d run published, %d restart of the speed layer", &records, &runs, &restarts)
		_, _ = fmt.Sscanf(l, "verified %d entities, %d wrong", &entities, &wrong)
	}
	if wrong != 0 || entities == 0 {
		t.Errorf("%d entities, %d wrong", entities, wrong)
	}
	return records, runs, restarts, entities
}

// TestDemo: a minute of the demo as a newcomer runs it shows two published runs and a crash of the speed layer, with no answer
// wrong at any time, and leaves nothing behind. (On an idle machine 35 s are enough for that.)
func TestDemo(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes a minute of real time; run without -short")
	}
	tmp := t.TempDir()
	p := tidemarkWith(t, []string{"TMPDIR=" + tmp}, "demo", "../../jobs/usedcar", "--for", "60s", "--rate", "1000")
	if code := p.exit(cliWait); code != exitOK {
		t.Fatalf("exit code %d\n%s", code, p.out)
	}
	out := p.out.String()
	t.Log(out)
	records, runs, restarts, _ := judged(t, out)
	if records < 20_000 || runs < 2 || restarts < 1 || !strings.Contains(out, "killed without draining and restarted") {
		t.Errorf("%d records, %d runs, %d restarts", records, runs, restarts)
	}
	lines := demoLines(t, out)
	for _, l := range lines {
		if l.wrong != 0 {
			t.Errorf("wrong while it ran: %+v", l)
		}
	}
	if len(lines) < 5 || lines[len(lines)-1].verified == 0 || !strings.Contains(out, "fresh p50 ") || !strings.Contains(out, "try: curl -s http://") {
		t.Errorf("%d lines do not show what they are to show", len(lines))
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("it left %v (%v)", left, err)
	}
}

// TestDemoRetail: the excerpt of real data goes through every layer, as a newcomer runs it, and every customer and item is
// right.
func TestDemoRetail(t *testing.T) {
	t.Parallel()
	out := output(t, cliWait, "demo", "../../jobs/retail", "--from", retailExcerpt)
	if records, runs, _, _ := judged(t, out); records != 5000 || runs < 1 {
		t.Errorf("%d records, %d runs\n%s", records, runs, out)
	}
}

// TestDemoRedis: the same on a real Redis, twice with the same folder: the second goes on where the first ended.
func TestDemoRedis(t *testing.T) {
	t.Parallel()
	r, dir := redisserver.Start(t), t.TempDir()
	args := []string{"demo", "../../jobs/usedcar", "--block", cliBlock, "--cron", cliCron, "--store", r.URL()}
	// Views may be a run apart for as long as the demo lasts, and are then named one by one: each has to have one.
	run := regexp.MustCompile(` events/s · .*\brun \d+ \(`)
	shown := func(out string) bool {
		for l := range strings.Lines(out) {
			if run.MatchString(l) && !strings.Contains(l, "no run yet") {
				return true
			}
		}
		return false
	}
	var before int
	for seed := range 2 {
		p := tidemark(t, append(args, "--dir", dir, "--seed", strconv.Itoa(seed))...)
		p.awaitShown("a line with a run of each view", shown)
		if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if code := p.exit(cliWait); code != exitOK {
			t.Fatalf("exit code %d\n%s", code, p.out)
		}
		out := p.out.String()
		_, runs, _, entities := judged(t, out)
		if runs < 1 || entities <= before {
			t.Errorf("%d runs, %d entities after %d\n%s", runs, entities, before, out)
		}
		before = entities
	}
	// A demo that does not know this Redis's journals does not touch it, and says what to do.
	p := tidemark(t, args...)
	if code := p.exit(cliWait); code != exitFailed || !strings.Contains(p.out.String(), "earlier demo") {
		t.Errorf("exit code %d\n%s", code, p.out)
	}
}

// TestSecondSignal: the first Ctrl-C of a demo ends the traffic and verifies, the second ends the process at once.
func TestSecondSignal(t *testing.T) {
	t.Parallel()
	p := tidemark(t, "demo", "../../jobs/usedcar", "--dir", t.TempDir(), "--rate", "20000")
	p.await(" events/s · ", cliWait)
	for _, until := range []string{"traffic stopped after", ""} {
		if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if until != "" {
			p.await(until, cliWait)
		}
	}
	code := p.exit(cliWait)
	if said := p.out.String(); code != exitFailed || !strings.Contains(said, "told to end a second time") || strings.Contains(said, " wrong\n") {
		t.Errorf("it ended with %v\n%s", p.cmd.ProcessState, said)
	}
}
