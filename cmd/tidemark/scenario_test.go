package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
)

const scenarios = "../../testdata/scenario"

// TestScenarios runs the scenarios, whose language testdata/scenario/README.md describes. `go test ./cmd/tidemark -run
// TestScenarios -rewrite` writes down what is answered now; its diff is reviewed like code.
func TestScenarios(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(scenarios, "*.txt"))
	if err != nil || len(paths) < 20 {
		t.Fatalf("only %d scenarios in %s: %v", len(paths), scenarios, err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(path)
			if err != nil || !strings.HasPrefix(string(text), "# ") {
				t.Fatalf("a scenario begins with a comment that says why it exists: %v", err)
			}
			w := newWorld(t.Context(), quickDir(t))
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				t.Helper()
				run := directives[d.Cmd]
				if run == nil {
					d.Fatalf(t, "unknown directive %q", d.Cmd)
				}
				if w.job == nil && d.Cmd != "job" {
					d.Fatalf(t, "the first directive is job")
				}
				out, err := run(w, &arguments{d})
				switch {
				case errors.Is(err, errDiffer), errors.Is(err, errArguments):
					d.Fatalf(t, "%v", err)
				case err != nil:
					out += fmt.Sprintf("error: %v\n", err)
				}
				return w.scrub(out)
			})
		})
	}
}

// directives are the words of the language.
var directives = map[string]func(w *world, a *arguments) (string, error){
	"job":     doJob,
	"events":  doEvents,
	"archive": doArchive,
	"trim":    doTrim,
	"batch":   doBatch,
	"check":   func(w *world, _ *arguments) (string, error) { r, err := w.check(); return showCheck(r), err },
	"speed":   doSpeed,
	"crash":   func(w *world, a *arguments) (string, error) { w.crash(a.text("worker", "a")); return "", nil },
	"release": doRelease,
	"lose":    doLose,
	"leave":   func(w *world, a *arguments) (string, error) { return "", w.leave(a.word(0), a.word(1)) },
	"get":     doGet,
	"row":     func(w *world, a *arguments) (string, error) { return w.showRow(a.word(0), a.word(1)) },
	"marks":   func(w *world, a *arguments) (string, error) { return w.showMarks(a.text("view", "")) },
	"verify":  doVerify,
}

// arguments reads a directive's arguments.
type arguments struct{ *datadriven.TestData }

// errArguments is the error of a directive that is written wrongly.
var errArguments = errors.New("cannot read the directive")

// word returns the n-th argument without a value, "" if there are fewer.
func (a *arguments) word(n int) string {
	for _, arg := range a.CmdArgs {
		if len(arg.Vals) > 0 {
			continue
		}
		if n == 0 {
			return arg.Key
		}
		n--
	}
	return ""
}

// has tells whether a word stands among the arguments.
func (a *arguments) has(word string) bool { return a.HasArg(word) }

// values returns the values of name=(a, b), none if it is not there.
func (a *arguments) values(name string) []string {
	for _, arg := range a.CmdArgs {
		if arg.Key == name {
			return arg.Vals
		}
	}
	return nil
}

func (a *arguments) text(name, otherwise string) string {
	if v := a.values(name); len(v) == 1 {
		return v[0]
	}
	return otherwise
}

func (a *arguments) number(name string, otherwise int64) (int64, error) {
	text := a.text(name, "")
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %s=%s is no number", errArguments, name, text)
	}
	return n, nil
}

// cut reads name=(clicks/0@8, orders/0@4); nil if it is not there.
func (a *arguments) cut(name string) (position.Cut, error) {
	var cut position.Cut
	for _, text := range a.values(name) {
		partition, offset, _ := strings.Cut(text, "@")
		p, err := position.ParsePartition(partition)
		n, numberErr := strconv.ParseInt(offset, 10, 64)
		if err != nil || numberErr != nil {
			return nil, fmt.Errorf("%w: %s is no position such as clicks/0@8", errArguments, text)
		}
		if cut == nil {
			cut = position.Cut{}
		}
		cut[p] = n
	}
	return cut, nil
}

// doJob declares sources and views; files stand one after the other, each behind a line "-- its path --".
func doJob(w *world, a *arguments) (string, error) {
	files := fstest.MapFS{}
	var at *fstest.MapFile
	for line := range strings.Lines(a.Input + "\n") {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "-- "); ok {
			at = &fstest.MapFile{}
			files[strings.TrimSuffix(name, " --")] = at
			continue
		}
		if at == nil {
			return "", fmt.Errorf("%w: a job begins with a line such as -- sources/clicks.yaml --", errArguments)
		}
		at.Data = append(at.Data, line...)
	}
	j, err := job.Load(files, "shop")
	if err != nil {
		return "", err
	}
	w.declare(j)
	var sb strings.Builder
	for i := range j.Sources {
		fmt.Fprintf(&sb, "source %s in blocks of %d\n", j.Sources[i].Name, j.Sources[i].Block)
	}
	for i, p := range j.Plans {
		fmt.Fprintf(&sb, "view %s: %d features of %d states\n", j.Views[i].Name, len(p.Features()), len(p.States()))
	}
	return sb.String(), nil
}

