package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

var events = position.Partition{Source: "events", ID: 0}

func genesis(identity string) journal.Genesis {
	return journal.Genesis{
		Identity: identity, Job: "shop", View: "user", Number: 1, Revision: "rev", Lanes: 2,
		Spec:   view.Spec{Job: "shop", Name: "user", Sources: []schema.Source{{Name: "events", Block: 8}}},
		Origin: position.Cut{events: 3}, Blocks: map[string]int64{"events": 8},
		Topics: map[string]schema.Topic{"events": {Name: "shop-events", ID: "AAAAAAAAAAAAAAAAAAAAAQ"}},
	}
}

func cut(n int64) position.Cut { return position.Cut{events: n} }

func checked(run int64) journal.Checked {
	return journal.Checked{Run: run, Lanes: []journal.LaneFile{{Rows: run, Digest: "d"}, {}}, Rows: run}
}

// history writes a journal with one checked run and one that failed its check, and returns its folder.
func history(t *testing.T) (dir string, g *journal.Generation) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "j")
	g, err := journal.CreateGeneration(dir, genesis("aaaaaaaaaa"))
	must(t, err)
	_, err = g.Register(cut(8), 0)
	must(t, err)
	must(t, g.Check(checked(1)))
	_, err = g.Register(cut(24), 0)
	must(t, err)
	must(t, g.Fail(journal.Failed{Run: 2, Entity: "user:1", Reason: "why"}))
	return dir, g
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestGenerationReadsBackAsWritten(t *testing.T) {
	dir, g := history(t)
	if g.LastChecked() != 1 || g.Pending() == nil || g.Pending().Failed == nil || !g.LastCut().Equal(cut(24)) || g.Entries() != 5 {
		t.Fatalf("%+v", g)
	}
	must(t, g.Check(checked(2)))
	if g.LastChecked() != 2 || g.Pending() != nil || g.Run(2).Failed != nil || !g.Cut(0).Equal(cut(3)) {
		t.Fatalf("%+v", g)
	}
	back, err := journal.OpenGeneration(dir)
	must(t, err)
	if !reflect.DeepEqual(back.Runs, g.Runs) || !reflect.DeepEqual(back.Genesis, g.Genesis) || back.Entries() != 6 {
		t.Fatalf("%+v\n%+v", back, g)
	}
}

