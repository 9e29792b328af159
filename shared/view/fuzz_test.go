package view_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzRow gives the merger what a store may answer for a row: any bytes as the one tile, and beside a sound base. They are
// refused with a class, or every feature has an answer, and what was merged merges again to the same bytes.
func FuzzRow(f *testing.F) {
	p := compile(f, viewtest.Spec())
	fold := p.NewFold()
	for _, b := range (viewtest.Log{Partitions: [2]int{2, 1}, Rows: 40, Users: 2}).Batches(rand.New(rand.NewPCG(1, 2)), p.Spec().Sources) {
		fold.Add(b, 0, b.N)
	}
	for slot := range fold.Len() {
		f.Add(fold.AppendBody(tile.Header{Kind: tile.KindBase, Run: 1}.Append(nil), slot))
		f.Add(fold.AppendBody(tile.Header{Kind: tile.KindDelta, Run: 2}.Append(nil), slot))
	}
	one := p.NewFold()
	one.Add(viewtest.Regular(p.Spec().Sources, 3), 0, 3)
	f.Add(one.AppendBody(tile.Header{Kind: tile.KindBlock}.Append(nil), 0))
	base := one.AppendBody(tile.Header{Kind: tile.KindBase, Run: 7}.Append(nil), 0)
	m, alone := p.NewMerger(), p.NewMerger()
	fuzzing.Target(f, func(t *testing.T, enc []byte) {
		if !mergesOrRefuses(t, m, enc) {
			return
		}
		body := m.AppendBody(nil)
		if !mergesOrRefuses(t, alone, append(tile.Header{Kind: tile.KindBase, Run: 1}.Append(nil), body...)) {
			t.Fatalf("%x is read, and refused as it is written again: %x", enc, body)
		}
		if again := alone.AppendBody(nil); !bytes.Equal(again, body) {
			t.Fatalf("%x is written as %x and then as %x", enc, body, again)
		}
		mergesOrRefuses(t, m, enc, base)
	})
}

// maxNewest keeps as_of, which may be later than the newest event, an int64.
const maxNewest = 1 << 60

func mergesOrRefuses(t *testing.T, m *view.Merger, tiles ...[]byte) bool {
	t.Helper()
	m.Reset()
	for _, enc := range tiles {
		if _, err := m.AddTile(enc); err != nil {
			if !errors.Is(err, tile.ErrDamaged) && !errors.Is(err, tile.ErrCodec) {
				t.Fatalf("an error of no class: %v", err)
			}
			return false
		}
	}
	if err := m.Finish(); err != nil {
		if !errors.Is(err, view.ErrRow) && !errors.Is(err, operator.ErrState) {
			t.Fatalf("an error of no class: %v", err)
		}
		return false
	}
	if m.Newest() > maxNewest {
		return true
	}
	var room [4096]byte
	for i := range fuzzFeatures {
		m.Value(i, m.Newest()).AppendJSON(room[:0])
	}
	return true
}

var fuzzFeatures = len(viewtest.Spec().Features)

// FuzzKey reads any text as a key: it is refused with its class, or its canonical form is its own, printable and one
// line.
func FuzzKey(f *testing.F) {
	p := compile(f, viewtest.Spec())
	for _, s := range []string{"user:u1", "user:", "device:7", "device:-07", "user:%2C%20", "user:%zz", "pair:a,1", "x", "", ":", "user:\xff"} {
		f.Add(s)
	}
	fuzzing.Target(f, func(t *testing.T, text string) {
		key, err := p.ParseKey(text)
		if err != nil {
			if !errors.Is(err, view.ErrKey) {
				t.Fatalf("an error of no class: %v", err)
			}
			return
		}
		again, err := p.ParseKey(string(key))
		if err != nil || !bytes.Equal(key, again) {
			t.Fatalf("%q is %q, which is %q (%v)", text, key, again, err)
		}
		if bytes.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
			t.Fatalf("%q is %q", text, key)
		}
	})
}
