package job

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tidemark-io/tidemark/shared/schema"
)

const typeCure = "write one of bool, int32, int64, decimal(n), time, enum(a, b, …), string, json; followed by required if a record without it is to be rejected"

// fieldCure says what to write in place of a type that is none.
func fieldCure(text string) string {
	if strings.HasPrefix(text, "float") || strings.HasPrefix(text, "double") {
		return "write decimal(n), with n digits after the point: a sum of floats would depend on the order of its events"
	}
	return typeCure
}

// parseField reads what stands after a field's name: a type, with its scale or values in parentheses, and "required".
func parseField(name, text string) (schema.Field, error) {
	f := schema.Field{Name: name}
	text = strings.Join(strings.Fields(text), " ")
	if before, found := strings.CutSuffix(text, " required"); found {
		f.Required, text = true, before
	}
	word, arguments, parenthesis := strings.Cut(text, "(")
	word = strings.TrimSpace(word)
	typ, err := schema.ParseType(word)
	if err != nil {
		return f, fmt.Errorf("%q is no type", text)
	}
	f.Type = typ
	if parenthesis {
		inner, closed := strings.CutSuffix(arguments, ")")
		if !closed || strings.ContainsAny(inner, "()\"'") {
			return f, fmt.Errorf("%q does not end in one closing parenthesis", text)
		}
		arguments = inner
	}
	switch {
	case typ == schema.Decimal:
		if f.Scale, err = strconv.Atoi(strings.TrimSpace(arguments)); err != nil || !parenthesis {
			return f, fmt.Errorf("%q does not say the digits after the point, as in decimal(2)", text)
		}
	case typ == schema.Enum && parenthesis:
		for value := range strings.SplitSeq(arguments, ",") {
			value = strings.TrimSpace(value)
			if value == "" {
				return f, fmt.Errorf("%q lists an empty value", text)
			}
			f.Enum = append(f.Enum, value)
		}
	case typ == schema.Enum:
		return f, fmt.Errorf("%q does not list its values, as in enum(open, closed)", text)
	case parenthesis:
		return f, fmt.Errorf("%s takes no parentheses", word)
	}
	return f, nil
}