func TestOrderIsKept(t *testing.T) {
	_, g := history(t)
	tries := map[string]func() error{
		"a run registered while one is pending": func() error { _, err := g.Register(cut(32), 0); return err },
		"another run checked":                   func() error { return g.Check(checked(1)) },
		"another run failed":                    func() error { return g.Fail(journal.Failed{Run: 3}) },
		"a run checked with too few lanes":      func() error { return g.Check(journal.Checked{Run: 2, Lanes: make([]journal.LaneFile, 1)}) },
	}
	for name, try := range tries {
		if err := try(); !errors.Is(err, journal.ErrOrder) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	must(t, g.Check(checked(2)))
	for name, next := range map[string]struct {
		cut   position.Cut
		every int64
	}{
		"a cut that brings nothing": {cut(24), 1},
		"a cut that goes back":      {cut(16), 1},
		"a cut that forgets":        {position.Cut{{Source: "events", ID: 1}: 8}, 1},
		"no base ever":              {cut(32), -1},
		"too seldom a base":         {cut(32), journal.MaxEvery + 1},
	} {
		if _, err := g.Register(next.cut, next.every); !errors.Is(err, journal.ErrOrder) || g.Entries() != 6 || len(g.Runs) != 2 {
			t.Errorf("%s: got %v and %d entries", name, err, g.Entries())
		}
	}
}

// Of two processes over one folder the later one is told so, and nothing is written over.
func TestTwoProcesses(t *testing.T) {
	dir, a := history(t)
	b, err := journal.OpenGeneration(dir)
	must(t, err)
	must(t, a.Check(checked(2)))
	before, err := os.ReadFile(filepath.Join(dir, "00000006.json"))
	must(t, err)
	if err := b.Fail(journal.Failed{Run: 2}); !errors.Is(err, journal.ErrTaken) {
		t.Fatalf("got %v", err)
	}
	if err := b.Check(checked(2)); !errors.Is(err, journal.ErrTaken) || b.Pending() == nil {
		t.Fatalf("got %v", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, "00000006.json"))
	must(t, err)
	if !bytes.Equal(before, after) {
		t.Fatal("the entry was changed")
	}
	if _, err := journal.CreateGeneration(dir, genesis("bbbbbbbbbb")); !errors.Is(err, journal.ErrTaken) {
		t.Fatalf("got %v", err)
	}
}

// Every change of a single byte, and every entry cut short, is refused with the file's name.
func TestDamageIsRefused(t *testing.T) {
	dir, _ := history(t)
	for number := 1; number <= 5; number++ {
		path := filepath.Join(dir, fmt.Sprintf("%08d.json", number))
		good, err := os.ReadFile(path)
		must(t, err)
		for i := range good {
			for _, bad := range [][]byte{append(append(bytes.Clone(good[:i]), good[i]^1), good[i+1:]...), good[:i]} {
				must(t, os.WriteFile(path, bad, 0o600))
				_, err := journal.OpenGeneration(dir)
				if (!errors.Is(err, journal.ErrDamaged) && !errors.Is(err, journal.ErrCodec)) || !strings.Contains(err.Error(), path) {
					t.Fatalf("entry %d, byte %d: got %v", number, i, err)
				}
			}
		}
		must(t, os.WriteFile(path, good, 0o600))
	}
	_, err := journal.OpenGeneration(dir)
	must(t, err)
}

func TestFolderIsReadStrictly(t *testing.T) {
	tests := map[string]struct {
		spoil func(dir string) error
		class error
	}{
		"gap":              {func(dir string) error { return os.Remove(filepath.Join(dir, "00000003.json")) }, journal.ErrDamaged},
		"first is missing": {func(dir string) error { return os.Remove(filepath.Join(dir, "00000001.json")) }, journal.ErrDamaged},
		"foreign file":     {func(dir string) error { return os.WriteFile(filepath.Join(dir, "notes"), nil, 0o600) }, journal.ErrDamaged},
		"entry copied": {func(dir string) error {
			return os.Link(filepath.Join(dir, "00000005.json"), filepath.Join(dir, "00000006.json"))
		}, journal.ErrDamaged},
		"empty":             {os.RemoveAll, journal.ErrDamaged},
		"unknown codec":     {func(dir string) error { return write(dir, 6, `{"codec":3,"anything":1}`, `{}`) }, journal.ErrCodec},
		"unknown kind":      {func(dir string) error { return write(dir, 6, head("generation", 6, "new thing"), `{}`) }, journal.ErrCodec},
		"unknown member":    {func(dir string) error { return write(dir, 6, head("generation", 6, "run failed check"), `{"x":1}`) }, journal.ErrDamaged},
		"entry of a view":   {func(dir string) error { return write(dir, 6, head("view", 6, "run failed check"), `{"run":2}`) }, journal.ErrDamaged},
		"out of order":      {func(dir string) error { return write(dir, 6, head("generation", 6, "run failed check"), `{"run":7}`) }, journal.ErrDamaged},
		"genesis again":     {func(dir string) error { return write(dir, 6, head("generation", 6, "genesis"), `{}`) }, journal.ErrDamaged},
		"a file left aside": {func(dir string) error { return os.WriteFile(filepath.Join(dir, ".aside-1"), nil, 0o600) }, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir, _ := history(t)
			must(t, test.spoil(dir))
			if _, err := journal.OpenGeneration(dir); !errors.Is(err, test.class) {
				t.Fatalf("got %v, want %v", err, test.class)
			}
		})
	}
}

