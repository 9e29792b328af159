package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/tidemark-io/tidemark/serving/api"
	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/serving/memstore"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/view/viewtest"
)

const (
	lanes       = 4
	incarnation = lane.Incarnation("aaaaaaaaaa")
)

// world is an API over a store that holds a base of every entity.
type world struct {
	t     testing.TB
	plan  *view.Plan
	fold  *view.Fold
	store *memstore.Store
	ns    string
	srv   *httptest.Server

	answered chan int // what the API told of the last request for lookups
	reader   *lookup.Reader
}

func newWorld(t testing.TB) *world {
	t.Helper()
	plan, err := view.Compile(viewtest.Spec())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, plan: plan, store: memstore.New(), fold: plan.NewFold()}
	for _, b := range (viewtest.Log{Partitions: [2]int{2, 1}, Rows: 200, Users: 20}).Batches(rand.New(rand.NewPCG(1, 2)), plan.Spec().Sources) {
		w.fold.Add(b, 0, b.N)
	}
	w.manifest(1)
	marks := map[string]string{}
	for i := range plan.Spec().Sources {
		p := position.Partition{Source: plan.Spec().Sources[i].Name}
		marks[p.String()] = lane.Mark{Incarnation: incarnation, Low: lane.Joined, Next: 1000, Append: time.Now().UnixMilli()}.Wire()
	}
	for n := range lanes {
		w.change(n, w.base(n), marks)
	}
	w.reader = lookup.NewReader(lookup.Config{Job: "shop", Views: []string{plan.Spec().Name}, Store: w.store, Now: time.Now, Cache: time.Nanosecond})
	mux := http.NewServeMux()
	a := api.New(api.Config{Job: "shop", Lookups: w.reader, Now: time.Now, Ready: func(context.Context) error { return nil }})
	w.answered = make(chan int, 1)
	a.Answered = func(status int) { w.answered <- status }
	a.RegisterProbes(mux)
	a.RegisterLookups(mux)
	w.srv = httptest.NewServer(mux)
	t.Cleanup(w.srv.Close)
	return w
}

func (w *world) manifest(seq int64) {
	spec := w.plan.Spec()
	g := manifest.Generation{
		Identity: "bbbbbbbbbb", Number: 3, Revision: w.plan.Revision(), State: manifest.Served, Spec: *spec, Lanes: lanes,
		Blocks: map[string]int64{}, Origin: position.Cut{}, Cut: position.Cut{},
	}
	for i := range spec.Sources {
		g.Blocks[spec.Sources[i].Name] = spec.Sources[i].Block
	}
	m := &manifest.Manifest{Seq: seq, Job: spec.Job, View: spec.Name, Generations: []manifest.Generation{g}}
	w.ns = m.Namespace(&m.Generations[0])
	body, err := m.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.PutManifest(w.t.Context(), manifest.Key(m.Job, m.View), seq, body); err != nil {
		w.t.Fatal(err)
	}
}

// base returns the rows of a lane.
func (w *world) base(n int) []lane.RowChange {
	h := tile.Header{Kind: tile.KindBase, Run: 1}
	var rows []lane.RowChange
	for slot := range w.fold.Len() {
		if lane.Of(w.fold.Hash(slot), lanes) == n {
			rows = append(rows, lane.RowChange{Key: []byte(string(w.fold.Key(slot))), Set: []lane.Field{{Name: h.Name(), Value: w.fold.AppendBody(h.Append(nil), slot)}}})
		}
	}
	return rows
}

func (w *world) change(n int, rows []lane.RowChange, marks map[string]string) {
	w.t.Helper()
	c := lane.Call{
		Lane: lane.ID{Namespace: w.ns, N: n}, Name: lane.BatchName, AnyMark: true, RowsOf: incarnation, Rows: rows,
		Set: lane.BatchMark{Incarnation: incarnation, Run: 2, WholeFrom: 1}.Wire(), Replace: marks,
	}
	if o := w.store.Apply(w.t.Context(), []lane.Call{c})[0]; o.Err != nil || !o.Applied {
		w.t.Fatalf("call: %+v", o)
	}
}

// someone returns the key of an entity that was seen.
func (w *world) someone() string { return string(w.fold.Key(0)) }

type answer map[string]any

// object returns a JSON object; the test fails on anything else.
func object(t *testing.T, v any) map[string]any {
	t.Helper()
	o, ok := v.(map[string]any)
	if !ok {
		t.Fatalf("%v is no object", v)
	}
	return o
}

