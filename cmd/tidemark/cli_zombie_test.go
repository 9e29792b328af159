package main

import (
	"context"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"

	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/devbroker"
	"github.com/tidemark-io/tidemark/speed/flush"
)

// What the zombie tests append while two owners work.
const (
	zombieEvents = 12_000
	zombieRate   = 3_000
)

// TestZombiesOnRedis: two processes of all roles work on the same partitions, store, state and archive at once, each in a
// consumer group of its own, so that each believes to be the only owner. One is stopped for a while and goes on with what
// it had in hand. They waste work and break nothing.
func TestZombiesOnRedis(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, redisserver.Start(t).URL())
	in.gen(1000)
	a, b := in.upSmall("--group", "a"), in.upSmall("--group", "b")
	gen := tidemark(t, "gen", in.job, "--kafka", in.kafka, "--events", strconv.Itoa(zombieEvents), "--rate", strconv.Itoa(zombieRate))
	for _, s := range []struct {
		at     int64
		signal syscall.Signal
	}{{zombieEvents / 4, syscall.SIGSTOP}, {zombieEvents / 2, syscall.SIGCONT}} {
		in.awaitRecords(s.at)
		if err := a.cmd.Process.Signal(s.signal); err != nil {
			t.Fatal(err)
		}
	}
	if code := gen.exit(cliWait); code != exitOK {
		t.Fatalf("gen: exit code %d\n%s", code, gen.out)
	}
	in.awaitQuiet()
	for _, p := range []*process{a, b} {
		select {
		case err := <-p.ended:
			p.ended <- err
			t.Fatalf("an owner ended: %v\n%s", err, p.out)
		default:
		}
	}
	t.Log(in.verified())
	if n := overtaken(t, a) + overtaken(t, b); n == 0 {
		t.Error("neither found the other's marks: they did not work at once")
	} else {
		t.Logf("%d calls found marks that the other had moved", n)
	}
	a.terminate()
	b.terminate()
	t.Log(in.verified())
}

// overtaken returns how many calls of a process found a mark further than it thought.
func overtaken(t *testing.T, p *process) int {
	t.Helper()
	return p.metric(`tidemark_store_refusals_total{kind="` + flush.Further.String() + `"}`)
}

// metric reads a whole number from a process's metrics, which is to be there.
func (p *process) metric(name string) int {
	p.t.Helper()
	n, shown := p.figure(name)
	if !shown {
		p.t.Fatalf("%s is not among the metrics:\n%s", name, p.out)
	}
	return n
}

// figure reads a whole number from a process's metrics, if they show it now.
func (p *process) figure(name string) (n int, shown bool) {
	t := p.t
	t.Helper()
	code, body := fetch(t, http.MethodGet, "http://"+httpOf(t, p.out.String())+"/metrics", "", nil)
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\d+)$`).FindStringSubmatch(body)
	if code != http.StatusOK || m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n, true
}

// TestZombiesOnPebble is the same within one process, which is all that an embedded store admits: two speed layers beside
// the other roles.
func TestZombiesOnPebble(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "")
	in.gen(1000)
	j, err := loadJob(in.job)
	if err != nil {
		t.Fatal(err)
	}
	if err := setBlock(j, 256); err != nil {
		t.Fatal(err)
	}
	d := &deployment{name: "zombies", roles: everyRole, cron: cliCron, options: options{
		kafka: []string{in.kafka}, store: in.store, archive: filepath.Join(in.folder, "archive"), state: filepath.Join(in.folder, "state"),
		http: defaultHTTP, session: devbroker.DefaultMinSessionTimeout, wait: cliWait, group: "a", grace: cliWait,
	}}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n, err := openNode(ctx, j, d, newToolLogger(io.Discard))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.start(ctx); err != nil {
		t.Fatal(err)
	}
	other := d.options
	other.group = "b"
	twin := &node{job: j, o: &other, logger: n.logger, kafka: n.kafka, store: n.store, catalog: n.catalog, failed: n.failed}
	if err := twin.runSpeed(ctx); err != nil {
		t.Fatal(err)
	}
	in.gen(zombieEvents, "--rate", strconv.Itoa(zombieRate))
	in.awaitQuiet()
	t.Log(in.verified())
	met := int64(0)
	for _, l := range []*speedLayer{n.speedNow(), twin.speedNow()} {
		met += l.service.Stats.Refusals[flush.Further].Load()
	}
	if met == 0 {
		t.Error("neither found the other's marks: they did not work at once")
	}
	for _, err := range []error{twin.endSpeed(false), n.endSpeed(false)} {
		if err != nil {
			t.Error(err)
		}
	}
	cancel()
	n.beside.Wait()
	if err := n.close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-n.failed:
		t.Error(err)
	default:
	}
}
