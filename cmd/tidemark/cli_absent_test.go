package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/storetest/ports"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
)

// TestAbsent: up waits for a Kafka and a Redis that are not there yet, and says so; both may go away and come back, Redis
// empty, and everything is taken in without anybody's help.
func TestAbsent(t *testing.T) {
	t.Parallel()
	redis := redisserver.Start(t)
	redis.Stop()
	in := &installation{t: t, job: "../../jobs/usedcar", kafka: ports.Free(t), store: redis.URL(), folder: t.TempDir()}
	broker := func() *process {
		return tidemark(t, "broker", "--data", filepath.Join(in.folder, "broker"), "--listen", in.kafka)
	}
	up := in.up("--block", cliBlock, "--cron", cliCron, "--tail-age", "0")
	up.await("waiting for ", cliWait)
	redis.Restart(t)
	up.await("waiting for Kafka", cliWait)
	b := broker()
	b.await("ready role=broker", cliWait)
	in.gen(2_000)
	address := httpOf(t, up.await("ready role=up http=", cliWait)+"\n")
	in.awaitQuiet()

	b.terminate()
	poll(t, "the page to say that the log is away, and what is known all the same", func() bool {
		code, page := pageOf(t, "http://"+address+"/?part=1")
		return code == http.StatusOK && strings.Contains(page, "past the archive is not known") && strings.Contains(page, "events/3")
	})
	if code, page := pageOf(t, "http://"+address+"/profile?view=listing&key=l0"); code != http.StatusOK || !strings.Contains(page, "past the archive is not known") {
		t.Errorf("the page of a profile without a log: %d: %s", code, page)
	}
	redis.Stop()
	poll(t, "readyz to say that the store is away", func() bool {
		return statusOf(t, t.Context(), "http://"+address+"/readyz") == http.StatusServiceUnavailable
	})
	broker().await("ready role=broker", cliWait)
	redis.Restart(t)
	in.gen(1_000)
	in.awaitQuiet()
	t.Log(in.verified())
	up.terminate()
}

// TestLargeRecords: events of nearly 1 MB, keys that are too long and values of all kinds of nonsense go the whole way; the
// rejected ones are listed, and every answer is the plain fold's.
func TestLargeRecords(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "")
	var lines strings.Builder
	for i := range 12 {
		fmt.Fprintf(&lines, `{"event_id":"%d","event_time":1768046400000,"event_type":"search","device_id":"d%d","query":%q}`+"\n", i, i%3, strings.Repeat("長", 320_000))
		fmt.Fprintf(&lines, `{"event_id":"k%d","event_time":1768046400000,"event_type":"view","user_id":%q,"device_id":"d1"}`+"\n", i, strings.Repeat("u", 900_000))
		fmt.Fprintf(&lines, `{"event_id":"r%d","event_time":"now","event_type":"view","device_id":"d1","query":%q}`+"\n", i, strings.Repeat("x", 900_000))
	}
	file := filepath.Join(in.folder, "large.jsonl")
	if err := os.WriteFile(file, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	invoke(t, "", "produce", in.job, "--kafka", in.kafka, "--from", file).want(t, exitOK)
	in.gen(2_000)
	up := in.upSmall()
	in.awaitQuiet()
	up.terminate()
	t.Log(in.verified())
	archive := filepath.Join(in.folder, "archive")
	r := invoke(t, "", "rejects", in.job, "--archive", archive, "--limit", "0").want(t, exitOK)
	if n := strings.Count(r.stdout, "… (900"); n != 12 {
		t.Errorf("%d large records are listed as rejected, want 12: %s", n, r.stdout)
	}
}

// pageOf returns the status and body of a page.
func pageOf(t *testing.T, url string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