func head(journal string, number int, entry string) string {
	return fmt.Sprintf(`{"codec":2,"journal":%q,"number":%d,"entry":%q}`, journal, number, entry)
}

// write writes an entry with a checksum that fits.
func write(dir string, number int, header, body string) error {
	b := []byte(header + "\n" + body + "\n")
	return os.WriteFile(filepath.Join(dir, fmt.Sprintf("%08d.json", number)), journal.Seal(b), 0o600)
}

func TestViewAndManifest(t *testing.T) {
	l := journal.Layout{State: t.TempDir(), Job: "shop", View: "user"}
	v, err := journal.OpenView(l.ViewJournal())
	must(t, err)
	if _, err := v.Manifest(nil); !errors.Is(err, journal.ErrNoGeneration) {
		t.Fatalf("got %v", err)
	}
	g, err := journal.CreateGeneration(l.GenerationJournal("aaaaaaaaaa"), genesis("aaaaaaaaaa"))
	must(t, err)
	must(t, v.Create("aaaaaaaaaa", "rev"))
	must(t, v.Turn("aaaaaaaaaa", manifest.Served))
	first, err := v.Manifest([]*journal.Generation{g})
	must(t, err)
	must(t, first.Validate())
	spelled := g.Spec
	spelled.Lanes = 64
	must(t, v.Spell("aaaaaaaaaa", &spelled))
	if err := v.Spell("bbbbbbbbbb", &spelled); !errors.Is(err, journal.ErrOrder) {
		t.Fatalf("got %v", err)
	}
	if first.Seq != 3 || first.Served() == nil || !first.Served().Cut.Equal(cut(3)) || first.Served().Run != 0 {
		t.Fatalf("%+v", first)
	}
	_, err = g.Register(cut(8), 0)
	must(t, err)
	must(t, g.Check(checked(1)))

	second := genesis("bbbbbbbbbb")
	second.Number = 2
	h, err := journal.CreateGeneration(l.GenerationJournal("bbbbbbbbbb"), second)
	must(t, err)
	must(t, v.Create("bbbbbbbbbb", "rev2"))
	must(t, v.Turn("bbbbbbbbbb", manifest.Served))

	v, err = journal.OpenView(l.ViewJournal())
	must(t, err)
	m, err := v.Manifest([]*journal.Generation{g, h})
	must(t, err)
	must(t, m.Validate())
	if m.Seq <= first.Seq || m.Generations[0].Spec.Lanes != 64 || m.Generations[1].Spec.Lanes != 0 || m.Served().Number != 2 || m.Generations[0].State != manifest.Kept || m.Generations[0].Run != 1 {
		t.Fatalf("%+v", m)
	}
	if _, err := v.Manifest([]*journal.Generation{h, g}); !errors.Is(err, journal.ErrOrder) {
		t.Fatalf("got %v", err)
	}
}

func TestViewOrder(t *testing.T) {
	v, err := journal.OpenView(filepath.Join(t.TempDir(), "j"))
	must(t, err)
	must(t, v.Create("aaaaaaaaaa", "r"))
	must(t, v.Create("bbbbbbbbbb", "r"))
	must(t, v.Turn("aaaaaaaaaa", manifest.Served))
	for name, try := range map[string]func() error{
		"the same identity again":   func() error { return v.Create("aaaaaaaaaa", "r") },
		"no identity":               func() error { return v.Create("", "r") },
		"the served one is dropped": func() error { return v.Turn("aaaaaaaaaa", manifest.Dropped) },
		"back to building":          func() error { return v.Turn("bbbbbbbbbb", manifest.Building) },
		"an unknown state":          func() error { return v.Turn("bbbbbbbbbb", "gone") },
		"an unknown generation":     func() error { return v.Turn("cccccccccc", manifest.Kept) },
	} {
		if err := try(); !errors.Is(err, journal.ErrOrder) || v.Entries() != 3 {
			t.Errorf("%s: got %v and %d entries", name, err, v.Entries())
		}
	}
	must(t, v.Turn("bbbbbbbbbb", manifest.Served))
	must(t, v.Turn("aaaaaaaaaa", manifest.Dropped))
	if err := v.Turn("aaaaaaaaaa", manifest.Served); !errors.Is(err, journal.ErrOrder) {
		t.Fatalf("a dropped generation is served again: %v", err)
	}
}

