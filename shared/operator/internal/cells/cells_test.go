package cells

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator/internal/wire"
	"github.com/tidemark-io/tidemark/shared/window"
)

// total is the simplest aggregate: a number that is added.
type total struct{ freed *int }

func (total) Combine(dst, src []uint64) { dst[0] += src[0] }
func (total) Empty(w []uint64) bool     { return w[0] == 0 }
func (a total) Free([]uint64)           { *a.freed++ }

func (total) Append(dst []byte, w []uint64, _ int64) []byte { return wire.AppendUvarint(dst, w[0]) }

func (total) Read(r *wire.Reader, w []uint64, _, _, _ int64) {
	if w[0] = r.Uvarint(1 << 40); w[0] == 0 {
		r.Fail()
	}
}

func tiers(t *testing.T, ws ...window.Window) window.Tiers {
	t.Helper()
	ts, err := window.NewTiers(ws)
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

// TestCodeIsThatOfTheTiers asks for places at random times, so that the remembered bucket is right and wrong by turns.
func TestCodeIsThatOfTheTiers(t *testing.T) {
	for name, ts := range map[string]window.Tiers{
		"all":    tiers(t, window.All),
		"nested": tiers(t, window.Window{Length: 20, Hop: 2}, window.Window{Length: 100, Hop: 10}),
		"mixed":  tiers(t, window.Window{Length: 20, Hop: 2}, window.All),
		"huge":   tiers(t, window.Window{Length: window.Day << 36, Hop: window.Day}),
	} {
		rng := rand.New(rand.NewPCG(3, 3))
		c := New(ts, total{new(int)}, 1, false)
		newest := int64(0)
		for range 20_000 {
			newest += rng.Int64N(4)
			at := max(0, newest-rng.Int64N(1+rng.Int64N(120)))
			want := ts.Of(at, newest)
			code, ok := c.Code(at, newest)
			if ok != (want >= 0) || ok && code != uint64(want)<<bucketBits|uint64(ts.Bucket(want, at)) {
				t.Fatalf("%s: t %d at newest %d has code %x, %t; want tier %d", name, at, newest, code, ok, want)
			}
		}
	}
}

// TestSettledAgainstAMap adds numbers to cells of many keys, some of which cancel, and compares with a map. Freeing is
// counted: every entry that goes is freed once, and only when the slot itself is settled.
func TestSettledAgainstAMap(t *testing.T) {
	ts := tiers(t, window.Window{Length: 20, Hop: 2}, window.Window{Length: 100, Hop: 10})
	type cell struct{ key, code uint64 }
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		freed, pushed := 0, 0
		c := New(ts, total{&freed}, 1, true)
		c.Grow(1)
		want := map[cell]uint64{}
		const newest = 200
		for range rng.IntN(1 + rng.IntN(200)) { // often few, which are often in order
			at := cell{key: rng.Uint64N(5)}
			var ok bool
			if at.code, ok = c.Code(newest-rng.Int64N(newest), newest); !ok {
				continue
			}
			w, fresh := c.KeyCell(0, at.code, at.key, newest)
			if fresh {
				pushed++
			}
			n := rng.Uint64N(3) - 1 // −1, 0, 1
			w[0] += n
			want[at] += n
		}
		had := freed
		got := map[cell]uint64{}
		entries := slices.Clone(c.Settled(0, newest))
		if twin := c.settle(0, newest, false); !slices.Equal(entries, twin) {
			t.Fatalf("seed %d: settled %v, without looking whether it is already %v", seed, entries, twin)
		}
		for at := 0; at < len(entries); at += c.Stride() {
			got[cell{entries[at+1], entries[at]}] = entries[at+2]
		}
		maps.DeleteFunc(want, func(_ cell, n uint64) bool { return n == 0 })
		if !maps.Equal(got, want) || len(got)*c.Stride() != len(entries) {
			t.Fatalf("seed %d: settled %v, want %v", seed, got, want)
		}
		if freed != had || pushed-freed != c.Len(0) {
			t.Fatalf("seed %d: %d entries pushed, %d freed, %d there", seed, pushed, freed, c.Len(0))
		}
	}
}

// TestPackedAgainstRefs settles runs by words and, as twin, by refs: entries of few and of many keys, once and several times,
// early and late, some of which cancel.
func TestPackedAgainstRefs(t *testing.T) {
	ts := tiers(t, window.Window{Length: 2000, Hop: 2})
	packed := 0
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 4))
		agg := Aggregate(numbers{0, true})
		if rng.IntN(3) == 0 {
			agg = opaque{agg}
		}
		keyed := rng.IntN(4) > 0
		c := New(ts, agg, 2, keyed)
		c.Grow(1)
		most, late := 1+rng.Uint64N(1<<rng.IntN(64)), rng.IntN(2) == 0
		for i := range uint64(rng.IntN(1 + rng.IntN(400))) {
			c.reserve(0, 1, 2000)
			code := i / 4
			if late && rng.IntN(5) == 0 {
				code = rng.Uint64N(i + 1)
			}
			w := c.push(0, code, rng.Uint64N(most))
			addTo(w, rng.Int64N(5)-2)
		}
		newest := 1000 + rng.Int64N(1300)
		all := c.All(0)
		if c.pack(all, newest) {
			packed++
		}
		got := slices.Clone(c.settle(0, newest, false))
		c.out = c.out[:0]
		c.collect(all, newest, false)
		for _, r := range c.order.refs {
			c.join(all[r.at:r.at+c.stride], r.code, false)
		}
		c.dropEmpty(false)
		if !slices.Equal(got, c.out) {
			t.Fatalf("seed %d: settled by words %v, by refs %v", seed, got, c.out)
		}
	}
	if packed < 500 {
		t.Errorf("only %d of the runs were packed: the test has lost its point", packed)
	}
}

// TestLookBack goes to and fro between two buckets, as rows a little late do: they need no more entries for it.
func TestLookBack(t *testing.T) {
	const newest = 100
	c := New(tiers(t, window.Window{Length: 20, Hop: 2}), total{new(int)}, 1, false)
	c.Grow(1)
	for i := range int64(1000) {
		code, _ := c.Code(newest-i%lookBack*2, newest)
		w, _ := c.Cell(0, code, newest)
		w[0]++
	}
	if n := c.Len(0); n != lookBack {
		t.Errorf("%d buckets by turns take %d entries", lookBack, n)
	}
}
