package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

var (
	quoted        = regexp.MustCompile("`([^`\n]+)`")
	testNamed     = regexp.MustCompile(`^(?:Test|Fuzz)[A-Za-z0-9]+$`)
	testFunc      = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	scenarioCell  = regexp.MustCompile("scenarios? ((?:`[a-z_]+`(?:, )?)+)")
	caseCell      = regexp.MustCompile("conformance ((?:`[A-Za-z]+`(?:, )?)+)")
	scenarioNamed = regexp.MustCompile("`([A-Za-z_]+)`")
)

// TestNamedTestsExist: where a page says that a test shows something, there is such a test, in a package that the same cell
// of a table (or line) names, if it names one.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	there := testFolders(t)
	suite, err := os.ReadFile("../../shared/kafkalog/kafkalogtest/suite.go")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, page := range append(pages, "../../README.md", "../../DESIGN.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for cell := range strings.SplitSeq(line, " | ") {
				named += checkTestsOf(t, page, cell, there)
			}
		}
		for _, cell := range scenarioCell.FindAllString(string(text), -1) {
			for _, m := range scenarioNamed.FindAllStringSubmatch(cell, -1) {
				if _, err := os.Stat(filepath.Join("../../testdata/scenario", m[1]+".txt")); err != nil {
					t.Errorf("%s names a scenario: %v", filepath.Base(page), err)
				}
			}
		}
		for _, cell := range caseCell.FindAllString(string(text), -1) {
			for _, m := range scenarioNamed.FindAllStringSubmatch(cell, -1) {
				if !testNamed.MatchString(m[1]) && !strings.Contains(string(suite), `{"`+m[1]+`", `) {
					t.Errorf("%s names the case %s of the conformance suite: there is none", filepath.Base(page), m[1])
				}
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d tests are named: the search is broken", named)
	}
}

// checkTestsOf looks for the tests that a piece of a page names, and returns how many these are.
func checkTestsOf(t *testing.T, page, cell string, there map[string][]string) (named int) {
	t.Helper()
	var packages []string
	for _, m := range quoted.FindAllStringSubmatch(cell, -1) {
		if !testNamed.MatchString(m[1]) {
			if info, err := os.Stat(filepath.Join("../..", m[1])); err == nil && info.IsDir() {
				packages = append(packages, filepath.Clean(m[1]))
			}
			continue
		}
		named++
		in := func(folder string) bool {
			return len(packages) == 0 || slices.ContainsFunc(packages, func(p string) bool { return folder == p || strings.HasPrefix(folder, p+"/") })
		}
		if !slices.ContainsFunc(there[m[1]], in) {
			t.Errorf("%s names %s of %v: there is no such test; of this name there are tests in %v", filepath.Base(page), m[1], packages, there[m[1]])
		}
	}
	return named
}

// testFolders returns in which packages there are tests of a name.
func testFolders(t *testing.T) map[string][]string {
	t.Helper()
	folders := map[string][]string{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "test/") {
			return err
		}
		folder, err := filepath.Rel("../..", filepath.Dir(path))
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			folders[string(m[1])] = append(folders[string(m[1])], folder)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

var (
	flagNamed   = regexp.MustCompile(`--([a-z][a-z-]+)`)
	metricNamed = regexp.MustCompile(`\btidemark_[a-z_]+[a-z]\b`)
	fence       = regexp.MustCompile("(?ms)^```.*?^```$")
)

// TestPagesFitTheProgram: the flags and metrics that pages name are there; where a command stands before the flag, it has it.
func TestPagesFitTheProgram(t *testing.T) {
	t.Parallel()
	flags := map[string]map[string]bool{} // by command; of "" those of all
	flags[""] = map[string]bool{"help": true, "version": true}
	for _, cmd := range commands() {
		own := map[string]bool{"help": true}
		cmd.Flags().VisitAll(func(f *pflag.Flag) { own[f.Name], flags[""][f.Name] = true, true })
		flags[cmd.Name()] = own
	}
	metrics := map[string]bool{}
	for _, g := range metricGroups() {
		for _, m := range g.all {
			metrics[m.name] = true
		}
	}
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, page := range append(pages, "../../README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range quoted.FindAllStringSubmatch(fence.ReplaceAllString(string(text), ""), -1) {
			span := strings.TrimPrefix(strings.TrimPrefix(m[1], "./"), "tidemark ")
			command, _, _ := strings.Cut(span, " ")
			if flags[command] == nil || command == span {
				command = "" // a flag by itself
			}
			for _, f := range flagNamed.FindAllStringSubmatch(span, -1) {
				if named++; isOurs(span) && !flags[command][f[1]] {
					t.Errorf("%s names --%s in `%s`: there is no such flag", filepath.Base(page), f[1], span)
				}
			}
			for _, name := range metricNamed.FindAllString(span, -1) {
				if named++; !metrics[name] {
					t.Errorf("%s names the metric %s: there is none", filepath.Base(page), name)
				}
			}
		}
	}
	if named < 100 {
		t.Errorf("only %d flags and metrics are named: the search is broken", named)
	}
}

// isOurs tells whether a piece of a command line is one of tidemark, and not of a program that pages name besides.
func isOurs(span string) bool {
	return !strings.HasPrefix(span, "make ") && !strings.HasPrefix(span, "go ")
}
