package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/prometheus/client_golang/prometheus"
)

// figure is one value of a metric of ours, as status shows it; its fields are stable.
type figure struct {
	Metric string            `json:"metric"`
	Labels map[string]string `json:"labels,omitempty"`
	Value  float64           `json:"value"`
}

// gatherFigures returns what /metrics shows of ours, but for what is 0 since the process was begun: a counter, a histogram. Of a
// histogram it is how many there were, and upper bounds of the median and the 99th percentile.
func gatherFigures(registry prometheus.Gatherer) ([]figure, error) {
	families, err := registry.Gather()
	if err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	out := []figure{}
	for _, family := range families {
		name := family.GetName()
		if !strings.HasPrefix(name, "tidemark_") {
			continue
		}
		for _, m := range family.GetMetric() {
			labels := map[string]string{}
			for _, l := range m.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			switch {
			case m.GetGauge() != nil:
				out = append(out, figure{name, labels, m.GetGauge().GetValue()})
			case m.GetCounter().GetValue() > 0:
				out = append(out, figure{name, labels, m.GetCounter().GetValue()})
			case m.GetHistogram().GetSampleCount() > 0:
				h := m.GetHistogram()
				bounds := map[float64]uint64{}
				for _, b := range h.GetBucket() {
					bounds[b.GetUpperBound()] = b.GetCumulativeCount()
				}
				out = append(out, figure{name + "_count", labels, float64(h.GetSampleCount())})
				for text, q := range map[string]float64{"0.5": 0.5, "0.99": 0.99} {
					if bound, within := quantile(bounds, h.GetSampleCount(), q); within {
						of := maps.Clone(labels)
						of["quantile"] = text
						out = append(out, figure{name, of, bound})
					}
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b figure) int { return strings.Compare(a.Metric+a.words(), b.Metric+b.words()) })
	return out, nil
}

// quantile returns the least bound that so large a part of all is within; within is false for what is past the last bound.
func quantile(bounds map[float64]uint64, total uint64, q float64) (bound float64, within bool) {
	rank := uint64(math.Ceil(q * float64(total)))
	for _, b := range slices.Sorted(maps.Keys(bounds)) {
		if bounds[b] >= rank {
			return b, !math.IsInf(b, 1)
		}
	}
	return 0, false
}

// words are a figure's labels, in order of names.
func (f *figure) words() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(f.Labels)) {
		all = append(all, name+"="+f.Labels[name])
	}
	return strings.Join(all, " ")
}

// text is a figure's value for people.
func (f *figure) text() string {
	if strings.HasSuffix(f.Metric, "_timestamp_seconds") {
		return stamp(int64(f.Value * 1000))
	}
	if f.Value == math.Trunc(f.Value) && math.Abs(f.Value) < 1<<53 {
		return strconv.FormatInt(int64(f.Value), 10)
	}
	return fmt.Sprintf("%.4g", f.Value)
}

// writeFigures prints figures as a table.
func writeFigures(w io.Writer, all []figure) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for i := range all {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", strings.TrimPrefix(all[i].Metric, "tidemark_"), all[i].words(), all[i].text())
	}
	return t.Flush()
}
