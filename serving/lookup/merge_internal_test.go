package lookup

import (
	"runtime"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

// TestPanicBeside: what panics while rows are merged side by side reaches whoever asked, with the place, and does not end
// the process.
func TestPanicBeside(t *testing.T) {
	if runtime.GOMAXPROCS(0) == 1 {
		t.Skip("on one processor nothing is merged beside: give the test two")
	}
	plan, err := view.Compile(viewtest.Spec())
	if err != nil {
		t.Fatal(err)
	}
	a := &Answer{Generation: &Generation{Plan: plan}, Profiles: make([]Profile, 1)}
	wants := make([]want, 2*share+1)
	wants[0].profile = 1 // there is none; the last rows are those that are merged here
	defer func() {
		v, ok := recover().(invariant.ViolationError)
		if !ok || !strings.Contains(v.What, "index out of range") || !strings.Contains(v.What, "mergePart") {
			t.Errorf("recovered %v", v)
		}
	}()
	a.mergeAll(wants, make([][][]byte, len(wants)), Options{}, 1)
	t.Error("nothing panicked")
}

// TestPanickedMergerIsGone: what a merger holds that panicked may be anything, and no other row is read with it.
func TestPanickedMergerIsGone(t *testing.T) {
	plan, err := view.Compile(viewtest.Spec())
	if err != nil {
		t.Fatal(err)
	}
	g := &Generation{Plan: plan}
	one := plan.NewMerger()
	g.mergers.New = func() any { return one }
	a := &Answer{Generation: g}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("nothing panicked")
			}
		}()
		a.mergePart(0, make([]want, 1), make([][][]byte, 1), Options{}, 1) // there is no profile
	}()
	g.mergers.New = nil
	if g.mergers.Get() != nil {
		t.Error("it is kept for other rows")
	}
}
