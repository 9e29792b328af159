package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// file reads one YAML file and collects its faults. Its reading functions report what is wrong and return a zero value,
// so that one pass finds everything.
type file struct {
	path   string
	faults *Faults
	bad    bool // has a fault
}

func (f *file) fault(at *yaml.Node, cure, format string, args ...any) {
	f.bad = true
	fault := Fault{File: f.path, Line: 1, Col: 1, Msg: fmt.Sprintf(format, args...), Cure: cure}
	if at != nil && at.Line > 0 {
		fault.Line, fault.Col = at.Line, at.Column
	}
	f.faults.add(fault)
}

// yamlLine finds the line in the parser's errors, which say no column.
var yamlLine = regexp.MustCompile(`^yaml: line (\d+): `)

// parse returns the root of the one document in data, nil after a fault.
func (f *file) parse(data string) *yaml.Node {
	decoder := yaml.NewDecoder(strings.NewReader(data))
	var document, second yaml.Node
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		f.fault(nil, "declare something or delete the file", "the file is empty")
		return nil
	}
	if err == nil {
		if err = decoder.Decode(&second); err == nil {
			f.fault(&second, "make it a file of its own", "a second document begins here")
			return nil
		}
	}
	if !errors.Is(err, io.EOF) {
		at := &yaml.Node{Line: 1, Column: 1}
		message := strings.TrimPrefix(err.Error(), "yaml: ")
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			at.Line, _ = strconv.Atoi(m[1]) // the pattern admits digits only
			message = strings.TrimPrefix(err.Error(), m[0])
		}
		f.fault(at, "check indentation, and quote texts that contain ': ' or begin with one of {[&*!|>'\"%@`", "no YAML: %s", message)
		return nil
	}
	root := document.Content[0]
	if !f.plain(root) {
		return nil
	}
	return root
}

// plain refuses what would make a file mean more than it shows: anchors, aliases, merges and tags.
func (f *file) plain(n *yaml.Node) bool {
	ok := true
	switch {
	case n.Kind == yaml.AliasNode:
		f.fault(n, "write it out", "alias *%s", n.Value)
		return false
	case n.Anchor != "":
		f.fault(n, "write it out where it is needed", "anchor &%s", n.Anchor)
		ok = false
	case n.Tag == "!!merge":
		f.fault(n, "write the keys out", "merge key <<")
		ok = false
	case n.Style&yaml.TaggedStyle != 0:
		f.fault(n, "remove it", "tag %s", n.Tag)
		ok = false
	}
	for _, c := range n.Content {
		if !f.plain(c) {
			ok = false
		}
	}
	return ok
}

// entry is one key of a mapping with what reads its value.
type entry map[string]func(key, value *yaml.Node)

// mapping reads a mapping with known keys.
func (f *file) mapping(n *yaml.Node, what string, known entry) {
	f.pairs(n, what, func(key, value *yaml.Node) {
		read, ok := known[key.Value]
		if !ok {
			f.fault(key, unknownCure(key.Value, known), "unknown key %q in %s", key.Value, what)
			return
		}
		read(key, value)
	})
}

// pairs calls read for each key of a mapping, in order, each key once. The keys are strings.
func (f *file) pairs(n *yaml.Node, what string, read func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		f.fault(n, "write `key: value` pairs", "%s is %s, not a mapping", what, kindOf(n))
		return
	}
	lines := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode || key.Tag != "!!str" {
			f.fault(key, "quote it if it is meant", "a key in %s is %s, not a string", what, kindOf(key))
			continue
		}
		if line, twice := lines[key.Value]; twice {
			f.fault(key, "remove one", "key %q stands in %s already, in line %d", key.Value, what, line)
			continue
		}
		lines[key.Value] = key.Line
		read(key, value)
	}
}

// unknownCure proposes the key that was probably meant, or lists what there is.
func unknownCure(key string, known entry) string {
	var names []string
	for name := range known {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if distance(key, name) <= 2 && len(name) > 2 {
			return fmt.Sprintf("did you mean %q?", name)
		}
	}
	return "known are " + strings.Join(names, ", ")
}

// distance is the number of letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j]+1, corner+1)
		}
	}
	return row[len(b)]
}

// text reads a string.
func (f *file) text(n *yaml.Node, what string) string {
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		f.fault(n, textCure(n), "%s is %s, not a string", what, kindOf(n))
		return ""
	}
	return n.Value
}

func textCure(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return fmt.Sprintf("quote it: %q", n.Value)
	}
	return "write a string"
}

