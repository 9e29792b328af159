package expr

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
)

// ErrExpr is the class of errors that Compile returns.
var ErrExpr = errors.New("invalid expression")

// Error is one fault of an expression.
type Error struct {
	Line int    // of the text, from 1
	Col  int    // of the line, from 1, in code points
	Msg  string // what is wrong, with its cure where there is one
}

// Error returns the place and the message.
func (e *Error) Error() string { return fmt.Sprintf("%d:%d: %s", e.Line, e.Col, e.Msg) }

// Is tells that an Error is of class ErrExpr.
func (e *Error) Is(target error) bool { return target == ErrExpr }

// Supported says, for people, what an expression may consist of.
const Supported = "fields and computed columns, int, string and bool literals, == != < <= > >=, && || !, + - * / % on ints, " +
	"c ? a : b, x in [literals], x == null, x != null, size(s), s.startsWith(\"…\"), s.endsWith(\"…\"), s.contains(\"…\")"

// fromIssues turns CEL's faults into ours, all of them.
func fromIssues(issues *cel.Issues) error {
	var faults []error
	for _, e := range issues.Errors() {
		faults = append(faults, &Error{Line: max(e.Location.Line(), 1), Col: max(e.Location.Column(), 0) + 1, Msg: friendly(e.Message)})
	}
	return errors.Join(faults...)
}

// plain replaces CEL's internal names by what a user writes.
var plain = strings.NewReplacer(
	"'_?_:_'", "'?:'", "'_&&_'", "'&&'", "'_||_'", "'||'", "'!_'", "'!'", "'-_'", "'-'", "'@in'", "'in'",
	"'_==_'", "'=='", "'_!=_'", "'!='", "'_<_'", "'<'", "'_<=_'", "'<='", "'_>_'", "'>'", "'_>=_'", "'>='",
	"'_+_'", "'+'", "'_-_'", "'-'", "'_*_'", "'*'", "'_/_'", "'/'", "'_%_'", "'%'", "'_[_]'", "'[]'",
	"wrapper(int)", "int", "wrapper(string)", "string", "wrapper(bool)", "bool", "null_type", "null",
	"found no matching overload for ", "no such operator: ", " applied to ", " on ",
)

func friendly(message string) string {
	message, _, _ = strings.Cut(message, " expecting {") // a list of CEL's tokens
	out := plain.Replace(message)
	switch {
	case strings.Contains(message, "'<EOF>'"):
		out += " (the expression ends too early)"
	case strings.Contains(message, "double"):
		out += " (numbers are integers: a decimal(2) of 2.50 is written 250)"
	case strings.Contains(message, "found no matching overload") && strings.Contains(message, "null"):
		out += " (only a field can be compared with null or chosen instead of it)"
	case strings.Contains(message, "undeclared reference to 'has'"):
		out += " (write x != null)"
	}
	return out
}
