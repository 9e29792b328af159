package decode

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestLiteralEqualsHasPrefix changes at most one byte of a text and looks for it.
func TestLiteralEqualsHasPrefix(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 7))
	for range 50_000 {
		text := make([]byte, 1+r.IntN(30))
		for i := range text {
			text[i] = byte(r.Uint32())
		}
		l := newLiteral(string(text))
		s := append(bytes.Clone(text), make([]byte, r.IntN(12))...)
		if r.IntN(2) == 0 {
			s[r.IntN(len(s))] ^= 1 << r.IntN(8)
		}
		s = s[:len(s)-r.IntN(2)]
		got, want := l.begins(s), bytes.HasPrefix(s, text)
		if got != want && (got || len(s) >= wordBytes) {
			t.Fatalf("%q begins with %q: %t", s, text, got)
		}
	}
}

func TestQuotedLiteralsNeedNoEscapes(t *testing.T) {
	for value, want := range map[string]bool{"": true, "view": true, "é": true, `a"b`: false, `a\b`: false, "a\nb": false} {
		l := newQuoted(value)
		if got := l.begins([]byte(`"` + value + `",        `)); got != want {
			t.Errorf("%q: %t", value, got)
		}
	}
}

func TestASCII(t *testing.T) {
	for n := range 100 {
		s := []byte(strings.Repeat("a", n))
		if !ascii(s) {
			t.Errorf("%d bytes of ASCII are none", n)
		}
		for i := range s {
			s[i] = 0x80
			if ascii(s) {
				t.Errorf("byte %d of %d is overlooked", i, n)
			}
			s[i] = 0x7f
		}
	}
}
