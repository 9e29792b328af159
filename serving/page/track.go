package page

import (
	"fmt"
	"html"
	"html/template"
	"strings"
)

// Size of the line of the log, in the drawing's own units.
const (
	trackWidth  = 960.0
	trackLeft   = 110.0
	trackHeight = 40.0
)

// tracks draws the log of every partition that a profile may have events in: what base and deltas hold, the block tiles,
// the tiles' last events, the lane's mark and the log's end.
func tracks(all []Track) template.HTML {
	var sb strings.Builder
	fmt.Fprintf(&sb, `<svg viewBox="0 0 %g %g" role="img">`, trackWidth, trackHeight*float64(max(len(all), 1)))
	for i := range all {
		all[i].draw(&sb, trackHeight*float64(i))
	}
	sb.WriteString(`</svg>`)
	return template.HTML(sb.String()) //nolint:gosec // numbers, and texts that are escaped where they are written
}

// x places an offset.
func (t *Track) x(offset int64) float64 {
	width := trackWidth - trackLeft - 8
	return trackLeft + width*float64(min(max(offset, t.From), t.End)-t.From)/float64(max(t.End-t.From, 1))
}

func (t *Track) draw(sb *strings.Builder, y float64) {
	rect := func(class, title string, from, next int64, top, height float64) {
		fmt.Fprintf(sb, `<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%g"><title>%s</title></rect>`,
			class, t.x(from), y+top, max(t.x(next)-t.x(from), 1), height, html.EscapeString(title))
	}
	fmt.Fprintf(sb, `<text class="axis" x="%g" y="%.1f" text-anchor="end">%s</text>`, trackLeft-6, y+22, html.EscapeString(t.Partition))
	rect("log", fmt.Sprintf("the log, offsets %d to %d", t.From, t.End), t.From, t.End, 12, 14)
	if t.Cut > t.From {
		rect("batch", fmt.Sprintf("held by base and deltas: below %d", t.Cut), t.From, t.Cut, 12, 14)
	}
	for _, b := range t.Blocks {
		class := "block"
		if b.Leftover {
			class = "block leftover"
		}
		rect(class, fmt.Sprintf("block tile %s: offsets %d to %d", b.Field, b.From, b.Next), b.From, b.Next, 12, 14)
	}
	for _, c := range t.Cuts {
		rect("cut", fmt.Sprintf("a run's cut at %d", c), c, c, 8, 22)
	}
	for _, d := range t.Last {
		fmt.Fprintf(sb, `<circle class="last" cx="%.1f" cy="%.1f" r="3"><title>%s</title></circle>`,
			t.x(d.Offset), y+19, html.EscapeString(fmt.Sprintf("last event of %s: offset %d", d.Field, d.Offset)))
	}
	class := "mark"
	if !t.Joined {
		class = "mark open"
	}
	rect(class, fmt.Sprintf("the lane has taken in all below %d", t.Next), t.Next, t.Next, 4, 30)
}
