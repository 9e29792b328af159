//go:build crashpoints

package main

import (
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storetest/ports"
	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/speed/flush"
	"github.com/tidemark-io/tidemark/testdata/kafka"
)

var (
	processesFull = flag.Bool("processes.full", false, "TestProcesses: 300k events, a death at each named place and three more of each role; else a part of it")
	processesSeed = flag.Uint64("processes.seed", 0, "TestProcesses: its seed; 0 = a new one")
	processesDev  = flag.Bool("processes.dev", false, "TestProcesses: on the development broker, as its own process, and not on Apache Kafka")
)

// apache is a real Kafka.
type apache struct{ *kafka.Server }

func (a apache) Address() string { return a.Addr }

func (a apache) Crash(t testing.TB) { a.Restart(t) }

// development is the development broker in a process of its own.
type development struct {
	*process
	address, data string
}

func newDevelopment(t *testing.T) *development {
	d := &development{address: ports.Free(t), data: t.TempDir()}
	d.start(t)
	return d
}

func (d *development) start(t testing.TB) {
	d.process = tidemark(t, "broker", "--listen", d.address, "--data", d.data)
	d.await("ready role=broker", cliWait)
}

func (d *development) Address() string { return d.address }

func (d *development) Crash(t testing.TB) {
	d.kill()
	d.start(t)
}

// fault is something that happens to a farm. What it hits is started again by it, and nothing else is done by anybody.
type fault struct {
	name string
	// bring brings it about, and returns when all processes are there again.
	bring func(f *farm)
	after recovery
}

// TestProcesses: archive, batch every 10 s, two speed workers and serve, each a process, on a real Kafka and a real Redis,
// under traffic and lookups. Each is killed at seeded moments and at named places and started again, a speed worker is
// stopped past its session, Redis comes back empty and from an old file, Kafka is killed. After each fault it all recovers
// with nothing done by hand, and every entity is right; and of what clients were told meanwhile, every word was true.
func TestProcesses(t *testing.T) {
	if testing.Short() {
		t.Skip("takes minutes of real processes; run without -short")
	}
	seed := *processesSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	t.Logf("seed %d; again with: make processes SEED=%d", seed, seed)
	var log logServer
	if *processesDev {
		log = newDevelopment(t)
	} else {
		log = apache{kafka.Start(t)}
	}
	f := newFarm(t, seed, log)
	for _, m := range members {
		f.begin(m.name)
	}
	for _, m := range members {
		f.running[m.name].await("ready role=", farmWait)
	}
	f.until("a first run", func() (bool, error) { return f.lastRun() > 0, nil })
	all := f.faults()
	rows := make([]string, 0, len(all)+1)
	for _, one := range all {
		rows = append(rows, f.suffer(one))
		t.Log(rows[len(rows)-1])
	}
	f.mustHaveHappened()
	rows = append(rows, f.end(all))
	t.Logf("seed %d\n%s", seed, table(rows))
}

// suffer brings a fault about, waits until all is well, and returns a line of the table.
func (f *farm) suffer(one fault) string {
	f.t.Helper()
	before := f.lastRun()
	f.goesOn()
	one.bring(f)
	took := f.recovered(one.after, before)
	f.clients.filled()
	return fmt.Sprintf("%s\t%v\t%d\t%s", one.name, took.Round(100*time.Millisecond), f.traffic.sent.Load(), f.verified())
}

// table lays rows out.
func table(rows []string) string {
	var sb strings.Builder
	t := tabwriter.NewWriter(&sb, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "FAULT\tRECOVERED IN\tEVENTS SO FAR\tTHEN")
	for _, r := range rows {
		fmt.Fprintln(t, r)
	}
	_ = t.Flush() // into memory
	return sb.String()
}

// deaths are the places at which each role dies. Those of an end or a takeover are brought about.
var deaths = []struct {
	member string
	after  recovery
	places []crash.Place
}{
	{"archive", archived, []crash.Place{crash.ArchiveHalf, crash.ArchiveBeforeLink, crash.ArchiveAfterLink}},
	{"batch", newRun, []crash.Place{
		crash.JournalBeforeLink, crash.JournalAfterLink, crash.RunHalf, crash.RunBeforeName, crash.RunAfterName,
		crash.ManifestBefore, crash.ManifestAfter, crash.LaneFirst, crash.LaneLast,
	}},
	{"speed a", takenIn, []crash.Place{crash.FlushUnanswered, crash.DrainBegun, crash.DrainDone, crash.RevokeBegun, crash.RevokeDone}},
}

