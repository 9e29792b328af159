// Package reference_test compares what our decoder, folds and operators say of every entity with reference.py, which
// shares nothing with them but the pages in docs.
package reference_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/window"
)

// tolerance, relative, of numbers that are no integers. All else must be equal.
const tolerance = 1e-12

// TestNames holds the tables of the reference against the job files.
func TestNames(t *testing.T) {
	for _, name := range []string{"usedcar", "retail"} {
		w := newWorld(t, name, 1)
		want := map[string][]string{}
		for _, p := range w.job.Plans {
			for _, f := range p.Features() {
				want[p.Spec().Name] = append(want[p.Spec().Name], f.Spec.Name)
			}
		}
		stdout, stderr, code := python(t, nil, name, "--names")
		var got map[string][]string
		if err := json.Unmarshal(stdout, &got); err != nil || code != 0 {
			t.Fatalf("exit code %d, %v: %s", code, err, stderr)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: the reference has %v\nthe job has %v", name, got, want)
		}
	}
}

// TestTraffic is generated traffic with all of its dirt, over forty days.
func TestTraffic(t *testing.T) {
	w := newWorld(t, "usedcar", 4)
	const records, step = 8_000, 432_000
	w.traffic(t, 7, records, 1_704_067_200_000, step)
	for _, reason := range []decode.Reason{decode.NotUTF8, decode.NotJSON, decode.NotObject, decode.RequiredFault} {
		if w.rejects[reason] == 0 {
			t.Errorf("no record is rejected for %q: the test has lost its point", reason)
		}
	}
	compareAt(t, w, newest)
	compareAt(t, w, w.newest()+11*window.Day+12_345)
}

// TestRandomLogs is random records of each job, each of which tries an oddity of decoding or of an operator.
func TestRandomLogs(t *testing.T) {
	for _, name := range []string{"usedcar", "retail"} {
		t.Run(name, func(t *testing.T) {
			seen := values{}
			for seed := range uint64(6) {
				clocks := seed%3 > 0
				w := newWorld(t, name, 1+int(seed%4))
				newWild(seed).fill(t, w, 800, clocks)
				t.Logf("seed %d", seed)
				seen.add(compareAt(t, w, newest))
				if clocks {
					seen.add(compareAt(t, w, wildEnd+int64(seed)*20*window.Minute))
				}
			}
			seen.check(t)
		})
	}
}

