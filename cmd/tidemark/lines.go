package main

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// maxLineBytes bounds one line of an input file; a longer one is refused and passed over.
const maxLineBytes = 16 << 20

// line is one record of an input file, or why it is none.
type line struct {
	number int64 // of its first line in the file, from 1
	key    []byte
	value  []byte
	err    error
}

// lines yields the records of a file.
type lines struct {
	next   func() (line, error) // io.EOF at the end; any other error ends the reading
	closes []io.Closer
}

// Close closes the file.
func (l *lines) Close() error {
	var errs []error
	for _, c := range l.closes {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// openLines opens a file by its name's ending; - is standard input, JSON lines.
func openLines(j *job.Job, src *schema.Source, file string, stdin io.Reader) (*lines, error) {
	if file == "" {
		return nil, usagef("--from FILE is required")
	}
	l := &lines{}
	r := stdin
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, usagef("opening input: %w", err)
		}
		l.closes, r = []io.Closer{f}, f
	}
	if err := l.read(j, src, file, r); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// read sets next, by the endings of the file's name.
func (l *lines) read(j *job.Job, src *schema.Source, file string, r io.Reader) error {
	r = bufio.NewReaderSize(r, 1<<20)
	name, zipped := strings.CutSuffix(file, ".gz")
	if zipped {
		z, err := gzip.NewReader(r)
		if err != nil {
			return fmt.Errorf("reading %s: no gzip file: %w", file, err)
		}
		r = bufio.NewReaderSize(z, 1<<20)
	}
	in := &lineReader{name: file, r: bufio.NewReaderSize(r, 1<<16)}
	if !strings.HasSuffix(name, ".csv") {
		l.next = jsonLines(in, src)
		return nil
	}
	spec := j.Imports[src.Name]
	if spec == nil {
		return usagef("source %s has no `import: csv:`, so CSV cannot be read for it", src.Name)
	}
	var err error
	l.next, err = csvLines(in, spec, src)
	return err
}

// errLong says that a line is longer than maxLineBytes.
var errLong = fmt.Errorf("longer than %d bytes", maxLineBytes)

// lineReader reads lines and numbers them.
type lineReader struct {
	name   string
	r      *bufio.Reader
	number int64 // of the line read last
}

// next returns a line without its end, in memory of its own; the last one may lack its line feed. A line over the limit is
// passed over and errLong; io.EOF is the end. What was read of a line when the file breaks off with an error is not one.
func (l *lineReader) next() ([]byte, error) {
	var out []byte
	long := false
	for {
		part, err := l.r.ReadSlice('\n')
		if long = long || len(out)+len(part) > maxLineBytes; !long {
			out = append(out, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(out) == 0 && !long:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("reading %s, line %d: %w", l.name, l.number+1, err)
		}
		l.number++
		if long {
			return nil, errLong
		}
		if l.number == 1 {
			out = bytes.TrimPrefix(out, []byte("\ufeff")) // what some programs put before UTF-8
		}
		out = bytes.TrimSuffix(out, []byte("\n"))
		return bytes.TrimSuffix(out, []byte("\r")), nil
	}
}

// jsonLines reads one JSON value a line; blank lines are passed over.
func jsonLines(in *lineReader, src *schema.Source) func() (line, error) {
	return func() (line, error) {
		for {
			v, err := in.next()
			switch {
			case errors.Is(err, errLong):
				return line{number: in.number, err: err}, nil
			case err != nil:
				return line{}, err
			case len(bytes.TrimSpace(v)) == 0:
				continue
			case !json.Valid(v):
				return line{number: in.number, err: errNotJSON}, nil
			}
			return line{number: in.number, value: v, key: recordKey(v, src)}, nil
		}
	}
}

var errNotJSON = errors.New("not valid JSON")

// recordKey returns the text of the source's key field, nil for none. Nothing rests on it but locality.
func recordKey(value []byte, src *schema.Source) []byte {
	if src.Key == "" {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil {
		return nil
	}
	raw, ok := members[src.Key]
	var text string
	switch {
	case !ok || string(raw) == "null":
		return nil
	case json.Unmarshal(raw, &text) == nil:
		return []byte(text)
	}
	return raw
}
