package redisstore

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// TestEncodeFixture freezes the arguments of tm_apply_1: another encoding needs another number, since two versions of
// tidemark may use one server.
func TestEncodeFixture(t *testing.T) {
	args := encode(&lane.Call{
		Lane: lane.ID{Namespace: "j:v:1", N: 31}, Name: "batch", Expect: "x", Incarnation: "i", RowsOf: "r", Set: "y", Join: true,
		Replace: map[string]string{"events/0": "m"},
		Raise:   []lane.Raise{{Name: "events/1", Cut: 65536}},
		Rows: []lane.RowChange{
			{Key: []byte("k\x00"), Del: []string{"d"}, Set: []lane.Field{{Name: "b1", Value: []byte("v\x00")}}},
			{Key: nil, Del: make([]string, 258)},
		},
	})
	want := `["fcall" "tm_apply_1" "3" "{tm:j:v:1:1f}:m" "{tm:j:v:1:1f}:r:k\x00" "{tm:j:v:1:1f}:r:" ` +
		`"011" "batch" "x" "i" "r" "y" "1" "1" "\x00\x01\x00\x01\x00\x00\x01\x02" ` +
		`"events/0" "m" "events/1" "65536" "d" "b1" "v\x00"]`
	if got := fmt.Sprintf("%q", texts(args[:22])); got != want || len(args) != 22+258 {
		t.Errorf("%d words are\n%s, want\n%s", len(args), got, want)
	}
}

// texts returns the words of a command as the client library writes them.
func texts(args []any) []string {
	out := make([]string, 0, len(args))
	for _, arg := range args {
		switch arg := arg.(type) {
		case *string:
			out = append(out, *arg)
		case *value:
			out = append(out, string(*arg))
		case []byte:
			out = append(out, string(arg))
		default:
			out = append(out, fmt.Sprint(arg))
		}
	}
	return out
}

func TestEscapeGlob(t *testing.T) {
	for s, want := range map[string]string{"a:b": "a:b", `*?[]\`: `\*\?\[\]\\`, "a\x00\xff": "a\x00\xff"} {
		if got := escapeGlob(s); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
		}
	}
}

// TestAgain: after the functions were missing, the calls without an outcome are sent again, and those behind them in
// their lanes that were refused, perhaps for just that; never one that was applied.
func TestAgain(t *testing.T) {
	a, b := lane.Call{Lane: lane.ID{Namespace: "n", N: 0}}, lane.Call{Lane: lane.ID{Namespace: "n", N: 1}}
	gone := lane.Outcome{Err: fmt.Errorf("%w: ERR Function not found", lane.ErrStore)}
	slow := lane.Outcome{Err: fmt.Errorf("%w: %w", lane.ErrUnavailable, context.DeadlineExceeded)}
	applied, refused := lane.Outcome{Result: lane.Result{Applied: true}}, lane.Outcome{}
	calls := []lane.Call{a, a, b, a, b, a}
	out := []lane.Outcome{refused, gone, refused, refused, applied, slow}
	if got, why := again(calls, []int{0, 1, 2, 3, 4, 5}, out); !slices.Equal(got, []int{1, 3}) || !missing(why) {
		t.Errorf("sent again: %v for %v, want 1 and 3", got, why)
	}
	if got, why := again(calls, []int{0, 2, 4}, out); got != nil || why != nil {
		t.Errorf("sent again: %v for %v, want none", got, why)
	}
	// A broken connection: what has its answer is not sent again, nor what must not arrive twice.
	lost := lane.Outcome{Err: fmt.Errorf("%w: %w", lane.ErrUnavailable, io.EOF)}
	calls[3].Once = true
	if got, why := again(calls, []int{0, 1, 2, 3, 4, 5}, []lane.Outcome{applied, refused, lost, lost, lost, lost}); !slices.Equal(got, []int{2, 4, 5}) || !broken(why) {
		t.Errorf("sent again: %v for %v, want 2, 4 and 5", got, why)
	}
}
