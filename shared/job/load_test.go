package job_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/cockroachdb/datadriven"

	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

// good is a job without faults, which the cases replace files of.
func good() fstest.MapFS {
	return fstest.MapFS{
		"sources/clicks.yaml": {Data: []byte(`
event_time: at
fields:
  at: time required
  user_id: string
  kind: enum(view, call)
  price: decimal(2)
  more: json
  link.to: string
columns:
  cents: {type: int64, expr: price * 1}
`)},
		"views/user.yaml": {Data: []byte(`
sources: [clicks]
entity: [user_id]
features:
  clicks: {op: count, windows: [1h, all]}
`)},
	}
}

// TestFaults pins every fault with its place and cure, in testdata/bad; -rewrite writes what is found there.
//
//	file PATH     replaces a file of a good job by what follows
//	remove PATH   removes one
//	load          lists the faults, and begins anew
func TestFaults(t *testing.T) {
	datadriven.Walk(t, "testdata/bad", func(t *testing.T, path string) {
		files := good()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "file":
				files[d.CmdArgs[0].Key] = &fstest.MapFile{Data: []byte(d.Input + "\n")}
				return ""
			case "remove":
				delete(files, d.CmdArgs[0].Key)
				return ""
			default:
				_, _, err := job.LoadTested(files, "shop")
				files = good()
				if err == nil {
					return "no faults"
				}
				if !errors.Is(err, job.ErrJob) {
					t.Fatalf("%v is not an ErrJob", err)
				}
				return err.Error()
			}
		})
	})
}

func TestFileSystemErrorsAreNoFaults(t *testing.T) {
	_, err := job.LoadDir("testdata/nowhere")
	if !errors.Is(err, fs.ErrNotExist) || errors.Is(err, job.ErrJob) {
		t.Fatalf("got %v", err)
	}
}

func TestFaultsOfDirBeginWithItsPath(t *testing.T) {
	dir := t.TempDir()
	_, err := job.LoadDir(dir + "/.")
	var faults *job.Faults
	if !errors.As(err, &faults) || !strings.HasPrefix(faults.List[0].File, dir) {
		t.Fatalf("got %v", err)
	}
}

func TestFileBounds(t *testing.T) {
	files := good()
	padding := strings.Repeat("#", job.MaxFileBytes-len(files["views/user.yaml"].Data))
	files["views/user.yaml"].Data = append(files["views/user.yaml"].Data, padding...)
	if _, err := job.Load(files, "shop"); err != nil {
		t.Fatalf("at the limit: %v", err)
	}
	files["views/user.yaml"].Data = append(files["views/user.yaml"].Data, '#')
	if _, err := job.Load(files, "shop"); !errors.Is(err, job.ErrJob) {
		t.Fatalf("one past the limit: %v", err)
	}
}

func FuzzLoad(f *testing.F) {
	for _, file := range good() {
		f.Add(string(file.Data))
	}
	f.Add("features: {a: {op: top_k, key: [user_id, kind], weight: 1, half_life: 7d, horizon: 60d, limit: 3}}")
	f.Add("import: {csv: {at: {column: T, time: \"YYYY-MM-DD\"}}}")
	fuzzing.Target(f, func(t *testing.T, text string) {
		for _, path := range []string{"sources/clicks.yaml", "views/user.yaml"} {
			files := good()
			files[path].Data = []byte(text)
			j, err := job.Load(files, "shop")
			if err != nil && !errors.Is(err, job.ErrJob) {
				t.Fatalf("%v is not an ErrJob", err)
			}
			if err == nil && len(j.Plans) != 1 {
				t.Fatalf("%d plans without a fault", len(j.Plans))
			}
		}
	})
}

// FuzzTests wants every file in tests refused with its faults, or read.
func FuzzTests(f *testing.F) {
	f.Add("events:\n  - '{}'\n  - {json: '{', reject: not JSON, append: 5, partition: 1, key: k, faults: [price]}\n" +
		"expect:\n  - {view: user, key: user_id:1, as_of: newest, features: {clicks_1h: 1, clicks_all: [null, 1.5, {a: b}]}}\n")
	f.Add("expect: [{view: user, key: '%2C', as_of: 2026-01-01T00:00:00Z, features: {clicks_all: 1e400}}]")
	files := good()
	fuzzing.Target(f, func(t *testing.T, text string) {
		files["tests/a.yaml"] = &fstest.MapFile{Data: []byte(text)}
		if _, _, err := job.LoadTested(files, "shop"); err != nil && !errors.Is(err, job.ErrJob) {
			t.Fatalf("an error of no class: %v", err)
		}
	})
}
