package archivefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Format is the number of the file format of docs/format/archive.md.
const Format = 1

// createdBy stands in the Parquet metadata. It names the format and no version of a program: two releases that write the
// same rows should write the same bytes.
const createdBy = "tidemark archive format 1"

// Footer is what a file says of itself. Two files with equal footers hold the same rows.
type Footer struct {
	Partition position.Partition
	// Range is the interval of offsets that the file answers for. Offsets without a row in it (transaction markers,
	// aborted records) are gaps of the log.
	Range position.Range
	Rows  int64
	// Rejects is how many of the rows were rejected.
	Rejects int64
	// AppendMin and AppendMax are the smallest and largest append time, ms; both 0 in a file without rows.
	AppendMin, AppendMax int64
	// Source is what decided how the records were decoded; topic, block size and record key are left out.
	Source schema.Source
	// SourceHash is Source.Hash().
	SourceHash string
	// Decoder is the version of the decoder.
	Decoder int
	// Lost says that nobody has the records of the range, and that this was accepted; there are no rows then.
	Lost bool
	// Content is the SHA-256, in hex, of the rows themselves, whatever their encoding and compression.
	Content string
}

// Equal tells whether both files hold the same rows of the same range.
func (f *Footer) Equal(g *Footer) bool {
	return f.Partition == g.Partition && f.Range == g.Range && f.Rows == g.Rows && f.Rejects == g.Rejects &&
		f.AppendMin == g.AppendMin && f.AppendMax == g.AppendMax && f.SameDecoding(g) && f.Content == g.Content &&
		f.Lost == g.Lost
}

// name returns the name of the file.
func (f *Footer) name() string {
	if f.Lost {
		return LostName(f.Range)
	}
	return Name(f.Range)
}

// SameDecoding tells whether both files were decoded by the same rules.
func (f *Footer) SameDecoding(g *Footer) bool {
	return f.SourceHash == g.SourceHash && f.Decoder == g.Decoder
}

// decoding returns the part of src that decides how a record is decoded, as footers keep it.
func decoding(src *schema.Source) schema.Source {
	return schema.Source{Name: src.Name, Fields: src.Fields, EventTime: src.EventTime, ToleranceMS: src.ToleranceMS}
}

// The keys of the Parquet key-value metadata.
const (
	keyFormat     = "tidemark.format"
	keyPartition  = "tidemark.partition"
	keyFrom       = "tidemark.from"
	keyNext       = "tidemark.next"
	keyRows       = "tidemark.rows"
	keyRejects    = "tidemark.rejects"
	keyAppendMin  = "tidemark.append_min"
	keyAppendMax  = "tidemark.append_max"
	keySource     = "tidemark.source"
	keySourceHash = "tidemark.source_hash"
	keyDecoder    = "tidemark.decoder"
	keyContent    = "tidemark.content_sha256"
	keyLost       = "tidemark.lost" // of a file that says that its range is lost; no other has it
)

// pair is one entry of the key-value metadata.
type pair struct{ key, value string }

// pairs returns the metadata in the order in which it is written.
func (f *Footer) pairs() ([]pair, error) {
	source, err := json.Marshal(&f.Source)
	if err != nil {
		return nil, fmt.Errorf("encoding source %s: %w", f.Source.Name, err)
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	pairs := []pair{
		{keyFormat, number(Format)},
		{keyPartition, f.Partition.String()},
		{keyFrom, number(f.Range.From)},
		{keyNext, number(f.Range.Next)},
		{keyRows, number(f.Rows)},
		{keyRejects, number(f.Rejects)},
		{keyAppendMin, number(f.AppendMin)},
		{keyAppendMax, number(f.AppendMax)},
		{keySource, string(source)},
		{keySourceHash, f.SourceHash},
		{keyDecoder, number(int64(f.Decoder))},
		{keyContent, f.Content},
	}
	if f.Lost {
		pairs = append(pairs, pair{keyLost, lostValue})
	}
	return pairs, nil
}

// lostValue is the only value of keyLost.
const lostValue = "true"

// parseFooter reads what pairs writes. lookup finds a value by its key.
func parseFooter(lookup func(key string) (string, bool)) (*Footer, error) {
	p := footerParser{lookup: lookup}
	if format := p.number(keyFormat); p.err == nil && format != Format {
		return nil, fmt.Errorf("%w: it is of format %d, this program reads %d; use a newer tidemark", ErrVersion, format, Format)
	}
	f := &Footer{
		Range: position.Range{From: p.number(keyFrom), Next: p.number(keyNext)},
		Rows:  p.number(keyRows), Rejects: p.number(keyRejects),
		AppendMin: p.number(keyAppendMin), AppendMax: p.number(keyAppendMax),
		SourceHash: p.text(keySourceHash), Decoder: int(p.number(keyDecoder)), Content: p.text(keyContent),
	}
	if lost, ok := lookup(keyLost); ok {
		if f.Lost = true; lost != lostValue {
			return nil, fmt.Errorf("%s is %q", keyLost, lost)
		}
	}
	partition, source := p.text(keyPartition), p.text(keySource)
	if p.err != nil {
		return nil, p.err
	}
	var err error
	if f.Partition, err = position.ParsePartition(partition); err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(source), &f.Source); err != nil {
		return nil, fmt.Errorf("reading %s: %w", keySource, err)
	}
	return f, f.check()
}

// check finds footers that contradict themselves.
func (f *Footer) check() error {
	src := f.Source
	src.SetDefaults()
	switch err := src.Validate(); {
	case err != nil:
		return err
	case f.Source.Hash() != f.SourceHash:
		return fmt.Errorf("%s is %s, the source's hash is %s", keySourceHash, f.SourceHash, f.Source.Hash())
	case f.Source.Name != f.Partition.Source:
		return fmt.Errorf("partition %s of source %s", f.Partition, f.Source.Name)
	case !validRange(f.Range):
		return fmt.Errorf("range %s", f.Range)
	case f.Rows < 0 || f.Rows > f.Range.Next-f.Range.From || f.Rejects < 0 || f.Rejects > f.Rows:
		return fmt.Errorf("%d rows, %d of them rejected, in range %s", f.Rows, f.Rejects, f.Range)
	case f.Lost && f.Rows > 0:
		return fmt.Errorf("%d rows of a range that is lost", f.Rows)
	}
	return nil
}

// footerParser keeps the first error.
type footerParser struct {
	lookup func(key string) (string, bool)
	err    error
}

func (p *footerParser) text(key string) string {
	value, ok := p.lookup(key)
	if !ok && p.err == nil {
		p.err = errors.New("no " + key + " in its metadata")
	}
	return value
}

func (p *footerParser) number(key string) int64 {
	text := p.text(key)
	if p.err != nil {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		p.err = fmt.Errorf("reading %s: %w", key, err)
	}
	return n
}
