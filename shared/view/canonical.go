package view

import (
	"fmt"
	"strconv"
	"strings"
)

// canonical builds the texts that decide states and revisions: one fact a line, words separated by single spaces, every
// string quoted as Go quotes it, so that no value can pretend to be another fact.
type canonical struct{ sb strings.Builder }

// line adds a fact: a word and its values, each a string, an int or an int64.
func (c *canonical) line(word string, values ...any) {
	c.sb.WriteString(word)
	for _, value := range values {
		c.sb.WriteByte(' ')
		if s, ok := value.(string); ok {
			c.sb.WriteString(strconv.Quote(s))
		} else {
			fmt.Fprintf(&c.sb, "%d", value)
		}
	}
	c.sb.WriteByte('\n')
}

// text adds lines that are canonical already.
func (c *canonical) text(lines string) { c.sb.WriteString(lines) }

func (c *canonical) String() string { return c.sb.String() }
