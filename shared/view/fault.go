package view

import (
	"errors"
	"strings"
)

// ErrSpec is the class of every Fault.
var ErrSpec = errors.New("invalid view")

// Fault is one thing wrong with a Spec. Compile joins all that it finds, so that package job can add file, line and
// column to each and an author mends a file once.
type Fault struct { //nolint:errname // it is the word of package job and of users, who see faults of files
	// Where is the name of the feature, computed column, entity kind or source at fault; empty for the view itself.
	Where string
	// Part names what of it is at fault by its key in the Spec's JSON form: "where", "value", "window", "fields", …
	Part string
	// Msg says what is wrong, Cure what to write instead; Cure may be empty where the message says it all.
	Msg  string
	Cure string
}

// Error returns `where: part: message; cure`.
func (f *Fault) Error() string {
	var sb strings.Builder
	for _, s := range []string{f.Where, f.Part} {
		if s != "" {
			sb.WriteString(s + ": ")
		}
	}
	sb.WriteString(f.Msg)
	if f.Cure != "" {
		sb.WriteString("; " + f.Cure)
	}
	return sb.String()
}

// Is makes every Fault one of class ErrSpec.
func (f *Fault) Is(target error) bool { return target == ErrSpec }

// Faults returns the faults that an error of Compile joins, in the order in which they were found.
func Faults(err error) []*Fault {
	var all []*Fault
	var joined interface{ Unwrap() []error }
	var one *Fault
	switch {
	case errors.As(err, &joined):
		for _, e := range joined.Unwrap() {
			all = append(all, Faults(e)...)
		}
	case errors.As(err, &one):
		all = append(all, one)
	}
	return all
}

// faults collects what Compile finds.
type faults struct {
	list []error
	at   map[string]bool // by Fault.Where
}

func (fs *faults) add(where, part, msg, cure string) {
	fs.at[where] = true
	fs.list = append(fs.list, &Fault{Where: where, Part: part, Msg: msg, Cure: cure})
}

func (fs *faults) err() error { return errors.Join(fs.list...) }
