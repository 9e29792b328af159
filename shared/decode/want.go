package decode

import "slices"

// Want makes the decoder fill the columns of these fields only, from the next record on; nil means all of them, as at
// first. The other columns get no rows at all, and their faults are not counted.
//
// It changes no row otherwise. Whether a record is accepted depends on its being well-formed and on its required fields,
// which are read in any case; a field that is neither required nor wanted is read like one that was never declared. So a
// decoder that feeds a fold wants what the fold uses, and the archive's wants everything: into a batch with archive
// columns only a decoder that wants all may append, because what the archive keeps does depend on every field.
func (d *Decoder) Want(fields []int) {
	d.ints, d.texts = d.ints[:0], d.texts[:0]
	for i := range d.fields {
		switch {
		case fields != nil && !slices.Contains(fields, i):
		case d.fields[i].typ.IsBytes():
			d.texts = append(d.texts, i)
		default:
			d.ints = append(d.ints, i)
		}
	}
	d.skipUnread(d.root, func(i int) bool { return fields == nil || d.fields[i].required || slices.Contains(fields, i) })
}

// wantsAll tells whether every column gets rows.
func (d *Decoder) wantsAll() bool { return len(d.ints)+len(d.texts) == len(d.fields) }

// skipUnread marks the members of n of which nothing is read, and tells whether these are all of them.
func (d *Decoder) skipUnread(n *node, read func(field int) bool) (all bool) {
	all = true
	for i := range n.members {
		m := &n.members[i]
		if m.inner == nil {
			m.skip = !read(m.field)
		} else {
			m.skip = d.skipUnread(m.inner, read)
		}
		all = all && m.skip
	}
	return all
}
