package manifest_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/manifest"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/view"
)

func sample() *manifest.Manifest {
	events := position.Partition{Source: "events", ID: 3}
	gen := func(number int64, identity string, state manifest.State) manifest.Generation {
		return manifest.Generation{
			Identity: identity, Number: number, Revision: "r1", State: state, Lanes: 16,
			Spec:   view.Spec{Job: "shop", Name: "user", Sources: []schema.Source{{Name: "events"}}},
			Blocks: map[string]int64{"events": 2048},
			Origin: position.Cut{events: 100}, Run: 2, Cut: position.Cut{events: 4096},
			Topics: map[string]schema.Topic{"events": {Name: "shop-events", ID: "AAAAAAAAAAAAAAAAAAAAAQ"}},
		}
	}
	return &manifest.Manifest{Seq: 7, Job: "shop", View: "user", Generations: []manifest.Generation{
		gen(1, "aaaaaaaaaa", manifest.Kept), gen(2, "bbbbbbbbb2", manifest.Served), gen(3, "ccccccccc7", manifest.Building),
	}}
}

func TestRoundTrip(t *testing.T) {
	m := sample()
	b, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := manifest.Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Encode()
	if err != nil || !bytes.Equal(b, again) {
		t.Fatalf("%v\n%s\n%s", err, b, again)
	}
	if g := back.Served(); g == nil || g.Number != 2 || back.Namespace(g) != "shop:user:bbbbbbbbb2" {
		t.Fatalf("served %+v", g)
	}
	if g := back.Generation("ccccccccc7"); g == nil || len(back.LaneIDs(g)) != 16 {
		t.Fatalf("generation %+v", g)
	}
	if back.Generation("zzzzzzzzzz") != nil {
		t.Fatal("found a generation that is not there")
	}
}

// Every single changed byte is noticed: either the checksum or the strict reader refuses it.
func TestDamageIsRefused(t *testing.T) {
	b, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 4
		if _, err := manifest.Decode(bad); err == nil {
			t.Fatalf("byte %d of %d changed from %q to %q, and nobody noticed", i, len(b), b[i], bad[i])
		}
		if _, err := manifest.Decode(b[:i]); err == nil && i < len(b)-1 {
			t.Fatalf("cut at %d of %d, and nobody noticed", i, len(b))
		}
	}
}

func TestUnknownCodecIsRefused(t *testing.T) {
	b, err := sample().Encode()
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte(`"codec":2`), []byte(`"codec":3`), 1)
	if _, err := manifest.Decode(b); !errors.Is(err, manifest.ErrCodec) {
		t.Fatalf("got %v", err)
	}
}

func TestValidateNamesEveryFault(t *testing.T) {
	m := sample()
	m.Seq = 0
	m.Generations[0].State = manifest.Served
	m.Generations[1].Lanes = 3
	m.Generations[2].Number = 2
	m.Generations[2].Identity = "UPPER"
	m.Generations[2].Blocks = map[string]int64{"other": 3}
	m.Generations[2].Cut = nil
	err := m.Validate()
	for _, want := range []string{"seq 0", "2 generations are served", "3 lanes", "2 follows 2", `"UPPER"`, "block size 3", "no block size", "before origin"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if _, err := m.Encode(); !errors.Is(err, manifest.ErrInvalid) {
		t.Fatalf("got %v", err)
	}
}

func TestIdentity(t *testing.T) {
	id := manifest.NewIdentity([manifest.IdentityLength]byte{0, 25, 26, 31, 255, 32, 1, 2, 3, 4})
	if id != "az277abcde" || !manifest.ValidIdentity(id) {
		t.Fatalf("got %q", id)
	}
	for _, bad := range []string{"", "az277abcd", "az277abcdef", "az177abcde", "az877abcde", "aZ277abcde"} {
		if manifest.ValidIdentity(bad) {
			t.Errorf("%q passes", bad)
		}
	}
}
