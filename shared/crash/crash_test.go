package crash_test

import (
	"testing"

	"github.com/tidemark-io/tidemark/shared/crash"
)

// Names arm places from outside, so each has one of its own.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range crash.Places() {
		if name := p.String(); name == "" || seen[name] {
			t.Errorf("place %d is called %q", p, name)
		} else {
			seen[name] = true
		}
	}
}

// A process that is not armed passes every place.
func TestPass(*testing.T) {
	for _, p := range crash.Places() {
		crash.Point(p)
	}
}
