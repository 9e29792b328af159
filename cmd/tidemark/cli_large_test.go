package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/devbroker/foreign"
)

// TestLargestRecord: a record of the largest size goes the whole way, from another's client to a profile; one that is a
// byte larger is rejected by both layers alike, listed, and holds up nothing.
func TestLargestRecord(t *testing.T) {
	in := newInstallation(t, "")
	in.gen(100)
	client := foreign.New(in.kafka, nil)
	if err := client.SetConfig(t.Context(), "usedcar-events", "max.message.bytes", strconv.Itoa(2*decode.MaxRecordBytes)); err != nil {
		t.Fatal(err)
	}
	for device, size := range map[string]int{"largest": decode.MaxRecordBytes, "larger": decode.MaxRecordBytes + 1} {
		value := fmt.Appendf(nil, `{"event_id":"1","event_time":1768039200000,"event_type":"view","device_id":%q,"listing_id":"L1"`, device)
		value = append(append(value, bytes.Repeat([]byte(" "), size-len(value)-1)...), '}')
		rec := foreign.Record{Key: []byte(device), Value: value, Time: time.Now().UnixMilli()}
		if err := client.Produce(t.Context(), "usedcar-events", "none", rec); err != nil {
			t.Fatal(err)
		}
	}
	in.gen(2000)
	in.upSmall("--tail-age", "1s")
	in.awaitTakenIn()
	t.Log(in.verified())
	for device, found := range map[string]bool{"largest": true, "larger": false} {
		if out := invoke(t, "", "get", in.job, "user", "device_id:"+device, "--store", in.store, "-o", "json").want(t, exitOK).stdout; strings.Contains(out, `"found":true`) != found {
			t.Errorf("%s: found is not %v: %s", device, found, out)
		}
	}
	poll(t, "the archive to hold both", func() bool {
		rejects := invoke(t, "", "rejects", in.job, "--archive", filepath.Join(in.folder, "archive")).want(t, exitOK).stdout
		return strings.Contains(rejects, "too large\tlarger\t")
	})
	in.awaitRuns(1)
	t.Log(in.verified())
}
