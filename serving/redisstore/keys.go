package redisstore

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// All keys of a lane share a hash tag, {tm:namespace:nn}, and so a slot, should the server be part of a cluster one day.
// Deleting the key of the marks empties the lane, which fills itself again.

func tag(id lane.ID) string { return "{tm:" + id.String() + "}:" }

func marksKey(id lane.ID) string { return tag(id) + "m" }

func rowKey(id lane.RowID) string {
	return tag(id.Lane) + string(id.Incarnation) + ":" + string(id.Key)
}

func manifestKey(view string) string { return "tm:manifest:" + view }

// pattern matches the keys of all lanes of a namespace, marks and rows.
func pattern(namespace string) string {
	return "{tm:" + escapeGlob(namespace) + ":??}:*"
}

// escapeGlob makes a glob pattern of Redis match s itself.
func escapeGlob(s string) string {
	var sb strings.Builder
	for i := range len(s) {
		if strings.IndexByte(`*?[]\`, s[i]) >= 0 {
			sb.WriteByte('\\')
		}
		sb.WriteByte(s[i])
	}
	return sb.String()
}

// parseKey reads a key that pattern(namespace) matched. ok is false for the marks of a lane; anything else that is no
// row is an error: nobody but us writes under our prefix.
func parseKey(namespace, key string) (id lane.RowID, ok bool, err error) {
	rest := key[len("{tm:")+len(namespace)+1:]
	n, err := strconv.ParseUint(rest[:2], 16, 8)
	rest = rest[len("nn}:"):]
	if err == nil && rest == "m" {
		return lane.RowID{}, false, nil
	}
	inc, k, found := strings.Cut(rest, ":")
	if err != nil || !found || inc == "" {
		return lane.RowID{}, false, fmt.Errorf("%w: foreign key %q under our prefix: rename or delete it", lane.ErrStore, key)
	}
	return lane.RowID{
		Lane:        lane.ID{Namespace: namespace, N: int(n)},
		Incarnation: lane.Incarnation(inc),
		Key:         []byte(k),
	}, true, nil
}
