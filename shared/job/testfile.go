package job

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// MaxTestPartition bounds the partitions that events of a test name.
const MaxTestPartition = 1023

// Test is one file of a job's folder `tests`: a small log, and what profiles say after it.
type Test struct {
	File   string // as faults show it
	Events []TestEvent
	Expect []Expectation
}

// TestEvent is one record of a test's log. Its offset is the number of the events before it in its partition.
type TestEvent struct {
	Line      int // in the file
	Source    *schema.Source
	Partition int32
	Append    int64  // ms; -1: it has none, so that the record's own time alone decides
	Key       []byte // nil = null
	Value     []byte // nil = null
	// Reject is what the decoder is to say of it, Faults are the fields in it that are not to decode, in order of their
	// names.
	Reject decode.Reason
	Faults []string
}

// Expectation is what some features of one entity are to answer.
type Expectation struct {
	Line     int
	View     string
	Key      []byte // canonical
	AsOf     int64  // ms; -1: at the entity's newest event
	Features []ExpectedFeature
}

// ExpectedFeature is one feature's answer.
type ExpectedFeature struct {
	Line  int
	Index int // in the plan's features
	Value json.RawMessage
}

// loadTests reads the tests of the job with what is wrong in them, but for what they say of sources and views at fault. Errors are of
// the file system.
func (j *Job) loadTests(fsys fs.FS, shown string) ([]*Test, *Faults, error) {
	l := &loader{fsys: fsys, shown: shown}
	if _, err := fs.Stat(fsys, "tests"); err != nil {
		return nil, &l.faults, nil // a job need not have tests
	}
	var tests []*Test
	err := l.each("tests", func(f *file, _ string, root *yaml.Node) {
		r := testReader{file: f, job: j, test: &Test{File: f.path}}
		tests = append(tests, r.read(root))
	})
	return tests, &l.faults, err
}

// testReader reads one test file.
type testReader struct {
	*file
	job  *Job
	test *Test
	// passed says that something was not judged, because it is about a source or view at fault.
	passed bool
}

func (r *testReader) read(root *yaml.Node) *Test {
	r.mapping(root, "a test", entry{
		"doc":    func(_, n *yaml.Node) { r.text(n, "doc") },
		"events": func(_, n *yaml.Node) { r.readEvents(n) },
		"expect": func(_, n *yaml.Node) { r.readExpect(n) },
	})
	if len(r.test.Expect) == 0 && !r.bad && !r.passed {
		r.fault(root, "say what profiles are to answer: expect: [{view: …, key: …, features: {…}}]", "the test expects nothing")
	}
	return r.test
}

func (r *testReader) readEvents(n *yaml.Node) {
	for _, c := range r.list(n, "events", "list records: - '{\"id\": 1}'") {
		e := TestEvent{Line: c.Line, Append: -1}
		if len(r.job.Sources) == 1 && len(r.names("sources")) == 1 {
			e.Source = &r.job.Sources[0]
		}
		if c.Kind != yaml.MappingNode {
			e.Value = []byte(r.text(c, "an event"))
		} else {
			r.readEvent(c, &e)
		}
		if e.Source == nil && !r.bad && len(r.names("sources")) == len(r.job.Sources) {
			r.fault(c, "say which of "+r.listed("sources"), "the job has several sources, and the event does not name its own")
		}
		r.test.Events = append(r.test.Events, e)
	}
}

func (r *testReader) readEvent(n *yaml.Node, e *TestEvent) {
	said := false
	var faults *yaml.Node
	r.mapping(n, "an event", entry{
		"json": func(_, n *yaml.Node) {
			said = true
			if n.Tag != "!!null" {
				e.Value = []byte(r.text(n, "json"))
			}
		},
		"key":       func(_, n *yaml.Node) { e.Key = []byte(r.text(n, "key")) },
		"source":    func(_, n *yaml.Node) { e.Source = r.source(n) },
		"partition": func(_, n *yaml.Node) { e.Partition = r.partition(n) },
		"append":    func(_, n *yaml.Node) { e.Append = r.instant(n, "append") },
		"reject":    func(_, n *yaml.Node) { e.Reject = r.reason(n) },
		"faults":    func(_, n *yaml.Node) { faults = n },
	})
	if !said {
		r.fault(n, "write the record's bytes: {json: '{…}'}; of a tombstone {json: null}", "the event has no json")
	}
	if faults != nil && e.Source != nil {
		e.Faults = r.fields(faults, e.Source)
	}
}

func (r *testReader) source(n *yaml.Node) *schema.Source {
	s := r.job.Source(r.text(n, "source"))
	if s == nil && !r.pass("sources", n.Value) {
		r.fault(n, "use one of "+r.listed("sources"), "no source is called %q", n.Value)
	}
	return s
}

// pass tells whether a source or view is at fault, so that what is said of it cannot be judged.
func (r *testReader) pass(folder, name string) bool {
	unsound := r.job.unsound[folder+"/"+name]
	r.passed = r.passed || unsound
	return unsound
}

