package archive_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/speed/archive"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const block = 64

func hits() schema.Source {
	s := schema.Source{Name: "hits", EventTime: "at", Block: block, Fields: []schema.Field{
		{Name: "at", Type: schema.Time}, {Name: "who", Type: schema.String, Required: true}, {Name: "n", Type: schema.Int32},
	}}
	s.SetDefaults()
	return s
}

// topic is a log in memory, one slice of records a partition, with bounds that a test may move.
type topic struct {
	mu      sync.Mutex
	records map[int32][]record.Record
	start   map[int32]int64
	end     map[int32]int64
}

// newTopic makes a log of n records a partition with gaps anywhere, also of whole blocks.
func newTopic(r *rand.Rand, partitions int32, n int) *topic {
	l := &topic{records: map[int32][]record.Record{}, start: map[int32]int64{}, end: map[int32]int64{}}
	for p := range partitions {
		for range n {
			l.append(r, p)
		}
	}
	return l
}

func (l *topic) append(r *rand.Rand, p int32) {
	switch r.IntN(40) {
	case 0:
		l.end[p] += r.Int64N(3 * block)
	case 1, 2, 3:
		l.end[p]++
	default:
	}
	value := fmt.Appendf(nil, `{"at":%d,"who":"w%d","n":%d,"x":[%d]}`, l.end[p], r.IntN(9), r.IntN(100), r.IntN(5))
	if r.IntN(20) == 0 {
		value = value[:r.IntN(len(value))]
	}
	l.records[p] = append(l.records[p], record.Record{Offset: l.end[p], Append: 1000 + l.end[p], AppendType: column.LogAppendTime, Value: value})
	l.end[p]++
}

// reader is one consumer of a topic: it hands out pieces of random size.
type reader struct {
	*topic
	rand *rand.Rand
	stop func() // called when there is nothing new in any partition, or when left is used up
	left int    // fetches until stop is called all the same; negative = never
}

func (l *reader) Fetch(ctx context.Context, wants []kafkalog.Want, _ time.Duration) ([]kafkalog.Fetched, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []kafkalog.Fetched
	news := false
	for _, w := range wants {
		f := kafkalog.Fetched{Partition: w.Partition, Next: w.Offset, LogStart: l.start[w.Partition], LastStable: l.end[w.Partition]}
		if w.Offset < f.LogStart || w.Offset > f.LastStable {
			f.Err = &kafkalog.RangeError{Topic: "hits", Partition: w.Partition, Asked: w.Offset, LogStart: f.LogStart, End: f.LastStable}
			news = true
		} else if w.Offset < f.LastStable {
			f.Next = min(f.LastStable, w.Offset+1+l.rand.Int64N(2*block))
			news = true
		}
		for _, rec := range l.records[w.Partition] {
			if w.Offset <= rec.Offset && rec.Offset < f.Next {
				f.Records = append(f.Records, rec)
			}
		}
		out = append(out, f)
	}
	if l.left--; !news || l.left == 0 {
		l.stop()
	}
	return out, ctx.Err()
}

type setup struct {
	dir   string
	src   schema.Source
	log   *topic
	fs    archivefile.FS
	tail  time.Duration
	now   func() time.Time
	files func(archive.File)
	// memory replaces Config.MemoryBytes if it is not 0; it may be lower than that admits.
	memory int64
	is     schema.Topic // Config.Topic
}

