package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
)

// Limits of one request.
const (
	MaxKeys      = 10_000
	MaxBodyBytes = 4 << 20
	MaxKeyBytes  = 64 << 10 // the longest key that a view can have is below half of it
)

// Lookups is what the API answers from.
type Lookups interface {
	Lookup(ctx context.Context, view string, keys []string, opt lookup.Options) (*lookup.Answer, error)
}

// Config says what the API serves.
type Config struct {
	Job     string
	Lookups Lookups
	// Ready tells why the process cannot answer, nil if it can.
	Ready func(ctx context.Context) error
	// Now is the clock by which ages are told.
	Now func() time.Time
	// Timeout bounds one request's lookup. 0 = 5 s.
	Timeout time.Duration
}

// API answers lookups over HTTP.
type API struct {
	cfg Config
	// Latency, if set, is told of each lookup answered: how long it took and of how many keys it was.
	Latency func(d time.Duration, keys int)
	// Answered, if set, is told of the status of each request for lookups, also of those that fail.
	Answered func(status int)
}

// New returns the API.
func New(cfg Config) *API {
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	return &API{cfg: cfg}
}

// RegisterLookups puts the routes of lookups on mux.
func (a *API) RegisterLookups(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/jobs/{job}/views/{view}/profiles/{key...}", a.counted(a.get))
	mux.HandleFunc("POST /v1/jobs/{job}/views/{view}/profiles:batchGet", a.counted(a.batchGet))
}

// counted tells Answered of what a handler answers, of one that panics as of an internal error.
func (a *API) counted(handle func(http.ResponseWriter, *http.Request) int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusInternalServerError
		defer func() {
			if a.Answered != nil {
				a.Answered(status)
			}
		}()
		status = handle(w, r)
	}
}

// RegisterProbes puts on mux what every process answers, also one that has nothing to look up: whether it lives, whether it
// is ready, and that there are no other routes. Config.Lookups is not needed for it.
func (a *API) RegisterProbes(mux *http.ServeMux) {
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", a.ready)
	mux.HandleFunc("/v1/", func(w http.ResponseWriter, r *http.Request) {
		writeProblem(w, problem{Status: http.StatusNotFound, Title: "no such route", Detail: r.Method + " " + r.URL.Path})
	})
}

func (a *API) ready(w http.ResponseWriter, r *http.Request) {
	if err := a.cfg.Ready(r.Context()); err != nil {
		writeText(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	writeText(w, http.StatusOK, "ready")
}

// get answers one profile, and returns the status.
func (a *API) get(w http.ResponseWriter, r *http.Request) int {
	opt, err := optionsOf(r.URL.Query().Get("features"), r.URL.Query().Get("as_of"), r.URL.Query().Get("frontier"))
	if err != nil {
		return writeProblem(w, problem{Status: http.StatusBadRequest, Title: "bad parameter", Detail: err.Error()})
	}
	key := r.PathValue("key")
	answer, status := a.lookup(w, r, []string{key}, opt)
	if answer == nil {
		return status
	}
	defer answer.Release()
	if err := answer.Profiles[0].Err; err != nil {
		return writeProblem(w, problemOf(err))
	}
	return writeJSON(w, func(b []byte) []byte {
		b = appendHead(b, a.cfg.Job, answer)
		b = appendProfile(b, answer, &answer.Profiles[0], a.cfg.Now())
		return append(b, '}', '\n')
	})
}

// batchRequest is the body of profiles:batchGet.
type batchRequest struct {
	Keys     []string `json:"keys"`
	Features []string `json:"features"`
	AsOf     string   `json:"as_of"`
	Frontier bool     `json:"frontier"`
}

// batchGet answers many profiles of one generation, in the order asked for, doubles kept, errors per key. It returns the status.
func (a *API) batchGet(w http.ResponseWriter, r *http.Request) int {
	var req batchRequest
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	d.DisallowUnknownFields()
	if err := d.Decode(&req); err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		return writeProblem(w, problem{Status: status, Title: "bad body", Detail: err.Error()})
	}
	if len(req.Keys) > MaxKeys {
		return writeProblem(w, problem{Status: http.StatusBadRequest, Title: "too many keys", Detail: fmt.Sprintf("%d keys; at most %d a request", len(req.Keys), MaxKeys)})
	}
	opt, err := optionsOf("", req.AsOf, "")
	if err != nil {
		return writeProblem(w, problem{Status: http.StatusBadRequest, Title: "bad parameter", Detail: err.Error()})
	}
	opt.Features, opt.Frontier = req.Features, req.Frontier
	answer, status := a.lookup(w, r, req.Keys, opt)
	if answer == nil {
		return status
	}
	defer answer.Release()
	return writeJSON(w, func(b []byte) []byte { return AppendAnswer(b, a.cfg.Job, answer, a.cfg.Now()) })
}

// lookup answers keys, or writes the problem: then there is no answer, but its status.
func (a *API) lookup(w http.ResponseWriter, r *http.Request, keys []string, opt lookup.Options) (*lookup.Answer, int) {
	if job := r.PathValue("job"); job != a.cfg.Job {
		return nil, writeProblem(w, problem{Status: http.StatusNotFound, Title: "no such job", Detail: fmt.Sprintf("job %q is not served here; %q is", job, a.cfg.Job)})
	}
	for _, k := range keys {
		if len(k) > MaxKeyBytes {
			return nil, writeProblem(w, problem{Status: http.StatusBadRequest, Title: "key too long", Detail: fmt.Sprintf("a key of %d bytes; at most %d", len(k), MaxKeyBytes)})
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), a.cfg.Timeout)
	defer cancel()
	start := a.cfg.Now()
	opt.Encode = true
	answer, err := a.cfg.Lookups.Lookup(ctx, r.PathValue("view"), keys, opt)
	if err != nil {
		return nil, writeProblem(w, problemOf(err))
	}
	if a.Latency != nil {
		a.Latency(a.cfg.Now().Sub(start), len(keys))
	}
	return answer, http.StatusOK
}

// optionsOf reads the parameters of a lookup.
func optionsOf(features, asOf, frontier string) (lookup.Options, error) {
	var opt lookup.Options
	if features != "" {
		opt.Features = strings.Split(features, ",")
	}
	switch frontier {
	case "", "0", "false":
	case "1", "true":
		opt.Frontier = true
	default:
		return opt, fmt.Errorf("frontier=%q: want 1 or 0", frontier)
	}
	return opt, ParseAsOf(asOf, &opt)
}

// ParseAsOf reads an as_of: RFC 3339, "newest", or empty for now.
func ParseAsOf(text string, opt *lookup.Options) error {
	switch text {
	case "":
		return nil
	case "newest":
		opt.Newest = true
		return nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.UnixMilli() <= 0 {
		return fmt.Errorf("as_of %q: want a time such as 2026-01-31T18:00:00Z (RFC 3339, after 1970), or newest", text)
	}
	opt.AsOf = t.UnixMilli()
	return nil
}
