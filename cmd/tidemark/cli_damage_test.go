package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/store"
	"github.com/tidemark-io/tidemark/serving/storetest/redisserver"
	"github.com/tidemark-io/tidemark/serving/verify"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/view"
)

// TestDamageIsFoundOnPebble: whatever is changed in a store behind everybody's back, verify finds it, names the place and
// exits 1; and the cure that it names works while everything runs.
func TestDamageIsFoundOnPebble(t *testing.T) {
	t.Parallel()
	damageTest(t, newInstallation(t, ""))
}

// TestDamageIsFoundOnRedis is the same on a real Redis.
func TestDamageIsFoundOnRedis(t *testing.T) {
	t.Parallel()
	damageTest(t, newInstallation(t, redisserver.Start(t).URL()))
}

const damagedView = "listing"

// rowDamages are changes of one row each. take returns a row that was not damaged yet and has a tile whose name begins so.
var rowDamages = map[string]func(d *damager) (key string){
	"delete a block tile": func(d *damager) string {
		r := d.take("e", 2)
		return d.change(r, nil, r.named("e").Name)
	},
	"delete a delta": func(d *damager) string {
		r := d.take("d", 2)
		return d.change(r, nil, r.named("d").Name)
	},
	"delete a base": func(d *damager) string {
		r := d.take("b", 2)
		return d.change(r, nil, r.named("b").Name)
	},
	"delete a row": func(d *damager) string {
		r := d.take("b", 1)
		return d.change(r, nil, r.names()...)
	},
	"change the last byte": func(d *damager) string {
		f := d.take("b", 1)
		v := bytes.Clone(f.named("b").Value)
		v[len(v)-1] ^= 1
		return d.change(f, []lane.Field{{Name: f.named("b").Name, Value: v}})
	},
	"change the first byte": func(d *damager) string {
		f := d.take("b", 1)
		v := bytes.Clone(f.named("b").Value)
		v[0] ^= 1
		return d.change(f, []lane.Field{{Name: f.named("b").Name, Value: v}})
	},
	"another's tile": func(d *damager) string {
		other, f := d.take("b", 1), d.take("b", 1)
		return d.change(f, []lane.Field{{Name: f.named("b").Name, Value: other.named("b").Value}})
	},
	"add a row": func(d *damager) string {
		r := d.take("b", 1)
		key := "listing_id:ghost"
		n := lane.Of(view.Hash([]byte(key)), d.gen.Lanes)
		ghost := damagedRow{Row: lookup.Row{Key: []byte(key), Lane: lane.ID{Namespace: d.gen.Namespace, N: n}}}
		ghost.Marks = d.marksOf(n)
		return d.change(ghost, r.Fields)
	},
	"add a tile": func(d *damager) string {
		r, other := d.take("d", 1), d.take("e", 1)
		return d.change(r, []lane.Field{other.named("e")})
	},
}

func damageTest(t *testing.T, in *installation) {
	t.Helper()
	up := in.upWithHistory()
	defer up.terminate()
	d := newDamager(t, in)
	wrong := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(rowDamages)) {
		wrong[rowDamages[name](d)] = name
	}
	d.expect(wrong)
	auditFinds(t, up, wrong)
	for key, name := range wrong {
		if name == "change the first byte" {
			d.explained(key)
		}
	}
	d.refill()
	d.pushMark()
}

// upWithHistory runs all roles over a log that has made bases, deltas and block tiles, and returns when all is quiet.
func (in *installation) upWithHistory() *process {
	in.t.Helper()
	in.gen(3000)
	up := in.upSmall("--audit-rate", "10000")
	in.awaitQuiet()
	in.gen(3000, "--seed", "2")
	in.awaitQuiet()
	in.awaitRuns(2)
	return up
}

// damager changes a store behind the back of those who use it.
type damager struct {
	t     *testing.T
	in    *installation
	store store.Store
	gen   *lookup.Generation
	rows  []damagedRow // that were not damaged yet
	lanes map[string]bool
}

// damagedRow is a row that was, or is to be, damaged.
type damagedRow struct{ lookup.Row }

