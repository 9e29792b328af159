// Package window is the arithmetic of windows and hops.
//
// A window of length W with hop h at as_of holds the events t with ⌊t/h⌋ > ⌊as_of/h⌋ − W/h: it is between W − h and W
// long, and its buckets start at multiples of h since 1970 (UTC). Within one state all hops nest: each divides the next
// and the day, and divides its window. So a state keeps, for an event of a given age, only its bucket of the finest hop
// that any reader reaching that age needs (its tier); age is counted from the newest event time, which only grows, so
// that re-tiering commutes with merging.
package window

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Units in ms.
const (
	Second int64 = 1000
	Minute       = 60 * Second
	Hour         = 60 * Minute
	Day          = 24 * Hour
)

// Text writes ms as job files do, with the longest unit that divides it: 360d, 1h, 30m, 5s, 1ms; 0s.
func Text(ms int64) string {
	for _, u := range []struct {
		ms   int64
		name string
	}{{Day, "d"}, {Hour, "h"}, {Minute, "m"}, {Second, "s"}} {
		if ms%u.ms == 0 && (ms != 0 || u.ms == Second) {
			return strconv.FormatInt(ms/u.ms, 10) + u.name
		}
	}
	return strconv.FormatInt(ms, 10) + "ms"
}

// Window is what a feature reads: Length 0 means all time, and then Hop is 0 too. Both in ms.
type Window struct {
	Length int64 `json:"length"`
	Hop    int64 `json:"hop"`
}

// All is the window without bounds.
var All = Window{}

// ErrInvalid is the class of errors about windows and hops that do not fit.
var ErrInvalid = errors.New("invalid window")

// DefaultHop returns the hop of a window that declares none: ≥ 12 d → 1 d, ≥ 12 h → 1 h, ≥ 1 h → 5 min, below → 1/12.
func DefaultHop(length int64) int64 {
	switch {
	case length >= 12*Day:
		return Day
	case length >= 12*Hour:
		return Hour
	case length >= Hour:
		return 5 * Minute
	}
	return length / 12
}

// DecayHop returns the hop of decaying weights by their half-life, ms: ≥ 14 d → 1 d, ≥ 3 d → 6 h, ≥ 12 h → 30 min, else 5 min.
func DecayHop(halfLife int64) int64 {
	switch {
	case halfLife >= 14*Day:
		return Day
	case halfLife >= 3*Day:
		return 6 * Hour
	case halfLife >= 12*Hour:
		return 30 * Minute
	}
	return 5 * Minute
}

// Validate tells whether the window's hop divides it and the day.
func (w Window) Validate() error {
	if w == All {
		return nil
	}
	if w.Length <= 0 || w.Hop <= 0 || w.Length%w.Hop != 0 || Day%w.Hop != 0 {
		return fmt.Errorf("%w: length %s, hop %s: the hop must divide the window and the day", ErrInvalid, Text(w.Length), Text(w.Hop))
	}
	return nil
}

// Holds tells whether the bucket of hop h (dividing w.Hop) that starts at start lies in the window at asOf.
func (w Window) Holds(start, asOf int64) bool {
	return w.Length == 0 || start/w.Hop > asOf/w.Hop-w.Length/w.Hop
}

// MaxTiers bounds the distinct hops of one state, "all" included.
const MaxTiers = 15

// Tier is one hop of a state. Hop 0 is the last tier, the one bucket of all time.
type Tier struct {
	Hop   int64
	Reach int64 // number of buckets that the longest window of this hop holds; 0 for the tier of all time
}

// Tiers are the hops of one state in ascending order (the tier of all time last), made of the windows of its readers.
type Tiers []Tier

// NewTiers returns the tiers for these windows, or an error of class ErrInvalid that names the two hops that do not
// nest.
func NewTiers(ws []Window) (Tiers, error) {
	var ts Tiers
	for _, w := range ws {
		if err := w.Validate(); err != nil {
			return nil, err
		}
		var reach int64
		if w.Hop > 0 {
			reach = w.Length / w.Hop
		}
		if i := slices.IndexFunc(ts, func(t Tier) bool { return t.Hop == w.Hop }); i >= 0 {
			ts[i].Reach = max(ts[i].Reach, reach)
			continue
		}
		ts = append(ts, Tier{Hop: w.Hop, Reach: reach})
	}
	slices.SortFunc(ts, func(a, b Tier) int {
		if (a.Hop == 0) != (b.Hop == 0) {
			if a.Hop == 0 {
				return 1
			}
			return -1
		}
		return int(a.Hop - b.Hop)
	})
	for i := 1; i < len(ts); i++ {
		if ts[i].Hop != 0 && ts[i].Hop%ts[i-1].Hop != 0 {
			return nil, fmt.Errorf("%w: hops of %s and %s in one state do not nest", ErrInvalid, Text(ts[i-1].Hop), Text(ts[i].Hop))
		}
	}
	if len(ts) > MaxTiers {
		return nil, fmt.Errorf("%w: %d hops in one state, at most %d", ErrInvalid, len(ts), MaxTiers)
	}
	return ts, nil
}

// Of returns the tier in which a state whose entity's newest event time is newest keeps the bucket that starts at start,
// or -1 if no reader can ever reach it again. The bucket must be of a hop that divides the tier's, or of the tier itself.
//
// It is the finest tier reached: as_of is never before newest, so what lies outside of a window at newest stays outside.
func (ts Tiers) Of(start, newest int64) int {
	for i, t := range ts {
		if t.Hop == 0 || start/t.Hop > newest/t.Hop-t.Reach {
			return i
		}
	}
	return -1
}

// Bucket returns the number of the bucket of tier i that t falls into: ⌊t/hop⌋, 0 in the tier of all time.
func (ts Tiers) Bucket(i int, t int64) int64 {
	if ts[i].Hop == 0 {
		return 0
	}
	return t / ts[i].Hop
}

// Start returns when bucket b of tier i starts, ms; 0 in the tier of all time.
func (ts Tiers) Start(i int, b int64) int64 { return b * ts[i].Hop }
