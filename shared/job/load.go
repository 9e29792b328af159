package job

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

// The bounds of a job's folder.
const (
	MaxFileBytes = 1 << 20 // length of one file
	MaxFiles     = 256     // files in sources, and in views
)

// Job is what a folder declares.
type Job struct {
	Name    string
	Sources []schema.Source // in order of their names' bytes
	Views   []view.Spec     // in order of their names' bytes
	Plans   []*view.Plan    // of Views, index by index
	// Imports says, by name of the source, how lines of CSV become its records; sources without `import` are not in it.
	Imports map[string]*ImportSpec
	// unsound are the files at fault ("views/user"), whose sources and views are not in the job: it is for reading tests
	// only then. Empty in a job that anybody gets.
	unsound map[string]bool
}

// Source returns the named source, nil if there is none.
func (j *Job) Source(name string) *schema.Source {
	for i := range j.Sources {
		if j.Sources[i].Name == name {
			return &j.Sources[i]
		}
	}
	return nil
}

// View returns the plan of the named view, nil if there is none.
func (j *Job) View(name string) *view.Plan {
	for i := range j.Views {
		if j.Views[i].Name == name {
			return j.Plans[i]
		}
	}
	return nil
}

// LoadDir reads the job in a folder; its name is the folder's. The error is *Faults if the files could be read.
func LoadDir(dir string) (*Job, error) {
	name, err := nameOf(dir)
	if err != nil {
		return nil, err
	}
	return load(os.DirFS(dir), name, dir)
}

// LoadDirTested reads the job in a folder as LoadDir does, and its tests as LoadTested does.
func LoadDirTested(dir string) (*Job, []*Test, error) {
	name, err := nameOf(dir)
	if err != nil {
		return nil, nil, err
	}
	return loadTested(os.DirFS(dir), name, dir)
}

func nameOf(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("reading job %s: %w", dir, err)
	}
	return filepath.Base(abs), nil
}

// Load reads the job whose folders sources and views are at the root of fsys. The error is *Faults if the files could
// be read; their paths begin with the job's name.
func Load(fsys fs.FS, name string) (*Job, error) { return load(fsys, name, name) }

// LoadTested reads a job as Load does, and its tests, which lie in the folder tests, in order of their names. A job without
// tests has none, and that is no error. Faults are those of all files: of tests of a job at fault, those that have nothing
// to do with the sources and views at fault.
func LoadTested(fsys fs.FS, name string) (*Job, []*Test, error) { return loadTested(fsys, name, name) }

func load(fsys fs.FS, name, shown string) (*Job, error) {
	j, faults, err := read(fsys, name, shown)
	if err == nil {
		err = faults.err()
	}
	if err != nil {
		return nil, err
	}
	return j, nil
}

func loadTested(fsys fs.FS, name, shown string) (*Job, []*Test, error) {
	j, faults, err := read(fsys, name, shown)
	if err != nil {
		return nil, nil, err
	}
	tests, more, err := j.loadTests(fsys, shown)
	if err == nil {
		faults.List = append(faults.List, more.List...)
		err = faults.err()
	}
	if err != nil {
		return nil, nil, err
	}
	return j, tests, nil
}

// loader holds what is read of one job.
type loader struct {
	fsys    fs.FS
	shown   string // how paths begin in faults
	faults  Faults
	sources map[string]*sourceFile
	views   []*viewFile
	// declared are the files that there are, without their ending: sources/events, views/user.
	declared []string
}

// read reads a job with what is wrong in it. Errors are of the file system.
func read(fsys fs.FS, name, shown string) (*Job, *Faults, error) {
	l := &loader{fsys: fsys, shown: shown, sources: map[string]*sourceFile{}}
	l.checkName(name)
	if err := l.checkRoot(); err != nil {
		return nil, nil, err
	}
	err := l.each("sources", func(f *file, name string, root *yaml.Node) { l.sources[name] = readSource(f, name, root) })
	if err != nil {
		return nil, nil, err
	}
	err = l.each("views", func(f *file, view string, root *yaml.Node) { l.views = append(l.views, readView(f, name, view, root)) })
	if err != nil {
		return nil, nil, err
	}
	j := l.job(name)
	if len(l.faults.List) > 0 {
		l.keepSound(j)
	}
	return j, &l.faults, nil
}

