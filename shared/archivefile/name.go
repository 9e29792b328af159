package archivefile

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tidemark-io/tidemark/shared/position"
)

// extension ends the name of every archive file, and lostExtension that of one that says of its range that nobody has it;
// what is being written has temporaryExtension.
const (
	extension          = ".parquet"
	lostExtension      = ".lost.parquet"
	temporaryExtension = ".tmp"
)

// offsetDigits is the width of an offset in a file name: position.MaxOffset has 16 digits, so names sort by offset.
const offsetDigits = 16

// Folder returns the folder of a partition's files below dir.
func Folder(dir string, p position.Partition) string {
	return filepath.Join(dir, p.Source, strconv.Itoa(int(p.ID)))
}

// Name returns the name of the file that holds r.
func Name(r position.Range) string {
	return fmt.Sprintf("%0*d-%0*d%s", offsetDigits, r.From, offsetDigits, r.Next, extension)
}

// LostName returns the name of the file that says that nobody has r.
func LostName(r position.Range) string {
	return strings.TrimSuffix(Name(r), extension) + lostExtension
}

// parseName reads the names that Name and LostName write. Only that one spelling of a range is a name.
func parseName(name string) (r position.Range, lost, ok bool) {
	stem, lost := strings.CutSuffix(name, lostExtension)
	if !lost {
		stem, ok = strings.CutSuffix(name, extension)
	}
	if !lost && !ok || len(stem) != 2*offsetDigits+1 {
		return position.Range{}, false, false
	}
	from, err1 := strconv.ParseUint(stem[:offsetDigits], 10, 63)
	next, err2 := strconv.ParseUint(stem[offsetDigits+1:], 10, 63)
	r = position.Range{From: int64(from), Next: int64(next)}
	return r, lost, err1 == nil && err2 == nil && stem[offsetDigits] == '-' && validRange(r)
}

// validRange tells whether a file may hold r: at least one offset, none past MaxOffset. Next may be MaxOffset + 1.
func validRange(r position.Range) bool {
	return 0 <= r.From && r.From < r.Next && r.Next <= position.MaxOffset+1
}
