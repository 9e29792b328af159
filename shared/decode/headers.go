package decode

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/record"
)

// ErrHeaders is the class of errors of bytes that are not the canonical form of headers.
var ErrHeaders = errors.New("bad headers")

// AppendHeaders appends the canonical form of headers, in which the archive keeps them:
//
//	uvarint number of headers, at least 1
//	then each in order: uvarint length of the key, the key, uvarint 0 for a null value or its length + 1, the value
//
// No headers are kept as a null, not as this form.
func AppendHeaders(dst []byte, headers []record.Header) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(headers)))
	for i := range headers {
		h := &headers[i]
		dst = binary.AppendUvarint(dst, uint64(len(h.Key)))
		dst = append(dst, h.Key...)
		if h.Value == nil {
			dst = append(dst, 0)
			continue
		}
		dst = binary.AppendUvarint(dst, uint64(len(h.Value))+1)
		dst = append(dst, h.Value...)
	}
	return dst
}

// Headers reads the form that AppendHeaders writes, and no other; nil bytes are no headers. Values share b's memory. Its
// errors are of class ErrHeaders.
func Headers(b []byte) ([]record.Header, error) {
	if b == nil {
		return nil, nil
	}
	r := headerReader{rest: b}
	n := r.uvarint("number of headers")
	// A header has at least two bytes: a wrong number cannot ask for more memory than b suggests.
	if r.err == nil && (n == 0 || n > uint64(len(r.rest))/2) {
		r.fail("%d headers in %d bytes", n, len(r.rest))
	}
	if r.err != nil {
		return nil, r.err
	}
	headers := make([]record.Header, n)
	for i := range headers {
		headers[i].Key = string(r.bytes(r.uvarint("length of key")))
		if size := r.uvarint("length of value"); size > 0 {
			headers[i].Value = r.bytes(size - 1)
		}
	}
	if len(r.rest) != 0 {
		r.fail("%d bytes after the last header", len(r.rest))
	}
	if r.err != nil {
		return nil, r.err
	}
	return headers, nil
}

// headerReader keeps the first error and reads nothing after it.
type headerReader struct {
	rest []byte
	err  error
}

func (r *headerReader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrHeaders, fmt.Sprintf(format, args...))
	}
	r.rest = nil
}

func (r *headerReader) uvarint(what string) uint64 {
	v, n := binary.Uvarint(r.rest)
	// A last byte of 0 would be a longer form of a shorter number.
	if n <= 0 || n > 1 && r.rest[n-1] == 0 {
		r.fail("%s is no canonical uvarint", what)
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *headerReader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.fail("%d bytes of %d", n, len(r.rest))
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}
