package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// errPatch is the class of errors about a patch that is none, or that does not fit the code any more.
var errPatch = errors.New("patch does not fit")

// catcher is a test that sees a mutant.
type catcher struct {
	pkg  string // "./speed/fold"
	test string // "TestX", or "TestX/part"
	args string // for the test's binary, separated by spaces
}

// String returns the catcher as the header of a patch names it.
func (c catcher) String() string { return strings.TrimSpace(c.pkg + " " + c.test + " " + c.args) }

// pattern returns what go test -run takes for exactly this test.
func (c catcher) pattern() string { return "^" + strings.ReplaceAll(c.test, "/", "$/^") + "$" }

// function returns the test's function, which fails with each of its parts.
func (c catcher) function() string {
	name, _, _ := strings.Cut(c.test, "/")
	return name
}

// mutant is one patch.
type mutant struct {
	name     string // of the file, without its extension
	catchers []catcher
	file     string // that it changes, slash-separated, below the root
	old, new string // the lines of its hunk, before and after
}

const (
	extension  = ".patch"
	caughtBy   = "caught by:"
	oldPrefix  = "--- a/"
	newPrefix  = "+++ b/"
	hunkPrefix = "@@ "
)

// readMutants reads all patches of a folder, in order of their names.
func readMutants(dir string) ([]mutant, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*"+extension))
	if err != nil {
		return nil, fmt.Errorf("listing mutants: %w", err)
	}
	var all []mutant
	var errs []error
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil {
			var m mutant
			m, err = parse(strings.TrimSuffix(filepath.Base(path), extension), string(text))
			all = append(all, m)
		}
		errs = append(errs, err)
	}
	return all, errors.Join(errs...)
}

// parse reads a patch. Its header must say why and name a test, and it must change one line of one file of production code.
func parse(name, text string) (mutant, error) {
	m := mutant{name: name}
	header, hunk, ok := strings.Cut(text, "\n"+hunkPrefix)
	if !ok || strings.Contains(hunk, "\n"+hunkPrefix) {
		return m, m.unfit("it has not exactly one hunk")
	}
	why := false
	for line := range strings.Lines(header + "\n") {
		switch line = strings.TrimSuffix(line, "\n"); {
		case strings.HasPrefix(line, oldPrefix):
			m.file = strings.TrimPrefix(line, oldPrefix)
		case strings.HasPrefix(line, newPrefix):
			if strings.TrimPrefix(line, newPrefix) != m.file {
				return m, m.unfit("it has two names for its file")
			}
		case strings.HasPrefix(line, "#"):
			says, names := strings.CutPrefix(strings.TrimSpace(line[1:]), caughtBy)
			if !names {
				why = why || says != ""
				continue
			}
			words := strings.Fields(says)
			if len(words) < 2 || !strings.HasPrefix(words[0], "./") {
				return m, m.unfit("%q names no package and test", line)
			}
			m.catchers = append(m.catchers, catcher{words[0], words[1], strings.Join(words[2:], " ")})
		case strings.HasPrefix(line, "diff --git ") || strings.HasPrefix(line, "index "): // git's own
		default:
			return m, m.unfit("its header has the line %q", line)
		}
	}
	switch {
	case !why:
		return m, m.unfit("it does not say why it would be a disaster")
	case len(m.catchers) == 0:
		return m, m.unfit("it does not say which test catches it")
	case m.file == "" || !filepath.IsLocal(m.file) || strings.HasSuffix(m.file, "_test.go"):
		return m, m.unfit("it changes %q, which is no production code", m.file)
	}
	return m, m.readHunk(hunk)
}

// readHunk reads the lines behind the hunk's @@.
func (m *mutant) readHunk(hunk string) error {
	_, lines, _ := strings.Cut(hunk, "\n")
	var before, after strings.Builder
	removed, added := 0, 0
	for line := range strings.Lines(lines) {
		switch line[0] {
		case ' ':
			before.WriteString(line[1:])
			after.WriteString(line[1:])
		case '-':
			before.WriteString(line[1:])
			removed++
		case '+':
			after.WriteString(line[1:])
			added++
		case '\n': // an empty line of context whose space an editor has taken
			before.WriteString(line)
			after.WriteString(line)
		default:
			return m.unfit("its hunk has the line %q", line)
		}
	}
	m.old, m.new = before.String(), after.String()
	if removed > 1 || added > 1 || m.old == m.new {
		return m.unfit("it takes %d lines and gives %d; a mutant changes one", removed, added)
	}
	return nil
}

// apply returns the file's text with the mutation in it. The lines must be in there exactly once: after a change of the
// code around it a mutant goes on meaning what it meant, or is refused.
func (m *mutant) apply(text string) (string, error) {
	at, n := 0, 0
	for from := 0; from < len(text); from += strings.Index(text[from:]+"\n", "\n") + 1 {
		if strings.HasPrefix(text[from:], m.old) {
			at, n = from, n+1
		}
	}
	if n != 1 {
		return "", m.unfit("its lines are %d times in %s; make it anew", n, m.file)
	}
	return text[:at] + m.new + text[at+len(m.old):], nil
}

func (m *mutant) unfit(format string, args ...any) error {
	return fmt.Errorf("%w: %s%s: %s", errPatch, m.name, extension, fmt.Sprintf(format, args...))
}
