package view

import (
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// probe returns what a feature answers after one row. It shows the kind of its values that are not null: an operator,
// also one of somebody else, need not declare it, and cannot declare it wrongly.
func probe(st *StatePlan, query *operator.Query) operator.Value {
	rows := operator.Rows{Row: []int32{0}, Slot: []int32{0}, Time: []int64{0}, Offset: []int64{0}, Newest: []int64{0}}
	for i := range st.Config.Inputs {
		rows.In = append(rows.In, probeColumn(&st.Config.Inputs[i]))
	}
	states := st.op.NewStates()
	states.Grow(1)
	states.Fold(&rows)
	q := *query
	return states.Result(0, &q)
}

func probeColumn(in *operator.Input) *column.Column {
	c := column.NewColumn(in.Type, in.Scale)
	switch {
	case in.Type.IsBytes():
		c.AppendBytes([]byte("1"))
	case in.Type == schema.Enum:
		c.AppendInt(0)
	default:
		c.AppendInt(1)
	}
	return &c
}
