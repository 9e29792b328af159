package job

import (
	"regexp"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// places remembers where the parts of a declaration stand, so that what is found later, by those who know nothing of
// files, can be shown there.
type places map[string]*yaml.Node

// set remembers the node of a part of something named; with part "" the name's own.
func (p places) set(name, part string, n *yaml.Node) { p[name+"\x00"+part] = n }

// of returns the node of a part, or of the thing, or of the file.
func (p places) of(name, part string) *yaml.Node {
	for _, key := range []string{name + "\x00" + part, name + "\x00", "\x00" + part, "\x00"} {
		if n, ok := p[key]; ok {
			return n
		}
	}
	return nil
}

// textPlace is how package expr begins a message about a place in an expression's text.
var textPlace = regexp.MustCompile(`^((?:in source "[a-z0-9_]*": )?)(\d+):(\d+): `)

// within moves a fault about an expression from the start of the text to the place in it that the message names. Where
// YAML folds lines or escapes characters the place cannot be told, and the message keeps it.
func within(n *yaml.Node, msg string) (*yaml.Node, string) {
	m := textPlace.FindStringSubmatch(msg)
	if m == nil || n == nil || n.Kind != yaml.ScalarNode {
		return n, msg
	}
	line, errLine := strconv.Atoi(m[2])
	col, errCol := strconv.Atoi(m[3])
	exact := n.Style == 0 || n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	if errLine != nil || errCol != nil || line != 1 || !exact {
		return n, msg
	}
	at := *n
	at.Column += col - 1
	if n.Style != 0 {
		at.Column++ // the quote
	}
	return &at, m[1] + msg[len(m[0]):]
}
