package decode

import (
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// ErrRest is the class of errors of archived bytes that cannot have come from an accepted record.
var ErrRest = errors.New("archived bytes are no JSON object")

// RestDecoder decodes one declared field out of what the archive keeps of accepted records: how a field that was
// declared later is read from history. It is the same code as the main path. Not safe for concurrent use.
type RestDecoder struct {
	d    *Decoder
	name string
}

// FromRest returns a decoder of the field of src with the given index. The source must be valid (otherwise an error of
// class schema.ErrInvalid).
func FromRest(src *schema.Source, field int) (*RestDecoder, error) {
	if err := src.Validate(); err != nil {
		return nil, fmt.Errorf("compiling decoder: %w", err)
	}
	if field < 0 || field >= len(src.Fields) {
		return nil, fmt.Errorf("compiling decoder: %w: source %s has no field %d", schema.ErrInvalid, src.Name, field)
	}
	d := compile(src.Fields[field : field+1])
	d.fields[0].required = false
	return &RestDecoder{d: d, name: src.Fields[field].Name}, nil
}

// Append appends one row to c, a column of the field's type: the value that the field has in an accepted record. doc is
// the row's Raw if it has one, else its Rest; nil for a row with neither. Raw goes first because it still shows a name
// that occurred twice. fault tells that the field was present but did not decode and became null; whether the field is
// required is not looked at. Of a rejected row the caller appends a null itself.
//
// The error is of class ErrRest; no row is appended then.
func (r *RestDecoder) Append(c *column.Column, doc []byte) (fault bool, err error) {
	if doc == nil {
		c.AppendNull()
		return false, nil
	}
	if reason := r.d.read(doc); reason != Accepted {
		return false, fmt.Errorf("%w: reading field %q from history: %s", ErrRest, r.name, reason)
	}
	staged := &r.d.cells[0]
	if staged.state != present {
		c.AppendNull()
		return staged.state.isFault(), nil
	}
	staged.commit(c, doc)
	return false, nil
}
