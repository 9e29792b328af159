package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testNamed     = regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`")
	testFunc      = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Za-z0-9_]+)\(`)
	scenarioCell  = regexp.MustCompile("scenarios? ((?:`[a-z_]+`(?:, )?)+)")
	scenarioNamed = regexp.MustCompile("`([a-z_]+)`")
)

// TestNamedTestsExist: where a page says that a test shows something, there is such a test.
func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	there := testNames(t)
	named := 0
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, "../../README.md", "../../DESIGN.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range testNamed.FindAllStringSubmatch(string(text), -1) {
			named++
			if !there[m[1]] {
				t.Errorf("%s names %s: there is no such test", filepath.Base(page), m[1])
			}
		}
		for _, cell := range scenarioCell.FindAllString(string(text), -1) {
			for _, m := range scenarioNamed.FindAllStringSubmatch(cell, -1) {
				if _, err := os.Stat(filepath.Join("../../testdata/scenario", m[1]+".txt")); err != nil {
					t.Errorf("%s names a scenario: %v", filepath.Base(page), err)
				}
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d tests are named: the search is broken", named)
	}
}

// testNames returns the names of all tests of the module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") && !strings.Contains(path, "test/") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range testFunc.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
