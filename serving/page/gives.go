package page

import (
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"strings"
)

// Size of the columns that compare parts, in the drawing's own units.
const (
	columnWidth  = 14.0
	columnHeight = 40.0
	columnGap    = 3.0
)

// gives draws what each part alone answers as columns, if the answers are numbers; otherwise it is empty.
func gives(p *Profile, f Feature) template.HTML {
	values := make([]float64, len(f.Alone))
	top := 0.0
	for i, text := range f.Alone {
		if text == "null" {
			continue
		}
		if json.Unmarshal([]byte(text), &values[i]) != nil {
			return ""
		}
		top = max(top, values[i])
	}
	if len(values) == 0 {
		return ""
	}
	var sb strings.Builder
	width := (columnWidth + columnGap) * float64(len(values))
	fmt.Fprintf(&sb, `<svg class="gives" viewBox="0 0 %g %g" style="width:%gpx" role="img">`, width, columnHeight, width)
	for i, v := range values {
		h := 1.0
		if top > 0 {
			h = max(h, columnHeight*max(v, 0)/top)
		}
		class := "block"
		if p.Parts[i].Kind != "block" {
			class = "batch"
		}
		fmt.Fprintf(&sb, `<rect class="%s" x="%g" y="%.1f" width="%g" height="%.1f"><title>%s</title></rect>`,
			class, (columnWidth+columnGap)*float64(i), columnHeight-h, columnWidth, h, html.EscapeString(p.Parts[i].Field+": "+f.Alone[i]))
	}
	sb.WriteString(`</svg>`)
	return template.HTML(sb.String()) //nolint:gosec // numbers, and texts that are escaped where they are written
}
