//go:build crashpoints

package crash

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Variable of the environment that says where to die: the name of a place, #, and at which coming to it, from 1 on.
const Variable = "TIDEMARK_CRASH"

// Line begins the line that a process writes to standard error before it dies.
const Line = "crash point reached: "

// armed is where this process dies, if anywhere.
type armed struct {
	place string
	hit   int64
}

var (
	target = sync.OnceValue(readTarget)
	hits   atomic.Int64 // of the armed place
)

// readTarget reads the environment. What does not read ends the process: a test that thinks it has armed a place must not
// go on without.
func readTarget() armed {
	text, set := os.LookupEnv(Variable)
	if !set {
		return armed{}
	}
	place, number, _ := strings.Cut(text, "#")
	hit, err := strconv.ParseInt(number, 10, 64)
	known := false
	for _, p := range Places() {
		known = known || p.String() == place
	}
	if err != nil || hit < 1 || !known {
		fmt.Fprintf(os.Stderr, "%s=%q: want the name of a place, # and a number from 1 on\n", Variable, text)
		os.Exit(2)
	}
	return armed{place, hit}
}

// Point ends the process with SIGKILL if it is armed to die here.
func Point(p Place) {
	t := target()
	if t.place != p.String() || hits.Add(1) != t.hit {
		return
	}
	fmt.Fprintf(os.Stderr, "%s%s#%d\n", Line, t.place, t.hit)
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "dying:", err)
		os.Exit(2)
	}
	select {} // nothing of the caller happens any more
}
