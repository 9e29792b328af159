package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/view"
)

// answer is what one way of answering says of an entity, in a form that can be compared.
type answer struct {
	asOf, newest, events int64
	values               []string // by feature: JSON and status
	tooOld               bool     // the time asked for lies before the profile
}

// answers is what all ways say, and how far they looked.
type answers struct {
	names  []string // of the features
	served answer
	oracle answer
	alone  *answer // nil: batch alone cannot be asked
	notAsk string  // why not

	frontier position.Cut
	degraded string
}

// errDiffer says that two ways of answering do not agree. It is never an expected result of a scenario.
var errDiffer = errors.New("answers differ")

// get asks in three ways: speed and serving through a lookup; the oracle, by the plain fold of all events below the
// frontier that the lookup claims; batch alone, by a full run over the log. They must agree. What is degraded claims no
// frontier and is only held to say nothing twice.
func (w *world) get(viewName, key string, opt lookup.Options) (*answers, error) {
	opt.Frontier = true
	a, err := w.reader.Lookup(w.ctx, viewName, []string{key}, opt)
	if err != nil {
		return nil, err
	}
	p := &a.Profiles[0]
	if p.Err != nil && !errors.Is(p.Err, lookup.ErrAsOf) {
		return nil, p.Err
	}
	canonical, err := a.Generation.Plan.ParseKey(key)
	if err != nil {
		return nil, err
	}
	out := &answers{degraded: p.Degraded}
	for _, f := range a.Features {
		out.names = append(out.names, a.Generation.Plan.Features()[f].Spec.Name)
	}
	if p.Err != nil {
		// A profile that errs says nothing else, so the frontier is asked for again.
		newest, err := w.reader.Lookup(w.ctx, viewName, []string{key}, lookup.Options{Newest: true, Frontier: true})
		if err != nil {
			return nil, err
		}
		out.served.tooOld = true
		out.frontier, out.degraded, err = cutOf(newest.Profiles[0].Frontier), newest.Profiles[0].Degraded, newest.Profiles[0].Err
		if err != nil {
			return nil, err
		}
	} else {
		out.served = servedAnswer(p)
		out.frontier = cutOf(p.Frontier)
	}
	return out, w.compare(out, a, string(canonical), opt)
}

func servedAnswer(p *lookup.Profile) answer {
	a := answer{asOf: p.AsOf, newest: p.Newest, events: p.Events}
	for _, v := range p.Values {
		a.values = append(a.values, showValue(v.Value, v.Status))
	}
	return a
}

func showValue(v operator.Value, s view.Status) string {
	if s == view.Default {
		return v.String() + " (default)"
	}
	return showJSON(v)
}

// showJSON writes a value as answers have it, and what time it is if it is one.
func showJSON(v operator.Value) string {
	if v.Kind == operator.Millis {
		return fmt.Sprintf("%s, that is %s", v, formatTime(int64(v.Lo)))
	}
	return v.String()
}

func cutOf(frontier map[string]int64) position.Cut {
	cut := position.Cut{}
	for name, next := range frontier {
		if p, err := position.ParsePartition(name); err == nil {
			cut[p] = next
		}
	}
	return cut
}

// compare asks the oracle and batch alone.
func (w *world) compare(out *answers, a *lookup.Answer, key string, opt lookup.Options) error {
	plan, ends := a.Generation.Plan, w.log.ends(a.Generation.Plan.Spec().Sources)
	below := out.frontier
	if out.degraded != "" {
		below = ends
	}
	o, events, err := w.eventsOf(plan, key, below)
	if err != nil {
		return err
	}
	if out.degraded != "" {
		if out.notAsk = "a degraded answer claims nothing to compare"; out.served.events > int64(len(events)) {
			return fmt.Errorf("%w: a degraded answer holds %d events, the log has %d", errDiffer, out.served.events, len(events))
		}
		return nil
	}
	if out.oracle, err = oracleAnswer(plan, o, events, a.Features, opt); err != nil {
		return err
	}
	if err := differ(out.names, "speed and serving", &out.served, "oracle", &out.oracle); err != nil {
		return err
	}
	if err := w.compareBytes(a.Generation, o, key, events); err != nil {
		return err
	}
	if !below.Equal(ends) {
		out.notAsk = fmt.Sprintf("the log ends at %s", ends)
		return nil
	}
	tiles, why, err := w.aloneTiles(plan)
	if out.notAsk = why; why != "" || err != nil {
		return err
	}
	if out.alone, err = aloneAnswer(plan, tiles[key], a.Features, opt); err != nil {
		return err
	}
	return differ(out.names, "batch alone", out.alone, "oracle", &out.oracle)
}

