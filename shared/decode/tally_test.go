package decode_test

import (
	"testing"

	"github.com/tidemark-io/tidemark/shared/decode"
)

// TestTally: each reason is counted by itself, accepted rows and unknown reasons are not.
func TestTally(t *testing.T) {
	var all decode.Tally
	for range 2 {
		all.Add([]uint8{0, uint8(decode.NotJSON), 0, uint8(decode.NotJSON), uint8(decode.EventTimeRange), uint8(decode.EventTimeRange) + 1, 255})
	}
	for _, r := range decode.Reasons() {
		want := map[decode.Reason]int64{decode.NotJSON: 4, decode.EventTimeRange: 2}[r]
		if got := all.Of(r); got != want {
			t.Errorf("%d records are counted as %s, want %d", got, r, want)
		}
	}
	if got := all.Total(); got != 6 {
		t.Errorf("%d records are counted, want 6", got)
	}
}
