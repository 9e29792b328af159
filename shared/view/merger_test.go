package view_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

// stretch is a part of the one partition that the tests here read: the tile of its rows.
type stretch struct {
	h        tile.Header
	from, to int // rows
}

// shop is one partition of clicks without gaps, all of one entity: row i has offset i.
type shop struct {
	plan *view.Plan
	log  viewtest.Log
}

func (s shop) fold(from, to int) *view.Fold {
	b := viewtest.Regular(s.plan.Spec().Sources, s.log.Rows)
	f := s.plan.NewFold()
	f.Add(b, from, to)
	return f
}

func (s shop) tile(st stretch) []byte { return s.fold(st.from, st.to).AppendBody(st.h.Append(nil), 0) }

func newShop(t testing.TB) shop {
	return shop{compile(t, viewtest.Spec()), viewtest.Log{Rows: 100}}
}

func base(run int64) tile.Header  { return tile.Header{Kind: tile.KindBase, Run: run} }
func delta(run int64) tile.Header { return tile.Header{Kind: tile.KindDelta, Run: run} }
func block(first int64) tile.Header {
	return tile.Header{Kind: tile.KindBlock, Block: first}
}

func read(m *view.Merger, tiles ...[]byte) error {
	m.Reset()
	for _, enc := range tiles {
		if _, err := m.AddTile(enc); err != nil {
			return err
		}
	}
	return m.Finish()
}

// TestReadingRule goes through the cases of the rule by hand; blocks have 8 offsets.
func TestReadingRule(t *testing.T) {
	s := newShop(t)
	m := s.plan.NewMerger()
	for name, c := range map[string]struct {
		tiles     []stretch
		to        int // what the row then holds: rows 0 to to-1
		leftovers []string
	}{
		"a block":              {[]stretch{{block(0), 0, 5}}, 5, nil},
		"two blocks":           {[]stretch{{block(8), 8, 12}, {block(0), 0, 8}}, 12, nil},
		"a base":               {[]stretch{{base(3), 0, 16}}, 16, nil},
		"base and block":       {[]stretch{{base(3), 0, 16}, {block(16), 16, 20}}, 20, nil},
		"base, delta, blocks":  {[]stretch{{block(32), 32, 33}, {delta(2), 16, 24}, {base(1), 0, 16}, {block(24), 24, 32}}, 33, nil},
		"deltas without base":  {[]stretch{{delta(1), 0, 8}, {delta(2), 8, 16}}, 16, nil},
		"a covered block":      {[]stretch{{base(1), 0, 16}, {block(8), 8, 16}}, 16, []string{"e0/0/8"}},
		"a part of it":         {[]stretch{{base(1), 0, 16}, {block(8), 8, 9}, {block(0), 0, 3}}, 16, []string{"e0/0/0", "e0/0/8"}},
		"covered by a delta":   {[]stretch{{base(1), 0, 8}, {delta(2), 8, 16}, {block(8), 8, 16}}, 16, []string{"e0/0/8"}},
		"covered, events in a": {[]stretch{{base(1), 0, 9}, {block(8), 8, 9}}, 9, []string{"e0/0/8"}},
	} {
		var tiles [][]byte
		for _, st := range c.tiles {
			tiles = append(tiles, s.tile(st))
		}
		if err := read(m, tiles...); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := s.fold(0, c.to)
		if !slices.Equal(m.AppendBody(nil), want.AppendBody(nil, 0)) || m.Newest() != want.Newest(0) ||
			m.Events() != want.Events(0) || m.Last(0, 0) != want.Last(0, 0, 0) || !m.Found() {
			t.Errorf("%s: the row is not rows 0 to %d", name, c.to)
		}
		var leftovers []string
		for i, part := range m.Parts() {
			if part.Leftover {
				leftovers = append(leftovers, part.Header.Name())
			}
			if i > 0 && part.Header.Kind < m.Parts()[i-1].Header.Kind {
				t.Errorf("%s: parts out of order", name)
			}
			alone := s.plan.NewFold()
			if err := alone.Merge(alone.Slot([]byte("user:u")), part.Encoded); err != nil || alone.Events(0) != part.Body.Events {
				t.Errorf("%s: part %s cannot be read alone: %v", name, part.Header.Name(), err)
			}
		}
		if !slices.Equal(leftovers, c.leftovers) {
			t.Errorf("%s: leftovers %v", name, leftovers)
		}
	}
}

func TestEmptyRow(t *testing.T) {
	s := newShop(t)
	m := s.plan.NewMerger()
	if err := read(m, s.tile(stretch{base(1), 0, 9})); err != nil {
		t.Fatal(err)
	}
	if err := read(m); err != nil || m.Found() || m.Newest() != 0 || m.Events() != 0 {
		t.Errorf("an empty row after another: %v, found %t", err, m.Found())
	}
	for name, want := range map[string]operator.Value{
		"views_all": {Kind: operator.Int}, "price_avg": {}, "cost_per_view": {},
		// (0 + 2 · 0.1) / (0 + 2)
		"call_rate": {Kind: operator.Float, F: 0.1},
	} {
		if got := m.Value(s.plan.Feature(name), 1_000_000); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s of nothing is %v", name, got)
		}
	}
}

