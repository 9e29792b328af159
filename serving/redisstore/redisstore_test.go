package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storetest"
	"github.com/tidemark-io/tidemark/serving/storetest/faultproxy"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/lane"
)

var (
	bg  = context.Background()
	ids = lane.ID{Namespace: "job:view:1", N: 7}
)

const (
	inc  = lane.Incarnation("aaaaaaaaaa")
	tag  = "{tm:job:view:1:07}:"
	mkey = tag + "m"
)

func open(t testing.TB, addr string) *redisstore.Store {
	t.Helper()
	return openURL(t, "redis://"+addr)
}

func openURL(t testing.TB, url string) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(bg, url, redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// raw is a plain client, to do to the server what others do.
func raw(t testing.TB, addr string) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func command(t testing.TB, c *redis.Client, args ...any) {
	t.Helper()
	if err := c.Do(bg, args...).Err(); err != nil {
		t.Fatalf("%v: %v", args, err)
	}
}

// flush is a call that takes the mark of a partition from one value to another and writes that into a row.
func flush(id lane.ID, expect, set string) lane.Call {
	return lane.Call{
		Lane: id, Name: "events/0", Expect: expect, Set: set, RowsOf: inc,
		Rows: []lane.RowChange{{Key: []byte("k"), Set: []lane.Field{{Name: "e0/0/0", Value: []byte(set)}}}},
	}
}

// lanes returns the same flush of n lanes.
func lanes(n int, expect, set string) []lane.Call {
	calls := make([]lane.Call, n)
	for i := range calls {
		calls[i] = flush(lane.ID{Namespace: ids.Namespace, N: i}, expect, set)
	}
	return calls
}

func wantApplied(t testing.TB, out []lane.Outcome) {
	t.Helper()
	for i, o := range out {
		if o.Err != nil || !o.Applied {
			t.Fatalf("call %d: %+v", i, o)
		}
	}
}

func TestConformance(t *testing.T) {
	srv := redisserver.Start(t)
	storetest.Run(t, func(t testing.TB) store.Store { return open(t, srv.Addr) })
}

// TestKeys pins the layout that docs/format/store.md draws, by looking at the server with other eyes.
func TestKeys(t *testing.T) {
	srv := redisserver.Start(t)
	s, c := open(t, srv.Addr), raw(t, srv.Addr)
	wantApplied(t, s.Apply(bg, []lane.Call{flush(ids, "", "x")}))
	if ok, err := s.PutManifest(bg, "job.view", 3, []byte("body")); !ok || err != nil {
		t.Fatal(ok, err)
	}
	keys, err := c.Keys(bg, "*").Result()
	slices.Sort(keys)
	if want := []string{"tm:manifest:job.view", tag + "aaaaaaaaaa:k", mkey}; err != nil || !slices.Equal(keys, want) {
		t.Fatalf("keys are %q, %v; want %q", keys, err, want)
	}
	for key, want := range map[string]string{
		mkey:                   "map[events/0:x]",
		tag + "aaaaaaaaaa:k":   "map[e0/0/0:x]",
		"tm:manifest:job.view": "map[body:body seq:3]",
	} {
		if got, err := c.HGetAll(bg, key).Result(); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s holds %v, %v; want %s", key, got, err, want)
		}
	}
	// The cure of a damaged lane: delete this one key.
	command(t, c, "DEL", mkey)
	if m, err := s.Marks(bg, []lane.ID{ids}); err != nil || len(m[0]) != 0 {
		t.Fatalf("marks are %v, %v after their deletion", m, err)
	}
}

// TestReplyLost: the reply of a pipeline is lost after it was applied. It is sent again once the connection broke; the
// repeat is refused and tells each caller its own target.
func TestReplyLost(t *testing.T) {
	srv := redisserver.Start(t)
	p := faultproxy.Start(t, srv.Addr)
	s := open(t, p.Addr)
	wantApplied(t, s.Apply(bg, lanes(16, "", "1")))
	p.CutReplies(1)
	for i, o := range s.Apply(bg, lanes(16, "1", "2")) {
		if o.Err != nil || o.Applied || o.Marks["events/0"] != "2" {
			t.Fatalf("call %d: %+v, want a refusal that shows its target", i, o)
		}
	}
	if p.Left() != 0 {
		t.Fatal("no reply was cut")
	}
	if n := calls(t, raw(t, srv.Addr), "fcall"); n != 48 {
		t.Fatalf("the server ran %d calls, want 48: 16, 16 and their repeat", n)
	}
	if n := s.Retries(); n != 1 {
		t.Errorf("%d retries are counted, want 1", n)
	}
}

