package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/shared/kafkalog"
)

const retailHeader = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

// retailLine is a line of the shop, by a number that tells it from others.
func retailLine(n int) string {
	return fmt.Sprintf("%d,85123A,\"A \"\"WHITE\"\" HEART, hanging\",6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n", 536000+n)
}

// TestProduce: files of every kind are sent, bad lines are told by number and hold nothing up.
func TestProduce(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "")
	events := strings.SplitAfter(strings.TrimSpace(invoke(t, "", "gen", in.job, "--events", "4", "--out", "-").want(t, exitOK).stdout), "\n")
	for _, c := range []struct {
		name, content, job string
		code, sent         int
		says               []string
	}{
		{"all.jsonl", strings.Join(events, ""), "usedcar", exitOK, 4, nil},
		{"all.jsonl.gz", strings.Join(events, ""), "usedcar", exitOK, 4, nil},
		{"-", strings.Join(events, ""), "usedcar", exitOK, 4, nil},
		{"bad.jsonl", events[0] + "{\"half\":\n\n" + events[1] + "nonsense\n" + events[2], "usedcar", exitFailed, 3, []string{"line 2 refused", "line 5 refused", "2 lines"}},
		{"all.csv", retailHeader + retailLine(1) + retailLine(2), "retail", exitOK, 2, nil},
		{"bom.csv.gz", "\ufeff" + strings.ReplaceAll(retailHeader+retailLine(1), "\n", "\r\n"), "retail", exitOK, 1, nil},
		{
			"bad.csv", retailHeader + retailLine(1) + "short,line\n" + "1,\"open,a,1,2010-12-01 08:26:00,1,1,UK\n" + retailLine(2) + retailLine(3),
			"retail", exitFailed, 3,
			[]string{"line 3 refused", "line 4 refused", "quote", "2 lines"},
		},
		{"time.csv", retailHeader + strings.Replace(retailLine(1), "2010-12-01", "2010-13-01", 1) + retailLine(2), "retail", exitFailed, 1, []string{"line 2 refused", "InvoiceDate"}},
		{"empty.csv", "", "retail", exitFailed, -1, []string{"header"}},
		{"other.csv", "A,B\n1,2\n", "retail", exitUsage, -1, []string{"InvoiceNo", "A, B"}},
		{"none.csv", "A,B\n1,2\n", "usedcar", exitUsage, -1, []string{"import"}},
		{"text.gz", "nothing that gzip wrote", "usedcar", exitFailed, -1, []string{"text.gz", "gzip"}},
	} {
		file := c.name
		stdin := c.content
		if file != "-" {
			file, stdin = filepath.Join(t.TempDir(), c.name), ""
			writeFile(t, file, c.content)
		}
		r := invoke(t, stdin, "produce", "../../jobs/"+c.job, "--kafka", in.kafka, "--from", file)
		if r.code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.name, r.code, c.code)
		}
		if c.sent >= 0 && !strings.HasPrefix(r.stdout, fmt.Sprintf("%d records appended", c.sent)) {
			t.Errorf("%s: want %d records sent", c.name, c.sent)
		}
		for _, s := range c.says {
			if !strings.Contains(r.stdout+r.stderr, s) {
				t.Errorf("%s: it does not say %q", c.name, s)
			}
		}
		if t.Failed() {
			t.Fatal(r.stdout + r.stderr)
		}
	}
	// All that was said to be sent is in the log, and nothing else.
	if n := strings.Count(in.log().stdout, "\n"); n != 15 {
		t.Errorf("the log of usedcar has %d records, want 15", n)
	}
	in.job = "../../jobs/retail"
	shop := in.log().stdout
	if n := strings.Count(shop, `A \"WHITE\" HEART, hanging`); n != 7 || n != strings.Count(shop, "\n") {
		t.Errorf("%d of the records of retail are as they were sent, want 7:\n%s", n, shop)
	}
}

