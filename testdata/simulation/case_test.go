package simulation

import (
	"errors"
	"testing"
)

// TestParseCase reads what cases write, and nothing else.
func TestParseCase(t *testing.T) {
	t.Parallel()
	c := Case{
		Why: "two lines\nof reason\n", Off: Without(OneCall, Leftover), Config: Config{Lanes: 2, Entities: 3, Partitions: 1, Start: [2]int64{4, 0}, Period: 2},
		Choices: []Choice{{Do: Append, A: 1, B: 2, C: 3}, {Do: FailRuns, C: 255}},
	}
	again, err := ParseCase(c.String())
	if err != nil || again.String() != c.String() || again.Why != c.Why || again.Off != c.Off {
		t.Errorf("%v, %v", again, err)
	}
	for _, text := range []string{
		"append 1 2\n", "append 1 2 256\n", "appends 1 2 3\n", "without one-calls\n", "world lanes=1\n", "\n",
	} {
		if _, err := ParseCase(text); !errors.Is(err, ErrCase) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
