package journal_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/tidemark-io/tidemark/batch/journal"
	"github.com/tidemark-io/tidemark/shared/manifest"
)

var rewrite = flag.Bool("rewrite", false, "write the frozen fixtures anew")

// TestFrozen shows that journals are written and read as they were when codec 2 was frozen, byte for byte.
func TestFrozen(t *testing.T) {
	l := journal.Layout{State: t.TempDir(), Job: "shop", View: "user"}
	g, err := journal.CreateGeneration(l.GenerationJournal("aaaaaaaaaa"), genesis("aaaaaaaaaa"))
	must(t, err)
	v, err := journal.OpenView(l.ViewJournal())
	must(t, err)
	must(t, v.Create("aaaaaaaaaa", "rev"))
	must(t, v.Turn("aaaaaaaaaa", manifest.Served))
	must(t, v.Spell("aaaaaaaaaa", &g.Spec))
	_, err = g.Register(cut(8), 0)
	must(t, err)
	must(t, g.Fail(journal.Failed{Run: 1, Entity: "user:<1>", Reason: "why"}))
	must(t, g.Check(checked(1)))
	_, err = g.Register(cut(24), 0)
	must(t, err)
	must(t, g.Check(checked(2)))
	_, err = g.Register(cut(32), 32)
	must(t, err)
	three := checked(3)
	three.Bases = 1
	must(t, g.Check(three))
	_, err = g.Register(cut(40), 5)
	must(t, err)

	lost := journal.Layout{State: l.State, Job: "shop", View: "lost"}
	in, err := journal.OpenView(lost.ViewJournal())
	must(t, err)
	must(t, in.Inherit(inherited(t)))
	frozen := filepath.Join("testdata", "state")
	if *rewrite {
		must(t, os.RemoveAll(frozen))
		must(t, os.CopyFS(frozen, os.DirFS(l.State)))
	}
	files := 0
	must(t, filepath.WalkDir(frozen, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		name, err := filepath.Rel(frozen, path)
		must(t, err)
		want, err := os.ReadFile(path)
		must(t, err)
		got, err := os.ReadFile(filepath.Join(l.State, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, got, want)
		}
		return nil
	}))
	back, err := journal.OpenGeneration(journal.Layout{State: frozen, Job: "shop", View: "user"}.GenerationJournal("aaaaaaaaaa"))
	must(t, err)
	if files != 13 || back.LastChecked() != 3 || back.BasesFrom() != 1 || back.Pending() == nil {
		t.Fatalf("%d files, %+v", files, back)
	}
}

// TestFirstCodec shows that journals of codec 1, which know no topics, are read as they always were, and gone on with.
func TestFirstCodec(t *testing.T) {
	l := journal.Layout{State: filepath.Join(t.TempDir(), "state"), Job: "shop", View: "user"}
	must(t, os.CopyFS(l.State, os.DirFS(filepath.Join("testdata", "state-1"))))
	g, err := journal.OpenGeneration(l.GenerationJournal("aaaaaaaaaa"))
	must(t, err)
	if g.LastChecked() != 3 || g.Pending() == nil || g.Topics != nil || g.Entries() != 9 {
		t.Fatalf("%+v", g)
	}
	must(t, g.Check(checked(4)))
	g, err = journal.OpenGeneration(l.GenerationJournal("aaaaaaaaaa"))
	must(t, err)
	if g.LastChecked() != 4 || g.Entries() != 10 {
		t.Fatalf("%+v", g)
	}
	for name, entries := range map[string]int64{"user": 3, "lost": 1} {
		v, err := journal.OpenView(journal.Layout{State: l.State, Job: "shop", View: name}.ViewJournal())
		must(t, err)
		if v.Entries() != entries || v.Served() == nil {
			t.Errorf("view %s: %+v", name, v)
		}
	}
}
