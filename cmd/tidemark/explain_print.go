package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

func (e *explanation) write(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(e)
	}
	return e.print(w)
}

// print shows the explanation to a person.
func (e *explanation) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "view %s, %s, as of %s\n", e.View, e.Key, e.AsOf)
	fmt.Fprintf(t, "generation %d (%s), lane %s, incarnation %s\n", e.Version.Generation, e.Version.Identity, e.Lane, e.Incarnation)
	if e.Degraded != nil {
		fmt.Fprintf(t, "degraded: %s\n", *e.Degraded)
	}
	if e.Error != nil {
		fmt.Fprintf(t, "the row cannot be read: %s\n", *e.Error)
	}
	fmt.Fprintln(t, "\nMARK\tHOLDS\tWIRE")
	for i := range e.Marks {
		fmt.Fprintf(t, "%s\t%s\t%s\n", e.Marks[i].Name, e.Marks[i].meaning(), e.Marks[i].Wire)
	}
	e.printParts(t)
	e.printFeatures(t)
	e.printEvents(t)
	return t.Flush()
}

// meaning says in words what a mark says in numbers.
func (m *explainedMark) meaning() string {
	switch {
	case m.Error != "":
		return "damaged: " + m.Error
	case m.Run != nil && !*m.Whole:
		return fmt.Sprintf("runs below %d, %d rows of it; not all bases yet", *m.Run, *m.Rows)
	case m.Run != nil && *m.Rows > 0:
		return fmt.Sprintf("runs below %d, %d rows of it", *m.Run, *m.Rows)
	case m.Run != nil:
		return fmt.Sprintf("runs below %d", *m.Run)
	case m.Next == nil:
		return "the generation was dropped"
	case *m.Joined:
		return fmt.Sprintf("all below %d", *m.Next)
	}
	return fmt.Sprintf("%d to %d; what lies below is still to come from batch", *m.Low, *m.Next)
}

func (e *explanation) printParts(w io.Writer) {
	if len(e.Parts) == 0 {
		fmt.Fprintln(w, "\nno tile: the store has no row of this entity")
		return
	}
	fmt.Fprintln(w, "\nTILE\tSTRETCH\tEVENTS\tNEWEST\tBYTES\tLAST EVENT BY PARTITION")
	for i := range e.Parts {
		p := &e.Parts[i]
		name := p.Kind + " " + p.Field
		switch {
		case p.Error != "":
			fmt.Fprintf(w, "%s\t%s\t\t\t%d\n", name, p.Error, p.Bytes)
			continue
		case p.Leftover:
			name += " (leftover, not merged)"
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\n", name, p.Stretch, p.Events, p.Newest, p.Bytes, strings.Join(p.Last, " "))
	}
}

func (e *explanation) printFeatures(w io.Writer) {
	if len(e.Features) == 0 {
		return
	}
	fmt.Fprintln(w, "\nFEATURE\tVALUE\tWHAT EACH TILE ALONE WOULD ANSWER")
	for i, f := range e.Features {
		var parts []string
		for k := range e.Parts {
			if p := &e.Parts[k]; !p.Leftover && i < len(p.Values) {
				parts = append(parts, p.Field+": "+string(p.Values[i].Value))
			}
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", f.Feature, f.Value, strings.Join(parts, " · "))
	}
}

func (e *explanation) printEvents(w io.Writer) {
	if len(e.Events)+e.EventsLeft == 0 {
		fmt.Fprintln(w, "\nthe log has no event of this entity")
		return
	}
	fmt.Fprintf(w, "\nEVENT TIME\tPOSITION\tRECORD (newest first, %d of %d)\n", len(e.Events), len(e.Events)+e.EventsLeft)
	for i := range e.Events {
		ev := &e.Events[i]
		position := ev.Position
		if !ev.TakenIn {
			position += " (not taken in yet)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", ev.Time, position, ev.Record)
	}
}
