package trial

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/oracle"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/view"
)

// Failure is one thing that a test expects and did not get.
type Failure struct {
	File     string `json:"file"`
	Line     int    `json:"line"`
	View     string `json:"view,omitempty"`
	Key      string `json:"key,omitempty"`
	AsOf     int64  `json:"as_of,omitempty"` // ms since 1970
	Feature  string `json:"feature,omitempty"`
	What     string `json:"what,omitempty"` // in words, where expected and got do not say it all
	Expected string `json:"expected"`
	Got      string `json:"got"`
}

// Run runs one test and returns what it expects and did not get, in the order of the file. The error is of a job that
// does not compile, and of no test's making.
func Run(j *job.Job, t *job.Test) ([]Failure, error) {
	log, failures, err := decodeLog(t)
	if err != nil {
		return nil, err
	}
	views := map[string]*judge{}
	for i := range t.Expect {
		x := &t.Expect[i]
		if views[x.View] == nil {
			if views[x.View], err = newJudge(j.View(x.View), log); err != nil {
				return nil, fmt.Errorf("running %s: %w", t.File, err)
			}
		}
		found, err := views[x.View].check(t.File, x)
		if err != nil {
			return nil, fmt.Errorf("running %s:%d: %w", t.File, x.Line, err)
		}
		failures = append(failures, found...)
	}
	return failures, nil
}

// decodeLog decodes a test's records into one batch for each partition, in order of partitions, and says where the
// decoder judged a record otherwise than the test.
func decodeLog(t *job.Test) ([]*column.Batch, []Failure, error) {
	batches := map[position.Partition]*column.Batch{}
	decoders := map[string]*decode.Decoder{}
	var failures []Failure
	for i := range t.Events {
		e := &t.Events[i]
		p := position.Partition{Source: e.Source.Name, ID: e.Partition}
		if decoders[p.Source] == nil {
			d, err := decode.Compile(e.Source)
			if err != nil {
				return nil, nil, fmt.Errorf("compiling source %s: %w", p.Source, err)
			}
			decoders[p.Source] = d
		}
		if batches[p] == nil {
			batches[p] = column.NewBatch(e.Source, p.ID, false)
		}
		failures = append(failures, decodeEvent(t.File, decoders[p.Source], batches[p], e)...)
	}
	out := make([]*column.Batch, 0, len(batches))
	for _, p := range slices.SortedFunc(maps.Keys(batches), position.Partition.Compare) {
		out = append(out, batches[p])
	}
	return out, failures, nil
}

func decodeEvent(file string, d *decode.Decoder, b *column.Batch, e *job.TestEvent) []Failure {
	before := slices.Clone(b.Faults)
	d.Append(b, &record.Record{
		Offset: int64(b.N), Append: e.Append, AppendType: column.LogAppendTime, Key: e.Key, Value: e.Value,
	})
	var failures []Failure
	if got := decode.Reason(b.Reject[b.N-1]); got != e.Reject {
		failures = append(failures, Failure{File: file, Line: e.Line, What: "the record", Expected: verdict(e.Reject), Got: verdict(got)})
	}
	var faults []string
	for i, n := range b.Faults {
		if n != before[i] {
			faults = append(faults, e.Source.Fields[i].Name)
		}
	}
	slices.Sort(faults)
	if !slices.Equal(faults, e.Faults) {
		failures = append(failures, Failure{
			File: file, Line: e.Line, What: "fields that do not decode, and are null",
			Expected: "[" + strings.Join(e.Faults, ", ") + "]", Got: "[" + strings.Join(faults, ", ") + "]",
		})
	}
	return failures
}

func verdict(r decode.Reason) string {
	if r == decode.Accepted {
		return r.String()
	}
	return "rejected: " + r.String()
}

// judge answers for one view after a test's log, by the merge of a row's tiles and by the plain fold.
type judge struct {
	plan     *view.Plan
	merger   *view.Merger
	rows     map[string][][]byte // the tiles by key
	oracle   *oracle.Oracle
	entities map[string][]oracle.Event
}

