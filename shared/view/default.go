package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/tidemark-io/tidemark/shared/operator"
)

// Status says where a feature's answer comes from.
type Status string

// The statuses.
const (
	Present Status = "present" // from the entity's events
	Default Status = "default" // the operator answers null, the feature declares a default
	Null    Status = "null"    // the operator answers null, and there is no default
)

// FeatureValue returns what a feature of the plan answers for what Fold.Value or Merger.Value returned: a null is
// replaced by the declared default.
func (p *Plan) FeatureValue(v operator.Value, spec *FeatureSpec) (operator.Value, Status) {
	switch {
	case v.Kind != operator.Null:
		return v, Present
	case len(spec.Default) == 0:
		return v, Null
	}
	return operator.Value{Kind: operator.Raw, S: string(spec.Default)}, Default
}

var (
	integerJSON = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	numberJSON  = regexp.MustCompile(`^-?[0-9]`)
)

// checkDefaults checks that each default is of the kind that the feature answers otherwise, so that a client need not
// expect two, and brings it into compact form.
func (c *compiler) checkDefaults() {
	for i := range c.plan.features {
		f := &c.plan.features[i]
		if len(f.Spec.Default) == 0 {
			continue
		}
		var compact bytes.Buffer
		if err := json.Compact(&compact, f.Spec.Default); err != nil {
			c.add(f.Spec.Name, "default", fmt.Sprintf("%q is no JSON: %v", f.Spec.Default, err), "")
			continue
		}
		f.Spec.Default = compact.Bytes()
		if want := defaultForm(f, compact.Bytes()); want != "" && !c.at[f.Spec.Name] {
			c.add(f.Spec.Name, "default", fmt.Sprintf("%s is not what the feature answers otherwise", compact.Bytes()), "write "+want+", or leave it out for null")
		}
	}
}

// defaultForm returns the form that a default should have, empty if it has it.
func defaultForm(f *Feature, text []byte) string {
	fits, want := true, ""
	switch f.Kind {
	case operator.Int, operator.Millis:
		fits, want = integerJSON.Match(text), "an integer"
	case operator.Dec:
		form := fmt.Sprintf(`^"-?(0|[1-9][0-9]*)\.[0-9]{%d}"$`, f.scale)
		if f.scale == 0 {
			form = `^"-?(0|[1-9][0-9]*)"$`
		}
		fits, want = regexp.MustCompile(form).Match(text), fmt.Sprintf("a string with %d digits after the point", f.scale)
	case operator.Float:
		fits, want = numberJSON.Match(text), "a number"
	case operator.Bool:
		fits, want = text[0] == 't' || text[0] == 'f', "true or false"
	case operator.Str:
		fits, want = text[0] == '"', "a string"
	case operator.List:
		fits, want = text[0] == '[', "a list"
	case operator.Struct:
		fits, want = text[0] == '{', "an object"
	case operator.Raw, operator.Null:
		fits, want = !bytes.Equal(text, []byte("null")), "a value"
	}
	if fits {
		return ""
	}
	return want
}