// inherited returns a manifest as a store may have it when the journals are lost.
func inherited(t *testing.T) *manifest.Manifest {
	t.Helper()
	m := &manifest.Manifest{Seq: 40, Job: "shop", View: "user"}
	for i, state := range []manifest.State{manifest.Kept, manifest.Served, manifest.Building} {
		g := genesis(strings.Repeat(string(rune('a'+i)), manifest.IdentityLength))
		m.Generations = append(m.Generations, manifest.Generation{
			Identity: g.Identity, Number: int64(i) + 1, Revision: g.Revision, State: state, Spec: g.Spec, Lanes: g.Lanes,
			Blocks: g.Blocks, Origin: g.Origin, Run: 2, Cut: cut(24),
		})
	}
	must(t, m.Validate())
	return m
}

// TestInherit: a journal that begins with a manifest goes on from it: its numbers, what is served, and what no run is made
// of any more.
func TestInherit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "j")
	v, err := journal.OpenView(dir)
	must(t, err)
	must(t, v.Inherit(inherited(t)))
	if err := v.Inherit(inherited(t)); !errors.Is(err, journal.ErrOrder) {
		t.Fatalf("inheriting twice: %v", err)
	}
	must(t, v.Create("dddddddddd", "rev2"))
	back, err := journal.OpenView(dir)
	must(t, err)
	var gens []*journal.Generation
	for i := range back.Members[:3] {
		gens = append(gens, journal.InheritGeneration("shop", "user", back.Members[i].Inherited))
	}
	fourth := genesis("dddddddddd")
	fourth.Number = 4
	g, err := journal.CreateGeneration(filepath.Join(t.TempDir(), "g"), fourth)
	must(t, err)
	m, err := back.Manifest(append(gens, g))
	must(t, err)
	must(t, m.Validate())
	if m.Seq != 40+2+1 || m.Served().Number != 2 || m.Served().Run != 2 || !m.Served().Cut.Equal(cut(24)) ||
		m.Generations[2].State != manifest.Dropped || m.Generations[3].State != manifest.Building {
		t.Fatalf("%+v", m)
	}
	if back.Moved() || gens[0].Moved() || gens[0].Entries() != 0 {
		t.Fatal("somebody is said to have written")
	}
	must(t, v.Turn("dddddddddd", manifest.Served))
	if !back.Moved() {
		t.Fatal("nobody is said to have written")
	}
}

// TestBefore: rollback goes to where the served generation came from, and back from there it goes further back, never to
// what was left.
func TestBefore(t *testing.T) {
	v, err := journal.OpenView(filepath.Join(t.TempDir(), "j"))
	must(t, err)
	names := []string{"aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc", "dddddddddd"}
	for _, id := range names {
		must(t, v.Create(id, "r"))
	}
	for i, step := range []struct {
		serve  int
		before int64 // number, 0 for none
	}{{0, 0}, {1, 1}, {2, 2}, {1, 1}, {3, 2}, {1, 1}, {0, 0}, {2, 1}} {
		must(t, v.Turn(names[step.serve], manifest.Served))
		var got int64
		if m := v.Before(); m != nil {
			got = m.Number
		}
		if got != step.before || v.Served().Identity != names[step.serve] {
			t.Fatalf("step %d: generation %d is served, before it %d, want %d", i, v.Served().Number, got, step.before)
		}
	}
}
