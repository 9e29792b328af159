package page

import (
	"fmt"
	"unicode/utf8"
)

// What a page shows of a profile at most, so that it opens whatever an entity has: get and explain print everything.
const (
	partsShown    = 64
	featuresShown = 256
	tracksShown   = 64
	bytesShown    = 4096 // of what a feature answers
	aloneShown    = 256  // bytes of what a part of it answers
)

// Left is what of a profile is not shown.
type Left struct{ Parts, Features, Tracks int }

// bound cuts a profile to what a page shows, and notes what it leaves out.
func (p *Profile) bound() {
	p.Parts, p.Left.Parts = cut(p.Parts, partsShown)
	p.Features, p.Left.Features = cut(p.Features, featuresShown)
	p.Tracks, p.Left.Tracks = cut(p.Tracks, tracksShown)
	for i := range p.Features {
		f := &p.Features[i]
		f.Value = cutText(f.Value, bytesShown)
		f.Alone, _ = cut(f.Alone, partsShown)
		for k := range f.Alone {
			f.Alone[k] = cutText(f.Alone[k], aloneShown)
		}
	}
	for i := range p.Tracks {
		t := &p.Tracks[i]
		t.Blocks, _ = cut(t.Blocks, partsShown)
		t.Last, _ = cut(t.Last, partsShown)
	}
}

// more says how much is left out, empty if nothing is.
func more(n int, of string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return "1 more " + of + " is left out; explain prints all."
	}
	return fmt.Sprintf("%d more %ss are left out; explain prints all.", n, of)
}

// cut returns the first elements and how many are left out.
func cut[T any](all []T, most int) (some []T, left int) {
	some = all[:min(most, len(all))]
	return some, len(all) - len(some)
}

// cutText returns the beginning of a text, whole characters of it, and says how much it leaves out.
func cutText(text string, most int) string {
	if len(text) <= most {
		return text
	}
	at := most
	for at > 0 && !utf8.RuneStart(text[at]) {
		at--
	}
	return fmt.Sprintf("%s… and %d more bytes", text[:at], len(text)-at)
}
