package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Codec is the number of the codec that is written. Codec 1, which is read too, lacks the generations' topics.
const Codec = 2

// firstCodec is the oldest codec that is read.
const firstCodec = 1

// ErrDamaged is the class of errors about bytes that are no manifest, ErrCodec of those of an unknown codec.
var (
	ErrDamaged = errors.New("damaged manifest")
	ErrCodec   = errors.New("unknown manifest codec")
)

// envelope is the first line: the codec stands before the rest, so that a reader can refuse what it does not know.
type envelope struct {
	Codec    int             `json:"codec"`
	Manifest json.RawMessage `json:"manifest"`
}

type trailer struct {
	SHA256 string `json:"sha256"`
}

// Encode returns the manifest's bytes; equal manifests have equal bytes. Errors are of class ErrInvalid.
func (m *Manifest) Encode() ([]byte, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding manifest of view %s.%s: %w", m.Job, m.View, err)
	}
	line, err := json.Marshal(envelope{Codec: Codec, Manifest: body})
	if err != nil {
		return nil, fmt.Errorf("encoding manifest of view %s.%s: %w", m.Job, m.View, err)
	}
	line = append(line, '\n')
	return fmt.Appendf(line, "{\"sha256\":%q}\n", digest(line)), nil
}

func digest(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// Decode reads what Encode writes. Errors are of class ErrDamaged, ErrCodec or ErrInvalid.
func Decode(b []byte) (*Manifest, error) {
	cut := bytes.IndexByte(b, '\n') + 1
	var env envelope
	// The codec is looked at first: only of a known one is it known what else stands there.
	if err := json.Unmarshal(b[:cut], &env); err != nil {
		return nil, fmt.Errorf("%w: %d bytes: %w", ErrDamaged, len(b), err)
	}
	if env.Codec < firstCodec || env.Codec > Codec {
		return nil, fmt.Errorf("%w %d: this tidemark reads codecs %d to %d", ErrCodec, env.Codec, firstCodec, Codec)
	}
	var tr trailer
	if err := strict(b[cut:], &tr); err != nil || tr.SHA256 != digest(b[:cut]) {
		return nil, fmt.Errorf("%w: its checksum does not fit", ErrDamaged)
	}
	m := &Manifest{}
	if err := strict(env.Manifest, m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return m, m.Validate()
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
