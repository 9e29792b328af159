package job

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/window"
)

// viewFile is a view as its file declares it, before its sources are known.
type viewFile struct {
	*file
	at       places
	spec     view.Spec
	sources  []*yaml.Node // their names
	features []*featureReader
	// misread says that something beside the features could not be read: then the view cannot be compiled.
	misread bool
	// standIns are features that could not be read. A plain count stands in for each, so that the others, and the ratios
	// that read it, can be judged; what is said of a stand-in is left out.
	standIns map[string]bool
}

func readView(f *file, job, name string, root *yaml.Node) *viewFile {
	v := &viewFile{file: f, at: places{}, spec: view.Spec{Job: job, Name: name}, standIns: map[string]bool{}}
	v.at.set("", "", root)
	part := func(name string, read func(n *yaml.Node)) func(key, value *yaml.Node) {
		return func(_, n *yaml.Node) {
			v.at.set("", name, n)
			read(n)
		}
	}
	f.mapping(root, "a view", entry{
		"doc":      func(_, n *yaml.Node) { f.text(n, "doc") },
		"owner":    func(_, n *yaml.Node) { f.text(n, "owner") },
		"sources":  part("sources", v.readSources),
		"entity":   part("entity", v.readEntity),
		"lanes":    part("lanes", func(n *yaml.Node) { v.spec.Lanes = int(f.integer(n, "lanes", 1<<16)) }),
		"features": part("features", v.readFeatures),
	})
	v.misread = f.bad
	v.expandFeatures()
	v.checkTwice()
	return v
}

func (v *viewFile) readSources(n *yaml.Node) {
	for _, c := range v.list(n, "sources", "list names: [events]") {
		name := v.text(c, "a source")
		if slices.ContainsFunc(v.sources, func(o *yaml.Node) bool { return o.Value == name }) {
			v.fault(c, "remove one", "source %q stands twice", name)
		} else if name != "" {
			v.at.set(name, "sources", c)
			v.sources = append(v.sources, c)
		}
	}
}

// readEntity reads the kinds of keys: a field's name stands for the kind of that name with that one field.
func (v *viewFile) readEntity(n *yaml.Node) {
	const cure = "list the kinds of keys: [user_id, device_id], or [{pair: [user_id, listing_id]}]"
	for _, c := range v.list(n, "entity", cure) {
		if c.Kind != yaml.MappingNode {
			name := v.text(c, "a kind of key")
			v.addKind(c, name, []string{name})
			continue
		}
		v.pairs(c, "a kind of key", func(key, value *yaml.Node) {
			fields := []string{}
			for _, field := range v.list(value, "kind "+key.Value, cure) {
				fields = append(fields, v.text(field, "a key's field"))
			}
			v.at.set(key.Value, "fields", value)
			v.addKind(key, key.Value, fields)
		})
	}
}

func (v *viewFile) addKind(at *yaml.Node, name string, fields []string) {
	v.at.set(name, "kind", at)
	if _, ok := v.at[name+"\x00fields"]; !ok {
		v.at.set(name, "fields", at)
	}
	v.spec.Entity = append(v.spec.Entity, view.KeySpec{Kind: name, Fields: fields})
}

func (v *viewFile) readFeatures(n *yaml.Node) {
	v.pairs(n, "features", func(key, value *yaml.Node) {
		v.features = append(v.features, &featureReader{viewFile: v, key: key, value: value})
	})
}

func (v *viewFile) expandFeatures() {
	for _, r := range v.features {
		v.bad = false
		r.read(r.value)
		expanded := r.expand()
		for i := range expanded {
			if v.bad {
				v.standIns[expanded[i].Name] = true
				expanded[i] = view.FeatureSpec{Name: expanded[i].Name, Op: "count"}
			}
		}
		v.spec.Features = append(v.spec.Features, expanded...)
	}
	v.bad = v.misread
}

// checkTwice finds names that come from two places: "a" in windows [1h] and "a_1h".
func (v *viewFile) checkTwice() {
	seen := map[string]bool{}
	v.spec.Features = slices.DeleteFunc(v.spec.Features, func(f view.FeatureSpec) bool {
		if seen[f.Name] {
			v.fault(v.at.of(f.Name, ""), "rename one", "feature %q comes from two places: a name in windows is the feature's, an underscore and the window", f.Name)
		}
		twice := seen[f.Name]
		seen[f.Name] = true
		return twice
	})
}

// join resolves the sources' names and takes over their computed columns. It tells whether the view can be compiled.
func (v *viewFile) join(declared map[string]*sourceFile) bool {
	ok := !v.misread
	var names []string
	for name := range declared {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, n := range v.sources {
		s, found := declared[n.Value]
		switch {
		case !found:
			v.fault(n, "declare it; declared are "+cmp.Or(strings.Join(names, ", "), "none"), "no file sources/%s.yaml declares source %q", n.Value, n.Value)
			ok = false
		case s.bad:
			ok = false // its own faults come first
		default:
			v.spec.Sources = append(v.spec.Sources, s.source)
			ok = v.takeColumns(n, s) && ok
		}
	}
	slices.SortFunc(v.spec.Sources, func(a, b schema.Source) int { return strings.Compare(a.Name, b.Name) })
	return ok
}

// takeColumns adds a source's computed columns. Two sources of a view may declare one alike, not otherwise.
func (v *viewFile) takeColumns(at *yaml.Node, s *sourceFile) bool {
	ok := true
	for _, c := range s.columns {
		i := slices.IndexFunc(v.spec.Columns, func(o view.ColumnSpec) bool { return o.Name == c.Name })
		switch {
		case i < 0:
			v.spec.Columns = append(v.spec.Columns, c)
		case v.spec.Columns[i] != c:
			v.fault(at, "rename one, or declare them alike", "two of the view's sources declare a column %q, and otherwise", c.Name)
			ok = false
		}
	}
	return ok
}

// compile makes the plan and places the faults of that.
func (v *viewFile) compile(declared map[string]*sourceFile) *view.Plan {
	plan, err := view.Compile(v.spec)
	if err == nil {
		return plan
	}
	for _, fault := range view.Faults(err) {
		if v.standIns[fault.Where] {
			continue
		}
		if f, at := columnPlace(v, declared, fault); at != nil {
			at, msg := within(at, fault.Msg)
			f.fault(at, fault.Cure, "column %s: %s", fault.Where, msg)
			continue
		}
		at, msg := within(v.at.of(fault.Where, fault.Part), fault.Msg)
		v.fault(at, fault.Cure, "%s", v.titled(fault.Where, msg))
	}
	return nil
}

// titled puts the feature's name as its author wrote it before the message.
func (v *viewFile) titled(where, msg string) string {
	for _, class := range []error{operator.ErrConfig, window.ErrInvalid} { // people need not know classes
		msg = strings.Replace(msg, class.Error()+": ", "", 1)
	}
	if n, ok := v.at[where+"\x00"]; ok && where != "" {
		return fmt.Sprintf("feature %s: %s", n.Value, msg)
	}
	return msg
}

// columnPlace finds a computed column at fault in the source that declares it.
func columnPlace(v *viewFile, declared map[string]*sourceFile, fault *view.Fault) (*file, *yaml.Node) {
	if _, feature := v.at[fault.Where+"\x00"]; feature || fault.Where == "" {
		return nil, nil
	}
	for _, n := range v.sources {
		s := declared[n.Value]
		if s == nil {
			continue
		}
		if _, ok := s.at["column "+fault.Where+"\x00"]; ok {
			return s.file, s.at.of("column "+fault.Where, fault.Part)
		}
	}
	return nil, nil
}