// named returns a field whose name begins so.
func (r damagedRow) named(prefix string) lane.Field {
	i := slices.IndexFunc(r.Fields, func(f lane.Field) bool { return strings.HasPrefix(f.Name, prefix) })
	if i < 0 {
		return lane.Field{}
	}
	return r.Fields[i]
}

func (r damagedRow) names() []string {
	var names []string
	for _, f := range r.Fields {
		names = append(names, f.Name)
	}
	return names
}

func newDamager(t *testing.T, in *installation) *damager {
	t.Helper()
	d := &damager{t: t, in: in, store: in.openStore(), lanes: map[string]bool{}}
	j, err := loadJob(in.job)
	if err != nil {
		t.Fatal(err)
	}
	if d.gen, err = newReader(j, d.store).Served(t.Context(), damagedView); err != nil {
		t.Fatal(err)
	}
	var keys [][]byte
	err = d.store.Scan(t.Context(), d.gen.Namespace, func(id lane.RowID) error {
		keys = append(keys, bytes.Clone(id.Key))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := lookup.ExactRows(t.Context(), d.store, d.gen, keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		d.rows = append(d.rows, damagedRow{r})
	}
	return d
}

// take returns a row with at least so many tiles of which one's name begins so.
func (d *damager) take(prefix string, tiles int) damagedRow {
	d.t.Helper()
	for i, r := range d.rows {
		if len(r.Fields) >= tiles && r.named(prefix).Name != "" {
			d.rows = slices.Delete(d.rows, i, i+1)
			return r
		}
	}
	d.t.Fatalf("no row has a tile %s and %d in all", prefix, tiles)
	return damagedRow{}
}

func (d *damager) marksOf(n int) lane.Marks {
	d.t.Helper()
	m, err := d.store.Marks(d.t.Context(), []lane.ID{{Namespace: d.gen.Namespace, N: n}})
	if err != nil {
		d.t.Fatal(err)
	}
	return m[0]
}

// change sets and deletes fields of a row, whatever its lane's marks say.
func (d *damager) change(r damagedRow, set []lane.Field, del ...string) (key string) {
	d.t.Helper()
	b, ok, err := r.Marks.Batch()
	if err != nil || !ok {
		d.t.Fatalf("lane %s: %v, %v", r.Lane, ok, err)
	}
	d.apply(lane.Call{
		Lane: r.Lane, Name: lane.BatchName, AnyMark: true, RowsOf: b.Incarnation,
		Rows: []lane.RowChange{{Key: r.Key, Set: set, Del: del}},
	})
	return string(r.Key)
}

func (d *damager) apply(c lane.Call) {
	d.t.Helper()
	d.lanes[c.Lane.String()] = true
	if o := d.store.Apply(d.t.Context(), []lane.Call{c})[0]; o.Err != nil || !o.Applied {
		d.t.Fatalf("changing lane %s: %+v", c.Lane, o)
	}
}

// expect wants verify to find these entities and no others, and to say where they are and what is wrong.
func (d *damager) expect(wrong map[string]string) {
	d.t.Helper()
	r := d.in.ask("verify", "-o", "json").want(d.t, exitWrong)
	var report verify.Report
	unmarshal(d.t, r.stdout, &report)
	if report.Wrong != len(wrong) || !strings.Contains(r.stderr, fmt.Sprintf("%d of %d entities are wrong", report.Wrong, report.Entities)) {
		d.t.Errorf("%d wrong, want %d; %s", report.Wrong, len(wrong), r.stderr)
	}
	found := map[string]bool{}
	for _, f := range report.Faults {
		found[f.Entity] = true
		if f.View != damagedView || !strings.HasPrefix(f.Lane, d.gen.Namespace+":") || f.What == "" {
			d.t.Errorf("%s: %+v", wrong[f.Entity], f)
		}
		if f.Feature != "" && (f.Want == f.Got || f.Positions == "") {
			d.t.Errorf("%s: %+v", wrong[f.Entity], f)
		}
		d.t.Logf("%s: %s: %s %s, %s", wrong[f.Entity], f.Entity, f.What, f.Feature, f.Positions)
	}
	for key, name := range wrong {
		if !found[key] {
			d.t.Errorf("%s: %s was not found", name, key)
		}
	}
	text := d.in.ask("verify").want(d.t, exitWrong).stdout
	last := fmt.Sprintf("verified %d entities, %d wrong\n", report.Entities, report.Wrong)
	if !strings.HasSuffix(text, last) || strings.Count(text, "wrong: view "+damagedView+", entity ") != len(wrong) {
		d.t.Errorf("in words:\n%s", text)
	}
}

// explained wants explain to show a row that cannot be read as far as it goes.
func (d *damager) explained(key string) {
	d.t.Helper()
	r := invoke(d.t, "", d.in.flags("explain", d.in.job, damagedView, key)...).want(d.t, exitFailed)
	if !strings.Contains(r.stdout, "unreadable b") || !strings.Contains(r.stdout, "events/") {
		d.t.Errorf("explain %s:\n%s", key, r.stdout)
	}
	g := invoke(d.t, "", "get", d.in.job, damagedView, key, "--store", d.in.store).want(d.t, exitFailed)
	if !strings.Contains(g.stdout, key+": error: ") {
		d.t.Errorf("get %s:\n%s", key, g.stdout)
	}
}

// refill applies the cure to all lanes that were damaged, and wants nothing to be wrong then.
func (d *damager) refill() {
	d.t.Helper()
	args := append([]string{"refill", d.in.job}, slices.Sorted(maps.Keys(d.lanes))...)
	invoke(d.t, "", append(args, "--store", d.in.store)...).want(d.t, exitOK)
	d.in.awaitTakenIn()
	d.t.Log(d.in.verified())
}

// pushMark makes a lane claim more of the log than there is: nothing in it can be verified.
func (d *damager) pushMark() {
	d.t.Helper()
	r := d.take("b", 1)
	const name = "events/0"
	m, err := lane.ParseMark(d.marksOf(r.Lane.N)[name])
	if err != nil {
		d.t.Fatal(err)
	}
	m.Next += 1_000_000
	d.lanes = map[string]bool{}
	d.apply(lane.Call{Lane: r.Lane, Name: name, AnyMark: true, Set: m.Wire()})
	text := d.in.ask("verify", "--wait", "1s").want(d.t, exitWrong).stdout
	if !strings.Contains(text, fmt.Sprintf("lane %s: cannot be verified: the lane's mark of %s is %d, the log ends at ", r.Lane, name, m.Next)) {
		d.t.Errorf("verify does not name the mark that was pushed:\n%.2000s", text)
	}
	d.refill()
}

// TestDamagedArchive: a damaged file of the archive is named by whoever reads it, with exit code 4, and the cure that
// the error names works: moved away, it is written again.
func TestDamagedArchive(t *testing.T) {
	t.Parallel()
	in := newInstallation(t, "")
	in.gen(3000)
	up := in.upSmall()
	in.awaitQuiet()
	up.terminate()
	files, err := filepath.Glob(filepath.Join(in.folder, "archive", "events", "0", "*.parquet"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	damaged := files[len(files)/2]
	flipByte(t, damaged, 100)
	for name, r := range map[string]result{
		"verify":        in.ask("verify"),
		"log":           invoke(t, "", "log", in.job, "--kafka", in.kafka, "--archive", filepath.Join(in.folder, "archive")),
		"batch --check": in.askBatch("batch", "--check"),
	} {
		if r.code != exitFailed || !strings.Contains(r.stderr, damaged) {
			t.Errorf("%s: exit code %d\n%s", name, r.code, r.stderr)
		}
	}
	for i, f := range files[len(files)/2:] {
		if err := os.Rename(f, filepath.Join(in.folder, strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	up = in.upSmall()
	in.awaitQuiet()
	up.terminate()
	t.Log(in.verified())
	if r := in.askBatch("batch", "--check").want(t, exitOK); !strings.Contains(r.stdout, " 0 wrong") {
		t.Errorf("batch --check: %s", r.stdout)
	}
}
