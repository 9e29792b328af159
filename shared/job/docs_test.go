package job_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tidemark-io/tidemark/shared/expr"
	"github.com/tidemark-io/tidemark/shared/job"
)

// block is a fenced example of a page.
var block = regexp.MustCompile("(?s)```(yaml|cel)\n(.*?)```")

func examples(t *testing.T, page, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			out = append(out, m[2])
		}
	}
	if len(out) == 0 {
		t.Fatalf("%s has no example in %s", page, language)
	}
	return out
}

// TestExamplesOfDocsLoad takes the pages at their word: each example is what the manual says it is.
func TestExamplesOfDocsLoad(t *testing.T) {
	files := fstest.MapFS{}
	for _, text := range examples(t, "features.md", "yaml") {
		path, _, _ := strings.Cut(strings.TrimPrefix(text, "# "), "\n")
		files[path] = &fstest.MapFile{Data: []byte(text)}
	}
	j, err := job.Load(files, "shop")
	if err != nil {
		t.Fatal(err)
	}
	source := j.Source("clicks")
	env := expr.NewEnv(source)
	for _, c := range j.Views[0].Columns {
		env.Add(c.Name, c.Type, c.Scale)
	}
	for _, text := range examples(t, "expressions.md", "cel") {
		for line := range strings.Lines(text) {
			if _, err := env.Compile(line); err != nil {
				t.Errorf("%s%v", line, err)
			}
		}
	}
}

// TestEveryKeyIsDocumented wants each key that a file may have in the manual's tables.
func TestEveryKeyIsDocumented(t *testing.T) {
	manual, err := os.ReadFile("../../docs/features.md")
	if err != nil {
		t.Fatal(err)
	}
	files := good()
	files["sources/clicks.yaml"].Data = []byte("\"?\": 1\n")
	files["views/user.yaml"].Data = []byte("\"?\": 1\nfeatures: {a: {\"?\": 1}}\n")
	_, err = job.Load(files, "shop")
	known := regexp.MustCompile(`known are ([a-z_, ]+)`).FindAllStringSubmatch(err.Error(), -1)
	if len(known) != 3 {
		t.Fatalf("%d lists of keys in %v", len(known), err)
	}
	for _, m := range known {
		for key := range strings.SplitSeq(m[1], ", ") {
			if !strings.Contains(string(manual), "`"+key+"`") {
				t.Errorf("docs/features.md does not explain %q", key)
			}
		}
	}
}
