package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/storehttp"
	"github.com/tidemark-io/tidemark/serving/storetest/ports"
)

// TestUp is a session of an operator: up on an embedded store, every command beside it, and its end.
func TestUp(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "")
	in.gen(1500)
	up := in.upSmall("--http", "0.0.0.0:0")
	in.awaitQuiet()
	address := strings.Replace(httpOf(t, up.out.String()), "[::]", "127.0.0.1", 1)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	base := "http://127.0.0.1:" + port

	t.Run("json", func(t *testing.T) { jsonFields(t, in) })
	t.Run("get", func(t *testing.T) { getManyKeys(t, in) })
	t.Run("http", func(t *testing.T) { httpFaces(t, base) })
	t.Run("store", func(t *testing.T) { storeRoutes(t, base, port) })
	t.Run("batch", func(t *testing.T) {
		r := in.askBatch("batch", "--once").want(t, exitOK)
		if !strings.Contains(r.stdout, "nothing to do: ") {
			t.Errorf("with nothing new: %s%s", r.stdout, r.stderr)
		}
		r = in.askBatch("batch", "--once", "--block", "1024").want(t, exitUsage)
		if !strings.Contains(r.stderr, "--block") {
			t.Errorf("with another block size: %s", r.stderr)
		}
	})
	t.Run("second", func(t *testing.T) {
		r := invoke(t, "", in.flags("up", in.job, "--state", filepath.Join(in.folder, "state"), "--wait", "0s")...).want(t, exitUnreachable)
		if !strings.Contains(r.stderr, in.store) || !strings.Contains(r.stderr, "one process at a time") {
			t.Errorf("a second owner of the store: %s", r.stderr)
		}
	})

	up.terminate()
	if !strings.Contains(up.out.String(), `"msg":"drained"`) {
		t.Errorf("its log: %s", up.out)
	}
	t.Log(in.verified()) // the store opens without its owner
}

// jsonFields: the fields that docs/cli.md promises are there, and no others.
func jsonFields(t *testing.T, in *installation) {
	t.Helper()
	records := strings.Split(in.log("-o", "json").stdout, "\n")
	for _, c := range []struct{ name, text, want string }{
		{
			"get", invoke(t, "", "get", in.job, "listing", "l0", "--frontier", "--features", "favs", "--store", in.store, "-o", "json").want(t, exitOK).stdout,
			"job profiles.as_of profiles.degraded profiles.events profiles.features.favs.status profiles.features.favs.value profiles.found " +
				"profiles.freshness.age_ms profiles.freshness.through profiles.frontier.events/0 profiles.frontier.events/1 profiles.frontier.events/2 " +
				"profiles.frontier.events/3 profiles.key profiles.newest version.generation version.identity version.revision view",
		},
		{"verify", in.ask("verify", "-o", "json").want(t, exitOK).stdout, "degraded entities events faults tiles wrong"},
		{
			"explain", invoke(t, "", in.flags("explain", in.job, "listing", "l0", "favs", "-o", "json")...).want(t, exitOK).stdout,
			"as_of degraded error events.append events.position events.record events.taken_in events.time events_left_out features.feature features.status " +
				"features.value found incarnation key lane marks.append marks.joined marks.name marks.next marks.rows marks.run marks.whole marks.wire parts.bytes " +
				"parts.events parts.field parts.kind parts.last parts.leftover parts.newest parts.stretch parts.values.feature parts.values.value " +
				"version.generation version.identity version.revision view",
		},
		{
			"versions", in.askBatch("versions", "-o", "json").want(t, exitOK).stdout,
			"generation identity inherited lanes revision runs.cut.events/0 runs.cut.events/1 runs.cut.events/2 runs.cut.events/3 runs.digest runs.kind " +
				"runs.published_lanes runs.rows runs.run runs.state state view",
		},
		{
			"status", in.ask("status", "-o", "json").want(t, exitOK).stdout,
			"job views.cut.events/0 views.cut.events/1 views.cut.events/2 views.cut.events/3 views.degraded views.failed views.generation views.identity views.kind views.lanes views.lanes_behind " +
				"views.lanes_whole views.partitions.archived views.partitions.end views.partitions.lag views.partitions.next views.partitions.partition " +
				"views.published_run views.revision views.run views.state views.view",
		},
		{"log", records[0], "append append_type from key offset partition reject source value"},
	} {
		var v any
		unmarshal(t, c.text, &v)
		fields := map[string]bool{}
		collect(v, "", fields)
		if got := strings.Join(slices.Sorted(maps.Keys(fields)), " "); got != c.want {
			t.Errorf("%s -o json has the fields\n%s\nwant\n%s", c.name, got, c.want)
		}
	}
}

// collect adds the paths of all members of objects, those of arrays under the array's own.
func collect(v any, path string, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, m := range v {
			collect(m, strings.TrimPrefix(path+"."+name, "."), into)
		}
	case []any:
		for _, m := range v {
			collect(m, path, into)
		}
		if len(v) > 0 {
			return
		}
		into[path] = true
	default:
		into[path] = true
	}
}

