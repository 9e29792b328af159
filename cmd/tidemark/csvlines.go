package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// maxRecordLines bounds the lines that a record of CSV may have through line feeds in quotes. A quote that is opened and
// never closed would otherwise make one bad record of the rest of the file.
const maxRecordLines = 100

// Why a line of CSV is no record.
var (
	errQuoteOpen  = fmt.Errorf("a quote is opened and not closed within %d lines", maxRecordLines)
	errQuoteStray = errors.New("a quote stands inside of a field that is not quoted, or text follows a closing one")
)

// csvReader reads records of CSV as RFC 4180 has them. A line that is none is refused alone: reading goes on with the next
// line, whatever quotes it had.
type csvReader struct {
	in     *lineReader
	ahead  []physicalLine // read in search of a closing quote, to be read again
	number int64          // of the line that the record last returned began in
	from   int64          // of the line before the first one ahead
	cells  []string
	text   []byte // of the cell being read
}

// physicalLine is a line of the file, or errLong.
type physicalLine struct {
	text []byte
	err  error
}

// line returns the i-th line from the beginning of the record on.
func (c *csvReader) line(i int) (physicalLine, error) {
	if i < len(c.ahead) {
		return c.ahead[i], nil
	}
	text, err := c.in.next()
	if err != nil && !errors.Is(err, errLong) {
		return physicalLine{}, err
	}
	c.ahead = append(c.ahead, physicalLine{text, err})
	return c.ahead[i], nil
}

// next returns the cells of the next record, which are valid until the next call; blank lines are passed over. bad is why
// the line is none, err why there is no line.
func (c *csvReader) next() (cells []string, bad, err error) {
	for {
		first, err := c.line(0)
		if err != nil {
			return nil, nil, err
		}
		c.number = c.from + 1
		if first.err == nil && len(first.text) == 0 {
			c.take(1)
			continue
		}
		used, bad, err := c.record()
		if err != nil {
			return nil, nil, err
		}
		c.take(used)
		return c.cells, bad, nil
	}
}

// take moves on behind n lines.
func (c *csvReader) take(n int) {
	c.ahead = c.ahead[n:]
	c.from += int64(n)
}

// record splits the record that begins with the next line and tells how many lines it has. A bad one has one.
func (c *csvReader) record() (used int, bad, err error) {
	c.cells, c.text = c.cells[:0], c.text[:0]
	quoted := false // within quotes, at the beginning of a line
	for used = 0; used < maxRecordLines; used++ {
		l, err := c.line(used)
		switch {
		case used > 0 && (errors.Is(err, io.EOF) || l.err != nil):
			return 1, errQuoteOpen, nil
		case err != nil:
			return 0, nil, err
		case l.err != nil:
			return 1, l.err, nil
		}
		var ok bool
		if quoted, ok = c.split(l.text, quoted); !ok {
			return 1, errQuoteStray, nil
		}
		if !quoted {
			return used + 1, nil, nil
		}
		c.text = append(c.text, '\n')
	}
	return 1, errQuoteOpen, nil
}

// split adds the cells of one line, of which the first may go on within quotes. It tells whether the last one does.
func (c *csvReader) split(l []byte, quoted bool) (open, ok bool) {
	for i := 0; ; i++ {
		if !quoted && i < len(l) && l[i] == '"' {
			quoted = true
			i++
		}
		if quoted {
			var closed bool
			if i, closed = c.quoted(l, i); !closed {
				return true, true
			}
			quoted = false
		} else {
			for ; i < len(l) && l[i] != ','; i++ {
				if l[i] == '"' {
					return false, false
				}
				c.text = append(c.text, l[i])
			}
		}
		if i < len(l) && l[i] != ',' {
			return false, false
		}
		c.cells = append(c.cells, string(c.text))
		c.text = c.text[:0]
		if i >= len(l) {
			return false, true
		}
	}
}

// quoted adds text up to the closing quote and returns the place behind it.
func (c *csvReader) quoted(l []byte, i int) (next int, closed bool) {
	for ; i < len(l); i++ {
		if l[i] != '"' {
			c.text = append(c.text, l[i])
			continue
		}
		if i+1 >= len(l) || l[i+1] != '"' {
			return i + 1, true
		}
		c.text = append(c.text, '"')
		i++
	}
	return i, false
}

// csvLines reads CSV with a header through the source's column mapping.
func csvLines(in *lineReader, spec *job.ImportSpec, src *schema.Source) (func() (line, error), error) {
	c := &csvReader{in: in}
	header, bad, err := c.next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("reading %s: it is empty; CSV begins with a header", in.name)
	case errors.Join(bad, err) != nil:
		return nil, fmt.Errorf("reading header of %s: %w", in.name, errors.Join(bad, err))
	}
	im, err := spec.Importer(header)
	if err != nil {
		return nil, usagef("importing %s: %w", in.name, err)
	}
	return func() (line, error) {
		cells, bad, err := c.next()
		if err != nil {
			return line{}, err
		}
		l := line{number: c.number, err: bad}
		if bad == nil {
			l.value, l.err = im.AppendJSON(nil, cells)
			l.key = recordKey(l.value, src)
		}
		return l, nil
	}, nil
}
