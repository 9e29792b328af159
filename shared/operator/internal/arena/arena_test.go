package arena

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"unsafe"
)

// TestRunsAgainstSlices does random things to runs and to one slice of entries per slot.
func TestRunsAgainstSlices(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 0))
		stride := 1 + rng.IntN(4)
		runs := NewRuns(stride)
		for range 3 { // lives, with a Reset between them
			slots := 1 + rng.IntN(9)
			runs.Grow(slots)
			model := make([][]uint64, slots)
			for range 400 {
				slot := rng.IntN(slots)
				if rng.IntN(30) == 0 {
					n := rng.IntN(runs.Len(int32(slot)) + 1)
					runs.Cut(int32(slot), n)
					model[slot] = model[slot][:n*stride]
					continue
				}
				if n := rng.IntN(4); runs.Room(int32(slot)) == 0 || n == 0 {
					runs.Reserve(int32(slot), 1+n)
				}
				open := runs.Open(int32(slot))
				if room := cap(open) - len(open); !slices.Equal(open, model[slot]) || room != runs.Room(int32(slot))*stride {
					t.Fatalf("seed %d: slot %d opens as %v with room for %d words", seed, slot, open, room)
				}
				w := runs.Push(int32(slot))
				if slices.ContainsFunc(w, func(v uint64) bool { return v != 0 }) {
					t.Fatalf("seed %d: a new entry holds %v", seed, w)
				}
				for i := range w {
					w[i] = rng.Uint64()
				}
				model[slot] = append(model[slot], w...)
				for slot, want := range model {
					if got := runs.All(int32(slot)); !slices.Equal(got, want) || runs.Len(int32(slot))*stride != len(want) {
						t.Fatalf("seed %d: slot %d holds %v, want %v", seed, slot, got, want)
					}
					if last := runs.Last(int32(slot)); !slices.Equal(last, want[max(0, len(want)-stride):]) {
						t.Fatalf("seed %d: the last entry of slot %d is %v", seed, slot, last)
					}
				}
			}
			runs.Reset()
		}
	}
}

// TestRoomIsReused moves a run through all sizes many times over: the arena must not grow each time.
func TestRoomIsReused(t *testing.T) {
	runs := NewRuns(2)
	runs.Grow(200)
	for slot := range int32(200) {
		for range 60 {
			if runs.Room(slot) == 0 {
				runs.Reserve(slot, 1)
			}
			runs.Push(slot)
		}
	}
	// 200 runs with room for 64 entries of 16 bytes, and as much again for all the smaller rooms they left.
	if n := runs.Bytes(); n > 2*200*64*16 {
		t.Errorf("200 runs of 60 entries take %d bytes", n)
	}
	if size := unsafe.Sizeof(run{}); size != 12 {
		t.Errorf("an empty slot takes %d bytes", size)
	}
}

// TestKeysAgainstAMap interns keys of all short lengths and some long ones; of every second world the first keys are added
// in order.
func TestKeysAgainstAMap(t *testing.T) {
	keys := NewKeys()
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 0))
		model := map[string]uint64{}
		if seed%2 == 1 {
			for i := range 100 + rng.IntN(200) {
				key := strconv.Itoa(1000 + i*(1+int(seed)%5))
				if id := keys.AddSorted([]byte(key)); id != uint64(i) {
					t.Fatalf("seed %d: key %s, added in order, has number %d, want %d", seed, key, id, i)
				}
				model[key] = uint64(i)
			}
		}
		for range rng.IntN(3000) {
			key := fmt.Appendf(nil, "%d", rng.IntN(3000))
			if rng.IntN(10) == 0 {
				key = append(key, "of a length that no word holds"...)
			}
			key = key[rng.IntN(len(key)):]
			if rng.IntN(50) == 0 {
				keys.Expect(rng.IntN(300))
			}
			want, seen := model[string(key)]
			if !seen {
				want = uint64(len(model))
				model[string(key)] = want
			}
			if id := keys.ID(key); id != want || !bytes.Equal(keys.Bytes(id), key) || keys.Len() != len(model) {
				t.Fatalf("seed %d: key %q has number %d of %d, want %d of %d", seed, key, id, keys.Len(), want, len(model))
			}
			other := rng.Uint64N(uint64(keys.Len()))
			if got, less := keys.Less(want, other), bytes.Compare(key, keys.Bytes(other)) < 0; got != less {
				t.Fatalf("seed %d: %q before %q: %t", seed, key, keys.Bytes(other), got)
			}
		}
		keys.Reset()
	}
}

func TestBlobsAgainstAMap(t *testing.T) {
	var blobs Blobs
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		model := map[uint64][]byte{}
		var words []uint64 // of blobs outside of their words, and one of each inside
		for range 2000 {
			v := make([]byte, 1+rng.IntN(1<<rng.IntN(9)))
			for i := range v {
				v[i] = byte(rng.Uint32())
			}
			var word uint64
			if n := len(words); n > 0 && rng.IntN(2) == 0 {
				at := rng.IntN(n)
				delete(model, words[at])
				word = blobs.Replace(words[at], v)
				words = slices.Delete(words, at, at+1)
			} else {
				word = blobs.Put(v)
			}
			if _, taken := model[word]; taken && word >= outside {
				t.Fatalf("seed %d: two blobs have the word %x", seed, word)
			}
			if _, known := model[word]; !known {
				words = append(words, word)
			}
			model[word] = v
			for _, w := range words[max(0, len(words)-40):] {
				if !bytes.Equal(blobs.Bytes(w), model[w]) {
					t.Fatalf("seed %d: blob %x holds %x, want %x", seed, w, blobs.Bytes(w), model[w])
				}
			}
		}
		blobs.Reset()
	}
}
