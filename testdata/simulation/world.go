package simulation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Action is what can happen in a world.
type Action uint8

// The actions. What their arguments mean stands beside each.
const (
	Append     Action = iota // partition, entity, gap
	Grow                     //
	Archive                  // partition, blocks
	Trim                     // partition
	Look                     // worker
	Fetch                    // slot, generation, offsets
	Flush                    // slot, generation, whether all marks and whether of a drain
	ReadMarks                // slot, generation
	Exchange                 // slot, generation, fate
	Crash                    // slot, generation, whether its calls arrive later
	Late                     // call, whether it never arrives
	Open                     // process
	Tick                     // process, generation
	Plan                     // process, generation
	Move                     // process and lane, generation, fate
	Manifest                 // process
	Clean                    // process, generation
	Sweep                    // process, generation
	Remove                   // process
	Die                      // process, whether its calls arrive later
	Build                    // process
	Promote                  // process, generation
	Drop                     // process, generation
	LookUp                   // reader, entity
	Answer                   // reader
	Wait                     // how long
	LoseSuffix               // changes
	LoseLane                 // lane, changes
	Empty                    //
	EmptyOne                 // lane
	Dump                     //
	Restore                  //
	Unmark                   // lane, which mark
	FailRuns                 //
	Actions                  // the number of them
)

var actionNames = [Actions]string{
	"append", "grow", "archive", "trim", "look", "fetch", "flush", "read-marks", "exchange", "crash", "late", "open", "tick",
	"plan", "move", "manifest", "clean", "sweep", "remove", "die", "build", "promote", "drop", "look-up", "answer", "wait",
	"lose-suffix", "lose-lane", "empty", "empty-lane", "dump", "restore", "unmark", "fail-runs",
}

// Choice is one thing that is let happen. Any choice can be made in any world: one that makes no sense does nothing.
type Choice struct {
	Do      Action
	A, B, C uint8
}

// String returns the choice as cases have it.
func (c Choice) String() string { return fmt.Sprintf("%s %d %d %d", actionNames[c.Do], c.A, c.B, c.C) }

// readers is the number of processes that answer lookups.
const readers = 2

// World is a log, an archive, a state folder, a store, and all processes: the real protocol over a model of everything
// else. It does what it is told by choices, and checks the laws after each. Not safe for concurrent use.
type World struct {
	cfg   Config
	off   Set
	sim   *Simulator
	plan  *view.Plan
	bases *bases

	now          int64 // ms
	parts        []*partition
	events       int
	store        *store
	state        folder
	speed        [workers]worker
	batch        [processes]process
	readers      [readers]reader
	late         []held
	incarnations int
	put          int  // manifests
	losses       int  // of rows, or of a partition's mark
	manifests    int  // losses of the manifest
	unmarked     bool // a partition's mark was deleted by hand
	resting      bool // the faults have stopped
	failing      bool // runs fail their check

	touched []int // lanes that the choice at hand has changed
	moved   bool  // anything was applied since it was last looked
	before  [][maxEntities]before
	past    []past // by lane

	// Violation is the first law that was seen broken, "" if none was.
	Violation string
}

// namespaces are those of the generations.
var namespaces = func() (all [maxGenerations]string) {
	for g := range all {
		all[g] = "sim:v:" + strings.Repeat(string(rune('a'+g)), manifest.IdentityLength)
	}
	return all
}()

func generationOf(namespace string) int { return slices.Index(namespaces[:], namespace) }

// lane returns the index of a lane in the store.
func (w *World) lane(g, n int) int { return g*w.cfg.Lanes + n }

func (w *World) laneOf(entity int) int { return lane.Of(view.Hash(keys[entity]), w.cfg.Lanes) }

// apply brings a call to the store.
func (w *World) apply(at int, c *lane.Call) lane.Outcome {
	o := w.store.apply(at, c)
	if o.Applied {
		w.touch(at)
	}
	return o
}

func (w *World) touch(at int) {
	w.moved = true
	if !slices.Contains(w.touched, at) {
		w.touched = append(w.touched, at)
	}
}

