package operator

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tidemark-io/tidemark/shared/window"
)

// ErrRegister is the class of errors about kinds that cannot be registered.
var ErrRegister = errors.New("operator cannot be registered")

// registry holds the kinds by name: tidemark's own, and those that a program adds before it reads its first job.
var registry = struct {
	sync.RWMutex
	kinds map[string]*Kind
}{kinds: map[string]*Kind{
	countKind.Name:      &countKind,
	sumKind.Name:        &sumKind,
	avgKind.Name:        &avgKind,
	minKind.Name:        &minKind,
	maxKind.Name:        &maxKind,
	firstKind.Name:      &firstKind,
	lastKind.Name:       &lastKind,
	lastNKind.Name:      &lastNKind,
	topKKind.Name:       &topKKind,
	varianceKind.Name:   &varianceKind,
	activeDaysKind.Name: &activeDaysKind,
	sessionsKind.Name:   &sessionsKind,
	setKind.Name:        &setKind,
	mapKind.Name:        &mapKind,
	distinctKind.Name:   &distinctKind,
	histogramKind.Name:  &histogramKind,
}}

// Lookup returns the kind of that name. Safe for concurrent use, like all of the registry.
func Lookup(name string) (*Kind, bool) {
	registry.RLock()
	defer registry.RUnlock()
	k, ok := registry.kinds[name]
	return k, ok
}

// DefaultHop returns the hop of a window of the named kind that declares none, ms: the kind's own, if there is such a
// kind and it has one, or that of the window's length.
func DefaultHop(kind string, length int64) int64 {
	if k, ok := Lookup(kind); ok && k.Hop != 0 {
		return k.Hop
	}
	return window.DefaultHop(length)
}

// Kinds returns all kinds in order of their names.
func Kinds() []*Kind {
	registry.RLock()
	defer registry.RUnlock()
	return slices.SortedFunc(maps.Values(registry.kinds), func(a, b *Kind) int { return strings.Compare(a.Name, b.Name) })
}

// Register adds a kind of one's own. Call it from main, before jobs are read; prove the kind with operatortest.Laws. It
// refuses a name that is taken or no [a-z][a-z0-9_]*, a Version below 1, and missing functions; errors are of class
// ErrRegister.
func Register(k *Kind) error {
	switch {
	case !validName(k.Name):
		return fmt.Errorf("%w: name %q: want a lower-case letter, then such letters, digits and _", ErrRegister, k.Name)
	case k.Version < 1:
		return fmt.Errorf("%w: %s: version %d: the first one is 1", ErrRegister, k.Name, k.Version)
	case k.New == nil || k.CheckQuery == nil:
		return fmt.Errorf("%w: %s: New and CheckQuery are both needed", ErrRegister, k.Name)
	}
	registry.Lock()
	defer registry.Unlock()
	if _, taken := registry.kinds[k.Name]; taken {
		return fmt.Errorf("%w: %s: the name is taken", ErrRegister, k.Name)
	}
	registry.kinds[k.Name] = k
	return nil
}

func validName(s string) bool {
	for i, c := range []byte(s) {
		letter := 'a' <= c && c <= 'z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}
