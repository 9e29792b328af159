package api

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
)

// appendHead opens an answer: the job, the view and the version that answers.
func appendHead(b []byte, job string, a *lookup.Answer) []byte {
	g := a.Generation
	b = append(b, `{"job":`...)
	b = appendString(b, job)
	b = append(b, `,"view":`...)
	b = appendString(b, a.View)
	b = append(b, `,"version":{"generation":`...)
	b = strconv.AppendInt(b, g.Number, 10)
	b = append(b, `,"identity":`...)
	b = appendString(b, g.Identity)
	b = append(b, `,"revision":`...)
	b = appendString(b, g.Revision)
	return append(b, "},"...)
}

// aroundBytes is about what stands around the features of a profile.
const aroundBytes = 256

// AppendAnswer appends the answer to a batch request: the head and all profiles.
func AppendAnswer(b []byte, job string, a *lookup.Answer, now time.Time) []byte {
	b = appendHead(b, job, a)
	b = append(b, `"profiles":[`...)
	size := 0
	for i := range a.Profiles {
		size += len(a.Profiles[i].Encoded) + len(a.Profiles[i].Key) + aroundBytes
	}
	b = slices.Grow(b, size)
	for i := range a.Profiles {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '{')
		b = appendProfile(b, a, &a.Profiles[i], now)
		b = append(b, '}')
	}
	return append(b, "]}\n"...)
}

// appendProfile appends the members of one profile, without braces.
func appendProfile(b []byte, a *lookup.Answer, p *lookup.Profile, now time.Time) []byte {
	b = append(b, `"key":`...)
	b = appendString(b, p.Key)
	if p.Err != nil {
		b = append(b, `,"error":`...)
		return appendProblem(b, problemOf(p.Err))
	}
	b = append(b, `,"found":`...)
	b = strconv.AppendBool(b, p.Found)
	b = append(b, `,"as_of":`...)
	b = appendTime(b, p.AsOf)
	b = append(b, `,"newest":`...)
	b = appendTime(b, p.Newest)
	b = append(b, `,"events":`...)
	b = strconv.AppendInt(b, p.Events, 10)
	b = append(b, `,"freshness":{"through":`...)
	b = appendTime(b, p.Through)
	b = append(b, `,"age_ms":`...)
	if p.Through > 0 {
		b = strconv.AppendInt(b, max(now.UnixMilli()-p.Through, 0), 10)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `},"degraded":`...)
	if p.Degraded == "" {
		b = append(b, "null"...)
	} else {
		b = appendString(b, p.Degraded)
	}
	if p.Frontier != nil {
		b = appendFrontier(b, p.Frontier)
	}
	return appendFeatures(b, a, p)
}

func appendFrontier(b []byte, frontier map[string]int64) []byte {
	b = append(b, `,"frontier":{`...)
	for i, name := range slices.Sorted(maps.Keys(frontier)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, name)
		b = append(b, ':')
		b = strconv.AppendInt(b, frontier[name], 10)
	}
	return append(b, '}')
}

func appendFeatures(b []byte, a *lookup.Answer, p *lookup.Profile) []byte {
	b = append(b, `,"features":{`...)
	if p.Values == nil {
		return append(append(b, p.Encoded...), '}')
	}
	for i, f := range a.Features {
		if i > 0 {
			b = append(b, ',')
		}
		b = a.Generation.Plan.AppendAnswer(b, f, p.Values[i].Value, p.Values[i].Status)
	}
	return append(b, '}')
}

// appendTime appends ms since 1970 as RFC 3339 text with ms, null for 0.
func appendTime(b []byte, ms int64) []byte {
	if ms == 0 {
		return append(b, "null"...)
	}
	t := time.UnixMilli(ms).UTC()
	year, month, day := t.Date()
	if year < 0 || year > 9999 { // nothing that a clock said
		return append(t.AppendFormat(append(b, '"'), timeLayout), '"')
	}
	hour, minute, second := t.Clock()
	b = appendDigits(append(b, '"'), year, 4)
	b = appendDigits(append(b, '-'), int(month), 2)
	b = appendDigits(append(b, '-'), day, 2)
	b = appendDigits(append(b, 'T'), hour, 2)
	b = appendDigits(append(b, ':'), minute, 2)
	b = appendDigits(append(b, ':'), second, 2)
	b = appendDigits(append(b, '.'), t.Nanosecond()/int(time.Millisecond), 3)
	return append(b, 'Z', '"')
}

// timeLayout is the form of appendTime, which writes it by hand: an answer for many keys has hundreds of times.
const timeLayout = "2006-01-02T15:04:05.000Z"

// appendDigits appends the last n digits of v, which is not negative.
func appendDigits(b []byte, v, n int) []byte {
	b = append(b, "0000"[:n]...)
	for at := len(b) - 1; n > 0; at, n = at-1, n-1 {
		b[at] += byte(v % 10)
		v /= 10
	}
	return b
}

// appendString appends s as a JSON string.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
			q, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // a string always marshals
			}
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