// ask makes a request and reads the JSON answer.
func (w *world) ask(method, path, body string) (int, answer) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.srv.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.srv.Client().Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if strings.Contains(req.URL.Path, "/views/") {
		if status := <-w.answered; status != res.StatusCode {
			w.t.Errorf("%s %.80s: answered %d, and %d was told", method, path, res.StatusCode, status)
		}
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		w.t.Fatalf("%s %s: %d, no JSON: %s", method, path, res.StatusCode, text)
	}
	if problem := res.Header.Get("Content-Type") == "application/problem+json"; problem != (res.StatusCode >= 400) {
		w.t.Errorf("%s %s: %d with content type %s", method, path, res.StatusCode, res.Header.Get("Content-Type"))
	}
	return res.StatusCode, a
}

func (w *world) profile(key, query string) string {
	return "/v1/jobs/shop/views/" + w.plan.Spec().Name + "/profiles/" + url.PathEscape(key) + query
}

// TestProfile: an answer has the features as the fold says them, and all that the contract names.
func TestProfile(t *testing.T) {
	w := newWorld(t)
	code, a := w.ask("GET", w.profile(w.someone(), "?as_of=newest&frontier=1"), "")
	if code != http.StatusOK || a["found"] != true || a["key"] != w.someone() || a["degraded"] != nil {
		t.Fatalf("%d: %v", code, a)
	}
	if v := object(t, a["version"]); v["generation"] != 3.0 || v["revision"] != w.plan.Revision() {
		t.Errorf("version %v", v)
	}
	if f := object(t, a["frontier"]); len(f) != len(w.plan.Spec().Sources) {
		t.Errorf("frontier %v", f)
	}
	if a["as_of"] != a["newest"] {
		t.Errorf("as of %v, newest %v", a["as_of"], a["newest"])
	}
	features := object(t, a["features"])
	for i := range w.plan.Features() {
		spec := w.plan.Features()[i].Spec
		v, status := w.plan.FeatureValue(w.fold.Value(0, i, w.fold.Newest(0)), spec)
		var want any
		if err := json.Unmarshal(v.AppendJSON(nil), &want); err != nil {
			t.Fatal(err)
		}
		got := object(t, features[spec.Name])
		if fmt.Sprint(got["value"]) != fmt.Sprint(want) || got["status"] != string(status) || (got["approx"] == true) != w.plan.Features()[i].Approx {
			t.Errorf("%s: %v, want %v %s", spec.Name, got, want, status)
		}
	}
}

// TestUnseen: a key without events has the features of nothing.
func TestUnseen(t *testing.T) {
	w := newWorld(t)
	code, a := w.ask("GET", w.profile("user:nobody", ""), "")
	if code != http.StatusOK || a["found"] != false || a["events"] != 0.0 || len(object(t, a["features"])) != len(w.plan.Features()) {
		t.Errorf("%d: %v", code, a)
	}
}

// TestFeaturesChosen: only those asked for are answered, in that order.
func TestFeaturesChosen(t *testing.T) {
	w := newWorld(t)
	name := w.plan.Features()[1].Spec.Name
	code, a := w.ask("GET", w.profile(w.someone(), "?features="+name), "")
	if f := object(t, a["features"]); code != http.StatusOK || len(f) != 1 || f[name] == nil {
		t.Errorf("%d: %v", code, a)
	}
}

