package lane_test

import (
	"errors"
	"testing"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzMarks reads any text as a mark of either kind: it is refused with its class, or written again as it was. Marks are
// compared as bytes, so one that had two spellings would be two.
func FuzzMarks(f *testing.F) {
	for _, s := range []string{"aaaaaaaaaa j 5 1000", "a 0 0 0", "a 3 2 1", "a 1 0 1", "dropped", "", "a  1 2", "a 01 2 3", "a 1 9007199254740992 0"} {
		f.Add(s)
	}
	fuzzing.Target(f, func(t *testing.T, s string) {
		if m, err := lane.ParseMark(s); err == nil && m.Wire() != s || err != nil && !errors.Is(err, lane.ErrMark) {
			t.Fatalf("%q reads as %+v, %v", s, m, err)
		}
		if m, err := lane.ParseBatchMark(s); err == nil && m.Wire() != s || err != nil && !errors.Is(err, lane.ErrMark) {
			t.Fatalf("%q reads as %+v, %v", s, m, err)
		}
	})
}
