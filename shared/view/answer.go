package view

import (
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/operator"
)

// answerFrame is what stands around a feature's value in the JSON form of an answer.
type answerFrame struct {
	open    string // "name":{"value":
	present string // ,"status":"present"} and so on
	other   string // of a default or a null, whichever the feature has
}

// frameAnswers makes the frames of all features.
func (p *Plan) frameAnswers() {
	for i := range p.features {
		f := &p.features[i]
		_, absent := p.FeatureValue(operator.Value{}, f.Spec)
		approx := ""
		if f.Approx {
			approx = `,"approx":true`
		}
		f.frame = answerFrame{
			open:    operator.OfStr(f.Spec.Name).String() + `:{"value":`,
			present: `,"status":"` + string(Present) + `"` + approx + "}",
			other:   `,"status":"` + string(absent) + `"` + approx + "}",
		}
	}
}

// AppendAnswer appends the JSON form of what a feature answers, as FeatureValue returned it, to dst: a member of an object,
// such as
//
//	"view_cnt_7d":{"value":12,"status":"present"}
func (p *Plan) AppendAnswer(dst []byte, feature int, v operator.Value, status Status) []byte {
	frame := &p.features[feature].frame
	dst = v.AppendJSON(append(dst, frame.open...))
	if status == Present {
		return append(dst, frame.present...)
	}
	return append(dst, frame.other...)
}

// AppendAnswer appends what Plan.AppendAnswer does of the value that the feature has for the merged row as of a time, ms,
// which must not be before Newest. It makes no Value of what is a list.
func (m *Merger) AppendAnswer(dst []byte, feature int, asOf int64) []byte {
	f := &m.plan.features[feature]
	dst, ok := m.fold.appendValue(append(dst, f.frame.open...), 0, feature, asOf)
	switch {
	case ok:
		return append(dst, f.frame.present...)
	case len(f.Spec.Default) > 0:
		dst = append(dst, f.Spec.Default...)
	default:
		dst = append(dst, "null"...)
	}
	return append(dst, f.frame.other...)
}

// appendValue appends the JSON form of Value and returns true; of a null it returns dst as it is, and false.
func (f *Fold) appendValue(dst []byte, slot, feature int, asOf int64) (out []byte, ok bool) {
	f.Settle()
	ft := &f.plan.features[feature]
	if ft.State < 0 {
		v := f.Value(slot, feature, asOf)
		if v.Kind == operator.Null {
			return dst, false
		}
		return v.AppendJSON(dst), true
	}
	return operator.AppendResult(dst, f.states[ft.State], int32(slot), f.ask(slot, ft, asOf))
}

// ask returns the query of a feature of one state for a slot as of a time, which must not be before the newest event. It
// is valid until the next call.
func (f *Fold) ask(slot int, ft *Feature, asOf int64) *operator.Query {
	if asOf < f.newest[slot] {
		invariant.Fail("reading as of %d, before the newest event at %d", asOf, f.newest[slot])
	}
	f.query = ft.Query
	f.query.AsOf, f.query.Newest = asOf, f.newest[slot]
	return &f.query
}
