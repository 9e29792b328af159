package window_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/window"
)

func TestDefaultHop(t *testing.T) {
	for _, c := range []struct{ length, hop int64 }{
		{12 * window.Day, window.Day},
		{12*window.Day - 1, window.Hour},
		{12 * window.Hour, window.Hour},
		{12*window.Hour - 1, 5 * window.Minute},
		{window.Hour, 5 * window.Minute},
		{30 * window.Minute, 150 * window.Second},
	} {
		if got := window.DefaultHop(c.length); got != c.hop {
			t.Errorf("a window of %d ms has hop %d, want %d", c.length, got, c.hop)
		}
	}
}

func TestDecayHop(t *testing.T) {
	for _, c := range []struct{ halfLife, hop int64 }{
		{14 * window.Day, window.Day},
		{14*window.Day - 1, 6 * window.Hour},
		{3 * window.Day, 6 * window.Hour},
		{3*window.Day - 1, 30 * window.Minute},
		{12 * window.Hour, 30 * window.Minute},
		{12*window.Hour - 1, 5 * window.Minute},
	} {
		if got := window.DecayHop(c.halfLife); got != c.hop {
			t.Errorf("a half-life of %d ms has hop %d, want %d", c.halfLife, got, c.hop)
		}
	}
}

func TestValidate(t *testing.T) {
	for w, ok := range map[window.Window]bool{
		window.All:                                    true,
		{Length: window.Day, Hop: window.Day}:         true,
		{Length: 10, Hop: 1}:                          true,
		{Length: 10, Hop: 3}:                          false, // does not divide the window
		{Length: 14, Hop: 7}:                          false, // does not divide the day
		{Length: 10}:                                  false,
		{Hop: 10}:                                     false,
		{Length: -10, Hop: -5}:                        false,
		{Length: window.Hour, Hop: window.Day}:        false,
		{Length: 2 * window.Day, Hop: 2 * window.Day}: false, // longer than the day
	} {
		if err := w.Validate(); (err == nil) != ok || err != nil && !errors.Is(err, window.ErrInvalid) {
			t.Errorf("%+v: error %v", w, err)
		}
	}
}

// TestHolds follows a bucket as as_of goes on: it is in the window for W/h hops, whatever the time within the hop.
func TestHolds(t *testing.T) {
	w := window.Window{Length: 30, Hop: 10}
	for asOf, want := range map[int64]bool{40: true, 49: true, 60: true, 69: true, 70: false, 1000: false} {
		for _, start := range []int64{40, 45, 49} {
			if w.Holds(start, asOf) != want {
				t.Errorf("a bucket from %d on is in the window at %d: %t", start, asOf, !want)
			}
		}
	}
	if !window.All.Holds(0, 1<<50) {
		t.Error("all time has lost its beginning")
	}
}

func TestNewTiers(t *testing.T) {
	got, err := window.NewTiers([]window.Window{
		{Length: 30 * window.Day, Hop: window.Day},
		window.All,
		{Length: window.Day, Hop: window.Hour},
		{Length: 3 * window.Day, Hop: window.Hour},
		{Length: window.Hour, Hop: window.Minute},
		window.All,
	})
	want := window.Tiers{{Hop: window.Minute, Reach: 60}, {Hop: window.Hour, Reach: 72}, {Hop: window.Day, Reach: 30}, {}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("tiers %+v, error %v; want %+v", got, err, want)
	}
	for name, ws := range map[string][]window.Window{
		"hops that do not nest": {{Length: 6, Hop: 2}, {Length: 6, Hop: 3}},
		"an invalid window":     {{Length: 10, Hop: 3}},
		"too many hops":         hops(window.MaxTiers + 1),
	} {
		if _, err := window.NewTiers(ws); !errors.Is(err, window.ErrInvalid) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if ts, err := window.NewTiers(hops(window.MaxTiers)); err != nil || len(ts) != window.MaxTiers {
		t.Errorf("%d hops: %d tiers, error %v", window.MaxTiers, len(ts), err)
	}
}

// hops returns n windows of nesting hops, the last of all time.
func hops(n int) []window.Window {
	var ws []window.Window
	hop := int64(1)
	for _, factor := range []int64{1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 5, 5, 5} { // 86,400,000 = 2^10 × 3^3 × 5^5
		if len(ws) < n-1 {
			hop *= factor
			ws = append(ws, window.Window{Length: hop, Hop: hop})
		}
	}
	return append(ws, window.All)
}

// randomTiers returns windows whose hops nest, and their tiers.
func randomTiers(t *testing.T, rng *rand.Rand) ([]window.Window, window.Tiers) {
	t.Helper()
	var ws []window.Window
	for _, hop := range []int64{1, 4, 12, 60, 240} {
		for rng.IntN(2) == 0 {
			ws = append(ws, window.Window{Length: hop * (1 + rng.Int64N(20)), Hop: hop})
		}
	}
	if rng.IntN(2) == 0 || len(ws) == 0 {
		ws = append(ws, window.All)
	}
	ts, err := window.NewTiers(ws)
	if err != nil {
		t.Fatal(err)
	}
	return ws, ts
}

// TestRetieringCommutes is the law that states stand on: an event placed at one newest time and then, by its bucket, at
// a later one is where it would have been placed at once; and what a window holds can be told from the bucket.
func TestRetieringCommutes(t *testing.T) {
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 8))
		ws, ts := randomTiers(t, rng)
		at := rng.Int64N(5000)
		n1 := at + rng.Int64N(1+rng.Int64N(3000))
		n2 := n1 + rng.Int64N(1+rng.Int64N(3000))
		asOf := n2 + rng.Int64N(1+rng.Int64N(3000))
		i, once := ts.Of(at, n1), ts.Of(at, n2)
		if i < 0 {
			if once >= 0 {
				t.Fatalf("seed %d: %d is out of reach at %d and back at %d", seed, at, n1, n2)
			}
			continue
		}
		start := ts.Start(i, ts.Bucket(i, at))
		again := ts.Of(start, n2)
		if again != once || again >= 0 && ts.Bucket(again, start) != ts.Bucket(once, at) {
			t.Fatalf("seed %d: %d at %d is in tier %d, then at %d in %d; at once in %d", seed, at, n1, i, n2, again, once)
		}
		for _, w := range ws {
			held := w.Length == 0 || at/w.Hop > asOf/w.Hop-w.Length/w.Hop
			told := again >= 0 && w.Holds(ts.Start(again, ts.Bucket(again, at)), asOf)
			if held != told {
				t.Fatalf("seed %d: %+v at %d holds %d: %t, told by its bucket: %t", seed, w, asOf, at, held, told)
			}
		}
	}
}