// eventsOf returns the accepted events of an entity below a frontier.
func (w *world) eventsOf(plan *view.Plan, key string, below position.Cut) (*oracle.Oracle, []oracle.Event, error) {
	o, err := oracle.New(plan)
	if err != nil {
		return nil, nil, err
	}
	var log []*column.Batch
	for i := range plan.Spec().Sources {
		src := &plan.Spec().Sources[i]
		for _, p := range w.log.partitions(src.Name) {
			b, err := w.log.batch(src, p, position.Range{Next: below[p]}, false)
			if err != nil {
				return nil, nil, err
			}
			log = append(log, b)
		}
	}
	return o, o.Group(log)[key], nil
}

// maxRaisedMS is how far the newest event may lie after the time asked for, as http.md has it.
const maxRaisedMS = 10_000

// asOfFor is the rule of as_of in its plainest form.
func asOfFor(opt lookup.Options, newest int64) (asOf int64, ok bool) {
	switch {
	case opt.Newest:
		return newest, true
	case newest <= opt.AsOf:
		return opt.AsOf, true
	}
	return newest, newest-opt.AsOf <= maxRaisedMS
}

func oracleAnswer(plan *view.Plan, o *oracle.Oracle, events []oracle.Event, features []int, opt lookup.Options) (answer, error) {
	a := answer{events: int64(len(events))}
	for _, e := range events {
		a.newest = max(a.newest, e.Batch.Time[e.Row])
	}
	var ok bool
	if a.asOf, ok = asOfFor(opt, a.newest); !ok {
		return answer{tooOld: true}, nil
	}
	values, err := o.Values(events, a.asOf)
	if err != nil {
		return a, err
	}
	for _, f := range features {
		v, declared := values[f], plan.Features()[f].Spec.Default
		if v.Kind == operator.Null && len(declared) > 0 {
			a.values = append(a.values, string(declared)+" (default)")
		} else {
			a.values = append(a.values, showJSON(v))
		}
	}
	return a, nil
}

func aloneAnswer(plan *view.Plan, base []byte, features []int, opt lookup.Options) (*answer, error) {
	m := plan.NewMerger()
	m.Reset()
	if base != nil {
		if _, err := m.AddTile(base); err != nil {
			return nil, err
		}
	}
	if err := m.Finish(); err != nil {
		return nil, err
	}
	a := &answer{newest: m.Newest(), events: m.Events()}
	var ok bool
	if a.asOf, ok = asOfFor(opt, a.newest); !ok {
		return &answer{tooOld: true}, nil
	}
	for _, f := range features {
		a.values = append(a.values, showValue(plan.FeatureValue(m.Value(f, a.asOf), plan.Features()[f].Spec)))
	}
	return a, nil
}

// compareBytes holds the merged row to the plain fold byte for byte: what features do not show today they may show
// tomorrow.
func (w *world) compareBytes(g *lookup.Generation, o *oracle.Oracle, key string, events []oracle.Event) error {
	parts, m, err := w.tiles(g, key)
	if err != nil {
		return err
	}
	var want, got []byte
	if len(events) > 0 {
		if want, err = o.Body(events); err != nil {
			return err
		}
	}
	if len(parts) > 0 {
		got = m.AppendBody(nil)
	}
	if !bytes.Equal(want, got) {
		return fmt.Errorf("%w: the row's tiles make the bytes %x, the plain fold %x", errDiffer, got, want)
	}
	return nil
}

// differ tells the first thing in which two answers are not the same.
func differ(names []string, one string, a *answer, other string, b *answer) error {
	if a.tooOld != b.tooOld || a.asOf != b.asOf || a.newest != b.newest || a.events != b.events {
		return fmt.Errorf("%w: %s answers %s, %s %s", errDiffer, one, a.head(), other, b.head())
	}
	for i := range a.values {
		if a.values[i] != b.values[i] {
			return fmt.Errorf("%w: feature %s is %s by %s and %s by %s", errDiffer, names[i], a.values[i], one, b.values[i], other)
		}
	}
	return nil
}

func (a *answer) head() string {
	switch {
	case a.tooOld:
		return "refused: " + lookup.ErrAsOf.Error()
	case a.events == 0:
		return fmt.Sprintf("as of %s: no events", formatTime(a.asOf))
	}
	return fmt.Sprintf("as of %s: %d events, the newest at %s", formatTime(a.asOf), a.events, formatTime(a.newest))
}

func (a *answers) show() string {
	var sb strings.Builder
	fmt.Fprintln(&sb, a.served.head())
	width := len(slices.MaxFunc(a.names, func(x, y string) int { return len(x) - len(y) }))
	for i, v := range a.served.values {
		fmt.Fprintf(&sb, "  %-*s  %s\n", width, a.names[i], v)
	}
	frontier := cmp.Or(a.frontier.String(), "where nothing is")
	switch {
	case a.degraded != "":
		fmt.Fprintf(&sb, "degraded: %s\n", a.degraded)
	case a.alone == nil:
		fmt.Fprintf(&sb, "frontier %s: speed + serving = oracle; not batch alone: %s\n", frontier, a.notAsk)
	default:
		fmt.Fprintf(&sb, "frontier %s: speed + serving = batch alone = oracle\n", frontier)
	}
	return sb.String()
}
