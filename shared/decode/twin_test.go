package decode_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// twin is the dumb decoder: docs/decoding.md written down again over encoding/json, regular expressions and big numbers.
// It shares no code with the decoder and takes no care of speed.
type twin struct {
	src  *schema.Source
	keep bool // build rest
}

// outcome is what one record decodes to. Values are nil (null), int64, or string for bytes.
type outcome struct {
	reason decode.Reason
	values []any
	faults []bool
	rest   string // "" for none
}

// pair is a member of an object: its name, the name's literal, and the value verbatim.
type pair struct {
	name, literal string
	value         json.RawMessage
}

var (
	literals  = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	openTail  = regexp.MustCompile(`(?s)"(?:[^"\\]|\\.)*\\?$`)
	literalsS = regexp.MustCompile(`(?s)"(?:[^"\\]|\\.)*"`)
	escape    = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)
	surrogate = regexp.MustCompile(`^\\u[dD][89a-fA-F]`)
	integers  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	numbers   = regexp.MustCompile(`^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$`)
)

func (t twin) read(value []byte) outcome {
	o := outcome{values: make([]any, len(t.src.Fields)), faults: make([]bool, len(t.src.Fields))}
	switch {
	case value == nil:
		o.reason = decode.Tombstone
	case len(value) > 64<<20:
		o.reason = decode.TooLarge
	case !utf8.Valid(value):
		o.reason = decode.NotUTF8
	case deep(value):
		o.reason = decode.TooDeep
	case !json.Valid(value) || loneSurrogate(value):
		o.reason = decode.NotJSON
	case bytes.TrimLeft(value, " \t\r\n")[0] != '{':
		o.reason = decode.NotObject
	default:
		return t.fields(o, value)
	}
	return o
}

func (t twin) fields(o outcome, value []byte) outcome {
	top := pairs(value)
	for i, f := range t.src.Fields {
		raw, reason := resolve(top, strings.Split(f.Name, "."))
		if reason == decode.Accepted {
			o.values[i], reason = convert(f, raw, f.Name == t.src.EventTime)
		}
		o.faults[i] = reason == decode.RequiredDuplicate || reason == decode.RequiredFault || reason == decode.EventTimeRange
		if (f.Required || f.Name == t.src.EventTime) && reason != decode.Accepted && o.reason == decode.Accepted {
			o.reason = reason
		}
	}
	if o.reason != decode.Accepted {
		clear(o.values)
		clear(o.faults)
		return o
	}
	if t.keep {
		names := make([]string, len(t.src.Fields))
		for i, f := range t.src.Fields {
			names[i] = f.Name
		}
		if o.rest = rest(top, names); o.rest == "{}" {
			o.rest = ""
		}
	}
	return o
}

// resolve follows a path of names; the reason says what a required field would be rejected for.
func resolve(members []pair, path []string) (json.RawMessage, decode.Reason) {
	var found []pair
	for _, p := range members {
		if p.name == path[0] {
			found = append(found, p)
		}
	}
	switch {
	case len(found) == 0:
		return nil, decode.RequiredMissing
	case len(found) > 1:
		return nil, decode.RequiredDuplicate
	}
	value := found[0].value
	switch {
	case string(value) == "null":
		return nil, decode.RequiredNull
	case len(path) == 1:
		return value, decode.Accepted
	case value[0] != '{':
		return nil, decode.RequiredFault
	}
	return resolve(pairs(value), path[1:])
}

func convert(f schema.Field, raw json.RawMessage, event bool) (any, decode.Reason) {
	text := string(raw)
	switch f.Type {
	case schema.Bool:
		if text == "true" || text == "false" {
			return int64(strings.Index("false true", text) / 6), decode.Accepted
		}
	case schema.Int32:
		return convertInteger(text, "-2147483648", "2147483647", decode.RequiredFault)
	case schema.Int64:
		return convertInteger(text, "-9223372036854775808", "9223372036854775807", decode.RequiredFault)
	case schema.Time:
		if event {
			return convertInteger(text, "0", "253402300799999", decode.EventTimeRange)
		}
		return convertInteger(text, "0", "253402300799999", decode.RequiredFault)
	case schema.Decimal:
		return convertDecimal(text, f.Scale)
	case schema.Enum:
		for i, value := range f.Enum {
			if text[0] == '"' && unquote(raw) == value {
				return int64(i), decode.Accepted
			}
		}
	case schema.String:
		if text[0] == '"' {
			return unquote(raw), decode.Accepted
		}
	case schema.JSON:
		return compact(raw), decode.Accepted
	}
	return nil, decode.RequiredFault
}

