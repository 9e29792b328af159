package schema_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/shared/schema"
)

func TestCheckTopic(t *testing.T) {
	first := schema.Topic{Name: "cars", ID: "AAAAAAAAAAAAAAAAAAAAAQ"}
	again := schema.Topic{Name: "cars", ID: "AAAAAAAAAAAAAAAAAAAAAg"}
	other := schema.Topic{Name: "trips", ID: "AAAAAAAAAAAAAAAAAAAAAw"}
	for _, same := range [][2]schema.Topic{{first, first}, {first, {}}, {{}, first}, {}} {
		if err := schema.CheckTopic("events", "the archive a", same[0], same[1]); err != nil {
			t.Errorf("%+v and %+v: %v", same[0], same[1], err)
		}
	}
	for now, cause := range map[schema.Topic]string{again: "created again", other: "pointed at another"} {
		err := schema.CheckTopic("events", "the archive a", first, now)
		if !errors.Is(err, schema.ErrTopic) {
			t.Fatalf("%+v: %v", now, err)
		}
		for _, want := range []string{"source events", "the archive a", first.Name, first.ID, now.Name, now.ID, cause, "empty archive"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q does not say %q", err, want)
			}
		}
	}
	if !first.Valid() || (schema.Topic{Name: "cars", ID: "AQ"}).Valid() || (schema.Topic{ID: first.ID}).Valid() {
		t.Error("a topic is valid with a name and an id of 22 characters")
	}
}