// TestOnce: a call that must not be sent twice is not, and its outcome is unknown.
func TestOnce(t *testing.T) {
	srv := redisserver.Start(t)
	p := faultproxy.Start(t, srv.Addr)
	s := open(t, p.Addr)
	first := flush(ids, "", "1")
	first.Once = true
	wantApplied(t, s.Apply(bg, []lane.Call{first})) // and its client is connected
	p.CutReplies(1)
	second := flush(ids, "1", "2")
	second.Once = true
	if o := s.Apply(bg, []lane.Call{second})[0]; !errors.Is(o.Err, lane.ErrUnavailable) {
		t.Fatalf("%+v, want ErrUnavailable", o)
	}
	if n := calls(t, raw(t, srv.Addr), "fcall"); n != 2 {
		t.Fatalf("the server ran %d calls, want 2", n)
	}
	m, err := s.Marks(bg, []lane.ID{ids})
	if err != nil || m[0]["events/0"] != "2" {
		t.Fatalf("marks are %v, %v; they tell what came of the call", m, err)
	}
	p.CutReplies(1)
	if _, err := s.PutManifest(bg, "v", 1, nil); !errors.Is(err, lane.ErrUnavailable) {
		t.Fatalf("putting a manifest without hearing of it: %v, want ErrUnavailable", err)
	}
}

// calls returns how often the server ran a command.
func calls(t testing.TB, c *redis.Client, name string) int {
	t.Helper()
	info, err := c.Info(bg, "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(info, "cmdstat_"+name+":calls=")
	n := 0
	if _, err := fmt.Sscanf(rest, "%d,", &n); err != nil {
		t.Fatalf("the server has no count of %s: %v", name, err)
	}
	return n
}

func TestFunctionsFlushed(t *testing.T) {
	srv := redisserver.Start(t)
	s, c := open(t, srv.Addr), raw(t, srv.Addr)
	wantApplied(t, s.Apply(bg, lanes(16, "", "1")))
	command(t, c, "FUNCTION", "FLUSH")
	mixed := lanes(16, "1", "2")
	mixed[3].Once = true
	mixed = append(mixed, flush(mixed[5].Lane, "2", "3")) // expects what one before it leaves
	wantApplied(t, s.Apply(bg, mixed))
	command(t, c, "FUNCTION", "FLUSH")
	if ok, err := s.PutManifest(bg, "v", 1, nil); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// TestFunctionsForgotten: a server that does not keep functions ends in an error and not in a loop.
func TestFunctionsForgotten(t *testing.T) {
	srv := redisserver.Start(t)
	s, c := open(t, srv.Addr), raw(t, srv.Addr)
	command(t, c, "FUNCTION", "FLUSH")
	command(t, c, "ACL", "SETUSER", "default", "-function|load")
	o := s.Apply(bg, []lane.Call{flush(ids, "", "1")})[0]
	if !errors.Is(o.Err, lane.ErrStore) {
		t.Fatalf("%+v, want ErrStore", o)
	}
}

func TestRestartedEmpty(t *testing.T) {
	srv := redisserver.Start(t)
	s := open(t, srv.Addr)
	wantApplied(t, s.Apply(bg, lanes(16, "", "1")))
	srv.Kill()
	if o := s.Apply(bg, []lane.Call{flush(ids, "1", "2")})[0]; !errors.Is(o.Err, lane.ErrUnavailable) {
		t.Fatalf("without a server: %+v, want ErrUnavailable", o)
	}
	if _, err := s.Rows(bg, []lane.RowID{{Lane: ids, Incarnation: inc}}); !errors.Is(err, lane.ErrUnavailable) {
		t.Fatalf("reading without a server: %v, want ErrUnavailable", err)
	}
	srv.Restart(t)
	for i, o := range s.Apply(bg, lanes(16, "1", "2")) {
		if o.Err != nil || o.Applied || o.Marks == nil || len(o.Marks) != 0 {
			t.Fatalf("call %d on an emptied lane: %+v, want a refusal without marks", i, o)
		}
	}
	wantApplied(t, s.Apply(bg, lanes(16, "", "1")))
}

func TestUnreachable(t *testing.T) {
	srv := redisserver.Start(t)
	srv.Stop()
	_, err := redisstore.Open(bg, srv.URL(), redisstore.Options{})
	if !errors.Is(err, lane.ErrUnavailable) {
		t.Fatalf("opening without a server: %v, want ErrUnavailable", err)
	}
	if _, err := redisstore.Open(bg, "redis://a b", redisstore.Options{}); !errors.Is(err, redisstore.ErrURL) {
		t.Fatalf("opening no URL: %v, want ErrURL", err)
	}
}

// TestSilent: a server that takes the connection and says nothing is bounded by the timeout.
func TestSilent(t *testing.T) {
	srv := redisserver.Start(t)
	s := open(t, srv.Addr)
	s.SetTimeout(50 * time.Millisecond)
	command(t, raw(t, srv.Addr), "CLIENT", "PAUSE", "3600000", "ALL")
	if o := s.Apply(bg, []lane.Call{flush(ids, "", "1")})[0]; !errors.Is(o.Err, lane.ErrUnavailable) {
		t.Fatalf("%+v, want ErrUnavailable", o)
	}
	if _, err := s.Marks(bg, []lane.ID{ids}); !errors.Is(err, lane.ErrUnavailable) {
		t.Fatalf("%v, want ErrUnavailable", err)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		harm  [][]any
		class error
		cure  string // a part of the text
	}{
		{"foreign marks", [][]any{{"SET", mkey, "x"}}, lane.ErrStore, "foreign type"},
		{"foreign row", [][]any{{"SET", tag + "aaaaaaaaaa:k", "x"}}, lane.ErrStore, "foreign type"},
		{"full", [][]any{{"CONFIG", "SET", "maxmemory", "1"}}, lane.ErrStore, "raise its maxmemory"},
		{"no permission", [][]any{{"ACL", "SETUSER", "default", "-fcall"}}, lane.ErrStore, "ACL SETUSER line"},
		{"demoted", [][]any{{"REPLICAOF", "127.0.0.1", "1"}}, lane.ErrUnavailable, "READONLY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := redisserver.Start(t)
			s, r := open(t, srv.Addr), raw(t, srv.Addr)
			for _, args := range c.harm {
				command(t, r, args...)
			}
			out := s.Apply(bg, []lane.Call{flush(ids, "", "1")})
			if !errors.Is(out[0].Err, c.class) || !strings.Contains(out[0].Err.Error(), c.cure) {
				t.Fatalf("%+v, want %v with %q", out[0], c.class, c.cure)
			}
		})
	}
}

// TestForeignRow: a row of a foreign type stops its lane only, reads of it say so, and the mark stays.
func TestForeignRow(t *testing.T) {
	srv := redisserver.Start(t)
	s, c := open(t, srv.Addr), raw(t, srv.Addr)
	wantApplied(t, s.Apply(bg, []lane.Call{{Lane: ids, Name: "events/0", Set: "0"}}))
	command(t, c, "SET", tag+"aaaaaaaaaa:k", "foreign")
	publishes := flush(ids, "0", "1")
	publishes.Rows[0].Del = []string{"superseded"}
	out := s.Apply(bg, append([]lane.Call{flush(ids, "0", "1"), publishes}, lanes(3, "", "1")...))
	for _, refused := range out[:2] {
		if !errors.Is(refused.Err, lane.ErrStore) || !strings.Contains(refused.Err.Error(), "at key "+tag+"aaaaaaaaaa:k") {
			t.Fatalf("%+v, want ErrStore with the key", refused)
		}
	}
	wantApplied(t, out[2:])
	if m, err := s.Marks(bg, []lane.ID{ids}); err != nil || m[0]["events/0"] != "0" {
		t.Fatalf("marks are %v, %v; want them unmoved", m, err)
	}
	row := []lane.RowID{{Lane: ids, Incarnation: inc, Key: []byte("k")}}
	if _, err := s.Rows(bg, row); !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), "foreign type") {
		t.Errorf("rows: %v, want ErrStore with the cure", err)
	}
	if _, err := s.Exact(bg, row); !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), "foreign type") {
		t.Errorf("exact: %v, want ErrStore with the cure", err)
	}
	command(t, c, "SET", tag+"no-colon", "foreign")
	if err := s.Scan(bg, ids.Namespace, func(lane.RowID) error { return nil }); !errors.Is(err, lane.ErrStore) {
		t.Errorf("scan over a foreign key: %v, want ErrStore", err)
	}
}

