package page

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// Size of a chart's drawing, in its own units; the page scales it.
const (
	chartWidth  = 480.0
	chartHeight = 120.0
	chartLeft   = 44.0
	chartRight  = 6.0
	chartTop    = 10.0
	chartBottom = 18.0
)

// line is one series of a chart. A negative value is a gap.
type line struct {
	class  string
	label  string
	values []float64
}

// chart draws series over samples that are a second apart. Labels and classes are this package's own words.
func chart(unit string, lines ...line) template.HTML {
	top := 0.0
	n := 0
	for _, l := range lines {
		n = max(n, len(l.values))
		for _, v := range l.values {
			top = max(top, v)
		}
	}
	top = roundUp(top)
	var sb strings.Builder
	fmt.Fprintf(&sb, `<svg viewBox="0 0 %g %g" role="img">`, chartWidth, chartHeight)
	for _, share := range []float64{0, 0.5, 1} {
		y := yOf(share*top, top)
		fmt.Fprintf(&sb, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/>`, chartLeft, chartWidth-chartRight, y, y)
		fmt.Fprintf(&sb, `<text class="axis" x="%g" y="%.1f" text-anchor="end">%s</text>`, chartLeft-4, y+3, short(share*top))
	}
	for _, l := range lines {
		fmt.Fprintf(&sb, `<path class="line %s" d="%s"/>`, l.class, path(l.values, n, top))
	}
	x := chartLeft
	for _, l := range lines {
		last := "–"
		if k := len(l.values); k > 0 && l.values[k-1] >= 0 {
			last = short(l.values[k-1])
		}
		fmt.Fprintf(&sb, `<text class="axis key %s" x="%g" y="%g">%s %s %s</text>`, l.class, x, chartHeight-4, l.label, last, unit)
		x += (chartWidth - chartLeft) / float64(len(lines))
	}
	sb.WriteString(`</svg>`)
	return template.HTML(sb.String()) //nolint:gosec // numbers and this package's own words
}

func yOf(v, top float64) float64 {
	height := chartHeight - chartTop - chartBottom
	return chartTop + height*(1-v/top)
}

// path joins the values of a series; the newest stands at the right edge.
func path(values []float64, n int, top float64) string {
	var sb strings.Builder
	step := (chartWidth - chartLeft - chartRight) / float64(max(n-1, 1))
	pen := "M"
	for i, v := range values {
		if v < 0 {
			pen = "M"
			continue
		}
		fmt.Fprintf(&sb, "%s%.1f %.1f", pen, chartWidth-chartRight-float64(len(values)-1-i)*step, yOf(v, top))
		pen = "L"
	}
	return sb.String()
}

// roundUp returns the least of 1, 2, 5, 10, 20, … that is not below v.
func roundUp(v float64) float64 {
	if v <= 1 || math.IsInf(v, 0) || math.IsNaN(v) {
		return 1
	}
	scale := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if v <= m*scale {
			return m * scale
		}
	}
	return 10 * scale
}

// short writes a number in at most some characters: 1234567 is 1.2M.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e9:
		return trim(v/1e9) + "G"
	case a >= 1e6:
		return trim(v/1e6) + "M"
	case a >= 1e4:
		return trim(v/1e3) + "k"
	default:
		return trim(v)
	}
}

func trim(v float64) string {
	s := fmt.Sprintf("%.1f", v)
	return strings.TrimSuffix(s, ".0")
}