// getManyKeys: thousands of keys on standard input are answered in their order, doubles too; one that is no key has an
// error and stops none.
func getManyKeys(t *testing.T, in *installation) {
	t.Helper()
	var keys []string
	for i := range 3000 {
		keys = append(keys, "listing_id:l"+string(rune('a'+i%26))+strings.Repeat("x", i%3))
	}
	keys[1234] = "color:red"
	r := invoke(t, strings.Join(keys, "\n")+"\n\n", "get", in.job, "listing", "-", "--features", "favs", "--store", in.store, "-o", "json").want(t, exitUsage)
	var got []string
	for line := range strings.Lines(r.stdout) {
		var a struct {
			Profiles []struct {
				Key   string
				Error *struct{ Status int }
			}
		}
		unmarshal(t, line, &a)
		for _, p := range a.Profiles {
			if (p.Error != nil) != (p.Key == "color:red") {
				t.Errorf("%s: %+v", p.Key, p.Error)
			}
			got = append(got, p.Key)
		}
	}
	if !slices.Equal(got, keys) {
		t.Errorf("%d keys answered, %d asked for, or in another order", len(got), len(keys))
	}
	if !strings.Contains(r.stderr, "1 of 3000 keys") {
		t.Errorf("it says %s", r.stderr)
	}
}

// httpFaces: what a running up serves beside lookups.
func httpFaces(t *testing.T, base string) {
	t.Helper()
	for path, says := range map[string]string{
		"/healthz":   "ok",
		"/readyz":    "",
		"/metrics":   "tidemark_batch_published_run{",
		"/v1/status": `"speed":[{"partition":"events/0"`,
		"/v1/jobs/usedcar/views/listing/profiles/l0?as_of=newest": `"key":"listing_id:l0"`,
	} {
		soon(t, path, func() error { // a process whose heartbeat was late has no partitions for a moment
			code, body := fetch(t, http.MethodGet, base+path, "", nil)
			if code != http.StatusOK || !strings.Contains(body, says) {
				return fmt.Errorf("%s: %d %.300s", path, code, body)
			}
			return nil
		})
	}
	code, body := fetch(t, http.MethodGet, base+"/v1/jobs/usedcar/views/listing/profiles/l0?features=nosuch", "", nil)
	if code != http.StatusBadRequest || !json.Valid([]byte(body)) || !strings.Contains(body, "view_cnt_7d") {
		t.Errorf("an unknown feature: %d %.300s", code, body)
	}
}

// storeRoutes: the store of up is changed from its own machine only, and not through a proxy or by a web page.
func storeRoutes(t *testing.T, base, port string) {
	t.Helper()
	const wire = "application/vnd.tidemark.store"
	noCalls := []byte{0}
	for _, route := range []string{"apply", "putmanifest"} {
		url := base + storehttp.Prefix + route
		if code, _ := fetch(t, http.MethodPost, url, wire, noCalls, "X-Forwarded-For", "198.51.100.7"); code != http.StatusForbidden {
			t.Errorf("%s through a proxy: %d", route, code)
		}
		if code, _ := fetch(t, http.MethodPost, url, "text/plain", noCalls); code != http.StatusUnsupportedMediaType {
			t.Errorf("%s as a web page can send it: %d", route, code)
		}
		other := outwardAddress(t)
		if other == "" {
			t.Log("this machine has no address but its own loopback: nothing can come from elsewhere")
			continue
		}
		url = "http://" + net.JoinHostPort(other, port) + storehttp.Prefix + route
		if code, body := fetch(t, http.MethodPost, url, wire, noCalls); code != http.StatusForbidden {
			t.Errorf("%s from %s: %d %s", route, other, code, body)
		}
	}
	if code, body := fetch(t, http.MethodPost, base+storehttp.Prefix+"apply", wire, noCalls); code != http.StatusOK {
		t.Errorf("apply from this machine: %d %s", code, body)
	}
}

// outwardAddress returns an address of this machine that is not its loopback, empty if it has none.
func outwardAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return n.IP.String()
		}
	}
	return ""
}

func fetch(t testing.TB, method, url, contentType string, body []byte, header ...string) (code int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// TestUpWaits: up waits for a topic that is not there yet, warns of one that keeps producers' times, and can be told to
// end while it waits for Kafka.
func TestUpWaits(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "")
	r := invoke(t, "", in.flags("up", in.job, "--state", filepath.Join(in.folder, "state"), "--wait", "0s")...).want(t, exitUnreachable)
	if !strings.Contains(r.stderr, "usedcar-events") || !strings.Contains(r.stderr, "gen and produce create it") {
		t.Errorf("without a topic: %s", r.stderr)
	}
	up := in.up()
	up.await("waiting for topic usedcar-events", cliWait)
	in.gen(10, "--start", "2026-01-31T18:00:00Z")
	up.await("ready role=up", cliWait)
	if !strings.Contains(up.out.String(), "CreateTime") {
		t.Errorf("no warning of CreateTime: %s", up.out)
	}
	up.terminate()

	away := &installation{t: t, job: in.job, kafka: unreachable, store: in.store, folder: in.folder}
	up = away.up("--wait", "10m")
	up.await("waiting for Kafka", cliWait)
	up.terminate()
}

// TestBroker: what was produced is there when the broker is started again on its folder, at its old address.
func TestBroker(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	address := ports.Free(t)
	args := []string{"broker", "--data", dir, "--listen", address}
	b := tidemark(t, args...)
	b.await("ready role=broker kafka="+address, cliWait)
	in := &installation{t: t, job: "../../jobs/usedcar", kafka: address, folder: t.TempDir()}
	in.gen(200)
	before := in.log("-o", "json").stdout
	b.terminate()
	tidemark(t, args...).await("ready role=broker", cliWait)
	if after := in.log("-o", "json").stdout; after != before || strings.Count(after, "\n") != 200 {
		t.Errorf("%d records before, %d after", strings.Count(before, "\n"), strings.Count(after, "\n"))
	}
}