// TestDamagedMark: the error names the class and the key that the operator is to delete.
func TestDamagedMark(t *testing.T) {
	srv := redisserver.Start(t)
	s, c := open(t, srv.Addr), raw(t, srv.Addr)
	command(t, c, "HSET", mkey, "events/0", "damaged\r\n", "batch", "x")
	join := lane.Call{Lane: ids, Name: lane.BatchName, Expect: "x", Set: "y", Join: true}
	raise := lane.Call{Lane: ids, Name: lane.BatchName, Expect: "x", Set: "y", RowsOf: inc, Raise: []lane.Raise{{Name: "events/0", Cut: 1}}}
	for _, o := range s.Apply(bg, []lane.Call{join, raise}) {
		if !errors.Is(o.Err, lane.ErrMark) || !errors.Is(o.Err, lane.ErrStore) || !strings.Contains(o.Err.Error(), mkey) {
			t.Fatalf("%+v, want ErrMark with the key", o)
		}
	}
	command(t, c, "HSET", "tm:manifest:v", "seq", "damaged")
	if _, _, err := s.Manifest(bg, "v"); !errors.Is(err, lane.ErrStore) {
		t.Errorf("reading a damaged manifest: %v, want ErrStore", err)
	}
	if _, err := s.PutManifest(bg, "v", 1, nil); !errors.Is(err, lane.ErrStore) {
		t.Errorf("writing over a damaged manifest: %v, want ErrStore", err)
	}
}

