package service

import (
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
)

// TestBehindNamesTheRole: what a lane lacks is told with the role that brings it, which another process than up may have.
func TestBehindNamesTheRole(t *testing.T) {
	p := position.Partition{Source: "clicks", ID: 3}
	const incarnation = lane.Incarnation("aaaaaaaaaa")
	for _, c := range []struct {
		mark  string
		floor int64
		says  string // empty: nothing is lacking
	}{
		{"", 0, ""},
		{"", 1, "speed, or up, runs"},
		{lane.Mark{Incarnation: incarnation, Low: lane.Joined, Next: 7}.Wire(), 7, ""},
		{lane.Mark{Incarnation: incarnation, Low: lane.Joined, Next: 7}.Wire(), 8, "speed, or up, runs"},
		{lane.Mark{Incarnation: incarnation, Low: 4, Next: 9}.Wire(), 8, "batch, or up, runs"},
		{"nonsense", 8, "is damaged"},
	} {
		marks := lane.Marks{}
		if c.mark != "" {
			marks[p.String()] = c.mark
		}
		if why := behind(marks, p, c.floor); !strings.Contains(why, c.says) || (why == "") != (c.says == "") {
			t.Errorf("a mark %q below %d: %q, want %q", c.mark, c.floor, why, c.says)
		}
	}
}