// Do makes one choice and checks the laws in the lanes that it changed. It returns whether the choice did anything.
func (w *World) Do(c Choice) bool {
	w.touched = w.touched[:0]
	if !w.act(c) {
		return false
	}
	for _, at := range w.touched {
		w.checkLane(at)
	}
	w.sim.Done[c.Do]++
	return true
}

func (w *World) act(c Choice) bool {
	switch c.Do {
	case Append, Grow, Archive, Trim, Wait:
		return w.actLog(c)
	case Look, Fetch, Flush, ReadMarks, Exchange, Crash:
		return w.actSpeed(c)
	case Open, Tick, Plan, Move, Manifest, Clean, Sweep, Remove, Die:
		return w.actBatch(c)
	case Build, Promote, Drop:
		return w.actGenerations(c)
	case LookUp:
		return w.readMarks(&w.readers[int(c.A)%readers], int(c.B)%w.cfg.Entities)
	case Answer:
		return w.readRow(&w.readers[int(c.A)%readers])
	case Late:
		return w.arrive(int(c.A), c.B%4 == 3)
	default:
		return w.actStore(c)
	}
}

// arrive brings a call to the store that nobody waits for.
func (w *World) arrive(i int, never bool) bool {
	if len(w.late) == 0 {
		return false
	}
	i %= len(w.late)
	h := w.late[i]
	w.late = slices.Delete(w.late, i, i+1)
	if !never {
		if o := w.apply(h.lane, &h.call); o.Applied {
			w.sim.Seen["late call applied"]++
		} else {
			w.sim.Seen["late call refused"]++
		}
	}
	return true
}

func (w *World) actLog(c Choice) bool {
	p := w.parts[int(c.A)%len(w.parts)]
	switch c.Do {
	case Append:
		if w.events == maxEvents {
			return false
		}
		gap := int64(0)
		if c.C%4 == 3 {
			gap = 1
		}
		p.append(int(c.B)%w.cfg.Entities, gap, w.events)
		w.events++
	case Grow:
		if len(w.parts) == maxPartitions {
			return false
		}
		w.parts = append(w.parts, w.newPartition(len(w.parts)))
		w.parts[len(w.parts)-1].begin(0)
	case Archive:
		return p.archive(1 + int64(c.B)%3)
	case Trim:
		if p.trimmed >= p.archived {
			return false
		}
		p.trimmed = min(p.archived, p.trimmed+1+int64(c.B)%(2*p.block))
	case Wait:
		w.now += [...]int64{50, 1000, 6000, 11 * 60_000}[c.A%4]
	default:
		return false
	}
	return true
}

func (w *World) actSpeed(c Choice) bool {
	k := &w.speed[int(c.A)%workers]
	if c.Do == Look {
		return w.look(k)
	}
	p := int(c.A) / workers % len(w.parts)
	g := int(c.B) % maxGenerations
	s := w.slot(k, g, p)
	if s == nil {
		return false
	}
	switch c.Do {
	case Fetch:
		return w.fetch(s, w.parts[p], 1+int64(c.C)%4)
	case Flush:
		return w.flush(s, c.C&1 == 0, c.C&6 == 6)
	case ReadMarks:
		return w.read(s)
	case Exchange:
		return w.deliver(s, g, w.parts[p], Fate(c.C)%Fates)
	case Crash:
		return w.forget(s, c.C&1 == 0)
	default:
		return false
	}
}

func (w *World) actBatch(c Choice) bool {
	b := &w.batch[int(c.A)%processes]
	g := int(c.B) % maxGenerations
	switch c.Do {
	case Open:
		return w.open(b)
	case Tick:
		return w.tick(b, g)
	case Plan:
		return w.beginPass(b, g)
	case Move:
		return w.move(b, g, int(c.A)/processes%w.cfg.Lanes, Fate(c.C)%Fates)
	case Manifest:
		return w.keepManifest(b)
	case Clean:
		return w.clean(b, g)
	case Sweep:
		return w.leftovers(b, g)
	case Remove:
		return w.remove(b)
	case Die:
		return w.die(b, c.C&1 == 0)
	default:
		return false
	}
}

