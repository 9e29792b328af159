package store_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/pebblestore"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storehttp"
	"github.com/tidemark-io/tidemark/serving/storetest"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/shared/lane"
)

var (
	bg = context.Background()
	id = lane.ID{Namespace: "job:view:1", N: 7}
)

func TestURLs(t *testing.T) {
	for _, url := range []string{"", "pebble:", "pebble", "memcached://x", "/some/folder", "redis:x", "http://x"} {
		if err := store.Check(url); !errors.Is(err, store.ErrURL) {
			t.Errorf("%q: %v, want ErrURL", url, err)
		}
		if _, err := store.Open(bg, url, store.Options{}); !errors.Is(err, store.ErrURL) {
			t.Errorf("opening %q: %v, want ErrURL", url, err)
		}
	}
	for url, dir := range map[string]string{"pebble:x y": "x y", "pebble:/a": "/a", "redis://h": "", "rediss://h:1/2": ""} {
		got, ok := store.PebbleDir(url)
		if err := store.Check(url); err != nil || ok != (dir != "") || ok && got != dir {
			t.Errorf("%q: %q, %t, %v", url, got, ok, err)
		}
	}
}

// TestBesideOwner: a process beside the owner of the embedded store gets it through the owner's HTTP.
func TestBesideOwner(t *testing.T) {
	dir := t.TempDir()
	url := "pebble:" + dir
	owner, err := store.Open(bg, url, store.Options{Owner: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Close() }()
	if _, err := store.Open(bg, url, store.Options{}); !errors.Is(err, pebblestore.ErrLocked) {
		t.Fatalf("beside an owner that does not serve: %v, want ErrLocked", err)
	}
	srv := httptest.NewServer(storehttp.Handler(owner))
	defer srv.Close()
	if err := pebblestore.WriteAddress(dir, srv.URL); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(bg, url, store.Options{Owner: true}); !errors.Is(err, pebblestore.ErrLocked) {
		t.Fatalf("a second owner: %v, want ErrLocked", err)
	}
	beside, err := store.Open(bg, url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = beside.Close() }()
	if o := beside.Apply(bg, []lane.Call{{Lane: id, Name: "x", Set: "y"}})[0]; o.Err != nil || !o.Applied {
		t.Fatalf("%+v", o)
	}
	if m, err := owner.Marks(bg, []lane.ID{id}); err != nil || m[0]["x"] != "y" {
		t.Fatalf("the owner has the marks %v, %v", m, err)
	}
}

// TestEmbeddedThroughHTTP runs the suite over the way that commands beside a running owner take.
func TestEmbeddedThroughHTTP(t *testing.T) {
	owner, err := store.Open(bg, "pebble:"+t.TempDir(), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = owner.Close() }()
	srv := httptest.NewServer(storehttp.Handler(owner))
	defer srv.Close()
	storetest.Run(t, func(testing.TB) store.Store { return storehttp.NewClient(storehttp.At(srv.URL), time.Minute) })
}

func TestRedis(t *testing.T) {
	srv := redisserver.Start(t, "--hash-max-listpack-value", "64")
	var warnings []string
	s, err := store.Open(bg, srv.URL(), store.Options{Warn: func(w string) { warnings = append(warnings, w) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if !strings.Contains(strings.Join(warnings, "\n"), "hash-max-listpack-value") {
		t.Errorf("warnings are %q", warnings)
	}
	if o := s.Apply(bg, []lane.Call{{Lane: id, Name: "x", Set: "y"}})[0]; o.Err != nil || !o.Applied {
		t.Fatalf("%+v", o)
	}
	srv.Stop()
	if _, err := store.Open(bg, srv.URL(), store.Options{}); !errors.Is(err, lane.ErrUnavailable) {
		t.Fatalf("opening without a server: %v, want ErrUnavailable", err)
	}
}