// writeFile writes content, zipped if the name says so ("text.gz" lies).
func writeFile(t *testing.T, file, content string) {
	t.Helper()
	b := []byte(content)
	if strings.HasSuffix(file, ".gz") && !strings.HasSuffix(file, "text.gz") {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		b = z.Bytes()
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestGen: the same seed and start give the same records; with --start a topic that is created keeps their times, and
// without it the broker's stand there.
func TestGen(t *testing.T) {
	t.Parallel()
	const start = "2026-01-31T18:00:00Z"
	lines := invoke(t, "", "gen", "../../jobs/usedcar", "--events", "50", "--start", start, "--out", "-").want(t, exitOK).stdout
	if strings.Count(lines, "\n") != 50 {
		t.Fatalf("gen --out - printed %d lines", strings.Count(lines, "\n"))
	}
	for _, timed := range []bool{true, false} {
		in := newInstallation(t, "")
		args := []string{"--partitions", "2"}
		if timed {
			args = append(args, "--start", start)
		}
		in.gen(50, args...)
		ctx, cancel := context.WithTimeout(t.Context(), cliWait)
		defer cancel()
		c, err := kafkalog.Dial(ctx, kafkalog.Config{Brokers: []string{in.kafka}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		topic, err := c.Topic(ctx, "usedcar-events")
		if err != nil || topic.AppendTime == timed || len(topic.Partitions) != 2 {
			t.Errorf("with a start %t: %+v, %v", timed, topic, err)
		}
		var values []string
		for l := range strings.Lines(in.log("-o", "json").stdout) {
			var r loggedRecord
			unmarshal(t, l, &r)
			at, want := time.UnixMilli(r.Append).UTC().Format("2006-01-02T15:04"), "2026-01-31T18:00"
			if (r.Type == "create") != timed || (at == want) != timed {
				t.Fatalf("with a start %t: %s", timed, l)
			}
			v, ok := r.Value.(string)
			if !ok {
				t.Fatalf("no text: %s", l)
			}
			values = append(values, v+"\n")
		}
		// The log is by partition: sorted, they are the same.
		want := slices.Sorted(strings.Lines(lines))
		slices.Sort(values)
		if slices.Equal(values, want) != timed {
			t.Errorf("with a start %t, the records in the log equal those of gen --out: %t", timed, !timed)
		}
	}
}

// TestCSVTwin: on what encoding/csv can read, our reader reads the same; what stands in its way is a bad line more or
// less, never another record.
func TestCSVTwin(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 1))
	pieces := []string{"a", "bc", "\"", "\"\"", ",", "\n", "\n\n", "x y", "é", "\r\n", "\"q,\"\"\nq\""}
	for range 20_000 {
		var text strings.Builder
		for range r.IntN(12) {
			text.WriteString(pieces[r.IntN(len(pieces))])
		}
		twin := csv.NewReader(strings.NewReader(text.String()))
		twin.FieldsPerRecord = -1
		want, err := twin.ReadAll()
		if err != nil {
			continue
		}
		var got [][]string
		for c := csvOf(text.String()); ; {
			cells, bad, err := c.next()
			if err == io.EOF { //nolint:errorlint // it is never wrapped here
				break
			}
			if bad != nil || err != nil {
				t.Fatalf("seed %d: %q: %v %v", seed, text.String(), bad, err)
			}
			got = append(got, slices.Clone(cells))
		}
		if !slices.EqualFunc(got, want, slices.Equal) {
			t.Fatalf("seed %d: %q is %q, want %q", seed, text.String(), got, want)
		}
	}
}

func csvOf(text string) *csvReader {
	return &csvReader{in: &lineReader{name: "test", r: bufio.NewReader(strings.NewReader(text))}}
}

// TestCSVLimits: a record may have as many lines as the limit and not one more, a line as many bytes.
func TestCSVLimits(t *testing.T) {
	t.Parallel()
	for extra, refused := range map[int]bool{0: false, 1: true} {
		c := csvOf("a,\"" + strings.Repeat("x\n", maxRecordLines-1+extra) + "\",b\nlast\n")
		cells, bad, err := c.next()
		if err != nil || (bad != nil) != refused || (bad == nil && (len(cells) != 3 || c.number != 1)) {
			t.Errorf("%d lines: %d cells, %v, %v", maxRecordLines+extra, len(cells), bad, err)
		}
		in := &lineReader{name: "test", r: bufio.NewReader(strings.NewReader(strings.Repeat("x", maxLineBytes-1+extra) + "\nnext"))}
		if l, err := in.next(); (err != nil) != refused || (err == nil && len(l) != maxLineBytes-1) {
			t.Errorf("a line of %d bytes: %d read, %v", maxLineBytes+extra, len(l), err)
		}
		if l, err := in.next(); string(l) != "next" || err != nil || in.number != 2 {
			t.Errorf("the line after it: %q, %v, line %d", l, err, in.number)
		}
	}
}
