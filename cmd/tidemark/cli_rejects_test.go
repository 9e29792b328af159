package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
)

// archiveOf archives values as a partition of the retail job's source, from offset from on, and returns the file's path.
func archiveOf(t *testing.T, dir string, partition int32, from int64, values ...[]byte) string {
	t.Helper()
	j, err := loadJob("../../jobs/retail")
	if err != nil {
		t.Fatal(err)
	}
	src := &j.Sources[0]
	d, err := decode.Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	b := column.NewBatch(src, partition, true)
	for i, v := range values {
		d.Append(b, &record.Record{Offset: from + int64(i), Append: 1300000000000 + int64(i), AppendType: column.LogAppendTime, Key: []byte("k"), Value: v})
	}
	path, err := archivefile.Write(archivefile.OS{}, dir, src, partition, position.Range{From: from, Next: from + int64(len(values))},
		func(yield func(*column.Batch, error) bool) { yield(b, nil) })
	if err != nil {
		t.Fatal(err)
	}
	return path
}

const fineLine = `{"invoice":"1","stock_code":"a","invoice_time":1291191960000,"customer_id":"7"}`

// TestRejects: rejected records are listed in order with their bytes, counted by reason, and limited.
func TestRejects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := `{"invoice":"` + strings.Repeat("x", 300) + `"}`
	archiveOf(t, dir, 0, 0, []byte(fineLine), []byte("{"), nil, []byte(fineLine), []byte("a\xff"), []byte{}, []byte(long))
	archiveOf(t, dir, 1, 0, []byte(fineLine))
	damaged := archiveOf(t, dir, 2, 5, []byte("[1]"), []byte("{}"))

	r := invoke(t, "", "rejects", "../../jobs/retail", "--archive", dir).want(t, exitOK)
	at := "2011-03-13T07:06:40.00"
	want := strings.Join([]string{
		"lines/0@1\t" + at + "1Z\tnot JSON\tk\t{",
		"lines/0@2\t" + at + "2Z\ttombstone\tk\t(null)",
		"lines/0@4\t" + at + "4Z\tnot UTF-8\tk\t\"a\\xff\"",
		"lines/0@5\t" + at + "5Z\tnot JSON\tk\t\"\"",
		"lines/0@6\t" + at + "6Z\trequired field missing\tk\t" + long[:200] + "… (314 bytes)",
		"lines/2@5\t" + at + "0Z\tnot an object\tk\t[1]",
		"lines/2@6\t" + at + "1Z\trequired field missing\tk\t{}",
		"       2  not JSON", "       2  required field missing", "       1  not UTF-8", "       1  not an object", "       1  tombstone",
		"7 of 10 records of source lines in " + dir + " were rejected", "",
	}, "\n")
	if r.stdout != want {
		t.Errorf("got\n%swant\n%s", r.stdout, want)
	}

	limited := invoke(t, "", "rejects", "../../jobs/retail", "lines", "--archive", dir, "--limit", "2").want(t, exitOK).stdout
	if !strings.HasPrefix(limited, strings.Join(strings.SplitAfter(want, "\n")[:2], "")) || !strings.Contains(limited, "… and 5 more") ||
		strings.Count(limited, "\n") != 2+1+5+1 {
		t.Errorf("limited:\n%s", limited)
	}

	lines := strings.Split(strings.TrimSpace(invoke(t, "", "rejects", "../../jobs/retail", "--archive", dir, "-o", "json").want(t, exitOK).stdout), "\n")
	if len(lines) != 8 {
		t.Fatalf("%d lines", len(lines))
	}
	var third map[string]any
	unmarshal(t, lines[2], &third)
	if got := strings.Join(slices.Sorted(maps.Keys(third)), " "); got != "append key offset partition raw reason source" {
		t.Errorf("fields %s", got)
	}
	if raw, _ := json.Marshal(third["raw"]); string(raw) != `{"base64":"Yf8="}` {
		t.Errorf("raw %s", raw)
	}
	var sum rejectsSummary
	unmarshal(t, lines[7], &sum)
	if sum.Records != 10 || sum.Rejected != 7 || sum.Listed != 7 || fmt.Sprint(sum.Reasons) !=
		"map[not JSON:2 not UTF-8:1 not an object:1 required field missing:2 tombstone:1]" {
		t.Errorf("%+v", sum)
	}

	info, err := os.Stat(damaged)
	if err != nil {
		t.Fatal(err)
	}
	flipByte(t, damaged, int(info.Size())/2)
	if r := invoke(t, "", "rejects", "../../jobs/retail", "--archive", dir).want(t, exitFailed); !strings.Contains(r.stderr, damaged) {
		t.Errorf("a damaged file is not named: %s", r.stderr)
	}
	empty := invoke(t, "", "rejects", "../../jobs/retail", "--archive", t.TempDir()).want(t, exitOK)
	if !strings.HasPrefix(empty.stdout, "0 of 0 records") {
		t.Error(empty.stdout)
	}
	invoke(t, "", "rejects", "../../jobs/retail", "--limit", "-1").want(t, exitUsage)
}