func (w *World) actGenerations(c Choice) bool {
	b := &w.batch[int(c.A)%processes]
	g := int(c.B) % maxGenerations
	if b.journal == nil || b.journal.entries != w.state.journal.entries {
		return false
	}
	switch {
	case c.Do == Build:
		n := len(b.journal.members)
		if n == 0 || n == maxGenerations {
			return false
		}
		w.state.turn(func(m []member) []member { return append(m, w.create(n, manifest.Building)) })
	case g >= len(b.journal.members):
		return false
	case c.Do == Promote:
		if s := b.journal.members[g].state; (s != manifest.Building && s != manifest.Kept) || (!w.without(PromoteWhole) && !w.caughtUp(g)) {
			return false
		}
		w.state.turn(func(m []member) []member {
			for i := range m {
				if m[i].state == manifest.Served {
					m[i].state = manifest.Kept
				}
			}
			m[g].state = manifest.Served
			return m
		})
	default:
		if s := b.journal.members[g].state; s != manifest.Building && s != manifest.Kept {
			return false
		}
		w.state.turn(func(m []member) []member { m[g].state = manifest.Dropped; return m })
		w.state.files[g] = nil
	}
	return w.open(b)
}

// caughtUp tells whether every lane of a generation claims at least what that of the served one does.
func (w *World) caughtUp(g int) bool {
	served := w.state.journal.manifestOf().served
	for n := range w.cfg.Lanes {
		theirs := w.claimOf(w.store.lanes[w.lane(served, n)].marks)
		ours := w.claimOf(w.store.lanes[w.lane(g, n)].marks)
		if ours.Degraded != "" {
			return false
		}
		for p, next := range theirs.Frontier {
			if ours.Frontier[p] < next {
				return false
			}
		}
	}
	return true
}

func (w *World) actStore(c Choice) bool {
	at := int(c.A) % len(w.store.lanes)
	s, m := w.store, w.store.manifest
	var lost []int
	switch c.Do {
	case LoseSuffix:
		lost = s.loseSuffix(1+int(c.A)%8, -1)
	case LoseLane:
		lost = s.loseSuffix(1+int(c.B)%6, at)
	case Empty:
		lost = s.empty()
	case EmptyOne:
		if s.lanes[at] == emptyLane {
			return false
		}
		lost = s.set(at, emptyLane)
	case Dump:
		s.keep()
		return true
	case Restore:
		lost = s.restore()
	case Unmark:
		return w.unmark(at, int(c.B))
	case FailRuns:
		w.failing = true
		return true
	default:
		return false
	}
	if s.manifest != m {
		w.manifests++
	}
	if len(lost) > 0 {
		w.losses++
		w.lost(lost)
	}
	return len(lost) > 0 || s.manifest != m
}

// unmark deletes marks of a lane by hand: all of them, that of batch, or that of a partition. The rows stay.
func (w *World) unmark(at, which int) bool {
	l := w.store.lanes[at]
	if len(l.marks) == 0 || l.marks[lane.BatchName] == lane.Dropped {
		return false
	}
	name, left := lane.BatchName, maps.Clone(l.marks)
	switch which % 4 {
	case 0, 1:
		clear(left)
	case 2:
	default:
		i := which / 4 % len(w.parts)
		name = w.parts[i].name.String()
		if mark, ok, err := l.marks.Partition(w.parts[i].name); ok && err == nil {
			w.unmarked = true // what is written again below a cut stays as a leftover
			w.losses++
			// The rows hold what lies below the mark, claimed or not: until a claim is there again, they may have gaps.
			w.past[at].reached[i] = max(w.past[at].reached[i], mark.Next)
		}
	}
	if l.marks[name] == "" {
		return false
	}
	delete(left, name)
	w.lost(w.store.set(at, &laneState{marks: left, rows: l.rows}))
	return true
}

// begin makes a partition that is new begin at an offset.
func (p *partition) begin(origin int64) {
	p.origin, p.end, p.trimmed, p.archived = origin, origin, origin, origin
}

// String returns the action's name, as cases have it.
func (a Action) String() string { return actionNames[a] }
