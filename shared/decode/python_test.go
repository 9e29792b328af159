package decode_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
)

// The page docs/decoding.md was written down a third time, in Python's standard library: whoever wants to judge
// tidemark from outside must be able to say what a record means.
func TestPythonAgrees(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 on this machine; install it to compare the decoder with testdata/decoding/decode.py")
	}
	cases := readCases(t)
	src := wide()
	for seed := range uint64(1_500) {
		cases = append(cases, decision{Name: "random", Source: src, Base64: newGenerator(seed).document(), Append: 500_000})
	}
	var in bytes.Buffer
	for i := range cases {
		in.Write(marshal(t, &cases[i]))
		in.WriteByte('\n')
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join(filepath.Dir(casesFile), "decode.py"))
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != len(cases) {
		t.Fatalf("%d answers to %d cases", len(lines), len(cases))
	}
	for i := range cases {
		got, want := generic(t, lines[i]), generic(t, marshal(t, decideOne(t, &cases[i])))
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %q\npython %v\n    go %v", cases[i].Name, cases[i].value(), got, want)
		}
	}
}

func generic(t *testing.T, text []byte) (v any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}
