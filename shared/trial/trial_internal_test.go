package trial

import (
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/jobs"
)

// TestLogIsCut: an entity's row has every kind of tile, one of them a leftover; otherwise tests would prove little.
func TestLogIsCut(t *testing.T) {
	j, tests, _, err := jobs.OpenTested("../../jobs/usedcar")
	if err != nil {
		t.Fatal(err)
	}
	names, leftovers := map[string]bool{}, 0
	for _, test := range tests {
		log, failures, err := decodeLog(test)
		if err != nil || len(failures) > 0 {
			t.Fatal(failures, err)
		}
		d, err := newJudge(j.View("user"), log)
		if err != nil {
			t.Fatal(err)
		}
		for key := range d.rows {
			if err := d.read(key); err != nil {
				t.Fatal(err)
			}
			for _, p := range d.merger.Parts() {
				names[p.Header.Name()[:1]] = true
				if p.Leftover {
					leftovers++
				}
			}
		}
	}
	if !names["b"] || !names["d"] || !names["e"] || leftovers == 0 {
		t.Errorf("tiles %v, %d leftovers", names, leftovers)
	}
}

// TestFaultOfAnOperatorShows: where the merge answers otherwise than the plain fold, that is said, and is no test's
// fault. Here a tile is lost on the way.
func TestFaultOfAnOperatorShows(t *testing.T) {
	j, tests, _, err := jobs.OpenTested("../../jobs/usedcar")
	if err != nil {
		t.Fatal(err)
	}
	log, _, err := decodeLog(tests[0])
	if err != nil {
		t.Fatal(err)
	}
	x := &tests[0].Expect[0]
	d, err := newJudge(j.View(x.View), log)
	if err != nil {
		t.Fatal(err)
	}
	d.rows[string(x.Key)] = d.rows[string(x.Key)][1:]
	failures, err := d.check(tests[0].File, x)
	if err != nil || len(failures) != 1 || !strings.Contains(failures[0].What, "not the plain fold's bytes") {
		t.Errorf("%+v, %v", failures, err)
	}
}

func TestSameJSON(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"1", "1", true},
		{"1", "1.0", true},
		{"1", "1.0000001", false},
		{"0.1", "0.10000000001", true},
		{"9007199254740993", "9007199254740992", false}, // whole numbers are not compared as floats
		{"1e400", "1e401", false},                       // beyond a float
		{"0", "0.0", true},
		{"-1.5", "1.5", false},
		{`"1"`, "1", false},
		{"null", "0", false},
		{"null", "null", true},
		{`{"a":1,"b":[2]}`, `{"b":[2.0],"a":1}`, true},
		{`{"a":1}`, `{"a":1,"b":null}`, false},
		{`{"a":null}`, `{"b":null}`, false},
		{"[1,2]", "[2,1]", false},
		{"[1]", "[1,1]", false},
		{"[]", "{}", false},
		{"true", "true", true},
		{"true", "false", false},
		{"1 2", "1 2", false},
		{"", "", false},
	} {
		if got := sameJSON([]byte(c.a), []byte(c.b)); got != c.want {
			t.Errorf("%s and %s: %t", c.a, c.b, got)
		}
	}
}