// TestShortcut holds the quick decoding of ordinary records in records.py against decode.py itself.
func TestShortcut(t *testing.T) {
	for _, name := range []string{"usedcar", "retail"} {
		w := newWorld(t, name, 2)
		newWild(99).fill(t, w, 1_200, true)
		quick, _, _ := w.python(t)
		plain, stderr, code := w.python(t, "--plain")
		if code != 0 || len(plain) == 0 {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		if !bytes.Equal(quick, plain) {
			t.Errorf("%s: the answers differ with --plain", name)
		}
	}
}

// TestRetailExcerpt is real data: returns, doubles, lines without a customer, hundreds of lines in one minute.
func TestRetailExcerpt(t *testing.T) {
	w := newWorld(t, "retail", 3)
	if n := w.importCSV(t, "../retail/online-retail-5000.csv"); n != 5_000 {
		t.Fatalf("%d lines", n)
	}
	compareAt(t, w, newest)
	compareAt(t, w, w.newest()+3*window.Day)
}

// TestEstimated is a customer who has bought a few items more than are kept exactly, and one who has bought just as many.
func TestEstimated(t *testing.T) {
	w := newWorld(t, "retail", 2)
	for i := range 2_600 {
		customer, items := "many", 1_500
		if i%2 == 0 {
			customer, items = "some", 1_024
		}
		w.add(t, i/2%2, 0, wildEnd, fmt.Appendf(nil, `{"invoice":"1","stock_code":"%d","invoice_time":%d,"customer_id":"%s","quantity":1,"price":%d.5}`,
			i/2%items, wildEnd-int64(i)*2*window.Hour, customer, i%50))
	}
	estimated := 0
	for _, at := range []int64{newest, wildEnd + 60*window.Day} {
		for _, p := range w.reference(t, at) {
			if estimated += len(p.Estimated); p.Key == "customer_id:some" && len(p.Estimated) > 0 {
				t.Errorf("%s of %s is estimated", p.Key, p.AsOf)
			}
		}
		compareAt(t, w, at)
	}
	if estimated == 0 {
		t.Error("nothing is estimated: the test has lost its point")
	}
}

// TestRetailWhole is the whole year of the data set.
func TestRetailWhole(t *testing.T) {
	const variable = "TIDEMARK_RETAIL_CSV"
	path := os.Getenv(variable)
	if path == "" {
		t.Skip("the whole Online Retail data set is not here; name it in " + variable + " (.csv or .csv.gz)")
	}
	w := newWorld(t, "retail", 4)
	w.importCSV(t, path)
	compareAt(t, w, w.newest()+window.Hour)
}

// importCSV adds the lines of a file, in order, and returns how many they are.
func (w *world) importCSV(t *testing.T, path string) (n int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var in io.Reader = file
	if strings.HasSuffix(path, ".gz") {
		if in, err = gzip.NewReader(file); err != nil {
			t.Fatal(err)
		}
	}
	lines := csv.NewReader(in)
	header, err := lines.Read()
	if err != nil {
		t.Fatal(err)
	}
	importer, err := w.job.Imports[w.src.Name].Importer(header)
	if err != nil {
		t.Fatal(err)
	}
	for ; ; n++ {
		line, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		value, err := importer.AppendJSON(nil, line)
		if err != nil {
			t.Fatal(err)
		}
		w.add(t, n*7/5%len(w.parts), 0, wildEnd, value)
	}
}

// compareAt compares every entity, and returns what was answered.
func compareAt(t *testing.T, w *world, asOf int64) []profile {
	t.Helper()
	ours, theirs := w.profiles(asOf), w.reference(t, asOf)
	if len(ours) != len(theirs) || len(ours) == 0 {
		t.Fatalf("%d entities, the reference has %d", len(ours), len(theirs))
	}
	wrong := 0
	for i := range ours {
		a, b := ours[i], theirs[i]
		for name, value := range a.Features {
			if allowed, estimated := b.Estimated[name]; !near(t, value, b.Features[name], allowed) && (estimated || !same(generic(t, value), generic(t, b.Features[name]))) {
				t.Errorf("%s %s as of %s: %s is %s, the reference says %s", a.View, a.Key, a.AsOf, name, value, b.Features[name])
				wrong++
			}
		}
		if len(a.Features) != len(b.Features) {
			t.Errorf("%s %s: %d features, the reference has %d", a.View, a.Key, len(a.Features), len(b.Features))
		}
		a.Features, b.Features, b.Estimated = nil, nil, nil
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%+v\nthe reference has %+v", a, b)
			wrong++
		}
		if wrong > 20 {
			t.Fatal("and so on")
		}
	}
	return ours
}

// near tells whether an estimate is within the error allowed; no other value is.
func near(t *testing.T, estimate, exact []byte, allowed float64) bool {
	t.Helper()
	a, okA := generic(t, estimate).(json.Number)
	b, okB := generic(t, exact).(json.Number)
	if !okA || !okB || allowed == 0 {
		return false
	}
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX == nil && errY == nil && math.Abs(x-y) <= allowed*y
}

func generic(t *testing.T, text []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// same compares JSON values.
func same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || sameFloat(a, b))
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name := range a {
			if _, has := b[name]; !has || !same(a[name], b[name]) {
				return false
			}
		}
		return true
	}
	return a == b
}

// sameFloat compares numbers of which one at least is written as no integer.
func sameFloat(a, b json.Number) bool {
	if !strings.ContainsAny(string(a+b), ".eE") {
		return false
	}
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX == nil && errY == nil && math.Abs(x-y) <= tolerance*max(math.Abs(x), math.Abs(y))
}

// values is what features answered, by view and name.
type values map[string]map[string]bool

func (v values) add(profiles []profile) {
	for _, p := range profiles {
		for name, value := range p.Features {
			at := p.View + "." + name
			if v[at] == nil {
				v[at] = map[string]bool{}
			}
			v[at][string(value)] = true
		}
	}
}

// check fails for features that were never put to the test.
func (v values) check(t *testing.T) {
	t.Helper()
	for at, answers := range v {
		if len(answers) < 4 {
			t.Errorf("%s had %d different answers: the test has lost its point", at, len(answers))
		}
	}
}
