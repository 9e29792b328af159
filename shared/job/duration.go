package job

import (
	"strconv"
	"strings"

	"github.com/tidemark-io/tidemark/shared/window"
)

// MaxDuration bounds every duration in a job, in ms: a hundred years.
const MaxDuration = 36_525 * window.Day

const durationCure = "write a whole number and one of ms, s, m, h, d, such as 30m or 7d"

// units from the longest to the shortest; "ms" before "m" and "s" is not needed, since a text's letters must match whole.
var units = []struct {
	name string
	ms   int64
}{{"d", window.Day}, {"h", window.Hour}, {"m", window.Minute}, {"s", window.Second}, {"ms", 1}}

// ParseDuration reads a whole number with a unit (ms, s, m, h, d) as ms, 0 to MaxDuration.
func ParseDuration(s string) (int64, bool) {
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	n, err := strconv.ParseInt(s[:digits], 10, 64)
	if err != nil {
		return 0, false
	}
	for _, u := range units {
		if s[digits:] == u.name && n <= MaxDuration/u.ms {
			return n * u.ms, true
		}
	}
	return 0, false
}

// FormatDuration writes ms with the longest unit that divides it.
func FormatDuration(ms int64) string { return window.Text(ms) }