// faults are what happens, in a seeded order. The last ones change what there is for good.
func (f *farm) faults() []fault {
	var all []fault
	kills := 1
	if *processesFull {
		kills = 3
	}
	for range kills {
		for name, after := range map[string]recovery{"archive": archived, "batch": newRun, "speed a": takenIn, "serve": takenIn} {
			all = append(all, fault{name + " killed", func(f *farm) {
				f.moment()
				f.kill(name)
				f.ready(name)
			}, after})
		}
	}
	for _, d := range deaths {
		places := d.places
		if !*processesFull {
			i := f.random.IntN(len(places))
			places = places[i : i+1]
		}
		for _, p := range places {
			all = append(all, f.death(d.member, p, d.after))
		}
	}
	all = append(all,
		fault{"speed b stopped past its session", zombie, takenIn},
		fault{"Kafka killed", func(f *farm) { f.moment(); f.goesOn(); f.log.Crash(f.t) }, archived | newRun},
		fault{"the marks of one lane lost", oneLane, takenIn},
		fault{"Redis stopped until calls ran out of time", slow, takenIn},
	)
	// Maps and slices are in no or a given order: the seed decides.
	slices.SortFunc(all, func(a, b fault) int { return strings.Compare(a.name, b.name) })
	f.random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	saved := ""
	save := fault{"(Redis saved)", func(f *farm) { saved = f.redis.Save(f.t) }, takenIn}
	// What is restored is of the same filling of the lanes, or they would be begun again and nobody be told that marks went back.
	empty := 1 + f.random.IntN(len(all)/3)
	all = slices.Insert(all, empty, fault{"Redis killed, its marks damaged before, restarted empty", emptied, newRun})
	all = slices.Insert(all, empty+1+f.random.IntN(len(all)/3), save)
	return append(all,
		fault{"Redis killed, restored from the file", func(f *farm) { restored(f, saved) }, newRun},
		fault{"the manifest goes back to a generation that is dropped", backToDropped, takenIn},
	)
}

// death is a member's death at a place.
func (f *farm) death(member string, p crash.Place, after recovery) fault {
	hit := 1 + f.random.IntN(3)
	var brings func(f *farm)
	switch p {
	case crash.DrainBegun, crash.DrainDone:
		hit, brings = 1, func(f *farm) { f.signal(member, sigterm) }
	case crash.RevokeBegun, crash.RevokeDone: // the other one goes away, and with it the generation of the group
		hit, brings = 1, func(f *farm) {
			f.kill("speed b")
			f.ready("speed b")
		}
	case crash.FlushUnanswered:
		hit = 1 + f.random.IntN(200)
	default:
	}
	return fault{fmt.Sprintf("%s killed at %q #%d", member, p, hit), func(f *farm) {
		f.moment()
		var b func()
		if brings != nil {
			b = func() { brings(f) }
		}
		f.fallTo(member, p, hit, b)
		f.ready(member)
	}, after}
}

// signal sends a member a signal.
func (f *farm) signal(name string, s syscall.Signal) {
	f.t.Helper()
	if err := f.running[name].cmd.Process.Signal(s); err != nil {
		f.t.Fatal(err)
	}
}

// zombie stops a speed worker until the other has its partitions, and lets it go on with what it had in hand. That is done
// again until it met marks that were moved meanwhile: it may have had nothing in hand.
func zombie(f *farm) {
	met := func() int { return f.refusals()[flush.Further.String()] }
	for before, try := met(), 0; met() == before && try < 5; try++ {
		f.moment()
		f.signal("speed b", syscall.SIGSTOP)
		f.until("the other to have all partitions", func() (bool, error) { return f.owned("speed a") == defaultParts, nil })
		f.moment()
		f.goesOn()
		f.signal("speed b", syscall.SIGCONT)
		f.until("the one that was stopped to have its part again", func() (bool, error) { return f.owned("speed b") > 0 && f.owned("speed a") < defaultParts, nil })
		f.scrapeOnce(f.t.Context())
	}
}

// owned returns how many partitions a speed worker has, by its own word; -1 if it says nothing.
func (f *farm) owned(name string) int {
	body := scrapeFrom(f.t.Context(), httpOf(f.t, f.running[name].out.String()))
	if body == "" {
		return -1
	}
	return strings.Count(body, "\ntidemark_speed_position_offset{")
}

// laneOf returns the lane of a client's entity in the served generation of view user.
func (f *farm) laneOf(entity string) lane.ID {
	g := f.served("user")
	return lane.ID{Namespace: g.Namespace, N: lane.Of(view.Hash([]byte("device_id:"+entity)), g.Lanes)}
}

// served returns the served generation of a view.
func (f *farm) served(viewName string) *lookup.Generation {
	var out *lookup.Generation
	f.until("view "+viewName, func() (bool, error) {
		ms, err := f.catalog.manifests(f.t.Context())
		for _, m := range ms {
			if g := m.Served(); m.View == viewName && g != nil {
				out, err = lookup.NewGeneration(m, g)
			}
		}
		return out != nil, err
	})
	return out
}

