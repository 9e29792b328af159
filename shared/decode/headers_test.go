package decode_test

import (
	"bytes"
	"errors"
	"reflect"
	"testing"

	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/testdata/fuzzing"
)

func TestHeadersRoundTrip(t *testing.T) {
	for _, headers := range [][]record.Header{
		{{Key: "a", Value: []byte("b")}},
		{{Key: "", Value: nil}},
		{{Key: "", Value: []byte{}}},
		{{Key: "twice", Value: []byte("1")}, {Key: "twice", Value: []byte("0")}, {Key: "\xff", Value: nil}},
		{{Key: "long", Value: bytes.Repeat([]byte("x"), 70_000)}},
	} {
		form := decode.AppendHeaders(nil, headers)
		got, err := decode.Headers(form)
		if err != nil || !reflect.DeepEqual(got, headers) {
			t.Errorf("%v came back as %v, %v", headers, got, err)
		}
		for n := range min(len(form), 100) {
			if _, err := decode.Headers(form[:n:n]); !errors.Is(err, decode.ErrHeaders) {
				t.Errorf("%v cut to %d bytes: %v", headers, n, err)
			}
		}
	}
	if got, err := decode.Headers(nil); got != nil || err != nil {
		t.Errorf("no headers: %v, %v", got, err)
	}
}

func TestHeadersFormIsFrozen(t *testing.T) {
	got := decode.AppendHeaders(nil, []record.Header{{Key: "ab", Value: []byte("c")}, {Key: "d", Value: nil}, {Key: "", Value: []byte{}}})
	if want := "\x03\x02ab\x02c\x01d\x00\x00\x01"; string(got) != want {
		t.Fatalf("got %q, archives hold %q", got, want)
	}
}

func TestHeadersRefusesOtherForms(t *testing.T) {
	for name, form := range map[string]string{
		"none":           "\x00",
		"count too long": "\x81\x00\x00\x00",
		"count too high": "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00",
		"trailing byte":  "\x01\x00\x00\x00",
		"value past end": "\x01\x00\x05a",
		"key past end":   "\x01\x09a\x00",
		"overflow":       "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
	} {
		if got, err := decode.Headers([]byte(form)); !errors.Is(err, decode.ErrHeaders) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	f.Add([]byte("\x03\x02ab\x02c\x01d\x00\x00\x01"))
	fuzzing.Target(f, func(t *testing.T, form []byte) {
		headers, err := decode.Headers(form)
		if err == nil && !bytes.Equal(decode.AppendHeaders(nil, headers), form) {
			t.Fatalf("%q is not the canonical form of %v", form, headers)
		}
	})
}
