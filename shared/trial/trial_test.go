package trial_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/trial"
)

// shop is a job of two sources.
func shop(test string) fstest.MapFS {
	source := "event_time: at\nfields: {at: time required, user: string, price: decimal(2)}\n"
	return fstest.MapFS{
		"sources/web.yaml":   {Data: []byte(source)},
		"sources/tills.yaml": {Data: []byte(source + "tolerance: 1s\n")},
		"views/user.yaml": {Data: []byte(`
sources: [web, tills]
entity: [user]
features:
  n: {op: count, windows: [1h, all]}
  spent: {op: sum, value: price}
  mean: {op: avg, value: price}
  last: {op: last, value: [at, price], from: tills}
  share: {ratio: {num: n_1h, den: n_all}, default: 0}
`)},
		"views/till.yaml": {Data: []byte("sources: [tills]\nentity: [user]\nfeatures: {n: {op: count}}\n")},
		"tests/a.yaml":    {Data: []byte(test)},
	}
}

// run runs one test of the shop.
func run(t *testing.T, test string) []trial.Failure {
	t.Helper()
	files := shop(test)
	j, tests, err := job.LoadTested(files, "shop")
	if err != nil || len(tests) != 1 {
		t.Fatalf("%d tests, %v", len(tests), err)
	}
	failures, err := trial.Run(j, tests[0])
	if err != nil {
		t.Fatal(err)
	}
	return failures
}

// events are six records: three of each source, in two partitions, of which the last is no record at all.
const events = `events:
  - {source: web, json: '{"at": 3600000, "user": "a", "price": 1.5}'}
  - {source: web, json: '{"at": 7200000, "user": "a", "price": 2.25}'}
  - {source: tills, json: '{"at": 7200000, "user": "a", "price": 1}', append: 7190000, partition: 3}
  - {source: tills, json: '{"at": 7300000, "user": "a", "price": "x"}', partition: 3, faults: [price]}
  - {source: web, json: '{"at": 7300000}'}
  - {source: web, json: 'no', reject: not JSON}
expect:
`

// TestFulfilled is a test without failures: windows, sources, bounds of times, defaults, members in any order.
func TestFulfilled(t *testing.T) {
	failures := run(t, events+`
  - view: user
    key: a
    as_of: 7300000
    features: {n_1h: 3, n_all: 4, spent: "4.75", mean: 1.583333333333, last: {price: null, at: 7300000}, share: 0.75}
  - {view: user, key: a, as_of: 1970-01-02T00:00:00Z, features: {n_1h: 0, n_all: 4, share: 0}}
  - {view: user, key: nobody, features: {n_all: 0, spent: "0.00", mean: null, share: 0}}
  - {view: till, key: a, features: {n: 2}}
`)
	for _, f := range failures {
		t.Errorf("%+v", f)
	}
}

