package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"sync"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// problem is an error as RFC 9457 says it.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail,omitempty"`
}

// problemOf is the one place that decides which HTTP status an error has.
func problemOf(err error) problem {
	p := problem{Status: http.StatusInternalServerError, Title: "internal error", Detail: err.Error()}
	switch {
	case errors.Is(err, lookup.ErrNoView):
		p.Status, p.Title = http.StatusNotFound, "no such view"
	case errors.Is(err, lookup.ErrNoFeature):
		p.Status, p.Title = http.StatusBadRequest, "no such feature"
	case errors.Is(err, lookup.ErrKey):
		p.Status, p.Title = http.StatusBadRequest, "bad key"
	case errors.Is(err, lookup.ErrAsOf):
		p.Status, p.Title = http.StatusBadRequest, "as_of too old"
	case errors.Is(err, lookup.ErrTile):
		p.Title = "row cannot be read"
	case errors.Is(err, lookup.ErrNoManifest):
		p.Status, p.Title = http.StatusServiceUnavailable, "view not served yet"
	case errors.Is(err, lane.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		p.Status, p.Title = http.StatusServiceUnavailable, "store unavailable"
	case errors.Is(err, lane.ErrStore):
		p.Title = "store failed"
	}
	return p
}

func appendProblem(b []byte, p problem) []byte {
	body, err := json.Marshal(p)
	if err != nil {
		return append(b, "null"...) // strings and a number always marshal
	}
	return append(b, body...)
}

// writeProblem returns the problem's status.
func writeProblem(w http.ResponseWriter, p problem) int {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	write(w, append(appendProblem(nil, p), '\n'))
	return p.Status
}

// maxKept bounds a buffer that is kept for another answer: what a few large answers took is given back.
const maxKept = 4 << 20

// buffers are those of answers that were written.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// writeJSON writes what body appends. Its length stands in front of it: without, it would go out in chunks, each of which is
// copied once more on both sides. It returns the status.
func writeJSON(w http.ResponseWriter, body func(b []byte) []byte) int {
	buf, ok := buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	b := body((*buf)[:0])
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	write(w, b)
	if *buf = b; cap(b) <= maxKept {
		buffers.Put(buf)
	}
	return http.StatusOK
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	write(w, []byte(text+"\n"))
}

// write sends the body. A client that went away has no use for an error.
func write(w http.ResponseWriter, b []byte) {
	if _, err := w.Write(b); err != nil {
		return
	}
}