// TestConnectionRefused: a server that is out of connections must not make rows look empty.
func TestConnectionRefused(t *testing.T) {
	srv := redisserver.Start(t)
	s, c := open(t, srv.Addr), raw(t, srv.Addr)
	wantApplied(t, s.Apply(bg, []lane.Call{flush(ids, "", "1")}))
	command(t, c, "CONFIG", "SET", "maxclients", "1")
	command(t, c, "CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "yes")
	row := []lane.RowID{{Lane: ids, Incarnation: inc, Key: []byte("k")}}
	is := func(what string, err error) {
		if !errors.Is(err, lane.ErrUnavailable) {
			t.Errorf("%s: %v, want ErrUnavailable", what, err)
		}
	}
	_, err := s.Marks(bg, []lane.ID{ids})
	is("marks", err)
	_, err = s.Rows(bg, row)
	is("rows", err)
	_, err = s.Exact(bg, row)
	is("exact", err)
	is("apply", s.Apply(bg, []lane.Call{flush(ids, "1", "2")})[0].Err)
	_, _, err = s.Manifest(bg, "v")
	is("manifest", err)
	is("scan", s.Scan(bg, ids.Namespace, func(lane.RowID) error { return nil }))
}

// TestPasswordSet: nor must one that refuses new connections with an answer. The client library leaves the commands of
// such a pipeline without an error of their own.
func TestPasswordSet(t *testing.T) {
	srv := redisserver.Start(t)
	s, c := open(t, srv.Addr), raw(t, srv.Addr)
	command(t, c, "CONFIG", "SET", "requirepass", "secret")
	command(t, c, "CLIENT", "KILL", "TYPE", "NORMAL", "SKIPME", "yes")
	_, rows := s.Rows(bg, []lane.RowID{{Lane: ids, Incarnation: inc, Key: []byte("k")}})
	apply := s.Apply(bg, []lane.Call{flush(ids, "", "1")})[0].Err
	for _, err := range []error{rows, apply} {
		if !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), "wants a password") {
			t.Errorf("%v, want ErrStore with the cure", err)
		}
	}
}

func TestStartCheck(t *testing.T) {
	for _, policy := range []string{"allkeys-lru", "allkeys-lfu", "allkeys-random", "volatile-lru", "volatile-ttl"} {
		srv := redisserver.Start(t, "--maxmemory-policy", policy)
		_, err := redisstore.Open(bg, srv.URL(), redisstore.Options{})
		if !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), "CONFIG SET maxmemory-policy noeviction") {
			t.Errorf("%s: %v, want ErrStore with the cure", policy, err)
		}
	}
	srv := redisserver.Start(t, "--cluster-enabled", "yes")
	if _, err := redisstore.Open(bg, srv.URL(), redisstore.Options{}); !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), "cluster") {
		t.Errorf("cluster: %v, want ErrStore", err)
	}
	srv = redisserver.Start(t, "--requirepass", "secret")
	if _, err := redisstore.Open(bg, srv.URL(), redisstore.Options{}); !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), "password") {
		t.Errorf("without the password: %v, want ErrStore with the cure", err)
	}
}

func TestWarnings(t *testing.T) {
	srv := redisserver.Start(t)
	c := raw(t, srv.Addr)
	warned := func(n int, parts ...string) {
		t.Helper()
		w := open(t, srv.Addr).Warnings()
		if len(w) != n {
			t.Fatalf("warnings are %q, want %d", w, n)
		}
		for _, p := range parts {
			if !strings.Contains(strings.Join(w, "\n"), p) {
				t.Errorf("warnings %q do not say %q", w, p)
			}
		}
	}
	warned(1, "CONFIG SET hash-max-listpack-value 65536") // Redis 7.0 has 64 and 512 or 128
	command(t, c, "CONFIG", "SET", "hash-max-listpack-entries", "64")
	warned(2, "CONFIG SET hash-max-listpack-value 65536", "CONFIG SET hash-max-listpack-entries 128")
	command(t, c, "CONFIG", "SET", "hash-max-listpack-value", "65536")
	command(t, c, "CONFIG", "SET", "hash-max-listpack-entries", "128")
	warned(0)
	command(t, c, "ACL", "SETUSER", "default", "-config")
	warned(1, "does not tell its settings (the user lacks the right +config|get, see docs/redis.md)")
	if w := open(t, srv.Addr).Warnings(); strings.Contains(w[0], "NOPERM") {
		t.Errorf("%q repeats what the server said", w)
	}
}
