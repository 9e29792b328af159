package api_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/api"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// FuzzGet: whatever stands in a URL, the answer is JSON with a status that docs/http.md names.
func FuzzGet(f *testing.F) {
	w := newWorld(f)
	f.Add("user:u1", "", "", "")
	f.Add("user:u1", "views_all,price_avg", "2026-01-31T18:00:00Z", "1")
	f.Add("device:%2C,%zz", "nosuch", "newest", "yes")
	f.Add("user:%00", ",", "1969-12-31T23:59:59Z", "true")
	f.Add("../../x", "*", "9999-12-31T23:59:59.999999999Z", "0")
	mux := w.mux()
	fuzzing.Target(f, func(t *testing.T, key, features, asOf, frontier string) {
		target := "/v1/jobs/shop/views/" + w.plan.Spec().Name + "/profiles/" + url.PathEscape(key) + "?" +
			url.Values{"features": {features}, "as_of": {asOf}, "frontier": {frontier}}.Encode()
		wellFormed(t, mux, httptest.NewRequest(http.MethodGet, target, nil))
	})
}

// FuzzBatchGet: likewise of any body.
func FuzzBatchGet(f *testing.F) {
	w := newWorld(f)
	for _, body := range []string{
		`{"keys":["user:u1","user:u2","nosuch:1"],"features":["views_all"],"as_of":"newest","frontier":true}`,
		`{"keys":[]}`, `{}`, `{"keys":["` + strings.Repeat("x", 5000) + `"]}`, `{"keys":"user:u1"}`, `{"keys":["user:u1"],"more":1}`, ``, `null`, `[`,
	} {
		f.Add([]byte(body))
	}
	mux := w.mux()
	fuzzing.Target(f, func(t *testing.T, body []byte) {
		target := "/v1/jobs/shop/views/" + w.plan.Spec().Name + "/profiles:batchGet"
		wellFormed(t, mux, httptest.NewRequest(http.MethodPost, target, strings.NewReader(string(body))))
	})
}

// mux returns the API's routes without a server before them.
func (w *world) mux() *http.ServeMux {
	mux := http.NewServeMux()
	r := lookup.NewReader(lookup.Config{Job: "shop", Views: []string{w.plan.Spec().Name}, Store: w.store, Now: time.Now})
	a := api.New(api.Config{Job: "shop", Lookups: r, Now: time.Now, Ready: func(context.Context) error { return nil }})
	a.RegisterProbes(mux)
	a.RegisterLookups(mux)
	return mux
}

func wellFormed(t *testing.T, mux *http.ServeMux, r *http.Request) {
	t.Helper()
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, r)
	if rec.Code >= 300 && rec.Code < 400 {
		return // the mux cleans paths
	}
	switch rec.Code {
	case http.StatusOK, http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge:
	default:
		t.Fatalf("status %d: %s", rec.Code, rec.Body)
	}
	b, err := io.ReadAll(rec.Body)
	if err != nil || !json.Valid(b) {
		t.Fatalf("status %d with what is no JSON: %q (%v)", rec.Code, b, err)
	}
}
