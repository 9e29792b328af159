package page_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/page"
)

// huge is a source with a profile of more of everything than a page shows, by one or by many.
type huge struct {
	fake

	parts, features, tracks, bytes int
}

func (h huge) Profile(context.Context, string, string) (*page.Profile, error) {
	p := &page.Profile{View: "user", Key: "user:1", Found: true}
	var alone []string
	for i := range h.parts {
		p.Parts = append(p.Parts, page.Part{Field: fmt.Sprintf("e%d", i), Kind: "block"})
		alone = append(alone, `"`+strings.Repeat("é", h.bytes/2)+`"`)
	}
	for i := range h.features {
		p.Features = append(p.Features, page.Feature{Name: fmt.Sprintf("f%d", i), Value: `"` + strings.Repeat("é", h.bytes/2) + `"`, Alone: append([]string(nil), alone...)})
	}
	for i := range h.tracks {
		t := page.Track{Partition: fmt.Sprintf("events/%d", i), End: 100}
		for range h.parts {
			t.Blocks, t.Last = append(t.Blocks, page.Span{Next: 1}), append(t.Last, page.Dot{Offset: 1})
		}
		p.Tracks = append(p.Tracks, t)
	}
	return p, nil
}

// TestHugeProfile: a page shows so much of a profile and says how much it leaves out; what is at the limit is whole.
func TestHugeProfile(t *testing.T) {
	for _, c := range []struct {
		of   huge
		want []string
	}{
		{huge{parts: 64, features: 256, tracks: 64, bytes: 250}, nil},
		{huge{parts: 65, features: 257, tracks: 65, bytes: 5000}, []string{
			"1 more tile is left out", "1 more feature is left out", "1 more partition is left out", "… and 907 more bytes", "explain",
		}},
		{huge{parts: 100, features: 256, tracks: 1000, bytes: 100_000}, []string{"36 more tiles are left out", "936 more partitions are left out"}},
	} {
		h, err := page.New(c.of, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		h.Register(mux)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/profile?view=user&key=user:1", http.NoBody))
		body := w.Body.String()
		if w.Code != http.StatusOK || len(body) > 16<<20 || strings.ContainsRune(body, '\uFFFD') {
			t.Fatalf("%d, %d bytes", w.Code, len(body))
		}
		for _, text := range c.want {
			if !strings.Contains(body, text) {
				t.Errorf("%+v: the page does not say %q", c.of, text)
			}
		}
		if c.want == nil && strings.Contains(body, "left out") {
			t.Errorf("%+v: something is left out", c.of)
		}
	}
}
