package page

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

//go:embed *.tmpl style.css
var files embed.FS

// Handler serves the pages: "GET /" and "GET /profile?view=&key=". With ?part=1 only the middle of a page is sent, which is
// what the page's own script asks for.
//
// Everybody who looks at the overview asks for it again every other second, and what it tells is dear to find out: marks of
// all lanes, folders, the log's ends. So it is found out at most once in OverviewAge, for all who ask meanwhile.
type Handler struct {
	source Source
	pages  *template.Template
	now    func() time.Time

	turn chan struct{} // holds a token while the overview is looked at or made: who comes then waits
	last answer        // the latest overview
	made time.Time     // when it was finished
}

// OverviewAge is how old an overview may be that is sent, a failure to make one likewise.
const OverviewAge = time.Second

// answer is the middle of a page.
type answer struct {
	status int
	name   string
	middle []byte
}

// New returns a handler of what source knows. now tells the time for ages.
func New(source Source, now func() time.Time) (*Handler, error) {
	h := &Handler{source: source, now: now, turn: make(chan struct{}, 1)}
	style, err := files.ReadFile("style.css")
	if err != nil {
		return nil, fmt.Errorf("reading the page's style: %w", err)
	}
	h.pages, err = template.New("page").Funcs(template.FuncMap{
		"style":  func() template.CSS { return template.CSS(style) }, //nolint:gosec // the embedded file
		"more":   more,
		"count":  func(n int64) string { return grouped(n) },
		"ago":    h.ago,
		"charts": charts,
		"tracks": tracks,
		"gives":  gives,
		"tail":   tail,
	}).ParseFS(files, "*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("reading the page's templates: %w", err)
	}
	return h, nil
}

// Register adds the pages to a mux.
func (h *Handler) Register(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", h.overview)
	mux.HandleFunc("GET /profile", h.profile)
}

func (h *Handler) overview(w http.ResponseWriter, r *http.Request) {
	a, err := h.latest(r.Context())
	h.send(w, r, a, err)
}

// latest returns an overview that is no older than OverviewAge. One that is being made goes on when its first reader goes
// away: others wait for it.
func (h *Handler) latest(ctx context.Context) (answer, error) {
	select {
	case h.turn <- struct{}{}:
		defer func() { <-h.turn }()
	case <-ctx.Done():
		return answer{}, fmt.Errorf("waiting for the overview: %w", ctx.Err())
	}
	if !h.made.IsZero() && h.now().Sub(h.made) < OverviewAge {
		return h.last, nil
	}
	o, err := h.source.Overview(context.WithoutCancel(ctx))
	a, err := h.render("overview", o, err)
	if err == nil {
		h.last, h.made = a, h.now()
	}
	return a, err
}

func (h *Handler) profile(w http.ResponseWriter, r *http.Request) {
	p, err := h.source.Profile(r.Context(), r.FormValue("view"), r.FormValue("key"))
	if err == nil {
		p.bound()
	}
	a, err := h.render("profile", p, err)
	h.send(w, r, a, err)
}

// render makes the middle of a page of data, or of why there is none.
func (h *Handler) render(name string, data any, trouble error) (answer, error) {
	a := answer{status: http.StatusOK, name: name}
	if trouble != nil {
		a.status, name, data = http.StatusServiceUnavailable, "trouble", trouble.Error()
		if errors.Is(trouble, ErrNotFound) {
			a.status = http.StatusNotFound
		}
	}
	var middle bytes.Buffer
	err := h.pages.ExecuteTemplate(&middle, name+".tmpl", data)
	a.middle = middle.Bytes()
	return a, err
}

// send sends a page, whole or its middle. It is made before anything is sent, so that a fault in it is no half page.
func (h *Handler) send(w http.ResponseWriter, r *http.Request, a answer, err error) {
	body := a.middle
	if err == nil && r.FormValue("part") == "" {
		var whole bytes.Buffer
		err = h.pages.ExecuteTemplate(&whole, "frame.tmpl", map[string]any{
			"Title": a.name, "Middle": template.HTML(a.middle), "Live": a.name == "overview", //nolint:gosec // made by a template
		})
		body = whole.Bytes()
	}
	if err != nil {
		http.Error(w, "making the page: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(a.status)
	if _, err := w.Write(body); err != nil {
		return // the reader went away
	}
}

// ago says how long ago a time, ms, was.
func (h *Handler) ago(ms int64) string {
	if ms == 0 {
		return "–"
	}
	return max(h.now().Sub(time.UnixMilli(ms)), 0).Round(100 * time.Millisecond).String()
}

// grouped writes a number with thin spaces between thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	var out []byte
	for i, c := range []byte(s) {
		if left := len(s) - i; i > 0 && left%3 == 0 && s[i-1] != '-' {
			out = append(out, "\u2009"...)
		}
		out = append(out, c)
	}
	return string(out)
}

// charts are the overview's.
func charts(o *Overview) map[string]template.HTML {
	series := func(f func(*Sample) float64) []float64 {
		out := make([]float64, len(o.Samples))
		for i := range o.Samples {
			out[i] = f(&o.Samples[i])
		}
		return out
	}
	m := map[string]template.HTML{
		"Freshness, broker append to readable": chart("ms",
			line{"a", "p50", series(func(s *Sample) float64 { return s.FreshP50 })},
			line{"b", "p99", series(func(s *Sample) float64 { return s.FreshP99 })}),
		"Lag of all partitions": chart("records", line{"a", "lag", series(func(s *Sample) float64 { return float64(s.Lag) })}),
		"Events folded":         chart("/s", line{"a", "events", series(func(s *Sample) float64 { return s.Events })}),
	}
	if o.Audited {
		m["Entities compared with a plain fold"] = chart("",
			line{"a", "verified", series(func(s *Sample) float64 { return float64(s.Verified) })},
			line{"bad", "wrong", series(func(s *Sample) float64 { return float64(s.Wrong) })})
	}
	return m
}

// runsShown bounds the runs of a generation on the page; the latest are shown.
const runsShown = 12

func tail(runs []Run) []Run { return runs[max(0, len(runs)-runsShown):] }