// TestFailures: each thing that differs is said with its line, and nothing else is.
func TestFailures(t *testing.T) {
	for _, c := range []struct {
		name, events, expect string
		want                 []trial.Failure
	}{
		{"values", events, `
  - {view: user, key: a, features: {n_all: 5, spent: 4.75, last: {at: 7300000}, mean: 1.5833}}`, []trial.Failure{
			{Line: 10, View: "user", Key: "user:a", AsOf: 7300000, Feature: "n_all", Expected: "5", Got: "4"},
			{Line: 10, View: "user", Key: "user:a", AsOf: 7300000, Feature: "spent", Expected: "4.75", Got: `"4.75"`},
			{Line: 10, View: "user", Key: "user:a", AsOf: 7300000, Feature: "last", Expected: `{"at":7300000}`, Got: `{"at":7300000,"price":null}`},
			{Line: 10, View: "user", Key: "user:a", AsOf: 7300000, Feature: "mean", Expected: "1.5833", Got: "1.5833333333333333"},
		}},
		{"an unknown key", events, `
  - {view: till, key: b, features: {n: 2}}`, []trial.Failure{
			{Line: 10, View: "till", Key: "user:b", Feature: "n", What: "no accepted event is of this entity; those with events: user:a", Expected: "2", Got: "0"},
		}},
		{"the past", events, `
  - {view: till, key: a, as_of: 7299999, features: {n: 2}}`, []trial.Failure{
			{Line: 10, View: "till", Key: "user:a", AsOf: 7299999, What: "as_of lies before the entity's newest event", Expected: "a time up to 7299999", Got: "an event at 7300000"},
		}},
		{"what the decoder says", `events:
  - {source: web, json: 'no'}
  - {source: web, json: '{"at": 1, "user": "a"}', reject: not JSON, faults: [price, user]}
  - {source: web, json: '{"at": 1, "price": true, "user": 5}'}
expect:`, `
  - {view: user, key: a, features: {n_all: 1}}`, []trial.Failure{
			{Line: 2, What: "the record", Expected: "accepted", Got: "rejected: not JSON"},
			{Line: 3, What: "the record", Expected: "rejected: not JSON", Got: "accepted"},
			{Line: 3, What: "fields that do not decode, and are null", Expected: "[price, user]", Got: "[]"},
			{Line: 4, What: "fields that do not decode, and are null", Expected: "[]", Got: "[price, user]"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, c.events+c.expect)
			if len(got) != len(c.want) {
				t.Fatalf("%d failures, want %d: %+v", len(got), len(c.want), got)
			}
			for i := range got {
				c.want[i].File = "shop/tests/a.yaml"
				if got[i] != c.want[i] {
					t.Errorf("failure %d\n%+v, want\n%+v", i, got[i], c.want[i])
				}
			}
		})
	}
}

// TestReferenceJobs runs the tests of the jobs in the binary; each feature is in one.
func TestReferenceJobs(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"usedcar", "retail"} {
		j, tests, embedded, err := jobs.OpenTested(name)
		if err != nil || len(tests) < 2 || !embedded {
			t.Fatalf("%d tests, embedded: %v, %v", len(tests), embedded, err)
		}
		tested := map[string]bool{}
		for _, test := range tests {
			failures, err := trial.Run(j, test)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range failures {
				t.Errorf("%+v", f)
			}
			for _, x := range test.Expect {
				for _, f := range x.Features {
					tested[x.View+"."+j.View(x.View).Features()[f.Index].Spec.Name] = true
				}
			}
		}
		for _, p := range j.Plans {
			for _, f := range p.Features() {
				if name := p.Spec().Name + "." + f.Spec.Name; !tested[name] {
					t.Errorf("no test of job %s expects anything of %s", j.Name, name)
				}
			}
		}
	}
}

// TestExampleOfTheManual runs the test that docs/features.md shows, of the job that it shows.
func TestExampleOfTheManual(t *testing.T) {
	manual, err := os.ReadFile(filepath.FromSlash("../../docs/features.md"))
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, m := range regexp.MustCompile("(?s)```yaml\n# ([a-z/.]+)\n(.*?)```").FindAllStringSubmatch(string(manual), -1) {
		files[m[1]] = &fstest.MapFile{Data: []byte(m[2])}
	}
	j, tests, err := job.LoadTested(files, "shop")
	if err != nil || len(tests) != 1 || len(tests[0].Expect) == 0 {
		t.Fatalf("%d tests, %v", len(tests), err)
	}
	failures, err := trial.Run(j, tests[0])
	if err != nil || len(failures) > 0 {
		t.Errorf("%+v, %v", failures, err)
	}
	for _, key := range []string{"events", "expect", "json", "key", "source", "partition", "append", "reject", "faults", "view", "as_of", "features"} {
		if !strings.Contains(string(manual), "`"+key+"`") {
			t.Errorf("docs/features.md does not explain %q", key)
		}
	}
}
