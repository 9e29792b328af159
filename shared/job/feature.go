package job

import (
	"go.yaml.in/yaml/v3"

	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/view"
	"github.com/tidemark-io/tidemark/shared/window"
)

// maxElements bounds n and limit.
const maxElements = 1 << 20

// featureReader reads one entry of `features`, which is one feature for each of its windows.
type featureReader struct {
	*viewFile
	key     *yaml.Node
	value   *yaml.Node
	spec    view.FeatureSpec
	parts   map[string]*yaml.Node // by key in the file
	windows []windowText
	hop     int64
	horizon int64
}

// windowText is a window as it was written: its text becomes part of the feature's name.
type windowText struct {
	node *yaml.Node
	text string
	w    window.Window
}

func (r *featureReader) read(value *yaml.Node) {
	r.parts = map[string]*yaml.Node{}
	r.spec.Name = r.key.Value
	r.at.set(r.key.Value, "", r.key)
	known := entry{
		"op":        func(_, n *yaml.Node) { r.spec.Op = r.text(n, "op") },
		"from":      func(_, n *yaml.Node) { r.spec.From = r.text(n, "from") },
		"value":     func(_, n *yaml.Node) { r.spec.Value = r.expressions(n, "value") },
		"key":       func(_, n *yaml.Node) { r.spec.Key = r.expressions(n, "key") },
		"weight":    func(_, n *yaml.Node) { r.spec.Weight = r.expression(n, "weight") },
		"remove":    func(_, n *yaml.Node) { r.spec.Remove = r.expression(n, "remove") },
		"where":     func(_, n *yaml.Node) { r.spec.Where = r.expression(n, "where") },
		"window":    func(_, n *yaml.Node) { r.readWindow(n) },
		"windows":   func(_, n *yaml.Node) { r.readWindows(n) },
		"hop":       func(_, n *yaml.Node) { r.hop = r.positive(n, "hop") },
		"half_life": func(_, n *yaml.Node) { r.spec.HalfLife = r.positive(n, "half_life") },
		"horizon":   func(_, n *yaml.Node) { r.horizon = r.positive(n, "horizon") },
		"gap":       func(_, n *yaml.Node) { r.spec.Gap = r.positive(n, "gap") },
		"edges":     func(_, n *yaml.Node) { r.spec.Edges = r.numbers(n, "edges") },
		"n":         func(_, n *yaml.Node) { r.spec.N = int(r.integer(n, "n", maxElements)) },
		"limit":     func(_, n *yaml.Node) { r.spec.Limit = int(r.integer(n, "limit", maxElements)) },
		"result":    func(_, n *yaml.Node) { r.spec.Result = r.text(n, "result") },
		"ratio":     func(_, n *yaml.Node) { r.readRatio(n) },
		"default":   func(_, n *yaml.Node) { r.spec.Default = r.json(n, "default") },
		"doc":       func(_, n *yaml.Node) { r.spec.Doc = r.text(n, "doc") },
		"owner":     func(_, n *yaml.Node) { r.spec.Owner = r.text(n, "owner") },
	}
	for name, read := range known {
		known[name] = func(key, n *yaml.Node) {
			r.parts[name] = n
			read(key, n)
		}
	}
	r.mapping(value, "feature "+r.key.Value, known)
	r.checkTogether()
}

func (r *featureReader) readRatio(n *yaml.Node) {
	ratio := &view.RatioSpec{}
	r.mapping(n, "ratio", entry{
		"num":   func(_, n *yaml.Node) { ratio.Num = r.text(n, "num") },
		"den":   func(_, n *yaml.Node) { ratio.Den = r.text(n, "den") },
		"alpha": func(_, n *yaml.Node) { ratio.Alpha = r.number(n, "alpha") },
		"prior": func(_, n *yaml.Node) { ratio.Prior = r.number(n, "prior") },
	})
	if ratio.Num == "" || ratio.Den == "" {
		r.fault(n, "write ratio: {num: FEATURE, den: FEATURE}", "feature %s: the ratio lacks num or den", r.key.Value)
	}
	r.spec.Ratio = ratio
}

// together says which keys need or exclude each other.
var together = []struct {
	key, other string
	need       bool
	cure       string
}{
	{"windows", "window", false, "keep one: a window adds nothing to the feature's name, windows do"},
	{"horizon", "window", false, "keep horizon: it is the window of decaying weights"},
	{"horizon", "windows", false, "keep horizon: it is the window of decaying weights"},
	{"horizon", "half_life", true, "add half_life, or write window in place of horizon"},
	{"half_life", "horizon", true, "add horizon, the age at which weights are dropped, such as 60d"},
	{"hop", "half_life", false, "remove hop: the half-life decides it"},
}

func (r *featureReader) checkTogether() {
	for _, rule := range together {
		n, has := r.parts[rule.key]
		if _, other := r.parts[rule.other]; has && other != rule.need {
			word := "together with"
			if rule.need {
				word = "without"
			}
			r.fault(n, rule.cure, "feature %s: %s %s %s", r.key.Value, rule.key, word, rule.other)
		}
	}
	if n, has := r.parts["hop"]; has && r.parts["window"] == nil && r.parts["windows"] == nil {
		r.fault(n, "add window or windows, or remove hop", "feature %s: a hop without a window", r.key.Value)
	}
}