func TestDamagedRows(t *testing.T) {
	s := newShop(t)
	m := s.plan.NewMerger()
	good := func(h tile.Header, from, to int) []byte { return s.tile(stretch{h, from, to}) }
	other := compile(t, edit(func(spec *view.Spec) { spec.Features = spec.Features[:1] })).NewFold()
	other.Add(viewtest.Regular(s.plan.Spec().Sources, 3), 0, 3)
	unknown := good(block(0), 0, 3)
	unknown[0] = 2
	damaged := good(base(1), 0, 30)
	damaged[len(damaged)-1] ^= 0x80
	for name, c := range map[string]struct {
		tiles    [][]byte
		class    error
		contains string
	}{
		"two bases":         {[][]byte{good(base(1), 0, 8), good(base(2), 0, 16)}, view.ErrRow, "runs 1 and 2"},
		"a delta below":     {[][]byte{good(base(2), 0, 16), good(delta(2), 8, 16)}, view.ErrRow, "delta of run 2 beside the base of run 2"},
		"a block twice":     {[][]byte{good(block(0), 0, 3), good(block(0), 0, 4)}, view.ErrRow, "e0/0/0 twice"},
		"a delta twice":     {[][]byte{good(delta(1), 0, 3), good(delta(1), 0, 3)}, view.ErrRow, "d1 twice"},
		"a block elsewhere": {[][]byte{good(block(8), 0, 3)}, tile.ErrDamaged, "e0/0/8"},
		"another partition": {[][]byte{good(tile.Header{Kind: tile.KindBlock, Partition: 1}, 0, 3)}, tile.ErrDamaged, "e0/1/0"},
		"another codec":     {[][]byte{unknown}, tile.ErrCodec, "codec 2"},
		"no tile":           {[][]byte{{}}, tile.ErrDamaged, "0 bytes"},
		"of another view":   {[][]byte{other.AppendBody(base(1).Append(nil), 0)}, tile.ErrDamaged, "1 states"},
		"an unknown source": {[][]byte{(&tile.Body{Events: 1, Pos: []tile.Pos{{Source: 2}}, States: make([][]byte, len(s.plan.States()))}).Append(base(1).Append(nil))}, tile.ErrDamaged, "source 2"},
		"a state":           {[][]byte{damaged}, nil, ""},
	} {
		err := read(m, c.tiles...)
		if err == nil || (c.class != nil && !errors.Is(err, c.class)) || !strings.Contains(err.Error(), c.contains) {
			t.Errorf("%s: %v", name, err)
		}
		if err := read(m, good(base(1), 0, 8)); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
	}
}

// TestDamagedStateIsNamed shows that an error of a state names tile and features.
func TestDamagedStateIsNamed(t *testing.T) {
	s := newShop(t)
	var body tile.Body
	f := s.fold(0, 30)
	if err := body.ParseBody(f.AppendBody(nil, 0)); err != nil {
		t.Fatal(err)
	}
	i := s.plan.Features()[s.plan.Feature("views_1h")].State
	body.States[i] = []byte{0xff}
	err := read(s.plan.NewMerger(), body.Append(base(7).Append(nil)))
	if !errors.Is(err, operator.ErrState) || !strings.Contains(err.Error(), "tile b7: merging the state of views_1h, views_24h, views_30d, views_all") {
		t.Errorf("got %v", err)
	}
}

// TestWant shows that what is wanted answers the same as without, ratios' operands included, and that Want can be
// changed from row to row.
func TestWant(t *testing.T) {
	s := newShop(t)
	all, some := s.plan.NewMerger(), s.plan.NewMerger()
	r := rand.New(rand.NewPCG(1, 1))
	for range 50 {
		wanted := r.Perm(len(s.plan.Features()))[:1+r.IntN(4)]
		some.Want(wanted)
		tiles := [][]byte{s.tile(stretch{base(1), 0, 8}), s.tile(stretch{block(8), 8, 9 + r.IntN(7)})}
		if err := errors.Join(read(all, tiles...), read(some, tiles...)); err != nil {
			t.Fatal(err)
		}
		for _, i := range wanted {
			if got, want := some.Value(i, some.Newest()), all.Value(i, all.Newest()); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%s is %v, want %v", s.plan.Features()[i].Spec.Name, got, want)
			}
			if got, want := some.AppendAnswer(nil, i, some.Newest()), all.AppendAnswer(nil, i, all.Newest()); !slices.Equal(got, want) {
				t.Errorf("answered is %s, want %s", got, want)
			}
		}
	}
	some.Want(nil)
	if err := read(some, s.tile(stretch{base(1), 0, 8})); err != nil || !slices.Equal(some.AppendBody(nil), s.fold(0, 8).AppendBody(nil, 0)) {
		t.Errorf("wanting all again: %v", err)
	}
}
