package view_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

var small = viewtest.Log{Partitions: [2]int{3, 2}, Rows: 120, Users: 4}

// genRand draws a seed; rapid prints it when a case fails.
func genRand(t *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
}

// bodies returns the canonical bodies of a fold by key.
func bodies(f *view.Fold) map[string]string {
	all := map[string]string{}
	for slot := range f.Len() {
		all[string(f.Key(slot))] = string(f.AppendBody(nil, slot))
	}
	return all
}

func whole(p *view.Plan, batches []*column.Batch) *view.Fold {
	f := p.NewFold()
	for _, b := range batches {
		f.Add(b, 0, b.N)
	}
	return f
}

func sameBodies(t *rapid.T, what string, got, want map[string]string) {
	t.Helper()
	for key, body := range want {
		if got[key] != body {
			t.Fatalf("%s: %s: got %x\nwant %x", what, key, got[key], body)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%s: %d entities, want %d", what, len(got), len(want))
	}
}

// TestRangesAndOrders shows that how the log is cut into batches and ranges, and in which order they come, does not show.
func TestRangesAndOrders(t *testing.T) {
	p := compile(t, viewtest.Spec())
	reused := p.NewFold()
	rapid.Check(t, func(t *rapid.T) {
		r := genRand(t)
		batches := small.Batches(r, p.Spec().Sources)
		want := bodies(whole(p, batches))

		type piece struct{ batch, from, to int }
		var pieces []piece
		for i, b := range batches {
			from := 0
			for _, to := range viewtest.Split(r, b.N, 40) {
				pieces = append(pieces, piece{i, from, to})
				from = to
			}
		}
		r.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
		reused.Reset()
		for _, pc := range pieces {
			b := batches[pc.batch]
			before := map[int32]bool{}
			rows := reused.Add(b, pc.from, pc.to)
			for _, slot := range reused.Touched() {
				if before[slot] {
					t.Fatalf("slot %d is touched twice", slot)
				}
				before[slot] = true
			}
			if rows < len(before) || (rows > 0) != (len(before) > 0) {
				t.Fatalf("%d rows touch %d slots", rows, len(before))
			}
		}
		sameBodies(t, "in pieces", bodies(reused), want)
	})
}

// TestMergeEqualsFold shows that bodies of any parts of the log merge to the body of the whole.
func TestMergeEqualsFold(t *testing.T) {
	p := compile(t, viewtest.Spec())
	rapid.Check(t, func(t *rapid.T) {
		r := genRand(t)
		batches := small.Batches(r, p.Spec().Sources)
		want := whole(p, batches)

		parts := make([]*view.Fold, 1+r.IntN(5))
		for i := range parts {
			parts[i] = p.NewFold()
		}
		for _, b := range batches {
			for i := range b.N {
				parts[r.IntN(len(parts))].Add(b, i, i+1)
			}
		}
		merged := p.NewFold()
		for _, part := range parts {
			for slot := range part.Len() {
				if err := merged.Merge(merged.Slot(part.Key(slot)), part.AppendBody(nil, slot)); err != nil {
					t.Fatal(err)
				}
			}
		}
		sameBodies(t, "merged", bodies(merged), bodies(want))
		sameAnswers(t, p, merged, want)
	})
}

// sameAnswers compares every feature of every entity at a few times, and what a fold says of entities.
func sameAnswers(t *rapid.T, p *view.Plan, got, want *view.Fold) {
	t.Helper()
	for slot := range want.Len() {
		at, ok := got.Lookup(want.Key(slot))
		if !ok || got.Newest(at) != want.Newest(slot) || got.Events(at) != want.Events(slot) || got.Hash(at) != want.Hash(slot) {
			t.Fatalf("%s is another entity", want.Key(slot))
		}
		for source := range 2 {
			for partition := range int32(4) {
				if got.Last(at, source, partition) != want.Last(slot, source, partition) {
					t.Fatalf("%s: last event in %d/%d", want.Key(slot), source, partition)
				}
			}
		}
		for _, later := range []int64{0, 1, 3_600_000, 9 * 86_400_000} {
			asOf := want.Newest(slot) + later
			for i, f := range p.Features() {
				g, w := fmt.Sprint(got.Value(at, i, asOf)), fmt.Sprint(want.Value(slot, i, asOf))
				if g != w {
					t.Fatalf("%s %s: %s, want %s", want.Key(slot), f.Spec.Name, g, w)
				}
			}
		}
	}
}

// TestFoldAgainstRows counts by hand: whose a row is, how many rows, which is the newest, where the last one lies.
func TestFoldAgainstRows(t *testing.T) {
	p := compile(t, viewtest.Spec())
	rapid.Check(t, func(t *rapid.T) {
		batches := small.Batches(genRand(t), p.Spec().Sources)
		f := whole(p, batches)
		type facts struct {
			newest, events int64
			last           map[tile.Pos]int64
		}
		want := map[string]*facts{}
		for _, b := range batches {
			for i := range b.N {
				key := keyOf(b, i)
				if b.Reject[i] != 0 || key == "" {
					continue
				}
				e := want[key]
				if e == nil {
					e = &facts{last: map[tile.Pos]int64{}}
					want[key] = e
				}
				e.events++
				e.newest = max(e.newest, b.Time[i])
				e.last[tile.Pos{Source: p.SourceRank(b.Source.Name), Partition: b.Partition}] = b.Offset[i]
			}
		}
		if f.Len() != len(want) {
			t.Fatalf("%d entities, want %d", f.Len(), len(want))
		}
		for key, e := range want {
			slot, ok := f.Lookup([]byte(key))
			if !ok || f.Newest(slot) != e.newest || f.Events(slot) != e.events {
				t.Fatalf("%s: found %t, newest %d, events %d; want %+v", key, ok, f.Newest(slot), f.Events(slot), e)
			}
			var body tile.Body
			if err := body.ParseBody(f.AppendBody(nil, slot)); err != nil || len(body.Pos) != len(e.last) {
				t.Fatalf("%s: %v, positions %v, want %v", key, err, body.Pos, e.last)
			}
			for at, last := range e.last {
				if f.Last(slot, at.Source, at.Partition) != last || body.Last(at.Source, at.Partition) != last {
					t.Fatalf("%s: last of %v is %d, want %d", key, at, f.Last(slot, at.Source, at.Partition), last)
				}
			}
			if f.Last(slot, 0, 99) != -1 {
				t.Fatal("a partition never seen has a last event")
			}
		}
	})
}

// keyOf builds a row's key by hand; the test view's kinds are user, and device.id with kind.
func keyOf(b *column.Batch, i int) string {
	at := func(name string) *column.Column { return &b.Cols[b.Source.Index(name)] }
	if user := at("user"); user.Present(i) && len(user.BytesAt(i)) <= 1_024 {
		// The random names hold a blank, a comma and a percent sign.
		return "user:" + strings.NewReplacer(" ", "%20", "\x00", "%00", ",", "%2C", "%", "%25").Replace(string(user.BytesAt(i)))
	}
	if at("device.id").Present(i) && at("kind").Present(i) {
		return fmt.Sprintf("device:%d,%s", at("device.id").Ints[i], []string{"view", "fav", "call"}[at("kind").Ints[i]])
	}
	return ""
}

// TestAnotherDeclaration folds batches of a declaration with other fields beside those that the view was compiled with.
func TestAnotherDeclaration(t *testing.T) {
	p := compile(t, viewtest.Spec())
	batches := small.Batches(rand.New(rand.NewPCG(1, 2)), p.Spec().Sources)
	want := bodies(whole(p, batches))
	b := batches[0]
	src := *b.Source
	src.Fields = append(slices.Clone(src.Fields), schema.Field{Name: "more", Type: schema.Int64})
	slices.Reverse(src.Fields)
	other := *b
	other.Source, other.Cols = &src, append(slices.Clone(b.Cols), column.NewColumn(schema.Int64, 0))
	slices.Reverse(other.Cols)
	batches[0] = &other
	got := bodies(whole(p, batches))
	for key := range want {
		if got[key] != want[key] {
			t.Errorf("%s differs", key)
		}
	}
}

// TestErrorsAreCounted shows that an overflow is a null that is counted.
func TestErrorsAreCounted(t *testing.T) {
	p := compile(t, viewtest.Spec())
	f := whole(p, small.Batches(rand.New(rand.NewPCG(3, 4)), p.Spec().Sources))
	if f.Errors() == 0 {
		t.Error("secs * 2 never overflowed: the log has lost its point")
	}
}

// TestMergeRefusesDamage flips, cuts and lengthens bodies: each is refused or a sound body that differs.
func TestMergeRefusesDamage(t *testing.T) {
	p := compile(t, viewtest.Spec())
	f := whole(p, small.Batches(rand.New(rand.NewPCG(5, 6)), p.Spec().Sources))
	body := f.AppendBody(nil, 0)
	for i := range body {
		for _, bad := range [][]byte{body[:i], slices.Insert(slices.Clone(body), i, 0)} {
			g := p.NewFold()
			slot := g.Slot(f.Key(0))
			if err := g.Merge(slot, bad); err == nil && bytes.Equal(g.AppendBody(nil, slot), body) {
				t.Errorf("damage at byte %d goes unseen", i)
			}
		}
	}
}

func TestLongStates(t *testing.T) {
	// A state of 128 bytes and more takes the path on which its length needs another byte.
	p := compile(t, viewtest.Spec())
	l := viewtest.Log{Partitions: [2]int{1, 0}, Rows: 400, Users: 1}
	f := whole(p, l.Batches(rand.New(rand.NewPCG(7, 8)), p.Spec().Sources[:1]))
	var body tile.Body
	longest := 0
	for slot := range f.Len() {
		enc := f.AppendBody([]byte("before"), slot)
		if err := body.ParseBody(enc[len("before"):]); err != nil || string(enc[:6]) != "before" {
			t.Fatal(err)
		}
		if !bytes.Equal(body.Append(nil), enc[6:]) {
			t.Fatal("the body is not canonical")
		}
		for _, s := range body.States {
			longest = max(longest, len(s))
		}
	}
	if longest < 0x80 {
		t.Errorf("the longest state has %d bytes: the test has lost its point", longest)
	}
}

// TestManyEntities folds far more entities than the first table has room for, and more rows at once than are touched at
// a time, twice over in one fold.
func TestManyEntities(t *testing.T) {
	p := compile(t, viewtest.Spec())
	l := viewtest.Log{Partitions: [2]int{2, 0}, Rows: 3_000, Users: 2_000}
	batches := l.Batches(rand.New(rand.NewPCG(9, 9)), p.Spec().Sources[:1])
	slow, f := p.NewFold(), p.NewFold()
	want := map[string]int64{}
	for _, b := range batches {
		for i := range b.N {
			slow.Add(b, i, i+1)
			if key := keyOf(b, i); key != "" {
				want[key]++
			}
		}
	}
	var size int64
	for round := range 2 {
		f.Reset()
		for _, b := range batches {
			f.Add(b, 0, b.N)
		}
		if f.Len() != len(want) || f.Len() < 1_000 {
			t.Fatalf("%d entities, want %d", f.Len(), len(want))
		}
		for key, n := range want {
			slot, ok := f.Lookup([]byte(key))
			at, _ := slow.Lookup([]byte(key))
			if !ok || f.Events(slot) != n || !bytes.Equal(f.AppendBody(nil, slot), slow.AppendBody(nil, at)) {
				t.Fatalf("%s is wrong", key)
			}
		}
		if round > 0 && f.Bytes() != size {
			t.Errorf("%d bytes, before the reset %d", f.Bytes(), size)
		}
		size = f.Bytes()
	}
	if _, ok := f.Lookup([]byte("user:nobody")); ok {
		t.Error("an unknown key is found")
	}
}

// TestRejectedRowsAreSkipped sets the flag on rows that have values, which no decoder does: the flag alone decides.
func TestRejectedRowsAreSkipped(t *testing.T) {
	p := compile(t, viewtest.Spec())
	b := viewtest.Regular(p.Spec().Sources, 10)
	b.Reject[9] = 1
	f := p.NewFold()
	if rows := f.Add(b, 0, b.N); rows != 9 || f.Events(0) != 9 || f.Last(0, 0, 0) != 8 {
		t.Errorf("%d rows, %d events, the last at %d", rows, f.Events(0), f.Last(0, 0, 0))
	}
}

// TestManyFilters has as many filters as one word tells apart, and one more. Every third one is a function of an enum.
func TestManyFilters(t *testing.T) {
	for _, filters := range []int{64, 65, 129} {
		spec := viewtest.Spec()
		spec.Sources, spec.Entity, spec.Features = spec.Sources[:1], spec.Entity[:1], nil
		for i := range filters {
			where := fmt.Sprintf("secs == %d", i)
			if i%3 == 0 {
				where = fmt.Sprintf(`%d < 0 || kind != "view"`, i) // of a null it is true too
			}
			spec.Features = append(spec.Features, view.FeatureSpec{Name: fmt.Sprintf("f%d", i), Op: "count", Where: where})
		}
		p := compile(t, spec)
		b := traffic(&p.Spec().Sources[0], 1, 3)[0]
		f := p.NewFold()
		f.Add(b, 100, b.N)
		bySecs, others := make([]int64, 300), int64(0)
		for i := 100; i < b.N; i++ {
			bySecs[b.Cols[viewtest.Secs].Ints[i]]++
			if kind := &b.Cols[viewtest.Kind]; !kind.Present(i) || kind.Ints[i] != 0 {
				others++
			}
		}
		for i := range filters {
			want := bySecs[i]
			if i%3 == 0 {
				want = others
			}
			got := int64(0)
			for slot := range f.Len() {
				got += int64(f.Value(slot, i, f.Newest(slot)).Lo)
			}
			if got != want {
				t.Errorf("%d filters: %d rows pass number %d, want %d", filters, got, i, want)
			}
		}
	}
}
