package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/tidemark-io/tidemark/"

// mayImport says which of our top-level folders each folder may import, tests left aside: imports point down only.
var mayImport = map[string][]string{
	"cmd":     {"cmd", "jobs", "batch", "speed", "serving", "shared"},
	"batch":   {"batch", "shared"},
	"speed":   {"speed", "shared"},
	"serving": {"serving", "shared"},
	"jobs":    {"jobs", "shared"},
	"shared":  {"shared"},
	// The simulation runs the protocol of all layers; nobody imports it.
	"testdata": {"batch", "speed", "serving", "shared"},
}

// owners says which of our packages may import a third-party module: one owner, so that replacing it is one folder's work.
// Tests may import what they need.
var owners = map[string][]string{
	"github.com/segmentio/kafka-go":       {"shared/kafkalog"},
	"github.com/twmb/franz-go":            {"shared/devbroker"},
	"github.com/parquet-go/parquet-go":    {"shared/archivefile"},
	"github.com/apache/arrow/go/v17":      {"shared/column", "shared/archivefile"},
	"cel.dev/cel-go":                      {"shared/expr"},
	"cel.dev/expr":                        {"shared/expr"},
	"go.yaml.in/yaml":                     {"shared/job"},
	"github.com/redis/go-redis/v9":        {"serving/redisstore"},
	"github.com/cockroachdb/pebble/v2":    {"serving/pebblestore"},
	"github.com/robfig/cron/v3":           {"batch/schedule"},
	"github.com/spf13/cobra":              {"cmd/tidemark"},
	"github.com/spf13/pflag":              {"cmd/tidemark"},
	"github.com/cespare/xxhash/v2":        {"shared/view", "shared/archivefile", "batch/runfile", "shared/operator"},
	"github.com/prometheus/client_golang": {"cmd/tidemark"},
	"github.com/klauspost/compress":       {"shared/kafkalog"},
	"pgregory.net/rapid":                  {"serving/storetest"},
}

// TestLayering holds the import rules against every non-test file of the module.
func TestLayering(t *testing.T) {
	files := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != ".." && d.Name() != "." {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel("../..", path)
		if err != nil {
			return err
		}
		files++
		checkFile(t, filepath.ToSlash(rel), path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("only %d files were looked at: the walk is broken", files)
	}
}

func checkFile(t *testing.T, rel, path string) {
	t.Helper()
	folder := filepath.Dir(rel)
	top, _, _ := strings.Cut(rel, "/")
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	for _, spec := range file.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(name, module):
			to, _, _ := strings.Cut(strings.TrimPrefix(name, module), "/")
			if !oneOf(top, to, mayImport) {
				t.Errorf("%s imports %s: %s may import only %v", rel, name, top, mayImport[top])
			}
		case strings.Contains(strings.SplitN(name, "/", 2)[0], "."):
			checkOwner(t, rel, folder, name)
		}
	}
}

func oneOf(from, to string, allowed map[string][]string) bool {
	return slices.Contains(allowed[from], to)
}

func checkOwner(t *testing.T, rel, folder, name string) {
	t.Helper()
	for prefix, folders := range owners {
		if name != prefix && !strings.HasPrefix(name, prefix+"/") {
			continue
		}
		for _, f := range folders {
			// A package's own test helpers (kafkalogtest, storetest) belong to it.
			if folder == f || strings.HasPrefix(folder, f+"/") {
				return
			}
		}
		t.Errorf("%s imports %s, which is owned by %v", rel, name, folders)
		return
	}
	t.Errorf("%s imports %s, which has no owner: add one to the list and its reason to DESIGN.md", rel, name)
}