// oneLane makes the store lose the marks of one lane. Its entities' answers say so until it is filled again; those of other
// lanes go on.
func oneLane(f *farm) {
	f.moment()
	victim := f.laneOf(clientPrefix + "0")
	var hit []string
	for i := range clientCount {
		if name := fmt.Sprint(clientPrefix, i); f.laneOf(name) == victim {
			hit = append(hit, name)
		}
	}
	others := func(e string) bool { return !slices.Contains(hit, e) }
	f.signal("batch", syscall.SIGSTOP) // or the lane may be filled before anybody asks
	fillings := f.fillings("user")
	from := f.clients.now()
	if err := store.EmptyLane(f.t.Context(), f.catalog.store, victim); err != nil {
		f.t.Fatal(err)
	}
	f.clients.lost(from, hit...)
	f.until("answers that say that the lane is to be filled", func() (bool, error) {
		seen := f.clients.seen(from, func(e string) bool { return slices.Contains(hit, e) })
		delete(seen, "")
		return len(seen) > 0, nil
	})
	f.goesOn()
	f.signal("batch", syscall.SIGCONT)
	f.until("the lane to be whole", func() (bool, error) {
		marks, err := f.catalog.store.Marks(f.t.Context(), []lane.ID{victim})
		return err == nil && lookup.Claims(marks[0]) == "", err
	})
	seen := f.clients.seen(from, others)
	if seen[""] == 0 {
		f.t.Errorf("while one lane was filled, no answer of other lanes claimed: %v", seen)
	}
	for reason, n := range seen {
		// A run may be ahead of the speed layer in another lane for a moment, so that answers of it do not claim either.
		if reason != "" && reason != lookup.ReasonFilling {
			f.t.Errorf("while one lane was filled, %d answers of other lanes were degraded: %s", n, reason)
		}
	}
	for n, now := range f.fillings("user") {
		if begun := now != fillings[n]; begun != (n == victim.N) {
			f.t.Errorf("lane %02x was begun again: %t; lane %s was emptied", n, begun, victim)
		}
	}
}

// fillings returns which filling of each lane of a view's served generation there is.
func (f *farm) fillings(viewName string) (all []lane.Incarnation) {
	g := f.served(viewName)
	f.until("the marks of view "+viewName, func() (bool, error) {
		ids := make([]lane.ID, g.Lanes)
		for n := range ids {
			ids[n] = lane.ID{Namespace: g.Namespace, N: n}
		}
		marks, err := f.catalog.store.Marks(f.t.Context(), ids)
		all = all[:0]
		for _, m := range marks {
			b, _, err := m.Batch()
			if err != nil {
				return false, err
			}
			all = append(all, b.Incarnation)
		}
		return err == nil, err
	})
	return all
}

// emptied damages a mark, waits until a client is told, and restarts Redis empty.
func emptied(f *farm) {
	f.moment()
	from := f.clients.now()
	f.redis.Do(f.t, "HSET", "{tm:"+f.laneOf(clientPrefix+"1").String()+"}:m", "events/0", "damaged")
	f.until("an answer that says that the marks are damaged", func() (bool, error) { return f.clients.reasons()[lookup.ReasonDamaged] > 0, nil })
	f.goesOn()
	f.redis.Restart(f.t)
	f.clients.lost(from)
}

// restored restarts Redis with what it had when it was saved. The workers do not run meanwhile, so that they are told of what
// was lost by the answers to calls, and not by the marks that they read after a broken one; and neither is one to bring the
// other's marks further before it makes its calls, however long the restart takes.
func restored(f *farm, file string) {
	f.moment()
	for _, worker := range []string{"speed a", "speed b"} {
		f.signal(worker, syscall.SIGSTOP)
	}
	from := f.clients.now()
	f.goesOn()
	f.redis.RestartFrom(f.t, file)
	f.clients.lost(from)
	for _, worker := range []string{"speed a", "speed b"} {
		f.signal(worker, syscall.SIGCONT)
	}
}

// slow stops Redis until a call's time is over, so that nobody knows what became of it.
func slow(f *farm) {
	unknown := func() int { return f.refusals()[flush.Unknown.String()] }
	f.moment()
	f.scrapeOnce(f.t.Context())
	before := unknown()
	f.redis.Suspend(f.t)
	f.until("a call to run out of time", func() (bool, error) { return unknown() > before, nil })
	f.goesOn()
	f.redis.Resume(f.t)
}