// keepSound takes out of a job what files at fault declare, and what could not be compiled for the faults of another file.
func (l *loader) keepSound(j *Job) {
	j.unsound = map[string]bool{}
	for _, declared := range l.declared {
		file := path.Join(l.shown, declared+".yaml")
		j.unsound[declared] = slices.ContainsFunc(l.faults.List, func(f Fault) bool { return f.File == file }) ||
			(path.Dir(declared) == "views" && j.View(path.Base(declared)) == nil)
	}
	maps.DeleteFunc(j.unsound, func(_ string, unsound bool) bool { return !unsound })
	j.Sources = slices.DeleteFunc(j.Sources, func(s schema.Source) bool { return s.Name == "" || j.unsound["sources/"+s.Name] })
	j.Plans = slices.DeleteFunc(j.Plans, func(p *view.Plan) bool { return j.unsound["views/"+p.Spec().Name] })
	j.Views = slices.DeleteFunc(j.Views, func(v view.Spec) bool { return j.unsound["views/"+v.Name] })
}

// job joins views with their sources, as far as they are without faults.
func (l *loader) job(name string) *Job {
	j := &Job{Name: name, Imports: map[string]*ImportSpec{}}
	for _, s := range l.sources {
		j.Sources = append(j.Sources, s.source)
		if s.imports != nil {
			j.Imports[s.source.Name] = s.imports
		}
	}
	slices.SortFunc(j.Sources, func(a, b schema.Source) int { return strings.Compare(a.Name, b.Name) })
	for _, v := range l.views {
		if !v.join(l.sources) {
			continue
		}
		if plan := v.compile(l.sources); plan != nil {
			j.Views, j.Plans = append(j.Views, *plan.Spec()), append(j.Plans, plan)
		}
	}
	return j
}

const nameCure = "use a lower-case letter followed by [a-z0-9_-], at most 64 bytes in all"

// checkName refuses names that could not be part of paths, URLs and keys of stores.
func (l *loader) checkName(name string) {
	ok := name != "" && len(name) <= schema.MaxSourceNameBytes && name[0] >= 'a' && name[0] <= 'z' &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
	if !ok {
		l.faults.add(Fault{File: l.shown, Msg: fmt.Sprintf("folder %q: its name is the job's name", name), Cure: nameCure})
	}
}

// checkRoot refuses declarations that lie where nobody reads them.
func (l *loader) checkRoot() error {
	entries, err := fs.ReadDir(l.fsys, ".")
	if err != nil {
		return fmt.Errorf("reading job %s: %w", l.shown, err)
	}
	for _, e := range entries {
		if isYAML(e.Name()) && !e.IsDir() {
			l.faults.add(Fault{File: path.Join(l.shown, e.Name()), Msg: "a declaration outside of sources and views", Cure: "move it into one of them"})
		}
	}
	return nil
}

func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}

// each reads the files of a folder in order of their names. Errors are of the file system.
func (l *loader) each(folder string, read func(f *file, name string, root *yaml.Node)) error {
	entries, err := fs.ReadDir(l.fsys, folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading job %s: %w", l.shown, err)
	}
	found := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue // editors leave such files
		}
		inside := path.Join(folder, e.Name())
		shown := path.Join(l.shown, inside)
		name, ok := strings.CutSuffix(e.Name(), ".yaml")
		if !ok || e.IsDir() {
			l.faults.add(Fault{File: shown, Msg: "not a .yaml file", Cure: "rename it to end in .yaml, or move it elsewhere"})
			continue
		}
		if found++; found > MaxFiles {
			l.faults.add(Fault{File: path.Join(l.shown, folder), Msg: fmt.Sprintf("more than %d files", MaxFiles), Cure: "split the job"})
			return nil
		}
		l.declared = append(l.declared, path.Join(folder, name))
		data, err := fs.ReadFile(l.fsys, inside)
		if err != nil {
			return fmt.Errorf("reading job %s: %w", l.shown, err)
		}
		f := &file{path: shown, faults: &l.faults}
		if len(data) > MaxFileBytes {
			f.fault(nil, "split it", "%d bytes, at most %d", len(data), MaxFileBytes)
		} else if root := f.parse(string(data)); root != nil {
			read(f, name, root)
			continue
		}
		if folder == "sources" { // so that its views are not told that it does not exist
			l.sources[name] = &sourceFile{file: f}
		}
	}
	if found == 0 {
		l.faults.add(Fault{File: l.shown, Msg: "no file in " + folder, Cure: fmt.Sprintf("declare one in %s/NAME.yaml", folder)})
	}
	return nil
}
