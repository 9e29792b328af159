package storehttp

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// DefaultTimeout bounds a request and its reply; a scan may take longer as long as it goes on.
const DefaultTimeout = 10 * time.Second

// requestRows is the number of rows, or lanes, asked for in one request.
const requestRows = 256

// requestBytes is about what one request of calls carries; a single larger call is a request of its own.
const requestBytes = 32 << 20

// maxConnections bounds the connections to the owner.
const maxConnections = 16

// Client is a store that another process owns. It does what package lane says of stores' operations and is safe for
// concurrent use. It sends nothing twice.
type Client struct {
	address func() (string, error)
	timeout time.Duration
	http    *http.Client
}

// At is the address of an owner that never moves, for NewClient.
func At(url string) func() (string, error) {
	return func() (string, error) { return url, nil }
}

// NewClient returns a client. address tells the base URL of the owner's HTTP server and is asked at each request, since
// an owner that is started again may listen elsewhere; its error should be of class lane.ErrUnavailable. timeout 0 is
// DefaultTimeout. Nothing is sent yet.
func NewClient(address func() (string, error), timeout time.Duration) *Client {
	timeout = cmp.Or(timeout, DefaultTimeout)
	return &Client{
		address: address,
		timeout: timeout,
		http: &http.Client{Transport: &http.Transport{
			DialContext:         (&net.Dialer{Timeout: timeout}).DialContext,
			MaxConnsPerHost:     maxConnections,
			MaxIdleConnsPerHost: maxConnections,
			IdleConnTimeout:     time.Minute,
			DisableCompression:  true,
		}},
	}
}

// Close closes idle connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// send posts a message and returns the reply's body, which the caller closes.
func (c *Client) send(ctx context.Context, route string, msg enc) (io.ReadCloser, error) {
	base, err := c.address()
	if err != nil {
		return nil, err
	}
	url := strings.TrimSuffix(base, "/") + Prefix + route
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(msg))
	if err != nil {
		return nil, fmt.Errorf("%w: asking the store's owner: %w", lane.ErrStore, err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unavailable(err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp)
	}
	return resp.Body, nil
}

func unavailable(err error) error {
	return fmt.Errorf("%w: asking the store's owner: %w", lane.ErrUnavailable, err)
}

// refusal reads the reply of an owner that refuses; 503 says that it passes.
func refusal(resp *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorBytes))
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return unavailable(err)
	}
	class := lane.ErrStore
	if resp.StatusCode == http.StatusServiceUnavailable {
		class = lane.ErrUnavailable
	}
	return remote(class, resp.Status+": "+strings.TrimSpace(string(text)))
}

// ask sends a message and reads the whole reply.
func (c *Client) ask(ctx context.Context, route string, msg enc) (*dec, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	body, err := c.send(ctx, route, msg)
	if err != nil {
		return nil, err
	}
	reply, err := io.ReadAll(io.LimitReader(body, maxReplyBytes))
	if err := errors.Join(err, body.Close()); err != nil {
		return nil, unavailable(err)
	}
	return &dec{b: reply}, nil
}

// errReply says that an owner answers what this client cannot read.
var errReply = fmt.Errorf("%w: the reply of the store's owner does not read (is it of another version?)", lane.ErrStore)

// want checks that a reply was read to its end and has as many parts as were asked for.
func want(d *dec, got, asked int) error {
	if err := d.end(); err != nil || got != asked {
		return errReply
	}
	return nil
}

// Apply sends the calls in as few requests as their size allows.
func (c *Client) Apply(ctx context.Context, calls []lane.Call) []lane.Outcome {
	out := make([]lane.Outcome, 0, len(calls))
	for len(out) < len(calls) {
		rest := calls[len(out):]
		n, size := 0, 0
		for n < len(rest) && n < maxRequestCalls && (n == 0 || size < requestBytes) {
			size += storelimit.Size(&rest[n])
			n++
		}
		out = append(out, c.apply(ctx, rest[:n])...)
	}
	return out
}

func (c *Client) apply(ctx context.Context, calls []lane.Call) []lane.Outcome {
	out := make([]lane.Outcome, len(calls))
	var (
		msg  enc
		sent []int
	)
	for i := range calls {
		// Checked here too: one call that breaks a limit must not make the owner refuse its neighbours.
		if out[i].Err = storelimit.Call(&calls[i]); out[i].Err == nil {
			sent = append(sent, i)
		}
	}
	if len(sent) == 0 {
		return out
	}
	msg.count(len(sent))
	for _, i := range sent {
		msg.call(&calls[i])
	}
	var outcomes []lane.Outcome
	d, err := c.ask(ctx, "apply", msg)
	if err == nil {
		outcomes = list(d, maxRequestCalls, d.outcome)
		err = want(d, len(outcomes), len(sent))
	}
	for j, i := range sent {
		if err != nil {
			out[i].Err = err
			continue
		}
		out[i] = outcomes[j]
	}
	return out
}

// Marks returns the marks of each lane.
func (c *Client) Marks(ctx context.Context, lanes []lane.ID) ([]lane.Marks, error) {
	return batched(ctx, c, "marks", lanes, storelimit.Lane, (*enc).lane, func(d *dec) lane.Marks { return d.marks() })
}

