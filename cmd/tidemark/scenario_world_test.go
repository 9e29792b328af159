package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// world is tidemark on a bench: a log that a test writes, a real archive folder, real journals and run files, the real
// batch role, fold and lookups, over the store in memory. What is missing is what would make it depend on time: Kafka,
// and the shell around the fold, for which speedWorker stands in. Every step runs to its end before the next begins, so
// that a test says exactly where things are when something breaks.
type world struct {
	ctx context.Context //nolint:containedctx // a world lives as long as one test
	dir string          // holds archive, whole (an archive of the whole log) and state
	job *job.Job
	log topicLog

	store   *memstore.Store
	workers map[string]*speedWorker
	reader  *lookup.Reader
	now     time.Time // of the reader's caches; each look moves it on

	random *rand.Rand // of identities and incarnations
	named  map[string]string
	plans  map[string]*view.Plan // by the generation's namespace and the manifest's number
	alone  map[string]*aloneRun  // by view
}

func newWorld(ctx context.Context, dir string) *world {
	return &world{
		ctx: ctx, dir: dir, log: topicLog{}, store: memstore.New(), workers: map[string]*speedWorker{}, now: dayZero,
		random: rand.New(rand.NewPCG(1, 2)), named: map[string]string{}, plans: map[string]*view.Plan{}, alone: map[string]*aloneRun{},
	}
}

// declare makes j the job from now on; the log, the archive, the journals and the store stay what they are.
func (w *world) declare(j *job.Job) {
	w.job = j
	var names []string
	for i := range j.Views {
		names = append(names, j.Views[i].Name)
	}
	w.reader = lookup.NewReader(lookup.Config{
		Job: j.Name, Views: names, Store: w.store, Cache: time.Nanosecond,
		Now: func() time.Time { w.now = w.now.Add(time.Millisecond); return w.now },
	})
}

func (w *world) archiveDir() string { return filepath.Join(w.dir, "archive") }
func (w *world) wholeDir() string   { return filepath.Join(w.dir, "whole") }
func (w *world) stateDir() string   { return filepath.Join(w.dir, "state") }

// fill makes identities and incarnations that are the same in each run of a test.
func (w *world) fill(b []byte) {
	for i := range b {
		b[i] = byte(w.random.Uint32())
	}
}

// letter names an incarnation in a scenario's output: A, B, C, … in the order in which they are seen.
func (w *world) letter(inc lane.Incarnation) string {
	if w.named[string(inc)] == "" {
		w.named[string(inc)] = string(rune('A' + len(w.named)))
	}
	return w.named[string(inc)]
}

// quickDir returns a temporary folder, in memory where the machine has a place for that: journals and run files wait for
// the disk often, and no test here pulls the plug.
func quickDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "tidemark-test-") //nolint:usetesting // t.TempDir lies on the disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// quickFS writes archive files as archivefile.OS does, but does not wait for the disk: no scenario pulls the plug.
type quickFS struct{ archivefile.OS }

type quickFile struct{ archivefile.File }

// Create implements archivefile.FS.
func (fs quickFS) Create(folder string) (archivefile.File, string, error) {
	f, path, err := fs.OS.Create(folder)
	return quickFile{f}, path, err
}

// SyncDir implements archivefile.FS.
func (quickFS) SyncDir(string) error { return nil }

// Sync implements archivefile.File.
func (quickFile) Sync() error { return nil }

// archive writes what is complete of a partition's blocks up to an offset, and with tail what is left of the last one,
// as files below dir, and returns what they hold.
func (w *world) archive(dir string, p position.Partition, upTo int64, tail bool) (written []string, err error) {
	src := w.job.Source(p.Source)
	have, err := archivefile.List(dir, p)
	if err != nil {
		return nil, err
	}
	at := w.log[p].first
	if n := len(have.Files); n > 0 {
		at = have.Range().Next
		if last := have.Files[n-1].Range; position.Block(last.Next, src.Block) != last.Next {
			at = last.From // a tail: the file of its block holds it, too
		}
	}
	for upTo = min(upTo, w.log[p].end); at < upTo; {
		r := position.Range{From: at, Next: position.Block(at, src.Block) + src.Block}
		if at = r.Next; r.Next > upTo {
			if r.Next = upTo; !tail || r.Next <= have.Range().Next {
				break
			}
		}
		if _, err := archivefile.Write(quickFS{}, dir, src, p.ID, r, w.rows(src, p, r)); err != nil {
			return written, err
		}
		written = append(written, fmt.Sprintf("%s %s", p, r))
	}
	return written, nil
}

func (w *world) rows(src *schema.Source, p position.Partition, r position.Range) iter.Seq2[*column.Batch, error] {
	return func(yield func(*column.Batch, error) bool) {
		b, err := w.log.batch(src, p, r, true)
		yield(b, err)
	}
}

// trim lets Kafka forget what lies below an offset, as retention does. What is not archived by then would be lost.
func (w *world) trim(p position.Partition, to int64) error {
	have, err := archivefile.List(w.archiveDir(), p)
	if have.Range().Next < to || err != nil {
		return errors.Join(err, fmt.Errorf("trimming %s to %d: the archive holds %s", p, to, have.Range()))
	}
	w.log[p].start = max(w.log[p].start, to)
	return nil
}

// generation is a generation as the manifest in the store has it, compiled.
type generation struct {
	view      string
	namespace string
	plan      *view.Plan
	*manifest.Generation
}

func (g *generation) ids() []lane.ID {
	ids := make([]lane.ID, g.Lanes)
	for n := range ids {
		ids[n] = lane.ID{Namespace: g.namespace, N: n}
	}
	return ids
}

// generations returns what the manifest in the store says of a view; none if there is no manifest.
func (w *world) generations(viewName string) ([]*generation, error) {
	seq, body, err := w.store.Manifest(w.ctx, manifest.Key(w.job.Name, viewName))
	if err != nil || seq == 0 {
		return nil, err
	}
	m, err := manifest.Decode(body)
	if err != nil {
		return nil, err
	}
	var all []*generation
	for i := range m.Generations {
		g := &generation{view: viewName, namespace: m.Namespace(&m.Generations[i]), Generation: &m.Generations[i]}
		key := fmt.Sprintf("%s %d", g.namespace, seq)
		if w.plans[key] == nil {
			if w.plans[key], err = view.Compile(g.Spec); err != nil {
				return nil, err
			}
		}
		g.plan = w.plans[key]
		all = append(all, g)
	}
	return all, nil
}

// views returns the names of the job's views, or the one asked for.
func (w *world) views(name string) []string {
	var all []string
	for i := range w.job.Views {
		if name == "" || name == w.job.Views[i].Name {
			all = append(all, w.job.Views[i].Name)
		}
	}
	return all
}

var (
	identities = regexp.MustCompile(`:[a-z2-7]{10}\b`)  // the random part of namespaces
	revisions  = regexp.MustCompile(`\b[0-9a-f]{12}\b`) // beginnings of hashes
)

// scrub takes out of a text what says nothing to its readers, or differs from machine to machine.
func (w *world) scrub(text string) string {
	text = identities.ReplaceAllString(strings.ReplaceAll(text, w.dir, "DIR"), "")
	return revisions.ReplaceAllString(text, "HASH")
}
