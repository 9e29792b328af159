package redisstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/serving/storetest/faultproxy"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// givenUp applies calls whose caller gives up once they were sent, and wants it to hear that it does not know what came of
// them. No moment is short enough to be waited for an answer and long enough for a request to leave a busy machine.
func givenUp(t *testing.T, s *redisstore.Store, calls []lane.Call, sent func() bool) {
	t.Helper()
	ctx, giveUp := context.WithCancel(bg)
	defer giveUp()
	out := make(chan []lane.Outcome, 1)
	go func() { out <- s.Apply(ctx, calls) }()
	until(t, "the calls were sent", sent)
	giveUp()
	for _, o := range <-out {
		if !errors.Is(o.Err, lane.ErrUnavailable) {
			t.Fatalf("%+v, want ErrUnavailable", o)
		}
	}
}

// until looks again and again until is is true, at most a minute.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); {
		if time.Now().After(end) {
			t.Fatalf("it never came that %s", what)
		}
	}
}

func markOf(t *testing.T, s *redisstore.Store) string {
	t.Helper()
	m, err := s.Marks(bg, []lane.ID{ids})
	if err != nil {
		t.Fatal(err)
	}
	return m[0]["events/0"]
}

// TestLateCall: a call arrives after its caller gave up. If somebody moved the mark meanwhile it changes nothing, and
// otherwise does what it was to do.
func TestLateCall(t *testing.T) {
	for _, c := range []struct {
		name      string
		meanwhile string // the mark that somebody else sets, "" = nobody
		want      string
	}{
		{"the mark moved", "other", "other"},
		{"the mark waits", "", "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := redisserver.Start(t)
			p, direct := faultproxy.Start(t, srv.Addr), open(t, srv.Addr)
			late := open(t, p.Addr)
			wantApplied(t, direct.Apply(bg, []lane.Call{flush(ids, "", "1")}))
			release := p.Hold()
			givenUp(t, late, []lane.Call{flush(ids, "1", "2")}, func() bool { return p.Held() > 0 })
			if c.meanwhile != "" {
				wantApplied(t, direct.Apply(bg, []lane.Call{flush(ids, "1", c.meanwhile)}))
			}
			before := calls(t, raw(t, srv.Addr), "fcall")
			release()
			until(t, "the late call ran", func() bool { return calls(t, raw(t, srv.Addr), "fcall") > before })
			if m := markOf(t, direct); m != c.want {
				t.Errorf("the mark is %q, want %q", m, c.want)
			}
			row, err := direct.Rows(bg, []lane.RowID{{Lane: ids, Incarnation: inc, Key: []byte("k")}})
			if err != nil || len(row[0]) != 1 || string(row[0][0]) != c.want {
				t.Errorf("the row is %q, %v, want %q", row, err, c.want)
			}
		})
	}
}

// TestSlowServer: answers that come slowly are waited for, once; those that take longer than the timeout are not asked
// for again, and what was to be done is done once.
func TestSlowServer(t *testing.T) {
	srv := redisserver.Start(t)
	p := faultproxy.Start(t, srv.Addr)
	s := open(t, p.Addr)
	p.Delay(30 * time.Millisecond)
	wantApplied(t, s.Apply(bg, lanes(16, "", "1")))
	p.Delay(time.Minute)
	s.SetTimeout(3 * time.Second) // the calls arrive within it, on a busy machine too
	for _, o := range s.Apply(bg, lanes(16, "1", "2")) {
		if !errors.Is(o.Err, lane.ErrUnavailable) {
			t.Fatalf("%+v, want ErrUnavailable", o)
		}
	}
	s.SetTimeout(redisstore.DefaultTimeout)
	if n := calls(t, raw(t, srv.Addr), "fcall"); n != 32 {
		t.Errorf("the server ran %d calls, want 32", n)
	}
	p.Delay(0)
	for i, o := range s.Apply(bg, lanes(16, "1", "2")) {
		if o.Err != nil || o.Applied || o.Marks["events/0"] != "2" {
			t.Fatalf("call %d: %+v, want a refusal that shows its target", i, o)
		}
	}
}

// TestBounds: a server that always breaks off is asked three times and no more, whatever the operation; what must not
// arrive twice is sent once.
func TestBounds(t *testing.T) {
	srv := redisserver.Start(t)
	p := faultproxy.Start(t, srv.Addr)
	s, c := open(t, p.Addr), raw(t, srv.Addr)
	row := []lane.RowID{{Lane: ids, Incarnation: inc, Key: []byte("k")}}
	once := flush(ids, "", "1")
	once.Once = true
	for _, op := range []struct {
		command string
		times   int
		run     func() error
	}{
		{"fcall", 3, func() error { return s.Apply(bg, []lane.Call{flush(ids, "", "1")})[0].Err }},
		{"fcall", 1, func() error { return s.Apply(bg, []lane.Call{once})[0].Err }},
		{"fcall", 1, func() error { _, err := s.PutManifest(bg, "v", 1, nil); return err }},
		{"hgetall", 3, func() error { _, err := s.Marks(bg, []lane.ID{ids}); return err }},
		{"hvals", 3, func() error { _, err := s.Rows(bg, row); return err }},
		{"multi", 3, func() error { _, err := s.Exact(bg, row); return err }},
		{"hgetall", 3, func() error { _, _, err := s.Manifest(bg, "v"); return err }},
		{"scan", 3, func() error { return s.Scan(bg, ids.Namespace, func(lane.RowID) error { return nil }) }},
	} {
		if _, err := s.Marks(bg, []lane.ID{ids}); err != nil { // a connection that is greeted is there
			t.Fatal(err)
		}
		command(t, c, "CONFIG", "RESETSTAT")
		p.CutReplies(1 << 20)
		err := op.run()
		p.CutReplies(0)
		if !errors.Is(err, lane.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", op.command, err)
		}
		// The greeting of a new connection is cut off too, so what is sent again need not arrive.
		if n := calls(t, c, op.command); n < 1 || n > op.times {
			t.Errorf("%s arrived %d times, want 1 to %d", op.command, n, op.times)
		}
	}
}