// backToDropped builds a generation, serves it and drops the one before; then the store forgets that, as one does that fails
// over to a replica which is behind, while batch is away and serve begins: it is told of a generation that is dropped, and
// says so to who asks, until batch brings the manifest again.
func backToDropped(f *farm) {
	const viewName = "listing"
	key := "tm:manifest:" + manifest.Key(f.catalog.job.Name, viewName)
	dropped := f.served(viewName)
	old := f.redis.Do(f.t, "DUMP", key)
	f.operate("rebuild", viewName)
	f.operate("promote", viewName, "--wait", commandWait)
	f.operate("drop", viewName, strconv.FormatInt(dropped.Number, 10))
	f.until("the lanes to be marked as dropped", func() (bool, error) {
		marks, err := f.catalog.store.Marks(f.t.Context(), []lane.ID{{Namespace: dropped.Namespace}})
		return err == nil && marks[0][lane.BatchName] == lane.Dropped, err
	})
	f.signal("batch", syscall.SIGSTOP)
	f.kill("serve")
	f.redis.Do(f.t, "RESTORE", key, "0", old, "REPLACE")
	f.ready("serve")
	f.until("an answer that says that the generation is dropped", func() (bool, error) {
		a, err := f.clients.ask(viewName, "l0")
		if err == nil && a.reason() == lookup.ReasonDropped {
			f.dropped++
		}
		return f.dropped > 0, nil
	})
	f.goesOn()
	f.signal("batch", syscall.SIGCONT)
	f.until("an answer by the generation that is served", func() (bool, error) {
		a, err := f.clients.ask(viewName, "l0")
		return err == nil && a.reason() == "", nil
	})
}

// mustHaveHappened fails the test if it did not show what it is to show.
func (f *farm) mustHaveHappened() {
	f.t.Helper()
	f.scrapeOnce(f.t.Context())
	refusals, reasons := f.refusals(), f.clients.reasons()
	reasons[lookup.ReasonDropped] += f.dropped
	for _, r := range []flush.Refusal{flush.Further, flush.Behind, flush.Absent, flush.Unknown} {
		if refusals[r.String()] == 0 {
			f.t.Errorf("no call was refused as %q: %v", r, refusals)
		}
	}
	// A lookup is cut off before its reader can be too slow: that reason is for readers without HTTP before them.
	for _, r := range []string{lookup.ReasonNotBegun, lookup.ReasonFilling, lookup.ReasonDamaged, lookup.ReasonDropped} {
		if reasons[r] == 0 {
			f.t.Errorf("no answer was degraded because %q: %v", r, reasons)
		}
	}
	f.t.Logf("calls refused: %s", listed(refusals))
	f.t.Logf("answers degraded: %s", listed(reasons))
}

// listed prints counts in order of names.
func listed(counts map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s %d", name, counts[name]))
	}
	return strings.Join(all, " · ")
}

// processesEvents is what is appended at least.
func processesEvents() int64 {
	if *processesFull {
		return 300_000
	}
	return 40_000
}

// trafficPerTick is how many events are appended each trafficTick.
func trafficPerTick() int {
	if *processesFull {
		return 10
	}
	return 8
}

// end lets the traffic end and everything be taken in, verifies, ends every process in order, verifies again, and judges
// what clients saw.
func (f *farm) end(all []fault) string {
	f.t.Helper()
	f.until("all events to be appended", func() (bool, error) { return f.traffic.sent.Load() >= processesEvents(), nil })
	f.traffic.ended.Store(true)
	f.clients.stop.Store(true)
	f.clients.done.Wait()
	if err := f.clients.failed(); err != nil {
		f.t.Error(err)
	}
	f.goesOn()
	took := f.recovered(takenIn, 0)
	before := f.verified()
	for _, m := range members {
		f.running[m.name].terminate()
	}
	if after := f.verified(); after != before {
		f.t.Errorf("with every process: %s; when they had ended: %s", before, after)
	}
	faults := f.clients.judge()
	for _, bad := range faults[:min(len(faults), 10)] {
		f.t.Error(bad.String())
	}
	c := f.clients
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.waited)
	if len(c.waited) == 0 || len(c.reads) == 0 {
		f.t.Fatal("clients saw nothing")
	}
	f.t.Logf("%d clients appended %d events and were given %d answers (%d requests were not answered), %d of them wrong; from append to an answer that claims it p50 %v, p99 %v, at most %v",
		clientCount, c.appended, len(c.reads), c.refused, len(faults), c.waited[len(c.waited)/2].Round(time.Millisecond),
		c.waited[len(c.waited)*99/100].Round(time.Millisecond), c.waited[len(c.waited)-1].Round(time.Millisecond))
	return fmt.Sprintf("at the end, %d faults\t%v\t%d\t%s", len(all), took.Round(100*time.Millisecond), f.traffic.sent.Load(), before)
}
