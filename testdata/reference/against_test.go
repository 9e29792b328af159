package reference_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/api"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/window"
)

// answers returns what `tidemark get JOB VIEW - -o json` prints for every entity of all views, each read up to some hours
// after its newest event, and for one that nobody has seen.
func (w *world) answers(t *testing.T) string {
	t.Helper()
	var b []byte
	for i, p := range w.job.Plans {
		f := w.fold(p)
		unseen := f.Slot([]byte(p.Spec().Entity[0].Kind + ":nobody"))
		answer := &lookup.Answer{View: w.job.Views[i].Name, Generation: &lookup.Generation{Number: 1, Plan: p}}
		for k := range p.Features() {
			answer.Features = append(answer.Features, k)
		}
		for slot := range f.Len() {
			asOf := f.Newest(slot) + int64(slot%9)*window.Hour + 1
			profile := lookup.Profile{
				Key: string(f.Key(slot)), Found: slot != unseen, AsOf: asOf, Newest: f.Newest(slot), Events: f.Events(slot),
			}
			for k, ft := range p.Features() {
				v, status := p.FeatureValue(f.Value(slot, k, asOf), ft.Spec)
				profile.Values = append(profile.Values, lookup.FeatureValue{Value: v, Status: status})
			}
			answer.Profiles = append(answer.Profiles, profile)
			if len(answer.Profiles) == 100 {
				b = api.AppendAnswer(b, w.job.Name, answer, time.UnixMilli(wildEnd))
				answer.Profiles = nil
			}
		}
		b = api.AppendAnswer(b, w.job.Name, answer, time.UnixMilli(wildEnd))
	}
	return string(b)
}

// against has the reference judge answers.
func (w *world) against(t *testing.T, answers string, arguments ...string) (stdout string, code int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "answers.jsonl")
	if err := os.WriteFile(file, []byte(answers), 0o600); err != nil {
		t.Fatal(err)
	}
	out, stderr, code := w.python(t, append(arguments, "--against", file)...)
	if stderr != "" {
		t.Fatal(stderr)
	}
	return string(out), code
}

// TestAgainst finds nothing in right answers, and every damage in wrong ones, by name.
func TestAgainst(t *testing.T) {
	w := newWorld(t, "retail", 2)
	newWild(5).fill(t, w, 500, true)
	right := w.answers(t)
	if out, code := w.against(t, right); code != 0 || !strings.HasSuffix(out, " 0 differences\n") {
		t.Fatalf("exit code %d: %s", code, out)
	}
	for _, damage := range []struct{ name, old, new, found string }{
		{"an integer", `"lines_all":{"value":`, `"lines_all":{"value":1`, ", lines_all: reference "},
		{"a float", `"score":`, `"score":0.000001`, ", top_"},
		{"a decimal", `"revenue_all":{"value":"`, `"revenue_all":{"value":"0`, ", revenue_all: reference "},
		{"a status", `"status":"present"`, `"status":"default"`, "(default)"},
		{"an event", `"events":`, `"events":1`, ", events: reference "},
		{"found", `"found":true`, `"found":false`, ", found: reference True, answer False"},
		{"newest", `"newest":"20`, `"newest":"19`, ", newest: reference "},
		{"as_of", `"as_of":"20`, `"as_of":"19`, ", as_of: reference not before "},
		{"degraded", `"degraded":null`, `"degraded":"lane filling"`, `, degraded: reference None, answer "lane filling"`},
		{"an error", `,"found":true`, `,"error":{"status":500},"found":true`, `, error: reference None, answer {"status":500}`},
		{"a feature less", `"lines_all"`, `"lines_al"`, ", lines_al: reference None"},
		{"an entity less", `"key":"customer_id:a"`, `"key":"customer_id:nobody"`, "entity customer_id:a, profile: reference found, answer none"},
	} {
		if !strings.Contains(right, damage.old) {
			t.Fatalf("%s: no answer holds %s", damage.name, damage.old)
		}
		out, code := w.against(t, strings.Replace(right, damage.old, damage.new, 1))
		if code != 1 || !strings.Contains(out, damage.found) || !strings.HasPrefix(out, "view customer, entity customer_id:") {
			t.Errorf("%s: exit code %d, want %q in %s", damage.name, code, damage.found, out)
		}
	}
}

// TestSample leaves entities without an answer alone, and nothing else.
func TestSample(t *testing.T) {
	w := newWorld(t, "retail", 1)
	newWild(6).fill(t, w, 300, true)
	first, _, _ := strings.Cut(w.answers(t), `{"key":"customer_id:nobody"`)
	first = strings.TrimSuffix(first, ",") + "]}\n"
	if out, code := w.against(t, first, "--sample"); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	cut := strings.Replace(first, `"lines_all":{"value":`, `"lines_all":{"value":1`, 1)
	if out, code := w.against(t, cut, "--sample"); code != 1 || !strings.Contains(out, ", lines_all: ") {
		t.Errorf("exit code %d: %s", code, out)
	}
}

// TestRejects reports where the log decided otherwise.
func TestRejects(t *testing.T) {
	w := newWorld(t, "retail", 1)
	w.add(t, 0, 0, wildEnd, []byte(`{"invoice":"1","stock_code":"a","invoice_time":1}`))
	w.add(t, 0, 0, wildEnd, []byte(`{"invoice":"1","stock_code":"a"}`))
	log := strings.Replace(w.log.String(), "required field missing", "not JSON", 1)
	_, stderr, code := python(t, []byte(log), "retail")
	if code != 1 || !strings.HasPrefix(stderr, "lines/0@1: reference required field missing, log not JSON\n") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// TestDoubled refuses a log that tells a record twice.
func TestDoubled(t *testing.T) {
	w := newWorld(t, "retail", 1)
	w.add(t, 0, 5, wildEnd, []byte(`{"invoice":"1","stock_code":"a","invoice_time":1}`))
	_, stderr, code := python(t, []byte(w.log.String()+w.log.String()), "retail")
	if code == 0 || !strings.Contains(stderr, "lines/0@5 comes after @5") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
