package operator_test

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
)

func mustRat(t *testing.T, s string) string {
	t.Helper()
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is no number", s)
	}
	return r.RatString()
}

func TestKinds(t *testing.T) {
	var names []string
	for _, k := range operator.Kinds() {
		names = append(names, k.Name)
		if found, ok := operator.Lookup(k.Name); !ok || found != k || k.Version < 1 || k.Approx != (k.Name == "distinct") {
			t.Errorf("%s: found %t, version %d, approx %t", k.Name, ok, k.Version, k.Approx)
		}
	}
	for _, want := range []string{"active_days", "avg", "count", "distinct", "first", "histogram", "last", "last_n", "map", "max", "min", "sessions", "set", "sum", "top_k", "variance"} {
		if !slices.Contains(names, want) {
			t.Errorf("no kind %s", want)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("kinds are not in order: %v", names)
	}
	if _, ok := operator.Lookup("no_such_kind"); ok {
		t.Error("found a kind that there is not")
	}
}

// registeredHere begins the names of kinds that TestRegister leaves in the registry, one more each time it runs.
const registeredHere = "registered_here_"

var registrations int

func TestRegister(t *testing.T) {
	newOperator := func(operator.Config) (operator.Operator, error) { return nil, operator.ErrConfig }
	anyQuery := func(operator.Config, operator.Query) error { return nil }
	registrations++
	good := operator.Kind{Name: fmt.Sprintf("%s%d", registeredHere, registrations), Version: 1, New: newOperator, CheckQuery: anyQuery}
	for name, spoil := range map[string]func(k *operator.Kind){
		"no name":        func(k *operator.Kind) { k.Name = "" },
		"a capital":      func(k *operator.Kind) { k.Name = "Mine" },
		"a digit first":  func(k *operator.Kind) { k.Name = "1st" },
		"a taken name":   func(k *operator.Kind) { k.Name = "sum" },
		"no version":     func(k *operator.Kind) { k.Version = 0 },
		"no constructor": func(k *operator.Kind) { k.New = nil },
		"no query check": func(k *operator.Kind) { k.CheckQuery = nil },
	} {
		k := good
		spoil(&k)
		if err := operator.Register(&k); !errors.Is(err, operator.ErrRegister) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if err := operator.Register(&good); err != nil {
		t.Fatal(err)
	}
	if err := operator.Register(&good); !errors.Is(err, operator.ErrRegister) {
		t.Errorf("registered twice: error %v", err)
	}
	if k, ok := operator.Lookup(good.Name); !ok || k != &good {
		t.Error("the kind registered is not found")
	}
}
