package storehttp_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storehttp"
	"github.com/tidemark-io/tidemark/serving/storetest"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

func serve(t testing.TB, s storehttp.Served) string {
	t.Helper()
	srv := httptest.NewServer(storehttp.Handler(s))
	t.Cleanup(srv.Close)
	return srv.URL
}

func client(t testing.TB, url string) *storehttp.Client {
	t.Helper()
	c := storehttp.NewClient(storehttp.At(url), time.Minute)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestConformance(t *testing.T) {
	url := serve(t, memstore.New())
	storetest.Run(t, func(t testing.TB) store.Store { return client(t, url) })
}

var (
	bg = context.Background()
	id = lane.ID{Namespace: "job:view:1", N: 7}
)

const contentType = "application/vnd.tidemark.store"

func request(route, from string, body []byte) *http.Request {
	r := httptest.NewRequest(http.MethodPost, storehttp.Prefix+route, bytes.NewReader(body))
	r.RemoteAddr = from
	r.Header.Set("Content-Type", contentType)
	return r
}

func status(h http.Handler, r *http.Request) int {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// TestLoopback: what changes the store comes from this machine, and directly; what reads it from anywhere.
func TestLoopback(t *testing.T) {
	h := storehttp.Handler(memstore.New())
	empty := []byte{0}                    // no calls, lanes or rows
	manifest := []byte{1, 'v', 1, 1, 'b'} // view, number, body
	far, near := "192.0.2.1:99", "127.0.0.1:99"
	for _, c := range []struct {
		route, from string
		body        []byte
		want        int
	}{
		{"apply", far, empty, http.StatusForbidden},
		{"putmanifest", far, manifest, http.StatusForbidden},
		{"apply", "10.0.0.1:99", empty, http.StatusForbidden},
		{"apply", "no address", empty, http.StatusForbidden},
		{"apply", near, empty, http.StatusOK},
		{"apply", "[::1]:99", empty, http.StatusOK},
		{"putmanifest", near, manifest, http.StatusOK},
		{"marks", far, empty, http.StatusOK},
		{"rows", far, empty, http.StatusOK},
		{"exact", far, empty, http.StatusOK},
		{"scan", far, []byte{1, 'n'}, http.StatusOK},
		{"manifest", far, []byte{1, 'v'}, http.StatusOK},
	} {
		if got := status(h, request(c.route, c.from, c.body)); got != c.want {
			t.Errorf("%s from %s: %d, want %d", c.route, c.from, got, c.want)
		}
	}
	for _, header := range []string{"Forwarded", "X-Forwarded-For"} {
		r := request("apply", near, empty)
		r.Header.Set(header, "for=192.0.2.1")
		if got := status(h, r); got != http.StatusForbidden {
			t.Errorf("through a proxy (%s): %d, want 403", header, got)
		}
	}
}

func TestRefusedRequests(t *testing.T) {
	h := storehttp.Handler(memstore.New())
	plain := request("apply", "127.0.0.1:99", []byte{0})
	plain.Header.Set("Content-Type", "text/plain")
	if got := status(h, plain); got != http.StatusUnsupportedMediaType {
		t.Errorf("what a web page can send: %d, want 415", got)
	}
	get := httptest.NewRequest(http.MethodGet, storehttp.Prefix+"marks", http.NoBody)
	if got := status(h, get); got != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d, want 405", got)
	}
	if got := status(h, request("nothing", "127.0.0.1:99", nil)); got != http.StatusNotFound {
		t.Errorf("an unknown route: %d, want 404", got)
	}
	if got := status(h, request("rows", "127.0.0.1:99", make([]byte, 16<<20))); got != http.StatusBadRequest {
		t.Errorf("a message at the limit: %d, want 400", got)
	}
	if got := status(h, request("rows", "127.0.0.1:99", make([]byte, 16<<20+1))); got != http.StatusRequestEntityTooLarge {
		t.Errorf("a message past the limit: %d, want 413", got)
	}
	for _, body := range []string{"", "\x01", "\xff", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "\x00\x00"} {
		for _, route := range []string{"apply", "marks", "rows", "exact", "scan", "manifest", "putmanifest"} {
			if got := status(h, request(route, "127.0.0.1:99", []byte(body))); got != http.StatusBadRequest {
				t.Errorf("%s of %q: %d, want 400", route, body, got)
			}
		}
	}
}

// TestTooManyRows: a message may hold far more rows than a reply of them should.
func TestTooManyRows(t *testing.T) {
	h := storehttp.Handler(memstore.New())
	for n, want := range map[int]int{1024: http.StatusOK, 1025: http.StatusBadRequest} {
		body := binary.AppendUvarint(nil, uint64(n))
		for range n {
			body = append(body, 1, 'n', 0, 1, 'i', 1, 'k') // namespace, lane, incarnation, key
		}
		if got := status(h, request("rows", "192.0.2.1:99", body)); got != want {
			t.Errorf("%d rows: %d, want %d", n, got, want)
		}
	}
}

// TestClasses: an error of the owner's store has its class at the client.
func TestClasses(t *testing.T) {
	s := memstore.New()
	c := client(t, serve(t, s))
	for fate, class := range map[memstore.Fate]error{memstore.LoseCall: lane.ErrUnavailable, memstore.Fail: lane.ErrStore} {
		s.SetFaults(func(memstore.Op) memstore.Fate { return fate })
		_, marks := c.Marks(bg, []lane.ID{id})
		_, rows := c.Rows(bg, []lane.RowID{{Lane: id, Incarnation: "a"}})
		_, exact := c.Exact(bg, []lane.RowID{{Lane: id, Incarnation: "a"}})
		scan := c.Scan(bg, "n", nil)
		_, _, manifest := c.Manifest(bg, "v")
		_, put := c.PutManifest(bg, "v", 1, nil)
		apply := c.Apply(bg, []lane.Call{{Lane: id, Name: "x", Set: "y"}})[0].Err
		for i, err := range []error{marks, rows, exact, scan, manifest, put, apply} {
			if !errors.Is(err, class) || !strings.Contains(err.Error(), "injected fault") {
				t.Errorf("operation %d: %v, want %v with the owner's words", i, err, class)
			}
		}
	}
}

// TestOwnerGone: an owner that does not answer is unavailable, and found again at its new address.
func TestOwnerGone(t *testing.T) {
	s := memstore.New()
	first := httptest.NewServer(storehttp.Handler(s))
	url, noURL := first.URL, error(nil)
	c := storehttp.NewClient(func() (string, error) { return url, noURL }, 0)
	defer func() { _ = c.Close() }()
	call := lane.Call{Lane: id, Name: "x", Set: "1"}
	if o := c.Apply(bg, []lane.Call{call})[0]; o.Err != nil || !o.Applied {
		t.Fatalf("%+v", o)
	}
	first.Close()
	if o := c.Apply(bg, []lane.Call{call})[0]; !errors.Is(o.Err, lane.ErrUnavailable) {
		t.Fatalf("without an owner: %+v, want ErrUnavailable", o)
	}
	noURL = lane.ErrUnavailable
	if _, err := c.Marks(bg, []lane.ID{id}); !errors.Is(err, lane.ErrUnavailable) {
		t.Fatalf("without an address: %v, want ErrUnavailable", err)
	}
	url, noURL = serve(t, s)+"/", nil
	m, err := c.Marks(bg, []lane.ID{id})
	if err != nil || m[0]["x"] != "1" {
		t.Fatalf("marks at the new address: %v, %v", m, err)
	}
}

// TestSilentOwner: an owner that says nothing is bounded by the timeout, also in the middle of a scan.
func TestSilentOwner(t *testing.T) {
	release := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "scan") {
			_, _ = w.Write([]byte{1, 7, 1, 'a', 1, 'k'}) // one row, and no end
			_ = http.NewResponseController(w).Flush()
		}
		<-release
	}))
	defer srv.Close()
	defer close(release)
	silent := func(timeout time.Duration) (rows int) {
		c := storehttp.NewClient(storehttp.At(srv.URL), timeout)
		defer func() { _ = c.Close() }()
		if o := c.Apply(bg, []lane.Call{{Lane: id, Name: "x", Set: "y"}})[0]; !errors.Is(o.Err, lane.ErrUnavailable) {
			t.Errorf("apply: %+v, want ErrUnavailable", o)
		}
		if err := c.Scan(bg, "n", func(lane.RowID) error { rows++; return nil }); !errors.Is(err, lane.ErrUnavailable) {
			t.Errorf("scan: %v, want ErrUnavailable", err)
		}
		return rows
	}
	// On a busy machine the row may come later than the owner may be silent; with more patience it comes first.
	timeout := 50 * time.Millisecond
	for silent(timeout) == 0 {
		if timeout *= 2; timeout > time.Minute {
			t.Fatal("no scan came to its row")
		}
	}
}

