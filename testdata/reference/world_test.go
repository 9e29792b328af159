package reference_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tidemark-io/tidemark/jobs"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// world is one log of a job's source, twice: decoded, as our folds read it, and as `tidemark log -o json` prints it.
type world struct {
	job     *job.Job
	src     *schema.Source
	decoder *decode.Decoder
	parts   []*column.Batch
	log     bytes.Buffer
	rejects map[decode.Reason]int
}

func newWorld(t *testing.T, name string, partitions int) *world {
	t.Helper()
	j, err := job.LoadDir(filepath.Join("..", "..", "jobs", name))
	if err != nil {
		t.Fatal(err)
	}
	if len(j.Sources) != 1 {
		t.Fatalf("job %s has %d sources; the reference breaks no ties between sources", name, len(j.Sources))
	}
	w := &world{job: j, src: &j.Sources[0], rejects: map[decode.Reason]int{}}
	if w.decoder, err = decode.Compile(w.src); err != nil {
		t.Fatal(err)
	}
	for p := range partitions {
		w.parts = append(w.parts, column.NewBatch(w.src, int32(p), false))
	}
	return w
}

// loggedRecord is a line of `tidemark log -o json`.
type loggedRecord struct {
	Source    string `json:"source"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Append    int64  `json:"append"`
	Type      string `json:"append_type"`
	Key       any    `json:"key"`
	Value     any    `json:"value"`
	Reject    string `json:"reject"`
	From      string `json:"from"`
}

// add appends a record to a partition, skip offsets after the last one.
func (w *world) add(t *testing.T, partition int, skip, appended int64, value []byte) {
	t.Helper()
	b := w.parts[partition]
	offset := skip
	if b.N > 0 {
		offset += b.Offset[b.N-1] + 1
	}
	w.decoder.Append(b, &record.Record{Offset: offset, Append: appended, AppendType: column.LogAppendTime, Value: value})
	line := loggedRecord{
		Source: w.src.Name, Partition: b.Partition, Offset: offset, Append: appended, Type: "log", Value: textOrBase64(value), From: "kafka",
	}
	reason := decode.Reason(b.Reject[b.N-1])
	w.rejects[reason]++
	if reason != 0 {
		line.Reject = reason.String()
	}
	if err := json.NewEncoder(&w.log).Encode(&line); err != nil {
		t.Fatal(err)
	}
}

func textOrBase64(value []byte) any {
	switch {
	case value == nil:
		return nil
	case utf8.Valid(value):
		return string(value)
	}
	return map[string][]byte{"base64": value} // encoding/json writes bytes as base64
}

// newest is the newest event time of all.
func (w *world) newest() (ms int64) {
	for _, b := range w.parts {
		ms = max(ms, slices.Max(append(b.Time, 0)))
	}
	return ms
}

func (w *world) fold(p *view.Plan) *view.Fold {
	f := p.NewFold()
	for _, b := range w.parts {
		f.Add(b, 0, b.N)
	}
	return f
}

// profile is an entity as the reference prints it.
type profile struct {
	View   string `json:"view"`
	Key    string `json:"key"`
	Found  bool   `json:"found"`
	Events int64  `json:"events"`
	Newest string `json:"newest"`
	AsOf   string `json:"as_of"`
	Error  string `json:"error,omitempty"`
	// Estimated are the features that the reference knows exactly and we estimate, with the relative error allowed.
	Estimated map[string]float64         `json:"estimated,omitempty"`
	Features  map[string]json.RawMessage `json:"features"`
}

// newest in place of an as_of means that of each entity.
const newest = -1

// profiles returns what our fold says of every entity, in order of views and keys.
func (w *world) profiles(asOf int64) []profile {
	var out []profile
	for i, p := range w.job.Plans {
		f := w.fold(p)
		for slot := range f.Len() {
			at := asOf
			if at == newest {
				at = f.Newest(slot)
			}
			pr := profile{
				View: w.job.Views[i].Name, Key: string(f.Key(slot)), Found: true, Events: f.Events(slot),
				Newest: rfc3339(f.Newest(slot)), AsOf: rfc3339(at), Features: map[string]json.RawMessage{},
			}
			for k, ft := range p.Features() {
				v, _ := p.FeatureValue(f.Value(slot, k, at), ft.Spec)
				pr.Features[ft.Spec.Name] = v.AppendJSON(nil)
			}
			out = append(out, pr)
		}
	}
	slices.SortFunc(out, func(a, b profile) int {
		if a.View != b.View {
			return strings.Compare(a.View, b.View)
		}
		return strings.Compare(a.Key, b.Key)
	})
	return out
}

func rfc3339(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// python runs the reference on the world's log.
func (w *world) python(t *testing.T, arguments ...string) (stdout []byte, stderr string, code int) {
	t.Helper()
	return python(t, w.log.Bytes(), append([]string{w.job.Name}, arguments...)...)
}

func python(t *testing.T, stdin []byte, arguments ...string) (stdout []byte, stderr string, code int) {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine; install it to compare features with testdata/reference/reference.py")
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), path, append([]string{"reference.py"}, arguments...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(stdin), &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.Bytes(), errs.String(), cmd.ProcessState.ExitCode()
}

// reference returns what the reference prints for the world.
func (w *world) reference(t *testing.T, asOf int64, arguments ...string) []profile {
	t.Helper()
	text := "newest"
	if asOf != newest {
		text = rfc3339(asOf)
	}
	stdout, stderr, code := w.python(t, append(arguments, "--as-of", text)...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	records := 0
	for _, b := range w.parts {
		records += b.N
	}
	if want := fmt.Sprintf("%d records, %d rejected,", records, records-w.rejects[0]); !strings.HasPrefix(stderr, want) {
		t.Errorf("the reference read %s, want %s", stderr, want)
	}
	var out []profile
	for d := json.NewDecoder(bytes.NewReader(stdout)); d.More(); {
		var p profile
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// traffic fills a world with what the job's generator makes at one record each step, ms.
func (w *world) traffic(t *testing.T, seed uint64, records int, start, step int64) {
	t.Helper()
	g := jobs.Generators[w.job.Name](seed)
	for i := range records {
		now := start + int64(i)*step
		r := g.Next(now)
		partition := int(view.Hash(r.Key) % uint64(len(w.parts)))
		w.add(t, partition, int64(i%97/96), now, bytes.Clone(r.Value))
	}
}