func newJudge(plan *view.Plan, log []*column.Batch) (*judge, error) {
	cut, err := smallBlocks(plan)
	if err != nil {
		return nil, err
	}
	o, err := oracle.New(cut)
	if err != nil {
		return nil, err
	}
	return &judge{plan: cut, merger: cut.NewMerger(), rows: tiles(cut, log), oracle: o, entities: o.Group(log)}, nil
}

// check compares one expectation.
func (d *judge) check(file string, x *job.Expectation) ([]Failure, error) {
	key := string(x.Key)
	events := d.entities[key]
	fail := Failure{File: file, View: x.View, Key: key}
	if err := d.read(key); err != nil {
		return nil, err
	}
	if differ, err := d.bytesDiffer(events); err != nil {
		return nil, err
	} else if differ {
		fail.Line, fail.What = x.Line, "the merged tiles are not the plain fold's bytes: an operator is at fault, not the test"
		fail.Expected, fail.Got = "equal bytes", "others"
		return []Failure{fail}, nil
	}
	fail.AsOf = x.AsOf
	switch newest := d.merger.Newest(); {
	case x.AsOf < 0:
		fail.AsOf = newest
	case x.AsOf < newest:
		fail.Line, fail.What = x.Line, "as_of lies before the entity's newest event"
		fail.Expected, fail.Got = fmt.Sprintf("a time up to %d", x.AsOf), fmt.Sprintf("an event at %d", newest)
		return []Failure{fail}, nil
	}
	if len(events) == 0 {
		fail.What = "no accepted event is of this entity; those with events: " + d.known()
	}
	return d.compare(x, fail, events)
}

// read merges the row of a key.
func (d *judge) read(key string) error {
	d.merger.Reset()
	for _, t := range d.rows[key] {
		if _, err := d.merger.AddTile(t); err != nil {
			return err
		}
	}
	return d.merger.Finish()
}

func (d *judge) bytesDiffer(events []oracle.Event) (bool, error) {
	want, err := d.oracle.Body(events)
	if errors.Is(err, oracle.ErrNoEvents) {
		return d.merger.Found(), nil
	}
	return err == nil && (!d.merger.Found() || !bytes.Equal(want, d.merger.AppendBody(nil))), err
}

// compare compares the features of one entity; fail holds what all of its failures have in common.
func (d *judge) compare(x *job.Expectation, fail Failure, events []oracle.Event) ([]Failure, error) {
	plain, err := d.oracle.Values(events, fail.AsOf)
	if err != nil {
		return nil, err
	}
	var failures []Failure
	for i := range x.Features {
		want := &x.Features[i]
		spec := d.plan.Features()[want.Index].Spec
		got := d.answer(d.merger.Value(want.Index, fail.AsOf), spec)
		f := fail
		f.Line, f.Feature, f.Expected, f.Got = want.Line, spec.Name, shown(want.Value), shown([]byte(got))
		if !sameJSON(want.Value, []byte(got)) {
			failures = append(failures, f)
		}
		if byFold := d.answer(plain[want.Index], spec); !sameJSON([]byte(byFold), []byte(got)) {
			f.What, f.Expected = "the plain fold answers otherwise: an operator is at fault, not the test", shown([]byte(byFold))
			failures = append(failures, f)
		}
	}
	return failures, nil
}

// answer is a value as it would be served: with the default in place of null.
func (d *judge) answer(v operator.Value, spec *view.FeatureSpec) string {
	v, _ = d.plan.FeatureValue(v, spec)
	return v.String()
}

// maxKnown is how many keys a failure names.
const maxKnown = 5

// known names entities that have events, for whoever mistyped a key.
func (d *judge) known() string {
	keys := slices.Sorted(maps.Keys(d.entities))
	if len(keys) == 0 {
		return "none"
	}
	if len(keys) > maxKnown {
		keys = append(keys[:maxKnown], "…")
	}
	return strings.Join(keys, ", ")
}