// expand returns the feature for each of its windows: under its own name where it has one window at most that is not in
// a list, else with the window's text behind. In a ratio over windows the operands' names get it too.
func (r *featureReader) expand() []view.FeatureSpec {
	if _, decays := r.parts["horizon"]; decays {
		r.spec.Window = r.decayWindow()
		return []view.FeatureSpec{r.place(r.spec, r.parts["horizon"])}
	}
	if _, list := r.parts["windows"]; !list {
		if len(r.windows) == 1 {
			r.spec.Window = r.hopped(r.windows[0])
		}
		return []view.FeatureSpec{r.place(r.spec, r.parts["window"])}
	}
	var out []view.FeatureSpec
	for _, w := range r.windows {
		f := r.spec
		f.Name += "_" + w.text
		f.Window = r.hopped(w)
		if f.Ratio != nil { // its window is that of its operands
			f.Ratio = &view.RatioSpec{Num: f.Ratio.Num + "_" + w.text, Den: f.Ratio.Den + "_" + w.text, Alpha: f.Ratio.Alpha, Prior: f.Ratio.Prior}
			f.Window = window.All
		}
		out = append(out, r.place(f, w.node))
	}
	return out
}

// place remembers where the parts of a feature stand, under the name that the compiler knows it by.
func (r *featureReader) place(f view.FeatureSpec, at *yaml.Node) view.FeatureSpec {
	r.at.set(f.Name, "", r.key)
	for part, n := range r.parts {
		r.at.set(f.Name, part, n)
	}
	if at != nil {
		r.at.set(f.Name, "window", at)
	}
	return f
}

func (r *featureReader) readWindow(n *yaml.Node) {
	if w, ok := r.window(n); ok {
		r.windows = []windowText{w}
	}
}

func (r *featureReader) readWindows(n *yaml.Node) {
	elements := r.list(n, "windows", "list them: [1h, 24h, all]")
	if n.Kind == yaml.SequenceNode && len(elements) == 0 {
		r.fault(n, "list at least one, such as [7d, all]", "feature %s: no windows", r.key.Value)
	}
	r.windows = nil
	for _, c := range elements {
		w, ok := r.window(c)
		if !ok {
			continue
		}
		for _, o := range r.windows {
			if o.text == w.text {
				r.fault(c, "remove one", "feature %s: window %s stands twice", r.key.Value, w.text)
				ok = false
			}
		}
		if ok {
			r.windows = append(r.windows, w)
		}
	}
}

func (r *featureReader) window(n *yaml.Node) (windowText, bool) {
	if n.Kind == yaml.ScalarNode && n.Value == "all" {
		return windowText{node: n, text: n.Value}, true
	}
	length := r.duration(n, "a window")
	if length == 0 && n.Kind == yaml.ScalarNode {
		if _, ok := ParseDuration(n.Value); ok {
			r.fault(n, "write all for all time", "feature %s: a window of no length", r.key.Value)
		}
	}
	return windowText{node: n, text: n.Value, w: window.Window{Length: length}}, length > 0
}

// hopped gives a window its hop: the declared one, else the usual one of its length.
func (r *featureReader) hopped(t windowText) window.Window {
	w := t.w
	if w.Length == 0 {
		return w
	}
	w.Hop = r.hop
	if _, declared := r.parts["hop"]; !declared {
		w.Hop = operator.DefaultHop(r.spec.Op, w.Length)
	}
	if w.Validate() == nil {
		return w
	}
	at := r.parts["hop"]
	if at == nil {
		at = t.node
	}
	cure := hopCure(w)
	if w.Hop != window.DefaultHop(w.Length) && r.parts["hop"] == nil {
		cure = "write a window that is a multiple of " + FormatDuration(w.Hop) // of the operator, which takes no other hop
	}
	r.fault(at, cure, "feature %s: a hop of %s does not divide both the window %s and the day", r.key.Value, FormatDuration(w.Hop), t.text)
	return window.Window{Length: w.Length, Hop: w.Length} // judged already
}

// hopCure proposes the longest hop that fits and is not longer than the one that does not.
func hopCure(w window.Window) string {
	for _, hop := range roundHops {
		if hop <= max(w.Hop, window.Second) && w.Length%hop == 0 {
			return "write hop: " + FormatDuration(hop)
		}
	}
	return "use a window of whole seconds"
}

// roundHops are the hops that people think of, from the longest. Each divides the day.
var roundHops = []int64{
	window.Day, 12 * window.Hour, 6 * window.Hour, 4 * window.Hour, 3 * window.Hour, 2 * window.Hour, window.Hour,
	30 * window.Minute, 15 * window.Minute, 10 * window.Minute, 5 * window.Minute, 2 * window.Minute, window.Minute,
	30 * window.Second, 15 * window.Second, 10 * window.Second, 5 * window.Second, 2 * window.Second, window.Second,
}

// decayWindow is the window of decaying weights: their hop follows from the half-life and must divide the horizon.
func (r *featureReader) decayWindow() window.Window {
	w := window.Window{Length: r.horizon, Hop: window.DecayHop(r.spec.HalfLife)}
	if r.spec.HalfLife == 0 || w.Validate() == nil {
		return w
	}
	up := (w.Length/w.Hop + 1) * w.Hop
	r.fault(r.parts["horizon"], "write horizon: "+FormatDuration(up),
		"feature %s: with a half-life of %s weights decay every %s, which does not divide the horizon", r.key.Value, FormatDuration(r.spec.HalfLife), FormatDuration(w.Hop))
	return w
}
