package storehttp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// Prefix is the path under which Handler serves; a mux passes everything below it on.
const Prefix = "/v1/store/"

// contentType is demanded of every request: a web page cannot send it to this machine behind its user's back.
const contentType = "application/vnd.tidemark.store"

// The limits of messages, in bytes. A call has frames around its rows, hence the slack.
const (
	maxChangeBytes = storelimit.MaxCallBytes + 32<<20
	maxReadBytes   = 16 << 20
	maxReplyBytes  = 1 << 30
)

// The limits of lists in one message. What the client of this package sends is smaller.
const (
	maxRequestRows  = 1024
	maxRequestCalls = 4096
)

// maxRowFields bounds the fields of a row in a reply: a row grows by many calls.
const maxRowFields = 1 << 20

// maxChanges is the number of changing requests that are held in memory at a time; more wait.
const maxChanges = 4

// Served is a store as it is served: all operations of package lane.
type Served interface {
	Apply(ctx context.Context, calls []lane.Call) []lane.Outcome
	Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error)
	Rows(ctx context.Context, rows []lane.RowID) ([][][]byte, error)
	Exact(ctx context.Context, rows []lane.RowID) ([]lane.Exact, error)
	Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error
	Manifest(ctx context.Context, view string) (seq int64, body []byte, err error)
	PutManifest(ctx context.Context, view string, seq int64, body []byte) (bool, error)
}

type server struct {
	store   Served
	changes chan struct{} // a token for each changing request
}

// Handler serves a store under Prefix. Requests that change it are refused with 403 unless they come from this machine
// and through no proxy.
func Handler(s Served) http.Handler {
	srv := &server{store: s, changes: make(chan struct{}, maxChanges)}
	mux := http.NewServeMux()
	read := func(name string, answer func(context.Context, *dec) (enc, error)) {
		mux.Handle("POST "+Prefix+name, srv.route(maxReadBytes, answer))
	}
	change := func(name string, answer func(context.Context, *dec) (enc, error)) {
		mux.Handle("POST "+Prefix+name, local(srv.one(srv.route(maxChangeBytes, answer))))
	}
	change("apply", srv.apply)
	change("putmanifest", srv.putManifest)
	read("marks", srv.marks)
	read("rows", srv.rows)
	read("exact", srv.exact)
	read("manifest", srv.manifest)
	mux.HandleFunc("POST "+Prefix+"scan", srv.scan)
	return mux
}

// local lets only requests of this machine through.
func local(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		ip := net.ParseIP(host)
		proxied := r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != ""
		if err != nil || ip == nil || !ip.IsLoopback() || proxied {
			http.Error(w, "the store is changed from its own machine only", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// one admits maxChanges requests at a time, before their bodies are read.
func (s *server) one(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.changes <- struct{}{}:
			defer func() { <-s.changes }()
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// route reads a request, lets answer answer it, and writes that.
func (s *server) route(limit int64, answer func(context.Context, *dec) (enc, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, ok := request(w, r, limit)
		if !ok {
			return
		}
		out, err := answer(r.Context(), d)
		if err != nil {
			refuse(w, err)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(out) // a client that went away has nobody left to tell
	})
}

// request reads a request's message, or answers why it does not.
func request(w http.ResponseWriter, r *http.Request, limit int64) (*dec, bool) {
	if r.Header.Get("Content-Type") != contentType {
		http.Error(w, "want Content-Type "+contentType, http.StatusUnsupportedMediaType)
		return nil, false
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		status := http.StatusBadRequest
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			status = http.StatusRequestEntityTooLarge
		}
		http.Error(w, err.Error(), status)
		return nil, false
	}
	return &dec{b: body}, true
}

// refuse answers an error: its class is the status.
func refuse(w http.ResponseWriter, err error) {
	status := http.StatusServiceUnavailable
	switch {
	case errors.Is(err, errWire):
		status = http.StatusBadRequest
	case errors.Is(err, lane.ErrStore):
		status = http.StatusInternalServerError
	}
	http.Error(w, err.Error(), status)
}

func (s *server) apply(ctx context.Context, d *dec) (enc, error) {
	calls := list(d, maxRequestCalls, d.call)
	if err := d.end(); err != nil {
		return nil, err
	}
	var out enc
	// The client may have gone; whether the call is applied must not hang on when that is noticed.
	outcomes := s.store.Apply(context.WithoutCancel(ctx), calls)
	out.count(len(outcomes))
	for i := range outcomes {
		out.outcome(&outcomes[i])
	}
	return out, nil
}

func (s *server) marks(ctx context.Context, d *dec) (enc, error) {
	lanes := list(d, maxRequestRows, d.lane)
	if err := d.end(); err != nil {
		return nil, err
	}
	marks, err := s.store.Marks(ctx, lanes)
	var out enc
	out.count(len(marks))
	for _, m := range marks {
		out.marks(m)
	}
	return out, err
}

func (s *server) rows(ctx context.Context, d *dec) (enc, error) {
	ids := list(d, maxRequestRows, d.row)
	if err := d.end(); err != nil {
		return nil, err
	}
	rows, err := s.store.Rows(ctx, ids)
	var out enc
	out.count(len(rows))
	for _, values := range rows {
		out.count(len(values))
		for _, v := range values {
			out.bytes(v)
		}
	}
	return out, err
}

func (s *server) exact(ctx context.Context, d *dec) (enc, error) {
	ids := list(d, maxRequestRows, d.row)
	if err := d.end(); err != nil {
		return nil, err
	}
	rows, err := s.store.Exact(ctx, ids)
	var out enc
	out.count(len(rows))
	for i := range rows {
		out.marks(rows[i].Marks)
		out.fields(rows[i].Fields)
	}
	return out, err
}

func (s *server) manifest(ctx context.Context, d *dec) (enc, error) {
	view := d.str()
	if err := d.end(); err != nil {
		return nil, err
	}
	seq, body, err := s.store.Manifest(ctx, view)
	var out enc
	out.num(uint64(seq))
	out.bytes(body)
	return out, err
}

func (s *server) putManifest(ctx context.Context, d *dec) (enc, error) {
	view, seq, body := d.str(), d.small(), d.bytes()
	if err := d.end(); err != nil {
		return nil, err
	}
	set, err := s.store.PutManifest(context.WithoutCancel(ctx), view, seq, body)
	var out enc
	out.flag(set)
	return out, err
}

// scan streams frames of rows: a one and a row, again and again, and last a zero, or the error that ended the scan. A
// stream without its last frame was cut off.
func (s *server) scan(w http.ResponseWriter, r *http.Request) {
	d, ok := request(w, r, maxReadBytes)
	if !ok {
		return
	}
	namespace := d.str()
	if err := d.end(); err != nil {
		refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", contentType)
	var frame enc
	err := s.store.Scan(r.Context(), namespace, func(id lane.RowID) error {
		frame = frame[:0]
		frame.num(stateApplied)
		frame.count(id.Lane.N)
		frame.str(string(id.Incarnation))
		frame.bytes(id.Key)
		if _, err := w.Write(frame); err != nil {
			return fmt.Errorf("%w: writing to the client of a scan: %w", lane.ErrUnavailable, err)
		}
		return nil
	})
	frame = frame[:0]
	if err != nil {
		frame.error(err)
	} else {
		frame.num(stateRefused)
	}
	_, _ = w.Write(frame) // a client that went away has nobody left to tell
}