// run archives until there is nothing new, or for some fetches only.
func (s *setup) run(t *testing.T, seed uint64, fetches int) (*archive.Archiver, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	a, err := archive.New(archive.Config{
		Dir: s.dir, Source: s.src, Topic: s.is, Logger: slog.New(slog.DiscardHandler), FS: s.fs, TailAge: s.tail, Now: s.now, Written: s.files,
		Log: &reader{topic: s.log, rand: rand.New(rand.NewPCG(seed, 7)), stop: cancel, left: fetches},
		Partitions: func(context.Context) ([]int32, error) {
			var ids []int32
			for p := range s.log.end {
				ids = append(ids, p)
			}
			return ids, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.memory != 0 {
		a.SetMemoryBytes(s.memory)
	}
	return a, a.Run(ctx)
}

// archived reads a partition back, all columns, as text.
func archived(t *testing.T, dir string, src *schema.Source, p int32) (rows []string, r position.Range) {
	t.Helper()
	c, err := archivefile.List(dir, position.Partition{Source: src.Name, ID: p})
	if err != nil {
		t.Fatal(err)
	}
	r = c.Range()
	if err := archivefile.Scan(t.Context(), dir, src, p, r, archivefile.Everything(src), func(b *column.Batch) error {
		rows = append(rows, lines(b)...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return rows, r
}

// decoded is what the archive must hold of a partition's records in r.
func decoded(t *testing.T, src *schema.Source, p int32, records []record.Record, r position.Range) []string {
	t.Helper()
	d, err := decode.Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	b := column.NewBatch(src, p, true)
	for i := range records {
		if r.Contains(records[i].Offset) {
			d.Append(b, &records[i])
		}
	}
	return lines(b)
}

func lines(b *column.Batch) []string {
	rows := make([]string, b.N)
	for i := range rows {
		s := &strings.Builder{}
		fmt.Fprintf(s, "%d@%d t%d a%d r%d", b.Partition, b.Offset[i], b.Time[i], b.Append[i], b.Reject[i])
		for c := range b.Cols {
			if b.Cols[c].Present(i) && b.Cols[c].Type.IsBytes() {
				fmt.Fprintf(s, " %q", b.Cols[c].BytesAt(i))
			} else if b.Cols[c].Present(i) {
				fmt.Fprintf(s, " %d", b.Cols[c].Ints[i])
			}
		}
		for _, c := range []*column.Column{&b.Archive.Rest, &b.Archive.Raw} {
			if c.Present(i) {
				fmt.Fprintf(s, " %s", c.BytesAt(i))
			}
		}
		rows[i] = s.String()
	}
	return rows
}

// checkArchive compares what is archived with the log, and returns how far each partition is archived.
func checkArchive(t *testing.T, s *setup, wholeOnly bool) {
	t.Helper()
	for p, end := range s.log.end {
		got, r := archived(t, s.dir, &s.src, p)
		want := end
		if wholeOnly {
			want = position.Block(end, block)
		}
		if r.Next != want {
			t.Errorf("partition %d is archived to %d, want %d", p, r.Next, want)
		}
		if expected := decoded(t, &s.src, p, s.log.records[p], r); !slices.Equal(got, expected) {
			t.Errorf("partition %d: %d rows archived, %d in the log, or they differ", p, len(got), len(expected))
		}
	}
}

// files returns all files below dir that are no temporary ones, with their content.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		b, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestAnyChunkingSameFiles: the whole-block files follow from the log alone.
func TestAnyChunkingSameFiles(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		log := newTopic(rand.New(rand.NewPCG(seed, 0)), 2, 500)
		var first map[string]string
		for try := range uint64(3) {
			s := &setup{dir: t.TempDir(), src: hits(), log: log}
			a, err := s.run(t, seed*10+try, -1)
			if err != nil {
				t.Fatal(err)
			}
			checkArchive(t, s, true)
			if n := a.Stats.Blocks.Load(); n != int64(len(files(t, s.dir))) || a.Stats.Tails.Load() != 0 {
				t.Errorf("seed %d: stats count %d blocks, %d files are there", seed, n, len(files(t, s.dir)))
			}
			if found := files(t, s.dir); first == nil {
				first = found
			} else if fmt.Sprint(found) != fmt.Sprint(first) {
				t.Fatalf("seed %d: files depend on how the log was fetched", seed)
			}
		}
	}
}

// crashing fails at a random step, as if the process had died there: what was made stays.
type crashing struct {
	archivefile.OS
	rand *rand.Rand
}

var errCrash = errors.New("crash")

func (c *crashing) dies() bool { return c.rand.IntN(25) == 0 }

func (c *crashing) Link(path, to string) error {
	if c.dies() {
		return errCrash
	}
	if err := c.OS.Link(path, to); err != nil {
		return err
	}
	if c.dies() {
		return errCrash
	}
	return nil
}

func (c *crashing) Remove(path string) error {
	if c.dies() {
		return errCrash
	}
	return c.OS.Remove(path)
}

// TestCrashesAndRestarts archives a growing log with crashes at any step of naming a file, restarts, tails by age and on
// shutdown: nothing is missing, nothing is there twice, and the blocks' files are the ones of an undisturbed archiver.
func TestCrashesAndRestarts(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 2))
		log := newTopic(r, 2, 60)
		clock := time.Unix(0, 0)
		s := &setup{
			dir: t.TempDir(), src: hits(), log: log, fs: &crashing{rand: r}, tail: time.Minute,
			now: func() time.Time { clock = clock.Add(time.Duration(r.IntN(10)) * time.Second); return clock },
		}
		for round := range uint64(20) {
			if _, err := s.run(t, seed*100+round, r.IntN(12)); err != nil && !errors.Is(err, errCrash) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for p := range log.end {
				for range r.IntN(30) {
					log.append(r, p)
				}
			}
		}
		s.fs = nil
		if _, err := s.run(t, seed, -1); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		checkArchive(t, s, false)
		calm := &setup{dir: t.TempDir(), src: hits(), log: log}
		if _, err := calm.run(t, seed, -1); err != nil {
			t.Fatal(err)
		}
		found := files(t, s.dir)
		for name, b := range files(t, calm.dir) {
			if found[name] != b {
				t.Errorf("seed %d: %s differs from an undisturbed archiver's", seed, name)
			}
		}
	}
}

// TestLittleMemory: over the bound, open blocks go to disk as tails, and the blocks' files are the same all the same.
func TestLittleMemory(t *testing.T) {
	t.Parallel()
	log := newTopic(rand.New(rand.NewPCG(8, 8)), 3, 200)
	s := &setup{dir: t.TempDir(), src: hits(), log: log, memory: 3000}
	a, err := s.run(t, 1, -1)
	if err != nil {
		t.Fatal(err)
	}
	if a.Stats.Tails.Load() == 0 || a.Stats.Buffered.Load() > s.memory {
		t.Errorf("%d tails, %d bytes in memory", a.Stats.Tails.Load(), a.Stats.Buffered.Load())
	}
	calm := &setup{dir: t.TempDir(), src: hits(), log: log}
	if _, err := calm.run(t, 2, -1); err != nil {
		t.Fatal(err)
	}
	found := files(t, s.dir)
	for name, b := range files(t, calm.dir) {
		if found[name] != b {
			t.Errorf("%s differs from that of an archiver with memory", name)
		}
	}
}

// TestTwoArchivers work on one archive at once.
func TestTwoArchivers(t *testing.T) {
	t.Parallel()
	log := newTopic(rand.New(rand.NewPCG(3, 3)), 3, 900)
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range uint64(2) {
		group.Go(func() {
			s := &setup{dir: dir, src: hits(), log: log, tail: time.Nanosecond}
			if _, err := s.run(t, i, -1); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	checkArchive(t, &setup{dir: dir, src: hits(), log: log}, false)
}

// TestTrimmedHead: what the log has lost and no file holds stops the partition with its positions; others go on.
func TestTrimmedHead(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(4, 4))
	log := newTopic(r, 2, 300)
	log.start[0] = 100 // trimmed before anything was archived: that is where the archive begins
	s := &setup{dir: t.TempDir(), src: hits(), log: log, tail: time.Hour}
	if _, err := s.run(t, 1, -1); err != nil {
		t.Fatal(err)
	}
	checkArchive(t, s, false)
	if _, r := archived(t, s.dir, &s.src, 0); r.From != 100 {
		t.Errorf("the archive begins at %d, want 100", r.From)
	}
	lost := position.Range{From: log.end[0], Next: log.end[0] + 7}
	log.end[0], log.start[0] = lost.Next+5, lost.Next
	log.append(r, 1)
	a, err := s.run(t, 2, -1)
	if err != nil {
		t.Fatal(err)
	}
	progress := a.Stats.Partitions()
	if !strings.Contains(progress[0].Failed, lost.String()) || !strings.Contains(progress[0].Failed, "hits/0") || progress[1].Failed != "" {
		t.Errorf("got %+v, want lost %s", progress, lost)
	}
	if progress[1].Archived != log.end[1] {
		t.Errorf("the other partition is archived to %d of %d", progress[1].Archived, log.end[1])
	}
}

// TestTailOutlivesTrimming: a tail is enough to go on with its block when the log has lost the block's head, also when the
// declaration has changed since and the head would have been read again.
func TestTailOutlivesTrimming(t *testing.T) {
	t.Parallel()
	for _, changed := range []bool{false, true} {
		r := rand.New(rand.NewPCG(5, 5))
		log := newTopic(r, 1, 3*block+20)
		s := &setup{dir: t.TempDir(), src: hits(), log: log, tail: time.Hour}
		if _, err := s.run(t, 1, -1); err != nil {
			t.Fatal(err)
		}
		log.start[0] = log.end[0] - 3
		if changed {
			s.src.Fields = append(s.src.Fields, schema.Field{Name: "x", Type: schema.JSON})
		}
		for range 2 * block {
			log.append(r, 0)
		}
		s.tail = 0
		if _, err := s.run(t, 2, -1); err != nil {
			t.Fatal(err)
		}
		checkArchive(t, s, true)
	}
}

// TestTailAge: a record waits for TailAge, no longer, and its tail is superseded by the next one and by the block.
func TestTailAge(t *testing.T) {
	t.Parallel()
	clock := time.Unix(1000, 0)
	var written []archive.File
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fetches := 0
	follow := logFunc(func(wants []kafkalog.Want) []kafkalog.Fetched {
		fetches++
		next := wants[0].Offset
		switch fetches {
		case 1:
			next = 10
		case 2:
			clock = clock.Add(time.Minute - 1)
		case 3:
			if len(written) != 0 {
				t.Errorf("written too early: %v", written)
			}
			clock = clock.Add(1)
		case 4:
			next = 20
			clock = clock.Add(time.Hour)
		case 5, 6:
			clock = clock.Add(time.Minute)
		case 7:
			next = block + 1
		default:
			cancel()
		}
		return []kafkalog.Fetched{{Partition: 0, Next: next, LastStable: next}}
	})
	a, err := archive.New(archive.Config{
		Dir: t.TempDir(), Source: hits(), Logger: slog.New(slog.DiscardHandler), TailAge: time.Minute, Log: follow,
		Now:        func() time.Time { return clock },
		Written:    func(f archive.File) { written = append(written, f) },
		Partitions: func(context.Context) ([]int32, error) { return []int32{0}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range written {
		got = append(got, fmt.Sprint(f.Range, f.Tail))
	}
	if want := "[0,10) true|[0,20) true|[0,64) false|[64,65) true"; strings.Join(got, "|") != want {
		t.Errorf("written %v, want %s", got, want)
	}
}

// logFunc is a log that a function makes up.
type logFunc func(wants []kafkalog.Want) []kafkalog.Fetched

func (f logFunc) Fetch(_ context.Context, wants []kafkalog.Want, _ time.Duration) ([]kafkalog.Fetched, error) {
	return f(wants), nil
}

// full is a disk without space.
type full struct{ archivefile.OS }

func (full) Create(string) (archivefile.File, string, error) { return nil, "", syscall.ENOSPC }

func TestFullDiskEndsRun(t *testing.T) {
	t.Parallel()
	s := &setup{dir: t.TempDir(), src: hits(), log: newTopic(rand.New(rand.NewPCG(1, 1)), 1, 200), fs: full{}}
	if _, err := s.run(t, 1, -1); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
}

func TestConfigReportsAllFaults(t *testing.T) {
	t.Parallel()
	_, err := archive.New(archive.Config{TailAge: -1, MemoryBytes: archive.MinMemoryBytes - 1})
	for _, text := range []string{"Dir", "Log", "Partitions", "Logger", "TailAge", "MemoryBytes", "invalid source"} {
		if !strings.Contains(fmt.Sprint(err), text) {
			t.Errorf("%v does not name %s", err, text)
		}
	}
}
