package operator

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/tidemark-io/tidemark/shared/invariant"
)

// AppendJSON appends v's JSON form to dst: one form for equal values, without white space. Bytes of strings that are no
// UTF-8 become U+FFFD; a Raw stands as it is. A Float must be finite.
func (v Value) AppendJSON(dst []byte) []byte {
	switch v.Kind {
	case Null:
		return append(dst, "null"...)
	case Int, Millis:
		return v.appendInteger(dst)
	case Dec:
		return v.appendDecimal(dst)
	case Float:
		return appendFloat(dst, v.F)
	case Bool:
		return strconv.AppendBool(dst, v.Lo != 0)
	case Str:
		return appendString(dst, v.S)
	case Raw:
		return append(dst, v.S...)
	case List:
		return v.appendItems(dst, '[', ']')
	case Struct:
		return v.appendItems(dst, '{', '}')
	}
	invariant.Fail("a value of kind %d has no JSON form", v.Kind)
	return dst
}

// String returns v's JSON form.
func (v Value) String() string { return string(v.AppendJSON(nil)) }

func (v Value) appendItems(dst []byte, open, end byte) []byte {
	dst = append(dst, open)
	for i := range v.Items {
		if i > 0 {
			dst = append(dst, ',')
		}
		if v.Kind == Struct {
			dst = append(appendString(dst, v.Names[i]), ':')
		}
		dst = v.Items[i].AppendJSON(dst)
	}
	return append(dst, end)
}

func (v Value) appendInteger(dst []byte) []byte {
	if n, ok := v.integer().Int64(); ok {
		return strconv.AppendInt(dst, n, 10)
	}
	return v.integer().Big().Append(dst, 10)
}

// maxShortDigits is room for the digits of 64 bits, and for the zeros of the largest scale in front of one.
const maxShortDigits = 24

// appendDecimal writes the digits, at least one before the point and Scale after it.
func (v Value) appendDecimal(dst []byte) []byte {
	dst = append(dst, '"')
	if v.Hi < 0 {
		dst = append(dst, '-')
	}
	hi, lo := v.integer().Abs()
	var room [maxShortDigits]byte
	digits := strconv.AppendUint(room[:0], lo, 10)
	if hi != 0 {
		mag := new(big.Int).SetUint64(hi)
		mag.Lsh(mag, 64).Or(mag, new(big.Int).SetUint64(lo))
		digits = mag.Append(nil, 10)
	}
	scale := int(v.Scale)
	for zeros := scale + 1 - len(digits); zeros > 0; zeros-- {
		digits = slices.Insert(digits, 0, '0')
	}
	point := len(digits) - scale
	dst = append(dst, digits[:point]...)
	if scale > 0 {
		dst = append(append(dst, '.'), digits[point:]...)
	}
	return append(dst, '"')
}

// The magnitudes between which a float is written without an exponent, as in ECMAScript and encoding/json.
const (
	minPlainFloat = 1e-6
	maxPlainFloat = 1e21
)

func appendFloat(dst []byte, f float64) []byte {
	// The branch stands here so that f is not boxed for every value.
	if math.IsNaN(f) || math.IsInf(f, 0) {
		invariant.Fail("a result is no finite number: %g", f)
	}
	abs := math.Abs(f)
	if abs == 0 {
		return append(dst, '0')
	}
	if minPlainFloat <= abs && abs < maxPlainFloat {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = strconv.AppendFloat(dst, f, 'e', -1, 64)
	// strconv writes two digits of exponent at least: e-07 becomes e-7.
	if n := len(dst); n >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

const hexDigits = "0123456789abcdef"

func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
		}
		dst = append(dst, s[from:i]...)
		dst = appendEscape(dst, r)
		i += size
		from = i
	}
	return append(append(dst, s[from:]...), '"')
}

// appendEscape appends a character that cannot stand in a string as it is.
func appendEscape(dst []byte, r rune) []byte {
	switch r {
	case '"', '\\':
		return append(dst, '\\', byte(r))
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	case utf8.RuneError:
		return utf8.AppendRune(dst, r)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&15])
}
