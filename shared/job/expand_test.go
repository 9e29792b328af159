package job_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/tidemark-io/tidemark/shared/job"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/window"
)

func load(t *testing.T, features string) view.Spec {
	t.Helper()
	files := good()
	files["views/user.yaml"].Data = []byte("sources: [clicks]\nentity: [user_id, {pair: [user_id, kind]}]\nlanes: 4\nfeatures:\n" + features)
	j, err := job.Load(files, "shop")
	if err != nil {
		t.Fatal(err)
	}
	return j.Views[0]
}

func TestFeaturesBecomeOnePerWindow(t *testing.T) {
	spec := load(t, `
  views: {op: count, where: kind == "view", windows: [30m, 1h, 24h, 7d, 30d, all], doc: Seen., owner: me}
  calls_7d: {op: count, where: kind == "call", window: 7d, hop: 1d}
  rate: {ratio: {num: views, den: views, alpha: 2, prior: 0.5}, windows: [1h, all]}
  tags: {op: top_k, key: [kind, price], weight: 2, half_life: 30d, horizon: 180d, limit: 3}
  last: {op: last, value: [kind, price * 2], default: {kind: view, list: [1, 2.5, null, true]}}
`)
	type window3 struct {
		name string
		w    window.Window
		life int64
	}
	var got []window3
	for _, f := range spec.Features {
		got = append(got, window3{f.Name, f.Window, f.HalfLife})
	}
	want := []window3{
		{"views_30m", window.Window{Length: 30 * window.Minute, Hop: 150 * window.Second}, 0},
		{"views_1h", window.Window{Length: window.Hour, Hop: 5 * window.Minute}, 0},
		{"views_24h", window.Window{Length: window.Day, Hop: window.Hour}, 0},
		{"views_7d", window.Window{Length: 7 * window.Day, Hop: window.Hour}, 0},
		{"views_30d", window.Window{Length: 30 * window.Day, Hop: window.Day}, 0},
		{"views_all", window.All, 0},
		{"calls_7d", window.Window{Length: 7 * window.Day, Hop: window.Day}, 0},
		{"rate_1h", window.All, 0},
		{"rate_all", window.All, 0},
		{"tags", window.Window{Length: 180 * window.Day, Hop: window.Day}, 30 * window.Day},
		{"last", window.All, 0},
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got\n%v, want\n%v", got, want)
	}
	views, rate, tags, last := spec.Features[0], spec.Features[7], spec.Features[9], spec.Features[10]
	if views.Where != `kind == "view"` || views.Doc != "Seen." || views.Owner != "me" || views.Op != "count" {
		t.Errorf("views is %+v", views)
	}
	if *rate.Ratio != (view.RatioSpec{Num: "views_1h", Den: "views_1h", Alpha: 2, Prior: 0.5}) {
		t.Errorf("rate is %+v", rate.Ratio)
	}
	if !slices.Equal(tags.Key, []string{"kind", "price"}) || tags.Weight != "2" || tags.Limit != 3 {
		t.Errorf("tags is %+v", tags)
	}
	if !slices.Equal(last.Value, []string{"kind", "price * 2"}) || string(last.Default) != `{"kind":"view","list":[1,2.5,null,true]}` {
		t.Errorf("last is %+v, default %s", last, last.Default)
	}
}

func TestSpecIsWhatTheFilesSay(t *testing.T) {
	spec := load(t, "  n: {op: count}\n")
	if spec.Job != "shop" || spec.Name != "user" || spec.Lanes != 4 || len(spec.Sources) != 1 {
		t.Errorf("spec is %+v", spec)
	}
	if len(spec.Entity) != 2 || spec.Entity[0].Kind != "user_id" || !slices.Equal(spec.Entity[1].Fields, []string{"user_id", "kind"}) {
		t.Errorf("entity is %+v", spec.Entity)
	}
	if len(spec.Columns) != 1 || spec.Columns[0] != (view.ColumnSpec{Name: "cents", Expr: "price * 1", Type: schema.Int64}) {
		t.Errorf("columns are %+v", spec.Columns)
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var again view.Spec
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	a, errA := view.Compile(spec)
	b, errB := view.Compile(again)
	if errA != nil || errB != nil || a.Revision() != b.Revision() {
		t.Errorf("through JSON: %v, %v", errA, errB)
	}
}

func TestTwoSourcesShareAView(t *testing.T) {
	files := good()
	files["sources/buys.yaml"] = files["sources/clicks.yaml"]
	files["views/user.yaml"].Data = []byte("sources: [clicks, buys]\nentity: [user_id]\nfeatures:\n  n: {op: count, from: buys}\n  m: {op: sum, value: cents}\n")
	j, err := job.Load(files, "shop")
	if err != nil {
		t.Fatal(err)
	}
	s := j.Views[0].Sources
	if len(s) != 2 || s[0].Name != "buys" || s[1].Topic != "clicks" || s[1].Block != 65_536 || j.Source("buys") == nil || j.View("user") != j.Plans[0] {
		t.Fatalf("sources are %+v", s)
	}
	if j.Source("none") != nil || j.View("none") != nil {
		t.Error("something is there that is not")
	}
}

func TestDurations(t *testing.T) {
	for _, c := range []struct {
		text string
		ms   int64
		ok   bool
	}{
		{"0s", 0, true},
		{"250ms", 250, true},
		{"30m", 1_800_000, true},
		{"7d", 604_800_000, true},
		{"36525d", job.MaxDuration, true},
		{"36526d", 0, false},
		{"", 0, false},
		{"d", 0, false},
		{"7", 0, false},
		{"-1d", 0, false},
		{"1.5h", 0, false},
		{"1w", 0, false},
		{"99999999999999999999d", 0, false},
		{"9223372036854775807d", 0, false},
	} {
		ms, ok := job.ParseDuration(c.text)
		if ms != c.ms || ok != c.ok {
			t.Errorf("%q: %d, %t", c.text, ms, ok)
		}
		if again, _ := job.ParseDuration(job.FormatDuration(ms)); ok && again != ms {
			t.Errorf("%d is written %s", ms, job.FormatDuration(ms))
		}
	}
}
