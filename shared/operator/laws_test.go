package operator_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/operator/operatortest"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/window"
)

func win(length int64) window.Window {
	return window.Window{Length: length, Hop: window.DefaultHop(length)}
}

// windowSets are the windows of the states on trial: only all time, one window, windows of nesting hops with and without
// all time, a fine hop that reaches further than a coarse one, hops of one millisecond.
var windowSets = map[string][]window.Window{
	"all":    {window.All},
	"one":    {win(7 * window.Day)},
	"nested": {win(30 * window.Day), win(window.Hour), win(7 * window.Day), win(window.Day)},
	"mixed":  {win(window.Hour), window.All, win(7 * window.Day)},
	"odd":    {{Length: 30 * window.Day, Hop: window.Hour}, {Length: 7 * window.Day, Hop: window.Day}},
	"tiny":   {{Length: 5, Hop: 1}, {Length: 40, Hop: 4}},
}

// daySets are the windows of states that take whole days only.
var daySets = map[string][]window.Window{
	"all":   {window.All},
	"one":   {{Length: 7 * window.Day, Hop: window.Day}},
	"two":   {{Length: window.Day, Hop: window.Day}, {Length: 90 * window.Day, Hop: window.Day}},
	"mixed": {{Length: 3 * window.Day, Hop: window.Day}, window.All},
}

// boundedSets are windows for states that do not keep all time. Between the hops of the last one lie few gaps.
var boundedSets = map[string][]window.Window{
	"one": windowSets["one"], "nested": windowSets["nested"], "odd": windowSets["odd"], "tiny": windowSets["tiny"],
	"three tiers": {{Length: window.Hour, Hop: 10 * window.Minute}, win(window.Day), win(40 * window.Day)},
}

// windowSetsOf returns the windows that a kind is on trial with.
func windowSetsOf(kind string) map[string][]window.Window {
	switch kind {
	case "active_days":
		return daySets
	case "sessions":
		return boundedSets
	}
	return windowSets
}

var enum = []string{"red", "green", "blue"}

func value(t schema.Type) operator.Input { return input(operator.RoleValue, t) }
func key(t schema.Type) operator.Input   { return input(operator.RoleKey, t) }

func input(role operator.Role, t schema.Type) operator.Input {
	in := operator.Input{Role: role, Type: t, Name: fmt.Sprintf("%s%d", t, role)}
	switch t {
	case schema.Decimal:
		in.Scale = 2
	case schema.Enum:
		in.Enum = enum
	default:
	}
	return in
}

// remove is the flag of an event that takes an element away.
var remove = input(operator.RoleRemove, schema.Bool)

type inputs = []operator.Input