// expression reads the text of an expression, which may look like another YAML scalar: `weight: 1`, `where: true`.
func (f *file) expression(n *yaml.Node, what string) string {
	if n.Kind == yaml.ScalarNode && (n.Tag == "!!int" || n.Tag == "!!bool") {
		return n.Value
	}
	text := f.text(n, what)
	if n.Kind == yaml.ScalarNode && strings.TrimSpace(text) == "" {
		f.fault(n, "write an expression, or remove the key", "%s is empty", what)
	}
	return text
}

// expressions reads one expression or a list of them.
func (f *file) expressions(n *yaml.Node, what string) []string {
	if n.Kind != yaml.SequenceNode {
		return []string{f.expression(n, what)}
	}
	out := make([]string, 0, len(n.Content))
	for _, c := range n.Content {
		out = append(out, f.expression(c, what))
	}
	return out
}

// list returns the elements of a sequence.
func (f *file) list(n *yaml.Node, what, cure string) []*yaml.Node {
	if n.Kind != yaml.SequenceNode {
		f.fault(n, cure, "%s is %s, not a list", what, kindOf(n))
		return nil
	}
	return n.Content
}

// integer reads a whole number from 1 to high.
func (f *file) integer(n *yaml.Node, what string, high int64) int64 {
	var v int64
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || n.Decode(&v) != nil {
		f.fault(n, "write a number without quotes and point", "%s is %s, not a whole number", what, kindOf(n))
		return 1
	}
	if v < 1 || v > high {
		f.fault(n, fmt.Sprintf("use 1 to %d", high), "%s is %d", what, v)
		return 1
	}
	return v
}

// number reads an integer or a fraction.
func (f *file) number(n *yaml.Node, what string) float64 {
	var v float64
	if n.Kind != yaml.ScalarNode || n.Tag != "!!int" && n.Tag != "!!float" || n.Decode(&v) != nil {
		f.fault(n, "write a number without quotes", "%s is %s, not a number", what, kindOf(n))
	}
	return v
}

// numbers reads a list of numbers as they are written: a float64 might not be what stands there.
func (f *file) numbers(n *yaml.Node, what string) []string {
	var out []string
	for _, c := range f.list(n, what, "list them: [10, 20.50, 50]") {
		if c.Kind != yaml.ScalarNode || c.Tag != "!!int" && c.Tag != "!!float" {
			f.fault(c, "write numbers without quotes", "%s holds %s, not a number", what, kindOf(c))
			continue
		}
		out = append(out, c.Value)
	}
	return out
}

// duration reads a duration in ms.
func (f *file) duration(n *yaml.Node, what string) int64 {
	if n.Kind == yaml.ScalarNode {
		if v, ok := ParseDuration(n.Value); ok {
			return v
		}
	}
	shown := kindOf(n)
	if n.Kind == yaml.ScalarNode {
		shown = strconv.Quote(n.Value)
	}
	f.fault(n, durationCure, "%s is %s, not a duration", what, shown)
	return 0
}

// positive reads a duration that is not 0.
func (f *file) positive(n *yaml.Node, what string) int64 {
	before := f.bad
	f.bad = false
	ms := f.duration(n, what)
	if ms == 0 && !f.bad {
		f.fault(n, "write a longer one, or remove the key", "%s is %s", what, n.Value)
	}
	f.bad = f.bad || before
	return ms
}

// json reads any value as JSON.
func (f *file) json(n *yaml.Node, what string) json.RawMessage {
	var v any
	err := f.checkJSON(n)
	if err == nil {
		err = n.Decode(&v)
	}
	var out []byte
	if err == nil {
		out, err = json.Marshal(v)
	}
	if err != nil {
		f.fault(n, "write a number, a quoted string, true, false, null, a list or a mapping of these", "%s is no JSON value: %s", what, strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "json: "))
		return nil
	}
	return out
}

// checkJSON refuses what YAML knows and JSON does not.
func (f *file) checkJSON(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && !slices.Contains([]string{"!!str", "!!int", "!!float", "!!bool", "!!null"}, n.Tag) {
		return fmt.Errorf("%q is %s", n.Value, kindOf(n))
	}
	for _, c := range n.Content {
		if err := f.checkJSON(c); err != nil {
			return err
		}
	}
	return nil
}

var tagNames = map[string]string{
	"!!str": "a string", "!!int": "a whole number", "!!float": "a number", "!!bool": "a bool", "!!null": "empty",
	"!!timestamp": "a date", "!!binary": "binary",
}

// kindOf names what a node is, for people.
func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		if name, ok := tagNames[n.Tag]; ok {
			return name
		}
		return "a " + n.Tag
	}
}