func convertInteger(text, low, high string, outside decode.Reason) (any, decode.Reason) {
	if !integers.MatchString(text) {
		return nil, decode.RequiredFault
	}
	v, lowest, highest := bigInt(text), bigInt(low), bigInt(high)
	if v.Cmp(lowest) < 0 || v.Cmp(highest) > 0 {
		return nil, outside
	}
	return v.Int64(), decode.Accepted
}

func bigInt(s string) *big.Int {
	v, _ := new(big.Int).SetString(s, 10)
	return v
}

// convertDecimal computes with rationals; an exponent beyond all digits of the record decides alone.
func convertDecimal(text string, scale int) (any, decode.Reason) {
	parts := numbers.FindStringSubmatch(text)
	if parts == nil {
		return nil, decode.RequiredFault
	}
	mantissa := bigInt(parts[1] + parts[2] + parts[3])
	if mantissa.Sign() == 0 {
		return int64(0), decode.Accepted
	}
	exponent, err := strconv.Atoi("0" + strings.TrimLeft(parts[4], "+-"))
	if err != nil || exponent > 10_000 {
		return nil, decode.RequiredFault
	}
	if strings.HasPrefix(parts[4], "-") {
		exponent = -exponent
	}
	exponent += scale - len(parts[3])
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(exponent, -exponent))), nil)
	v := new(big.Rat).SetInt(mantissa)
	if exponent < 0 {
		v.Quo(v, new(big.Rat).SetInt(power))
	} else {
		v.Mul(v, new(big.Rat).SetInt(power))
	}
	if !v.IsInt() || !v.Num().IsInt64() {
		return nil, decode.RequiredFault
	}
	return v.Num().Int64(), decode.Accepted
}

// pairs splits an object into its members, duplicates and order kept.
func pairs(object []byte) []pair {
	dec := json.NewDecoder(bytes.NewReader(object))
	if _, err := dec.Token(); err != nil {
		panic(err)
	}
	var out []pair
	for dec.More() {
		before := dec.InputOffset()
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			panic(err)
		}
		literal := strings.TrimLeft(string(object[before:dec.InputOffset()]), ", \t\r\n")
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			panic(err)
		}
		out = append(out, pair{name, literal, value})
	}
	return out
}

// rest writes the members that no name declares.
func rest(members []pair, names []string) string {
	var kept []string
	for _, p := range members {
		declared := false
		var below []string
		for _, name := range names {
			first, tail, dotted := strings.Cut(name, ".")
			if first != p.name {
				continue
			}
			declared = true
			if dotted {
				below = append(below, tail)
			}
		}
		switch {
		case !declared:
			kept = append(kept, p.literal+":"+compact(p.value))
		case below != nil && p.value[0] == '{':
			if inner := rest(pairs(p.value), below); inner != "{}" {
				kept = append(kept, p.literal+":"+inner)
			}
		}
	}
	return "{" + strings.Join(kept, ",") + "}"
}

func compact(raw []byte) string {
	var out bytes.Buffer
	if err := json.Compact(&out, raw); err != nil {
		panic(err)
	}
	return out.String()
}

func unquote(raw []byte) string {
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		panic(err)
	}
	return s
}

// deep counts brackets outside of string literals, also in what is no JSON.
func deep(value []byte) bool {
	bare := openTail.ReplaceAll(literalsS.ReplaceAll(value, nil), nil)
	depth := 0
	for _, c := range bare {
		switch c {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if depth > 128 {
			return true
		}
	}
	return false
}

// loneSurrogate looks through the escapes of all literals of a valid text.
func loneSurrogate(value []byte) bool {
	for _, literal := range literals.FindAll(value, -1) {
		var units []string // each \uD8.. to \uDF.., "" for what stands between
		end := 0
		for _, at := range escape.FindAllIndex(literal, -1) {
			e := literal[at[0]:at[1]]
			if !surrogate.Match(e) {
				continue
			}
			if at[0] != end {
				units = append(units, "")
			}
			units, end = append(units, strings.ToLower(string(e[2:4]))), at[1]
		}
		for i := 0; i < len(units); i++ {
			switch {
			case units[i] == "":
			case units[i] >= "dc" || i+1 == len(units) || units[i+1] < "dc":
				return true
			default:
				i++
			}
		}
	}
	return false
}
