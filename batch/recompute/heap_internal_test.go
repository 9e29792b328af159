package recompute

import (
	"testing"

	"github.com/tidemark-io/tidemark/shared/column"
)

// TestHeapSize: however much memory there is, a column of a heap stays addressable; and however many workers there are, their
// heaps are a part of the budget.
func TestHeapSize(t *testing.T) {
	for _, test := range []struct {
		memory  int64
		workers int
		want    int64
	}{
		{1 << 30, 1, 1 << 26}, {1 << 30, 4, 1 << 26}, {1 << 30, 64, 1 << 22}, {1 << 50, 2, column.MaxBytes},
	} {
		e := &Engine{Memory: test.memory, Workers: test.workers}
		if got := e.heapSize(1 << 20).bytes; got != test.want {
			t.Errorf("%d workers with %d bytes have heaps of %d each, want %d", test.workers, test.memory, got, test.want)
		}
	}
}
