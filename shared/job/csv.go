package job

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidemark-io/tidemark/shared/schema"
)

// ErrLine is the class of errors about one line of CSV: it cannot become a record, others can.
var ErrLine = errors.New("line cannot be imported")

// ErrHeader is the class of errors about a file's header.
var ErrHeader = errors.New("header does not fit the import")

// Importer turns lines of one CSV file into JSON records of a source. Not safe for concurrent use.
type Importer struct {
	width  int // columns of the header
	cells  []cell
	opened []string // objects that the record under construction is inside of
}

// cell is one field with the index of its column, -1 for a constant.
type cell struct {
	ImportField
	at     int
	parent []string // of a dotted name, the objects around the member
	member string
}

// Importer binds the import to a file's header, in which every column of the import must stand once; others are left
// alone. Errors are of class ErrHeader.
func (s *ImportSpec) Importer(header []string) (*Importer, error) {
	m := &Importer{width: len(header)}
	for _, f := range s.Fields {
		parts := strings.Split(f.Field.Name, ".")
		c := cell{ImportField: f, at: -1, parent: parts[:len(parts)-1], member: parts[len(parts)-1]}
		if f.Column != "" {
			c.at = slices.Index(header, f.Column)
			if c.at < 0 || slices.Contains(header[c.at+1:], f.Column) {
				return nil, fmt.Errorf("%w: column %q for field %s is missing or stands twice; the header has %s", ErrHeader, f.Column, f.Field.Name, strings.Join(header, ", "))
			}
		}
		m.cells = append(m.cells, c)
	}
	// Members of one object must stand side by side.
	slices.SortStableFunc(m.cells, func(a, b cell) int { return slices.Compare(a.parent, b.parent) })
	return m, nil
}

// AppendJSON appends the record of one line to dst. An error, of class ErrLine, names the column and its text; dst is
// returned as it was.
func (m *Importer) AppendJSON(dst []byte, line []string) ([]byte, error) {
	if len(line) != m.width {
		return dst, fmt.Errorf("%w: %d columns, the header has %d", ErrLine, len(line), m.width)
	}
	start := len(dst)
	m.opened = m.opened[:0]
	dst = append(dst, '{')
	for i := range m.cells {
		c := &m.cells[i]
		text := string(c.Constant)
		if c.at >= 0 {
			if text = line[c.at]; text == "" {
				continue
			}
		}
		out, err := c.appendValue(m.appendName(dst, c), text)
		if err != nil {
			return dst[:start], fmt.Errorf("%w: column %s: %w", ErrLine, c.Column, err)
		}
		dst = out
	}
	for range len(m.opened) + 1 {
		dst = append(dst, '}')
	}
	return dst, nil
}

// appendName closes and opens objects until dst stands in the cell's, and adds the member's name.
func (m *Importer) appendName(dst []byte, c *cell) []byte {
	common := 0
	for common < min(len(m.opened), len(c.parent)) && m.opened[common] == c.parent[common] {
		common++
	}
	for range len(m.opened) - common {
		dst = append(dst, '}')
	}
	m.opened = m.opened[:common]
	for _, name := range c.parent[common:] {
		dst = append(appendQuoted(comma(dst), name), ':', '{')
		m.opened = append(m.opened, name)
	}
	return append(appendQuoted(comma(dst), c.member), ':')
}

func comma(dst []byte) []byte {
	if dst[len(dst)-1] == '{' {
		return dst
	}
	return append(dst, ',')
}

// appendQuoted appends a name, which has no letters that need an escape.
func appendQuoted(dst []byte, name string) []byte {
	return append(append(append(dst, '"'), name...), '"')
}

// jsonNumber is a number as JSON spells it.
var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?$`)

func (c *cell) appendValue(dst []byte, text string) ([]byte, error) {
	if c.at < 0 {
		return append(dst, text...), nil
	}
	text = strings.TrimSuffix(text, c.TrimSuffix)
	switch c.Field.Type {
	case schema.Time:
		return c.appendTime(dst, text)
	case schema.Int32, schema.Int64, schema.Decimal:
		if !jsonNumber.MatchString(text) {
			return dst, fmt.Errorf("%q is no number", text)
		}
		return append(dst, text...), nil
	case schema.Bool:
		if text != "true" && text != "false" {
			return dst, fmt.Errorf("%q is neither true nor false", text)
		}
		return append(dst, text...), nil
	case schema.JSON:
		if !json.Valid([]byte(text)) {
			return dst, fmt.Errorf("%q is no JSON", text)
		}
		return append(dst, text...), nil
	default:
		return appendString(dst, text)
	}
}

func appendString(dst []byte, text string) ([]byte, error) {
	if !utf8.ValidString(text) {
		return dst, fmt.Errorf("%q is no UTF-8", text)
	}
	quoted, err := json.Marshal(text)
	return append(dst, quoted...), err
}

func (c *cell) appendTime(dst []byte, text string) ([]byte, error) {
	if c.Layout == "" {
		if !jsonNumber.MatchString(text) {
			return dst, fmt.Errorf("%q is no number of milliseconds", text)
		}
		return append(dst, text...), nil
	}
	t, err := time.Parse(c.Layout, text)
	if err != nil {
		return dst, fmt.Errorf("%q is no time: %w", text, err)
	}
	return strconv.AppendInt(dst, t.UnixMilli(), 10), nil
}