// TestProblems: each mistake of a client has its status and says what is wrong.
func TestProblems(t *testing.T) {
	w := newWorld(t)
	v := w.plan.Spec().Name
	cases := []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/v1/jobs/other/views/" + v + "/profiles/user:a", "", 404, `"shop" is`},
		{"GET", "/v1/jobs/shop/views/other/profiles/user:a", "", 404, v},
		{"GET", "/v1/nothing", "", 404, "/v1/nothing"},
		{"GET", w.profile(w.someone(), "?features=nosuch"), "", 400, w.plan.Features()[0].Spec.Name},
		{"GET", w.profile(w.someone(), "?as_of=yesterday"), "", 400, "RFC 3339"},
		{"GET", w.profile(w.someone(), "?as_of=2001-01-01T00:00:00Z"), "", 400, "newest"},
		{"GET", w.profile(w.someone(), "?frontier=perhaps"), "", 400, "frontier"},
		{"GET", w.profile("color:red", ""), "", 400, "user"},
		{"GET", w.profile("user:"+strings.Repeat("x", api.MaxKeyBytes+1), ""), "", 400, "at most"},
		{"POST", "/v1/jobs/shop/views/" + v + "/profiles:batchGet", `{"keys":`, 400, "EOF"},
		{"POST", "/v1/jobs/shop/views/" + v + "/profiles:batchGet", `{"kays":[]}`, 400, "kays"},
		{"POST", "/v1/jobs/shop/views/" + v + "/profiles:batchGet", `{"keys":["` + strings.Repeat("x", api.MaxBodyBytes) + `"]}`, 413, "large"},
		{"POST", "/v1/jobs/shop/views/" + v + "/profiles:batchGet", `{"keys":["a"` + strings.Repeat(`,"a"`, api.MaxKeys) + `]}`, 400, "at most 10000"},
	}
	for _, c := range cases {
		code, a := w.ask(c.method, c.path, c.body)
		if text := fmt.Sprint(a["title"], a["detail"]); code != c.status || a["status"] != float64(c.status) || !strings.Contains(text, c.says) {
			t.Errorf("%s %.80s %.40s: %d %s; want %d and %q", c.method, c.path, c.body, code, text, c.status, c.says)
		}
	}
}

// TestStoreAway: without the store a lookup is answered 503, which is told as any other status is.
func TestStoreAway(t *testing.T) {
	w := newWorld(t)
	w.store.SetFaults(func(memstore.Op) memstore.Fate { return memstore.LoseCall })
	for _, ask := range []func() (int, answer){
		func() (int, answer) { return w.ask("GET", w.profile(w.someone(), ""), "") },
		func() (int, answer) {
			return w.ask("POST", "/v1/jobs/shop/views/"+w.plan.Spec().Name+"/profiles:batchGet", `{"keys":["user:a"]}`)
		},
	} {
		if code, a := ask(); code != http.StatusServiceUnavailable || a["title"] != "store unavailable" {
			t.Errorf("%d %v", code, a)
		}
	}
}

// TestBatchGet: order and doubles are kept, errors are per key, the version is one.
func TestBatchGet(t *testing.T) {
	w := newWorld(t)
	keys := []string{w.someone(), "color:red", "user:nobody", w.someone()}
	body, err := json.Marshal(map[string]any{"keys": keys, "as_of": "newest"})
	if err != nil {
		t.Fatal(err)
	}
	code, a := w.ask("POST", "/v1/jobs/shop/views/"+w.plan.Spec().Name+"/profiles:batchGet", string(body))
	profiles, _ := a["profiles"].([]any)
	if code != http.StatusOK || len(profiles) != len(keys) {
		t.Fatalf("%d: %v", code, a)
	}
	for i, p := range profiles {
		if object(t, p)["key"] != keys[i] {
			t.Errorf("profile %d is of %v, want %s", i, object(t, p)["key"], keys[i])
		}
		if failed := object(t, p)["error"] != nil; failed != (i == 1) {
			t.Errorf("profile %d: %v", i, p)
		}
	}
	if fmt.Sprint(profiles[0]) != fmt.Sprint(profiles[3]) {
		t.Errorf("the same key has two answers:\n%v\n%v", profiles[0], profiles[3])
	}
	_, one := w.ask("GET", w.profile(w.someone(), "?as_of=newest"), "")
	if fmt.Sprint(one["features"]) != fmt.Sprint(object(t, profiles[0])["features"]) {
		t.Error("batchGet and get answer differently")
	}
}

// TestMostKeys answers as many keys as a request may have, one of them as long as a key may be.
func TestMostKeys(t *testing.T) {
	w := newWorld(t)
	keys := make([]string, api.MaxKeys)
	for i := range keys {
		keys[i] = w.someone()
	}
	keys[1] = "user:" + strings.Repeat("x", view.MaxKeyValueBytes)
	body, err := json.Marshal(map[string]any{"keys": keys, "features": []string{w.plan.Features()[0].Spec.Name}})
	if err != nil {
		t.Fatal(err)
	}
	code, a := w.ask("POST", "/v1/jobs/shop/views/"+w.plan.Spec().Name+"/profiles:batchGet", string(body))
	profiles, _ := a["profiles"].([]any)
	if code != http.StatusOK || len(profiles) != api.MaxKeys {
		t.Fatalf("%d, %d profiles", code, len(profiles))
	}
	for i, p := range profiles {
		if o := object(t, p); o["error"] != nil || o["found"] != (i != 1) || o["key"] != keys[i] {
			t.Fatalf("profile %d: %.200v", i, p)
		}
	}
}