// TestLoading: a server that reads its file into memory passes by itself, and answers afterwards.
func TestLoading(t *testing.T) {
	srv := redisserver.Start(t, "--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024")
	s, c := open(t, srv.Addr), raw(t, srv.Addr)
	for i := range 200 {
		command(t, c, "SET", "filler"+strings.Repeat("i", i), strings.Repeat("x", 1000))
	}
	command(t, c, "CONFIG", "SET", "key-load-delay", "100000") // 100 ms a key: 20 s
	reload := make(chan error, 1)
	go func() {
		r := redis.NewClient(&redis.Options{Addr: srv.Addr, MaxRetries: -1, ReadTimeout: time.Minute})
		defer func() { _ = r.Close() }()
		reload <- r.Do(bg, "DEBUG", "RELOAD").Err()
	}()
	until(t, "the server is loading", func() bool {
		err := c.Do(context.Background(), "GET", "x").Err()
		return err != nil && strings.HasPrefix(err.Error(), "LOADING")
	})
	for what, err := range map[string]error{
		"apply": s.Apply(bg, []lane.Call{flush(ids, "", "1")})[0].Err,
		"marks": func() error { _, err := s.Marks(bg, []lane.ID{ids}); return err }(),
	} {
		if !errors.Is(err, lane.ErrUnavailable) || !strings.Contains(err.Error(), "LOADING") {
			t.Errorf("%s: %v, want ErrUnavailable with LOADING", what, err)
		}
	}
	command(t, c, "CONFIG", "SET", "key-load-delay", "0")
	if err := <-reload; err != nil {
		t.Fatal(err)
	}
	wantApplied(t, s.Apply(bg, []lane.Call{flush(ids, "", "1")}))
}

// TestReplica: a replica reads and does not write, until it is promoted; it has the functions then.
func TestReplica(t *testing.T) {
	master, replica := redisserver.Start(t), redisserver.Start(t)
	wantApplied(t, open(t, master.Addr).Apply(bg, []lane.Call{flush(ids, "", "1")}))
	s, c := open(t, replica.Addr), raw(t, replica.Addr)
	host, port, _ := strings.Cut(master.Addr, ":")
	command(t, c, "REPLICAOF", host, port)
	until(t, "the replica has the row", func() bool {
		m, err := s.Marks(bg, []lane.ID{ids})
		return err == nil && m[0]["events/0"] == "1"
	})
	if o := s.Apply(bg, []lane.Call{flush(ids, "1", "2")})[0]; !errors.Is(o.Err, lane.ErrUnavailable) || !strings.Contains(o.Err.Error(), "READONLY") {
		t.Fatalf("%+v, want ErrUnavailable with READONLY", o)
	}
	master.Kill()
	command(t, c, "REPLICAOF", "NO", "ONE")
	wantApplied(t, s.Apply(bg, []lane.Call{flush(ids, "1", "2")}))
	if n := calls(t, c, "function|load"); n != 1 {
		t.Errorf("the functions were loaded %d times, want once, by opening: they come with the data", n)
	}
}

// TestFull: a server at its maxmemory refuses writes for as long, reads go on, and nothing is half done.
func TestFull(t *testing.T) {
	srv := redisserver.Start(t)
	s, c := open(t, srv.Addr), raw(t, srv.Addr)
	wantApplied(t, s.Apply(bg, lanes(16, "", "1")))
	command(t, c, "CONFIG", "SET", "maxmemory", "1")
	for _, o := range s.Apply(bg, lanes(16, "1", "2")) {
		if !errors.Is(o.Err, lane.ErrStore) || !strings.Contains(o.Err.Error(), "OOM") || !strings.Contains(o.Err.Error(), "raise its maxmemory") {
			t.Fatalf("%+v, want ErrStore with the cure", o)
		}
	}
	rows, err := s.Rows(bg, []lane.RowID{{Lane: ids, Incarnation: inc, Key: []byte("k")}})
	if err != nil || len(rows[0]) != 1 || string(rows[0][0]) != "1" {
		t.Fatalf("the row is %q, %v", rows, err)
	}
	command(t, c, "CONFIG", "SET", "maxmemory", "0")
	wantApplied(t, s.Apply(bg, lanes(16, "1", "2")))
}
