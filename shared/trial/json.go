package trial

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"strings"
)

// tolerance is how far, relative to the greater, two fractions may lie apart and still be equal: nobody writes seventeen
// digits, and a decayed score has them.
const tolerance = 1e-9

// sameJSON tells whether two JSON texts say the same: members in any order, whole numbers exactly, fractions within
// tolerance.
func sameJSON(a, b []byte) bool {
	x, okX := parse(a)
	y, okY := parse(b)
	return okX && okY && same(x, y)
}

// shown writes a JSON text as failures show it: members in order of their names, so that two texts can be laid side by
// side.
func shown(text []byte) string {
	v, ok := parse(text)
	if !ok {
		return string(text)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return string(text)
	}
	return string(out)
}

func parse(text []byte) (any, bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false
	}
	_, err := d.Token()
	return v, errors.Is(err, io.EOF)
}

func same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for name := range a {
			v, there := b[name]
			if !there || !same(a[name], v) {
				return false
			}
		}
		return true
	}
	return a == b
}

func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	if !strings.ContainsAny(a.String()+b.String(), ".eE") {
		return false
	}
	x, errX := a.Float64()
	y, errY := b.Float64()
	return errX == nil && errY == nil && math.Abs(x-y) <= tolerance*max(math.Abs(x), math.Abs(y))
}
