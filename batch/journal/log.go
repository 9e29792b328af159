package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/tidemark-io/tidemark/batch/durable"
)

// Codec is the number of the codec that entries are written in. Codec 1, which is read too, lacks a genesis's topics; a journal
// may have entries of both.
const Codec = 2

// firstCodec is the oldest codec that is read.
const firstCodec = 1

// MaxEntries bounds a journal: numbers have eight digits. At a run (two entries) each 15 minutes they last 1,400 years.
const MaxEntries = 99_999_999

var (
	// ErrDamaged is the class of errors about a folder that does not read as a journal.
	ErrDamaged = errors.New("damaged journal")
	// ErrCodec is the class of errors about an entry of an unknown codec or kind: a newer tidemark wrote it.
	ErrCodec = errors.New("unknown journal entry")
	// ErrTaken says that another process has written the next entry: read the journal again, or stop.
	ErrTaken = errors.New("another process writes this journal")
)

// cure is what helps against a damaged journal. It is said with every such error.
const cure = "restore the state folder, or move this view's folder away: what the store has of the view goes on being served, " +
	"and batch builds a new generation beside it"

type header struct {
	Codec   int    `json:"codec"`
	Journal string `json:"journal"`
	Number  int64  `json:"number"`
	Entry   string `json:"entry"`
}

type trailer struct {
	SHA256 string `json:"sha256"`
}

// entry is one record of a journal: its kind and a body, which the kind's owner reads.
type entry struct {
	path string
	kind string
	body json.RawMessage
}

// log is a folder of numbered entries. Not safe for concurrent use; several processes may have one open.
type log struct {
	dir  string
	kind string // of the journal: "view" or "generation"
	last int64  // number of the last entry known
}

// openLog reads all entries of a folder in order. A folder that is not there is a journal without entries.
func openLog(dir, kind string) (*log, []entry, error) {
	l := &log{dir: dir, kind: kind}
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, nil, fmt.Errorf("reading journal: %w", err)
	}
	var entries []entry
	for _, f := range files {
		if strings.HasPrefix(f.Name(), ".") {
			continue // left aside by a process that died
		}
		e, err := l.read(f.Name())
		if err != nil {
			return nil, nil, err
		}
		entries = append(entries, e)
	}
	return l, entries, nil
}

func (l *log) path(number int64) string {
	return filepath.Join(l.dir, fmt.Sprintf("%08d.json", number))
}

// moved tells whether the entry after the last one known is there. It looks for one name only: it is asked each second.
func (l *log) moved() bool {
	if l.dir == "" {
		return false
	}
	_, err := os.Lstat(l.path(l.last + 1))
	return err == nil
}

// read reads the entry that must come next. ReadDir sorts by name, and all numbers have eight digits.
func (l *log) read(name string) (entry, error) {
	want := l.path(l.last + 1)
	if name != filepath.Base(want) {
		return entry{}, fmt.Errorf("%w: %s is there where %s is due: an entry is missing or a foreign file lies there; %s",
			ErrDamaged, filepath.Join(l.dir, name), filepath.Base(want), cure)
	}
	b, err := os.ReadFile(want)
	if err != nil {
		return entry{}, fmt.Errorf("reading journal: %w", err)
	}
	h, body, err := decode(b)
	if err != nil {
		return entry{}, fmt.Errorf("reading %s: %w; %s", want, err, cure)
	}
	if h.Number != l.last+1 || h.Journal != l.kind {
		return entry{}, fmt.Errorf("%w: %s says to be entry %d of a %s journal; %s", ErrDamaged, want, h.Number, h.Journal, cure)
	}
	l.last++
	return entry{path: want, kind: h.Entry, body: body}, nil
}

// append writes the next entry. After an error of class ErrTaken it is not written, and the journal is to be read again.
func (l *log) append(kind string, body any) error {
	if l.last >= MaxEntries {
		return fmt.Errorf("%w: %s is full", ErrDamaged, l.dir)
	}
	if err := durable.MkdirAll(l.dir); err != nil {
		return fmt.Errorf("writing journal: %w", err)
	}
	b, err := encode(header{Codec: Codec, Journal: l.kind, Number: l.last + 1, Entry: kind}, body)
	if err != nil {
		return fmt.Errorf("encoding entry %d of %s: %w", l.last+1, l.dir, err)
	}
	err = durable.Link(l.path(l.last+1), b)
	if errors.Is(err, durable.ErrExists) {
		return fmt.Errorf("%w: %w", ErrTaken, err)
	}
	if err != nil {
		return fmt.Errorf("writing journal: %w", err)
	}
	l.last++
	return nil
}

func encode(h header, body any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b) // ends each value with a line feed
	if err := errors.Join(enc.Encode(h), enc.Encode(body)); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(b.Bytes())
	if err := enc.Encode(trailer{SHA256: hex.EncodeToString(sum[:])}); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// decode reads the three lines of an entry: header, body, and the checksum of both.
func decode(b []byte) (header, json.RawMessage, error) {
	var h header
	lines := bytes.SplitAfter(b, []byte{'\n'})
	if len(lines) != 4 || len(lines[3]) > 0 {
		return h, nil, fmt.Errorf("%w: %d lines, want 3", ErrDamaged, len(lines)-1)
	}
	// The codec alone is looked at first: only of a known one is it known what else stands there.
	if err := json.Unmarshal(lines[0], &h); err != nil {
		return h, nil, fmt.Errorf("%w: header: %w", ErrDamaged, err)
	}
	if h.Codec < firstCodec || h.Codec > Codec {
		return h, nil, fmt.Errorf("%w: codec %d: this tidemark reads codecs %d to %d", ErrCodec, h.Codec, firstCodec, Codec)
	}
	if err := strict(lines[0], &h); err != nil {
		return h, nil, fmt.Errorf("%w: header: %w", ErrDamaged, err)
	}
	var tr trailer
	if err := strict(lines[2], &tr); err != nil {
		return h, nil, fmt.Errorf("%w: checksum: %w", ErrDamaged, err)
	}
	if sum := sha256.Sum256(b[:len(lines[0])+len(lines[1])]); tr.SHA256 != hex.EncodeToString(sum[:]) {
		return h, nil, fmt.Errorf("%w: its checksum does not fit", ErrDamaged)
	}
	return h, json.RawMessage(lines[1]), nil
}

// strict reads one JSON value and nothing after it; unknown members are errors.
func strict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("bytes follow the value")
	}
	return nil
}

// parse reads the body of an entry into v.
func (e *entry) parse(v any) error {
	if err := strict(e.body, v); err != nil {
		return fmt.Errorf("%w: body of %s: %w; %s", ErrDamaged, e.path, err, cure)
	}
	return nil
}

// unknown is the error about an entry of a kind that nobody reads.
func (e *entry) unknown() error {
	return fmt.Errorf("%w: %s is of kind %q: a newer tidemark wrote it; use that one", ErrCodec, e.path, e.kind)
}

// misplaced is the error about an entry that cannot follow the ones before it.
func (e *entry) misplaced(why error) error {
	return fmt.Errorf("%w: %s (%s) cannot stand there: %w; %s", ErrDamaged, e.path, e.kind, why, cure)
}