// TestCutScan: a stream of rows without its last frame is not taken for the whole; nor is one that errs at its end.
func TestCutScan(t *testing.T) {
	row := []byte{1, 7, 1, 'a', 1, 'k'}
	for name, c := range map[string]struct {
		body  []byte
		class error
	}{
		"whole":    {append(row, 0), nil},
		"cut":      {row, lane.ErrUnavailable},
		"cut row":  {row[:4], lane.ErrUnavailable},
		"failed":   {append(row, 3, 2, 'n', 'o'), lane.ErrStore},
		"gone":     {append(row, 2, 2, 'n', 'o'), lane.ErrUnavailable},
		"too long": {[]byte{1, 7, 99}, lane.ErrStore},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(c.body) }))
		err := client(t, srv.URL).Scan(bg, "n", func(lane.RowID) error { return nil })
		if c.class == nil && err != nil || c.class != nil && !errors.Is(err, c.class) {
			t.Errorf("%s: %v, want %v", name, err, c.class)
		}
		srv.Close()
	}
}

// FuzzHandler: no message, however damaged, does more than be refused.
func FuzzHandler(f *testing.F) {
	routes := []string{"apply", "marks", "rows", "exact", "scan", "manifest", "putmanifest"}
	for i := range routes {
		f.Add(i, []byte{1, 1, 'n', 7, 1, 'i', 1, 'k', 0, 1, 2, 3})
	}
	h := storehttp.Handler(memstore.New())
	fuzzing.Target(f, func(t *testing.T, route int, body []byte) {
		name := routes[uint(route)%uint(len(routes))]
		switch got := status(h, request(name, "127.0.0.1:99", body)); got {
		case http.StatusOK, http.StatusBadRequest, http.StatusInternalServerError:
		default:
			t.Errorf("%s of %x: %d", name, body, got)
		}
	})
}

func BenchmarkRows(b *testing.B) {
	s := memstore.New()
	c := client(b, serve(b, s))
	call := lane.Call{Lane: id, Name: "x", Set: "y", RowsOf: "a"}
	rows := make([]lane.RowID, 16)
	for i := range rows {
		key := []byte{byte(i)}
		rows[i] = lane.RowID{Lane: id, Incarnation: "a", Key: key}
		call.Rows = append(call.Rows, lane.RowChange{Key: key, Set: []lane.Field{{Name: "b1", Value: make([]byte, 3500)}}})
	}
	c.Apply(bg, []lane.Call{call})
	for b.Loop() {
		if _, err := c.Rows(bg, rows); err != nil {
			b.Fatal(err)
		}
	}
}