// TestDegraded: a lane that cannot claim what it holds says so, and why.
func TestDegraded(t *testing.T) {
	w := newWorld(t)
	n := lane.Of(w.fold.Hash(0), lanes)
	p := position.Partition{Source: w.plan.Spec().Sources[0].Name}.String()
	w.change(n, nil, map[string]string{p: lane.Mark{Incarnation: incarnation, Low: 0, Next: 100}.Wire()})
	if _, a := w.ask("GET", w.profile(w.someone(), "?frontier=1"), ""); !strings.Contains(fmt.Sprint(a["degraded"]), lookup.ReasonFilling) || a["frontier"] != nil {
		t.Errorf("a lane that is being filled: %v", a)
	}
	w.store.EmptyLane(lane.ID{Namespace: w.ns, N: n})
	if _, a := w.ask("GET", w.profile(w.someone(), ""), ""); !strings.Contains(fmt.Sprint(a["degraded"]), lookup.ReasonNotBegun) {
		t.Errorf("an emptied lane: %v", a)
	}
	call := lane.Call{Lane: lane.ID{Namespace: w.ns, N: n}, Name: lane.BatchName, AnyMark: true, Set: lane.Dropped, Replace: map[string]string{}}
	if o := w.store.Apply(t.Context(), []lane.Call{call})[0]; !o.Applied {
		t.Fatalf("dropping: %+v", o)
	}
	if _, a := w.ask("GET", w.profile(w.someone(), ""), ""); !strings.Contains(fmt.Sprint(a["degraded"]), lookup.ReasonDropped) {
		t.Errorf("a dropped lane: %v", a)
	}
}

// TestDamagedRow: a tile of an unknown codec or kind is an error of its key, which counts it, and not of the
// others of the same request, of the same lane among them.
func TestDamagedRow(t *testing.T) {
	for name, c := range map[string]struct{ field, value, says string }{
		"an unknown codec": {"b1", "\x09b\x01", "unknown tile codec 9"},
		"an unknown kind":  {"z1", "\x01z\x01", "kind 122"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			key, n := w.someone(), lane.Of(w.fold.Hash(0), lanes)
			w.change(n, []lane.RowChange{{Key: []byte(key), Set: []lane.Field{{Name: c.field, Value: []byte(c.value)}}}}, nil)
			code, a := w.ask("GET", w.profile(key, ""), "")
			if code != http.StatusInternalServerError || !strings.Contains(fmt.Sprint(a["detail"]), c.says) {
				t.Errorf("%d: %v, want a detail with %q", code, a, c.says)
			}
			keys := make([]string, w.fold.Len())
			for slot := range keys {
				keys[slot] = string(w.fold.Key(slot))
			}
			body, err := json.Marshal(map[string]any{"keys": keys, "frontier": true})
			if err != nil {
				t.Fatal(err)
			}
			code, a = w.ask("POST", "/v1/jobs/shop/views/"+w.plan.Spec().Name+"/profiles:batchGet", string(body))
			profiles, _ := a["profiles"].([]any)
			if code != http.StatusOK || len(profiles) != len(keys) {
				t.Fatalf("%d: %v", code, a)
			}
			beside := 0
			for slot, p := range profiles {
				o := object(t, p)
				if failed := strings.Contains(fmt.Sprint(o["error"]), c.says); failed != (slot == 0) || failed == (o["frontier"] != nil) {
					t.Errorf("profile of %s: %v", keys[slot], o)
				}
				if slot > 0 && lane.Of(w.fold.Hash(slot), lanes) == n {
					beside++
				}
			}
			if failed := w.reader.Stats.Failed.Load(); failed != 2 || beside == 0 {
				t.Errorf("%d keys are counted as failed, want 2; %d others are in the lane", failed, beside)
			}
		})
	}
}

// TestOlderManifest: a reader never goes back to an older manifest than it has seen, nor to none.
func TestOlderManifest(t *testing.T) {
	w := newWorld(t)
	w.ask("GET", w.profile(w.someone(), ""), "")
	w.store.Empty()
	code, a := w.ask("GET", w.profile(w.someone(), ""), "")
	if code != http.StatusOK || a["degraded"] == nil {
		t.Errorf("an emptied store: %d %v", code, a)
	}
}