// doEvents appends records to the log and tells what is not accepted, and what is not in the time that it says.
func doEvents(w *world, a *arguments) (string, error) {
	before := position.Cut{}
	for _, p := range w.log.partitions("") {
		before[p] = w.log[p].end
	}
	for line := range strings.Lines(a.Input) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := w.log.parseEvent(line); err != nil {
			return "", fmt.Errorf("%w: %w", errArguments, err)
		}
	}
	var sb strings.Builder
	for _, p := range w.log.partitions("") {
		if w.log[p].end == before[p] {
			continue
		}
		fmt.Fprintf(&sb, "%s up to %d\n", p, w.log[p].end)
		src := w.job.Source(p.Source)
		b, err := w.log.batch(src, p, position.Range{From: before[p], Next: w.log[p].end}, false)
		if err != nil {
			return "", err
		}
		said := &b.Cols[src.EventTimeIndex()]
		for i := range b.N {
			if reason := decode.Reason(b.Reject[i]); reason != decode.Accepted {
				fmt.Fprintf(&sb, "  %d is rejected: %s\n", b.Offset[i], reason)
			} else if b.Time[i] != said.Ints[i] {
				fmt.Fprintf(&sb, "  %d says %s and is taken as of %s\n", b.Offset[i], formatTime(said.Ints[i]), formatTime(b.Time[i]))
			}
		}
		for i, n := range b.Faults {
			if n > 0 {
				fmt.Fprintf(&sb, "  field %s is at fault in %d\n", src.Fields[i].Name, n)
			}
		}
	}
	return sb.String(), nil
}

// doArchive writes archive files: `archive [to=(clicks/0@8)] [tail]`.
func doArchive(w *world, a *arguments) (string, error) {
	to, err := a.cut("to")
	if err != nil {
		return "", err
	}
	if to == nil {
		to = w.log.ends(w.job.Sources)
	}
	var all []string
	for _, p := range to.Partitions() {
		written, err := w.archive(w.archiveDir(), p, to[p], a.has("tail"))
		if err != nil {
			return "", err
		}
		all = append(all, written...)
	}
	return strings.Join(all, "\n") + "\n", nil
}

// doTrim lets Kafka forget: `trim to=(clicks/0@8)`.
func doTrim(w *world, a *arguments) (string, error) {
	to, err := a.cut("to")
	for _, p := range to.Partitions() {
		err = errors.Join(err, w.trim(p, to[p]))
	}
	return "", err
}

// doBatch runs a batch process: `batch [rows=2] [every=32] [crash=registered] [calls=3]`.
func doBatch(w *world, a *arguments) (string, error) {
	rows, err := a.number("rows", 2)
	calls, callsErr := a.number("calls", -1)
	every, everyErr := a.number("every", 0)
	if err := errors.Join(err, callsErr, everyErr); err != nil {
		return "", err
	}
	return showRuns(w.batch(batchOptions{rows: int(rows), calls: int(calls), every: every, registered: a.text("crash", "") == "registered"})), nil
}

var fates = map[string]memstore.Fate{
	"": memstore.Deliver, "lost": memstore.LoseCall, "unanswered": memstore.LoseReply, "twice": memstore.Twice, "held": memstore.Hold,
}

// doSpeed lets a worker fold and flush: `speed [worker=a] [to=(clicks/0@6)] [blind] [hold] [overlap=4] [calls=held]`.
func doSpeed(w *world, a *arguments) (string, error) {
	to, err := a.cut("to")
	overlap, overlapErr := a.number("overlap", 0)
	fate, ok := fates[a.text("calls", "")]
	if err := errors.Join(err, overlapErr); err != nil || !ok {
		return "", fmt.Errorf("%w: %w", errArguments, err)
	}
	k := w.worker(a.text("worker", "a"))
	all, err := k.step(speedOptions{to: to, blind: a.has("blind"), hold: a.has("hold"), overlap: overlap, fate: fate})
	if len(all) == 0 && err == nil {
		return "no generation to feed\n", nil
	}
	return showFed(all), err
}

// doRelease lets the calls that are held in flight arrive, in the order in which they were sent.
func doRelease(w *world, _ *arguments) (string, error) {
	applied, all := 0, w.store.Held()
	for range all {
		if w.store.Release(0) {
			applied++
		}
	}
	return fmt.Sprintf("%d calls arrived, %d applied\n", all, applied), nil
}

// doLose lets the store lose the last changes (`lose changes=3`), those of one lane (`lose view=user lane=0 changes=3`),
// all of a lane (`lose view=user lane=0`), or everything (`lose`).
func doLose(w *world, a *arguments) (string, error) {
	n, err := a.number("changes", -1)
	laneN, laneErr := a.number("lane", -1)
	if err := errors.Join(err, laneErr); err != nil {
		return "", err
	}
	var id lane.ID
	if laneN >= 0 {
		g, err := w.reader.Served(w.ctx, a.text("view", ""))
		if err != nil {
			return "", err
		}
		id = lane.ID{Namespace: g.Namespace, N: int(laneN)}
	}
	switch {
	case laneN >= 0 && n >= 0:
		w.store.LoseLaneSuffix(id, int(n))
	case laneN >= 0:
		w.store.EmptyLane(id)
	case n >= 0:
		w.store.LoseSuffix(int(n))
	default:
		w.store.Empty()
	}
	return "", nil
}

// doGet answers in three ways: `get user user:u1 as_of=10:00|newest [features=(views_1h)]`.
func doGet(w *world, a *arguments) (string, error) {
	opt := lookup.Options{Features: a.values("features")}
	if text := a.text("as_of", ""); text == "newest" {
		opt.Newest = true
	} else {
		ms, err := parseTime(text)
		if err != nil {
			return "", fmt.Errorf("%w: as_of: %w", errArguments, err)
		}
		opt.AsOf = ms
	}
	got, err := w.get(a.word(0), a.word(1), opt)
	if err != nil {
		return "", err
	}
	return got.show(), nil
}

func doVerify(w *world, _ *arguments) (string, error) {
	r, err := w.verify()
	if err != nil {
		return "", err
	}
	return showReport(r), nil
}
