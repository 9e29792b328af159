package page_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/page"
)

const hostile = `<script>alert("x")</script>`

// fake is a source of a job that is in trouble, with hostile texts wherever texts come from outside.
type fake struct{ err error }

func (f fake) Overview(context.Context) (*page.Overview, error) {
	return &page.Overview{
		Job: hostile, Role: "up", Batch: "run 2", Trouble: []string{"trouble " + hostile}, Audited: true,
		Partitions: []page.Partition{{Name: "events/0" + hostile, Start: 5, Archived: 1_234_567, Next: 2_000_000, End: 2_000_007, Through: 1000, Note: "stopped: " + hostile}},
		Generations: []page.Generation{{
			View: "user", Number: 2, State: "served", Revision: "0123456789abcdef", Names: []string{"events/0"}, KeyForm: "user:…",
			Lanes: []page.Lane{
				{Number: 0, Run: 3, Marks: []page.Mark{{Present: true, Joined: true, Next: 2_000_000, Lag: 7}}},
				{Number: 1, Run: 3, Why: "filling " + hostile, Marks: []page.Mark{{}}},
			},
			Runs: []page.Run{{Number: 1, Kind: "full", State: "checked", Rows: 77, Published: 2}, {Number: 2, Kind: "delta", State: "failed"}},
		}},
		Samples: []page.Sample{
			{FreshP50: 2, FreshP99: 9, Events: 1500, Verified: 10}, {FreshP50: -1, FreshP99: -1}, {FreshP50: 4, FreshP99: 8, Events: 1500, Verified: 20, Wrong: 1},
		},
	}, f.err
}

func (f fake) Profile(_ context.Context, view, key string) (*page.Profile, error) {
	if view != "user" {
		return nil, fmt.Errorf("%w: view %s", page.ErrNotFound, view)
	}
	return &page.Profile{
		View: view, Key: key, Degraded: "filling", Found: true,
		Parts: []page.Part{{Field: "b1", Kind: "base", Events: 40}, {Field: "e0/0/8", Kind: "block", Events: 2, Leftover: true}},
		Features: []page.Feature{
			{Name: "views", Status: "present", Value: "42", Alone: []string{"40", "2"}},
			{Name: "likes", Status: "present", Value: `["` + hostile + `"]`, Alone: []string{`["` + hostile + `"]`, "null"}},
		},
		Tracks: []page.Track{{
			Partition: "events/0" + hostile, From: 0, End: 100, Next: 100, Joined: true, Cut: 64, Cuts: []int64{32, 64},
			Blocks: []page.Span{{Field: "e0/0/64", From: 64, Next: 100}}, Last: []page.Dot{{Field: "b1", Offset: 63}},
		}},
	}, f.err
}

func get(t *testing.T, f fake, path string) (int, string) {
	t.Helper()
	h, err := page.New(f, func() time.Time { return time.UnixMilli(3500) })
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	h.Register(mux)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	return w.Code, w.Body.String()
}

// contains checks that a page shows texts, and nothing of what came from outside as markup.
func contains(t *testing.T, body string, want ...string) {
	t.Helper()
	for _, text := range want {
		if !strings.Contains(body, text) {
			t.Errorf("the page does not show %q", text)
		}
	}
	if strings.Contains(body, hostile) {
		t.Error("a text from outside stands in the page as markup")
	}
	if t.Failed() {
		t.Log(body)
	}
}

func TestOverview(t *testing.T) {
	code, body := get(t, fake{}, "/")
	if code != http.StatusOK || !strings.HasPrefix(body, "<!doctype html>") {
		t.Fatalf("%d: %.100s", code, body)
	}
	contains(t, body, "1\u2009234\u2009567", "2.5s ago", "1 of 2 lanes whole", "0123456789ab", `title="7 records behind the log's end"`, "no mark",
		"failed", "verified 20", "wrong 1", "p50 4 ms", "p99 8 ms", `placeholder="user:…"`)
	// A second without a freshness is a gap in the line: two strokes begin.
	if got := strings.Count(body[strings.Index(body, `class="line b"`):][:80], "M"); got != 2 {
		t.Errorf("the line of p99 has %d strokes, want 2", got)
	}
}

func TestPartHasNoFrame(t *testing.T) {
	for _, path := range []string{"/?part=1", "/profile?view=user&key=user:1&part=1"} {
		if code, body := get(t, fake{}, path); code != http.StatusOK || strings.Contains(body, "<html") || !strings.Contains(body, "<section") {
			t.Errorf("%s: %d: %.100s", path, code, body)
		}
	}
}

func TestProfile(t *testing.T) {
	code, body := get(t, fake{}, "/profile?view=user&key="+"user:%3Cscript%3Ealert(%22x%22)%3C/script%3E")
	if code != http.StatusOK {
		t.Fatal(code)
	}
	contains(t, body, "degraded: filling", `<title>held by base and deltas: below 64</title>`, "block tile e0/0/64: offsets 64 to 100", "last event of b1: offset 63",
		`class="leftover"`, `<title>b1: 40</title>`, "each part alone")
}

func TestErrorsAreShown(t *testing.T) {
	if code, body := get(t, fake{}, "/profile?view=nobody&key=1"); code != http.StatusNotFound || !strings.Contains(body, "view nobody") {
		t.Errorf("%d: %s", code, body)
	}
	if code, body := get(t, fake{errors.New("the store is away " + hostile)}, "/"); code != http.StatusServiceUnavailable || !strings.Contains(body, "the store is away") {
		t.Errorf("%d: %s", code, body)
	} else {
		contains(t, body)
	}
	if code, _ := get(t, fake{}, "/elsewhere"); code != http.StatusNotFound {
		t.Errorf("%d for a page that there is not", code)
	}
}

// TestHistoryIsARing fills it to its limit and one past.
func TestHistoryIsARing(t *testing.T) {
	var h page.History
	for i := range int64(page.HistorySamples + 1) {
		h.Add(page.Sample{At: i})
		all := h.Samples()
		if want := min(i+1, page.HistorySamples); int64(len(all)) != want || all[len(all)-1].At != i || all[0].At != i+1-want {
			t.Fatalf("after %d samples there are %d, from %d to %d", i+1, len(all), all[0].At, all[len(all)-1].At)
		}
	}
}