// names returns the names of all sources or views, in order, those at fault among them.
func (r *testReader) names(folder string) []string {
	var names []string
	if folder == "sources" {
		for i := range r.job.Sources {
			names = append(names, r.job.Sources[i].Name)
		}
	} else {
		for i := range r.job.Views {
			names = append(names, r.job.Views[i].Name)
		}
	}
	for declared := range r.job.unsound {
		if name, ok := strings.CutPrefix(declared, folder+"/"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (r *testReader) listed(folder string) string { return strings.Join(r.names(folder), ", ") }

func (r *testReader) partition(n *yaml.Node) int32 {
	var v int32
	if n.Tag != "!!int" || n.Decode(&v) != nil || v < 0 || v > MaxTestPartition {
		r.fault(n, fmt.Sprintf("use 0 to %d", MaxTestPartition), "partition is %q", n.Value)
	}
	return v
}

// instant reads a time as RFC 3339 or ms since 1970.
func (r *testReader) instant(n *yaml.Node, what string) int64 {
	if n.Kind == yaml.ScalarNode {
		if t, err := time.Parse(time.RFC3339Nano, n.Value); err == nil && t.UnixMilli() >= 0 {
			return t.UnixMilli()
		}
		var ms int64
		if n.Tag == "!!int" && n.Decode(&ms) == nil && ms >= 0 && ms <= schema.MaxTime {
			return ms
		}
	}
	r.fault(n, "write it as 2026-01-31T18:00:00Z, or in ms since 1970", "%s is no time", what)
	return -1
}

func (r *testReader) reason(n *yaml.Node) decode.Reason {
	text := r.text(n, "reject")
	reasons := decode.Reasons()
	i := slices.IndexFunc(reasons, func(d decode.Reason) bool { return d.String() == text })
	if i < 0 {
		names := make([]string, 0, len(reasons))
		for _, d := range reasons {
			names = append(names, d.String())
		}
		r.fault(n, "use one of "+strings.Join(names, ", "), "%q is no reason to reject a record", n.Value)
		return decode.Accepted
	}
	return reasons[i]
}

// fields reads the names of a source's fields.
func (r *testReader) fields(n *yaml.Node, src *schema.Source) []string {
	var names []string
	for _, c := range r.list(n, "faults", "list fields: [price]") {
		name := r.text(c, "a field")
		if src.Index(name) < 0 {
			r.fault(c, "name a field that sources/"+src.Name+".yaml declares", "source %s has no field %q", src.Name, name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (r *testReader) readExpect(n *yaml.Node) {
	for _, c := range r.list(n, "expect", "list profiles: - {view: …, key: …, features: {…}}") {
		r.readExpectation(c)
	}
}

func (r *testReader) readExpectation(n *yaml.Node) {
	x := Expectation{Line: n.Line, AsOf: -1}
	var viewName, key, features *yaml.Node
	r.mapping(n, "an expectation", entry{
		"view":     func(_, n *yaml.Node) { viewName = n },
		"key":      func(_, n *yaml.Node) { key = n },
		"features": func(_, n *yaml.Node) { features = n },
		"as_of":    func(_, n *yaml.Node) { x.AsOf = r.asOf(n) },
	})
	for _, part := range []struct {
		name string
		n    *yaml.Node
	}{{"view", viewName}, {"key", key}, {"features", features}} {
		if part.n == nil && n.Kind == yaml.MappingNode {
			r.fault(n, "add "+part.name, "the expectation has no %s", part.name)
		}
	}
	if viewName == nil {
		return
	}
	x.View = r.text(viewName, "view")
	plan := r.job.View(x.View)
	if plan == nil {
		if !r.pass("views", x.View) {
			r.fault(viewName, "use one of "+r.listed("views"), "no view is called %q", x.View)
		}
		return
	}
	if key != nil {
		var err error
		text := r.text(key, "key")
		if x.Key, err = plan.ParseKey(text); err != nil && key.Tag == "!!str" {
			r.fault(key, "", "%v", err)
		}
	}
	if features != nil {
		x.Features = r.expected(features, plan)
	}
	r.test.Expect = append(r.test.Expect, x)
}

// asOf reads a time or the word newest.
func (r *testReader) asOf(n *yaml.Node) int64 {
	if n.Kind == yaml.ScalarNode && n.Value == "newest" {
		return -1
	}
	return r.instant(n, "as_of")
}

func (r *testReader) expected(n *yaml.Node, plan *view.Plan) []ExpectedFeature {
	var out []ExpectedFeature
	r.pairs(n, "features", func(key, value *yaml.Node) {
		i := plan.Feature(key.Value)
		if i < 0 {
			known := entry{}
			for k := range plan.Features() {
				known[plan.Features()[k].Spec.Name] = nil
			}
			r.fault(key, unknownCure(key.Value, known), "view %s has no feature %q", plan.Spec().Name, key.Value)
			return
		}
		out = append(out, ExpectedFeature{Line: key.Line, Index: i, Value: r.json(value, key.Value)})
	})
	if len(out) == 0 && !r.bad {
		r.fault(n, "name a feature and its answer", "no feature is expected")
	}
	return out
}
