package archivefile

import (
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// match compares src with the source that the file was written with. It returns, for each field of src, its index in the
// file (-1 for none) if the wanted columns can be read as they stand, and nil if the rows have to be decoded again. The
// error, of class ErrSource, is about a field whose type changed, which no source may do.
func (r *Reader) match(src *schema.Source, want Want) ([]int, error) {
	old := &r.footer.Source
	fields := make([]int, len(src.Fields))
	for i := range src.Fields {
		f := &src.Fields[i]
		if fields[i] = old.Index(f.Name); fields[i] < 0 {
			continue
		}
		if g := &old.Fields[fields[i]]; f.Type != g.Type || f.Scale != g.Scale {
			return nil, fmt.Errorf("%w: field %q of %s is %s, scale %d; in %s it is %s, scale %d: declare a field of another name",
				ErrSource, f.Name, src.Name, f.Type, f.Scale, r.path, g.Type, g.Scale)
		}
	}
	switch {
	case r.footer.Decoder != decode.Version:
		return nil, nil
	case src.Hash() == r.footer.SourceHash, !want.Archive && r.stand(src, fields, want):
		return fields, nil
	default:
		return nil, nil
	}
}

// stand tells whether the change from the file's source to src leaves alone which records are accepted, for which reason
// the others are not, and what the wanted fields hold. (The tolerance is no matter: times are computed on reading.)
func (r *Reader) stand(src *schema.Source, fields []int, want Want) bool {
	old := &r.footer.Source
	needed := required(src)
	if src.EventTime != old.EventTime || !slices.Equal(names(src, needed), names(old, required(old))) {
		return false
	}
	for _, i := range append(needed, want.Fields...) {
		if fields[i] < 0 || !slices.Equal(src.Fields[i].Enum, old.Fields[fields[i]].Enum) {
			return false
		}
	}
	return true
}

// required returns the indices of the fields whose lack rejects a record, in declared order.
func required(src *schema.Source) []int {
	var indices []int
	for i := range src.Fields {
		if src.Fields[i].Required || src.Fields[i].Name == src.EventTime {
			indices = append(indices, i)
		}
	}
	return indices
}

func names(src *schema.Source, fields []int) []string {
	list := make([]string, len(fields))
	for k, i := range fields {
		list[k] = src.Fields[i].Name
	}
	return list
}
