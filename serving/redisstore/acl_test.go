package redisstore_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/tidemark-io/tidemark/serving/redisstore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storetest"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// documented returns the line of docs/redis.md that makes the user with the least rights.
func documented(t *testing.T) []any {
	t.Helper()
	text, err := os.ReadFile("../../docs/redis.md")
	if err != nil {
		t.Fatal(err)
	}
	var args []any
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "ACL SETUSER tidemark ") {
			continue
		}
		if args != nil {
			t.Fatal("docs/redis.md has two lines that make the user")
		}
		for word := range strings.FieldsSeq(line) {
			args = append(args, word)
		}
	}
	if args == nil {
		t.Fatal("docs/redis.md has no line that makes the user")
	}
	return args
}

// TestLeastPrivilege: the suite passes as the user of exactly the documented line, over TLS with certificates on both
// sides.
func TestLeastPrivilege(t *testing.T) {
	certs := redisserver.NewCerts(t)
	srv := redisserver.StartTLS(t, certs)
	params := []string{"tls_ca", certs.CA, "tls_cert", certs.ClientCert, "tls_key", certs.ClientKey, "tls_name", redisserver.ServerName}
	admin := rawURL(t, srv.Addr, certs)
	command(t, admin, documented(t)...)
	url := strings.Replace(secure(srv.Addr, params...), "rediss://", "rediss://tidemark:change-me@", 1)
	url = strings.Replace(url, "/0?", "/1?", 1) // selecting a database is among the rights
	storetest.Run(t, func(t testing.TB) store.Store { return openURL(t, url) })
}

func rawURL(t *testing.T, addr string, certs redisserver.Certs) *redis.Client {
	t.Helper()
	o, err := redis.ParseURL("rediss://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	if o.TLSConfig, err = redisstore.TLSConfig(certs.CA, certs.ClientCert, certs.ClientKey); err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// TestPrivilegesEnd: the user can do nothing else, and nothing to others' keys.
func TestPrivilegesEnd(t *testing.T) {
	srv := redisserver.Start(t)
	admin := raw(t, srv.Addr)
	command(t, admin, documented(t)...)
	command(t, admin, "HSET", "others", "a", "b")
	s := openURL(t, "redis://tidemark:change-me@"+srv.Addr)
	wantApplied(t, s.Apply(bg, []lane.Call{flush(ids, "", "1")}))
	if w := s.Warnings(); len(w) != 1 || !strings.Contains(w[0], "hash-max-listpack-value is 65536 or more") {
		t.Errorf("warnings are %q, want to be told which settings to look at", w)
	}
	user := redis.NewClient(&redis.Options{Addr: srv.Addr, Username: "tidemark", Password: "change-me", MaxRetries: -1})
	defer func() { _ = user.Close() }()
	for _, forbidden := range []string{
		"FLUSHALL", "FLUSHDB", "KEYS *", "DEL " + mkey, "UNLINK " + mkey, "RENAME " + mkey + " x", "EXPIRE " + mkey + " 1",
		"GET " + mkey, "SET {tm:x:00}:m x", "EVAL return 0", "CONFIG GET requirepass", "CONFIG SET maxmemory 1", "CONFIG REWRITE",
		"FUNCTION FLUSH", "FUNCTION DELETE tidemark_1", "FUNCTION LIST", "ACL LIST", "ACL SETUSER tidemark +@all",
		"SHUTDOWN", "REPLICAOF no one", "SAVE", "MONITOR", "CLIENT LIST", "CLIENT KILL TYPE normal", "SUBSCRIBE x", "PUBLISH x y", "SWAPDB 0 1",
		"HGETALL others", "HSET others a c", "HDEL others a", "HVALS others", "HGET others a",
		"FCALL tm_manifest_1 1 others 1 x", "FCALL tm_manifest_1 1 tm:other 1 x",
	} {
		var args []any
		for word := range strings.FieldsSeq(forbidden) {
			args = append(args, word)
		}
		if err := user.Do(bg, args...).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOPERM") {
			t.Errorf("%s: %v, want NOPERM", forbidden, err)
		}
	}
	if got, err := admin.HGet(bg, "others", "a").Result(); got != "b" || err != nil {
		t.Errorf("others' key has %q, %v", got, err)
	}
	if m, err := s.Marks(bg, []lane.ID{ids}); err != nil || m[0]["events/0"] != "1" {
		t.Errorf("marks are %v, %v", m, err)
	}
}

// TestMissingRights: each right of the line is needed, and the lack of one is told with where to look.
func TestMissingRights(t *testing.T) {
	srv := redisserver.Start(t)
	admin := raw(t, srv.Addr)
	line := documented(t)
	for _, right := range line {
		name, ok := strings.CutPrefix(fmt.Sprint(right), "+")
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			command(t, admin, "ACL", "DELUSER", "tidemark")
			command(t, admin, line...)
			command(t, admin, "ACL", "SETUSER", "tidemark", "-"+name)
			if err := useAll("redis://tidemark:change-me@" + srv.Addr + "/1"); !errors.Is(err, lane.ErrStore) || !strings.Contains(err.Error(), "ACL SETUSER line") {
				t.Errorf("without %s: %v, want ErrStore with the cure", name, err)
			}
		})
	}
}

// useAll opens a store and uses each of its operations; it returns what went wrong.
func useAll(url string) error {
	s, err := redisstore.Open(bg, url, redisstore.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	gone := lane.Call{Lane: ids, AnyMark: true, Replace: map[string]string{}}
	write := flush(ids, "", "1")
	del := lane.Call{Lane: ids, Name: "events/0", AnyMark: true, RowsOf: inc, Rows: []lane.RowChange{{Key: []byte("k"), Del: []string{"e0/0/0"}}}}
	var errs []error
	for _, o := range s.Apply(bg, []lane.Call{gone, write, del}) {
		errs = append(errs, o.Err)
	}
	row := []lane.RowID{{Lane: ids, Incarnation: inc, Key: []byte("k")}}
	_, err = s.Rows(bg, row)
	errs = append(errs, err)
	_, err = s.Exact(bg, row)
	errs = append(errs, err, s.Scan(bg, ids.Namespace, func(lane.RowID) error { return nil }))
	_, err = s.PutManifest(bg, "v", 1, nil)
	return errors.Join(append(errs, err)...)
}
