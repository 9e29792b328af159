package arena

import "testing"

// TestTouchReadsTheLatest gives one of three slots a run of every length, and checks which words Touch has read.
func TestTouchReadsTheLatest(t *testing.T) {
	a := NewRuns(3)
	a.Grow(3)
	if sum := a.Touch([]int32{0, 1, 2}); sum != 0 {
		t.Errorf("empty runs give %d", sum)
	}
	for n := range 40 {
		a.Reserve(1, 1)
		copy(a.Push(1), []uint64{1, 1, 1})
		all := len(a.All(1))
		want := (min(all, touchLines*lineWords) + lineWords - 1) / lineWords
		if sum := a.Touch([]int32{1}); sum != uint64(want) {
			t.Errorf("a run of %d entries: %d lines read, want %d", n+1, sum, want)
		}
	}
	// More slots than are touched at a time; one that follows itself is read once each time.
	many := make([]int32, touchSlots+1)
	for i := range many {
		many[i] = 1
	}
	if sum := a.Touch(many); sum != 2*touchLines {
		t.Errorf("%d times one slot: %d lines read", len(many), sum)
	}
	for i := range many {
		many[i] = int32(i % 2)
	}
	if sum := a.Touch(many); sum != touchSlots/2*touchLines {
		t.Errorf("%d slots: %d lines read", len(many), sum)
	}
}
