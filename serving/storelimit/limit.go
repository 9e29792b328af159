package storelimit

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
)

// The limits of what a store takes. Each is far above what tidemark writes; they are there so that a damaged length or
// a hostile request ends in an error and not in the memory of the process.
const (
	MaxNamespaceBytes   = 256
	MaxIncarnationBytes = 32
	MaxViewBytes        = 256
	MaxKeyBytes         = 60_000    // a row's key; Pebble holds its length in two bytes
	MaxNameBytes        = 1_024     // the name of a field or of a mark
	MaxMarkBytes        = 1_024     // a mark in wire form
	MaxRowFields        = 65_535    // sets, or deletes, of one row in one call
	MaxCallRows         = 1 << 18   // rows of one call
	MaxCallMarks        = 1 << 16   // marks that one call replaces or raises
	MaxCallBytes        = 256 << 20 // keys, names and values of one call
	MaxManifestBytes    = 64 << 20  // the body of a manifest
)

// ErrLimit is the class of errors about arguments that no store takes. Errors of it are of class lane.ErrStore too.
var ErrLimit = errors.New("beyond what a store takes")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %w: %s", lane.ErrStore, ErrLimit, fmt.Sprintf(format, args...))
}

// Namespace checks the name of a generation's rows: 1 to MaxNamespaceBytes bytes without zero bytes (they end it in
// Pebble) and braces (they end a hash tag in Redis).
func Namespace(ns string) error {
	if ns == "" || len(ns) > MaxNamespaceBytes {
		return refuse("namespace of %d bytes, want 1 to %d", len(ns), MaxNamespaceBytes)
	}
	if strings.ContainsAny(ns, "\x00{}") {
		return refuse("namespace %q has a zero byte or a brace", ns)
	}
	return nil
}

// Lane checks a lane's name.
func Lane(id lane.ID) error {
	if id.N < 0 || id.N >= lane.MaxLanes {
		return refuse("lane number %d, want 0 to %d", id.N, lane.MaxLanes-1)
	}
	return Namespace(id.Namespace)
}

// incarnation checks that inc is made of letters and digits: spaces end it in marks, colons and zero bytes in keys.
func incarnation(inc lane.Incarnation) error {
	if inc == "" || len(inc) > MaxIncarnationBytes {
		return refuse("incarnation of %d bytes, want 1 to %d", len(inc), MaxIncarnationBytes)
	}
	for i := range len(inc) {
		c := inc[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return refuse("incarnation %q has something else than letters and digits", string(inc))
		}
	}
	return nil
}

// Row checks a row's name.
func Row(id lane.RowID) error {
	if len(id.Key) > MaxKeyBytes {
		return refuse("key of %d bytes, want at most %d", len(id.Key), MaxKeyBytes)
	}
	return errors.Join(Lane(id.Lane), incarnation(id.Incarnation))
}

// View checks the name under which a manifest is kept.
func View(view string) error {
	if view == "" || len(view) > MaxViewBytes || strings.ContainsRune(view, 0) {
		return refuse("view name %q, want 1 to %d bytes without a zero byte", view, MaxViewBytes)
	}
	return nil
}

// Manifest checks what PutManifest is given.
func Manifest(view string, seq int64, body []byte) error {
	if seq < 1 || seq > position.MaxOffset {
		return refuse("manifest number %d, want 1 to %d", seq, int64(position.MaxOffset))
	}
	if len(body) > MaxManifestBytes {
		return refuse("manifest of %d bytes, want at most %d", len(body), MaxManifestBytes)
	}
	return View(view)
}

// Call checks everything about a call that does not depend on what the store holds.
func Call(c *lane.Call) error {
	if err := Lane(c.Lane); err != nil {
		return err
	}
	if c.Incarnation != "" {
		if err := incarnation(c.Incarnation); err != nil {
			return err
		}
	}
	// Raised marks carry the incarnation of the rows, so a call that raises names it even if it has no rows.
	if c.RowsOf != "" || len(c.Rows) > 0 || len(c.Raise) > 0 {
		if err := incarnation(c.RowsOf); err != nil {
			return err
		}
	}
	if err := marks(c); err != nil {
		return err
	}
	return rows(c.Rows)
}

func marks(c *lane.Call) error {
	if c.Name == "" && (c.Set != "" || c.Expect != "") {
		return refuse("a mark without a name is expected or set")
	}
	if len(c.Name) > MaxNameBytes || len(c.Set) > MaxMarkBytes || len(c.Expect) > MaxMarkBytes {
		return refuse("mark of %d, %d and %d bytes (name, expected, set), want at most %d, %d and %d",
			len(c.Name), len(c.Expect), len(c.Set), MaxNameBytes, MaxMarkBytes, MaxMarkBytes)
	}
	if len(c.Replace)+len(c.Raise) > MaxCallMarks {
		return refuse("%d marks replaced or raised, want at most %d", len(c.Replace)+len(c.Raise), MaxCallMarks)
	}
	for name, mark := range c.Replace {
		if name == "" || len(name) > MaxNameBytes || mark == "" || len(mark) > MaxMarkBytes {
			return refuse("replacing mark %q by %q: want a name and a mark, of at most %d bytes", name, mark, MaxNameBytes)
		}
	}
	for _, r := range c.Raise {
		if r.Name == "" || len(r.Name) > MaxNameBytes || r.Cut < 0 || r.Cut > position.MaxOffset {
			return refuse("raising mark %q to %d: want a name and a cut from 0 to %d", r.Name, r.Cut, int64(position.MaxOffset))
		}
	}
	return nil
}

func rows(rows []lane.RowChange) error {
	if len(rows) > MaxCallRows {
		return refuse("%d rows in a call, want at most %d", len(rows), MaxCallRows)
	}
	size := 0
	for i := range rows {
		r := &rows[i]
		if len(r.Key) > MaxKeyBytes || len(r.Set) > MaxRowFields || len(r.Del) > MaxRowFields {
			return refuse("row with a key of %d bytes, %d sets and %d deletes, want at most %d, %d and %d",
				len(r.Key), len(r.Set), len(r.Del), MaxKeyBytes, MaxRowFields, MaxRowFields)
		}
		for _, name := range r.Del {
			if len(name) > MaxNameBytes {
				return refuse("field name of %d bytes, want at most %d", len(name), MaxNameBytes)
			}
		}
		for _, f := range r.Set {
			if len(f.Name) > MaxNameBytes {
				return refuse("field name of %d bytes, want at most %d", len(f.Name), MaxNameBytes)
			}
		}
		if size += rowSize(r); size > MaxCallBytes {
			return refuse("call of more than %d bytes", MaxCallBytes)
		}
	}
	return nil
}

// Size returns the bytes of keys, names and values of a call's rows.
func Size(c *lane.Call) int {
	n := 0
	for i := range c.Rows {
		n += rowSize(&c.Rows[i])
	}
	return n
}

func rowSize(r *lane.RowChange) int {
	n := len(r.Key)
	for _, name := range r.Del {
		n += len(name)
	}
	for _, f := range r.Set {
		n += len(f.Name) + len(f.Value)
	}
	return n
}