// configs are the inputs on trial, by kind.
var configs = map[string][]operator.Config{
	"count": {{}, {Inputs: inputs{value(schema.String)}}, {Inputs: inputs{value(schema.Int32), value(schema.JSON)}}},
	"sum":   {{Inputs: inputs{value(schema.Int32)}}, {Inputs: inputs{value(schema.Int64)}}, {Inputs: inputs{value(schema.Decimal)}}},
	"avg":   {{Inputs: inputs{value(schema.Int32)}}, {Inputs: inputs{value(schema.Int64)}}, {Inputs: inputs{value(schema.Decimal)}}},
	"min":   {{Inputs: inputs{value(schema.Int32)}}, {Inputs: inputs{value(schema.Time)}}},
	"max":   {{Inputs: inputs{value(schema.Int64)}}, {Inputs: inputs{value(schema.Decimal)}}},
	"first": {{Inputs: inputs{value(schema.String)}}, {Inputs: inputs{value(schema.Enum), value(schema.JSON), value(schema.Bool)}}},
	"last":  {{Inputs: inputs{value(schema.Decimal)}}, {Inputs: inputs{value(schema.String), value(schema.Time), value(schema.Enum)}}},
	"last_n": {
		{Inputs: inputs{key(schema.String)}, N: 3},
		{Inputs: inputs{value(schema.Int32), value(schema.Enum)}, N: 2},
		{Inputs: inputs{value(schema.Int64), value(schema.JSON), key(schema.String), key(schema.Int32)}, N: 5},
		{Inputs: inputs{value(schema.String), key(schema.Enum)}, N: 1},
	},
	"top_k": {
		{Inputs: inputs{key(schema.Int32)}},
		{Inputs: inputs{key(schema.String), input(operator.RoleWeight, schema.Int64)}},
		{Inputs: inputs{key(schema.Enum), key(schema.Bool), input(operator.RoleWeight, schema.Int32)}},
	},
	"variance":    {{Inputs: inputs{value(schema.Int32)}}, {Inputs: inputs{value(schema.Int64)}}, {Inputs: inputs{value(schema.Decimal)}}},
	"active_days": {{}, {Inputs: inputs{value(schema.String)}}},
	"sessions": {
		{Gap: 30 * window.Minute},
		{Gap: 3 * window.Hour, Inputs: inputs{value(schema.Bool)}},
		{Gap: window.Minute},
		{Gap: 40 * window.Day},
	},
	"set": {
		{Inputs: inputs{key(schema.String), remove}, N: 3},
		{Inputs: inputs{key(schema.Int32), key(schema.Enum), remove}, N: 2},
		{Inputs: inputs{key(schema.Enum), remove}, N: 1},
	},
	"map": {
		{Inputs: inputs{value(schema.Decimal), key(schema.String)}, N: 3},
		{Inputs: inputs{value(schema.Int64), value(schema.JSON), key(schema.Int32), remove}, N: 4},
		{Inputs: inputs{value(schema.String), key(schema.Enum), key(schema.Bool), remove}, N: 2},
	},
	"histogram": {
		{Inputs: inputs{value(schema.Int32)}, Edges: []int64{0}},
		{Inputs: inputs{value(schema.Decimal)}, Edges: []int64{-3, -2, 0, 1, 4}},
		{Inputs: inputs{value(schema.Int64)}, Edges: []int64{math.MinInt64, 2, math.MaxInt64}},
		{Inputs: inputs{value(schema.Enum)}},
	},
	"distinct": {
		{Inputs: inputs{key(schema.String)}},
		{Inputs: inputs{key(schema.Int64)}},
		{Inputs: inputs{key(schema.Enum), key(schema.String), key(schema.Bool)}},
	},
}

func TestLaws(t *testing.T) {
	for _, kind := range operator.Kinds() {
		for i, cfg := range configs[kind.Name] {
			for name, ws := range windowSetsOf(kind.Name) {
				cfg := cfg // each trial has windows of its own
				cfg.Windows = ws
				t.Run(fmt.Sprintf("%s/%d/%s", kind.Name, i, name), func(t *testing.T) {
					t.Parallel()
					operatortest.Laws(t, kind, cfg, nil)
				})
			}
		}
	}
}

// TestLawsOfTinyGaps joins and cuts where gap, hop and the time between events are all a few milliseconds.
func TestLawsOfTinyGaps(t *testing.T) {
	kind, _ := operator.Lookup("sessions")
	for gap := range int64(6) {
		for _, ws := range [][]window.Window{windowSets["tiny"], {{Length: 64, Hop: 16}, {Length: 640, Hop: 64}}} {
			operatortest.Laws(t, kind, operator.Config{Gap: 1 + gap, Windows: ws}, nil)
		}
	}
}

// TestEveryKindIsOnTrial fails when a kind is added without configurations above.
func TestEveryKindIsOnTrial(t *testing.T) {
	for _, kind := range operator.Kinds() {
		if len(configs[kind.Name]) == 0 && !strings.HasPrefix(kind.Name, registeredHere) {
			t.Errorf("kind %s has no configuration in this test", kind.Name)
		}
	}
}

// TestLawsOfManyElements lets states grow past their first room and past their bound.
func TestLawsOfManyElements(t *testing.T) {
	for name, cfg := range map[string]operator.Config{
		"last_n": {Inputs: inputs{key(schema.String)}, N: 20},
		"top_k":  {Inputs: inputs{key(schema.String), input(operator.RoleWeight, schema.Int32)}},
		"set":    {Inputs: inputs{key(schema.String), remove}, N: 20},
		"map":    {Inputs: inputs{value(schema.String), key(schema.String), remove}, N: 20},
	} {
		kind, _ := operator.Lookup(name)
		cfg.Windows = windowSets["nested"]
		operatortest.Laws(t, kind, cfg, operatortest.DistinctGen(60))
	}
}