// Rows returns the values of each row.
func (c *Client) Rows(ctx context.Context, rows []lane.RowID) ([][][]byte, error) {
	return batched(ctx, c, "rows", rows, storelimit.Row, (*enc).row, func(d *dec) [][]byte { return list(d, maxRowFields, d.bytes) })
}

// Exact returns each row with its lane's marks.
func (c *Client) Exact(ctx context.Context, rows []lane.RowID) ([]lane.Exact, error) {
	return batched(ctx, c, "exact", rows, storelimit.Row, (*enc).row, func(d *dec) lane.Exact {
		return lane.Exact{Marks: d.marks(), Fields: list(d, maxRowFields, d.field)}
	})
}

// batched asks for many things, requestRows at a time.
func batched[K, V any](
	ctx context.Context, c *Client, route string, ids []K,
	check func(K) error, write func(*enc, K), read func(*dec) V,
) ([]V, error) {
	out := make([]V, 0, len(ids))
	for chunk := range slices.Chunk(ids, requestRows) {
		var msg enc
		msg.count(len(chunk))
		for _, id := range chunk {
			if err := check(id); err != nil {
				return nil, err
			}
			write(&msg, id)
		}
		d, err := c.ask(ctx, route, msg)
		if err != nil {
			return nil, err
		}
		got := list(d, requestRows, func() V { return read(d) })
		if err := want(d, len(got), len(chunk)); err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	return out, nil
}

// Manifest returns the manifest of a view.
func (c *Client) Manifest(ctx context.Context, view string) (int64, []byte, error) {
	if err := storelimit.View(view); err != nil {
		return 0, nil, err
	}
	var msg enc
	msg.str(view)
	d, err := c.ask(ctx, "manifest", msg)
	if err != nil {
		return 0, nil, err
	}
	seq, body := d.small(), d.bytes()
	if err := want(d, 1, 1); err != nil {
		return 0, nil, err
	}
	if seq == 0 {
		return 0, nil, nil
	}
	return seq, body, nil
}

// PutManifest sets the manifest of a view unless the one there is as new.
func (c *Client) PutManifest(ctx context.Context, view string, seq int64, body []byte) (bool, error) {
	if err := storelimit.Manifest(view, seq, body); err != nil {
		return false, err
	}
	var msg enc
	msg.str(view)
	msg.num(uint64(seq))
	msg.bytes(body)
	d, err := c.ask(ctx, "putmanifest", msg)
	if err != nil {
		return false, err
	}
	set := d.flag()
	return set, want(d, 1, 1)
}

// Scan yields every row of the namespace as the owner's scan comes to it. yield may use the client.
func (c *Client) Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error {
	if err := storelimit.Namespace(namespace); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The owner's silence is what is bounded: the timer runs while we wait for it and not while yield works.
	silence := time.AfterFunc(c.timeout, func() { cancel(errSilent) })
	defer silence.Stop()
	var msg enc
	msg.str(namespace)
	body, err := c.send(ctx, "scan", msg)
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(body, 64<<10)
	err = frames(r, namespace, func(id lane.RowID) error {
		silence.Stop()
		defer silence.Reset(c.timeout)
		return yield(id)
	})
	return errors.Join(err, body.Close())
}

var errSilent = errors.New("the owner is silent")

// frames reads the frames of a scan up to the last.
func frames(r *bufio.Reader, namespace string, yield func(lane.RowID) error) error {
	var key []byte
	for {
		state, err := binary.ReadUvarint(r)
		if err != nil {
			return unavailable(err)
		}
		switch state {
		case stateRefused:
			return nil
		case stateApplied:
		default:
			text, err := frame(r, nil, maxErrorBytes)
			if err != nil {
				return err
			}
			return errorOf(state, string(text))
		}
		id := lane.RowID{Lane: lane.ID{Namespace: namespace}}
		n, err := binary.ReadUvarint(r)
		switch {
		case err != nil:
			return unavailable(err)
		case n >= lane.MaxLanes:
			return fmt.Errorf("%w: lane %d", errReply, n)
		}
		id.Lane.N = int(n)
		inc, err := frame(r, nil, storelimit.MaxIncarnationBytes)
		if err != nil {
			return err
		}
		id.Incarnation = lane.Incarnation(inc)
		if key, err = frame(r, key, storelimit.MaxKeyBytes); err != nil {
			return err
		}
		id.Key = key
		if err := yield(id); err != nil {
			return err
		}
	}
}

// frame reads bytes with their length before them into buf.
func frame(r *bufio.Reader, buf []byte, limit uint64) ([]byte, error) {
	n, err := binary.ReadUvarint(r)
	if err != nil {
		return nil, unavailable(err)
	}
	if n > limit {
		return nil, fmt.Errorf("%w: the reply of the store's owner does not read: %d bytes, want at most %d", lane.ErrStore, n, limit)
	}
	buf = slices.Grow(buf[:0], int(n))[:n]
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, unavailable(err)
	}
	return buf, nil
}
