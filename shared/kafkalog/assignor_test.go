package kafkalog

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/segmentio/kafka-go"
)

// assign returns the parts of one topic by instance.
func assign(instances []string, partitions int, ids func(i int) string) map[string][]int {
	var members []kafka.GroupMember
	name := map[string]string{}
	for i, in := range instances {
		members = append(members, kafka.GroupMember{ID: ids(i), Topics: []string{"t"}, UserData: []byte(in)})
		name[ids(i)] = in
	}
	var ps []kafka.Partition
	for p := range partitions {
		ps = append(ps, kafka.Partition{Topic: "t", ID: p})
	}
	out := map[string][]int{}
	for id, topics := range (rendezvous{}).AssignGroups(members, ps) {
		out[name[id]] = topics["t"]
	}
	return out
}

// TestAssignment: each partition once, evenly, the same whatever the order and the ids of the members.
func TestAssignment(t *testing.T) {
	rng := seeded(t)
	for range 200 {
		n, partitions := 1+rng.IntN(8), rng.IntN(40)
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf("instance-%d", i))
		}
		got := assign(names, partitions, func(i int) string { return fmt.Sprint("id", i) })
		var all []int
		for name, part := range got {
			if len(part) < partitions/n || len(part) > (partitions+n-1)/n {
				t.Errorf("%d members, %d partitions: %s has %d", n, partitions, name, len(part))
			}
			all = append(all, part...)
		}
		slices.Sort(all)
		if len(all) != partitions || len(slices.Compact(all)) != partitions {
			t.Errorf("%d members, %d partitions: dealt out %v", n, partitions, all)
		}
		rng.Shuffle(n, func(i, j int) { names[i], names[j] = names[j], names[i] })
		again := assign(names, partitions, func(i int) string { return fmt.Sprint("other", 100-i) })
		if !reflect.DeepEqual(got, again) {
			t.Errorf("%d members, %d partitions: %v, in another order %v", n, partitions, got, again)
		}
	}
}

// TestAssignmentMovesLittle: a member that leaves moves its own share and not many of the others'.
func TestAssignmentMovesLittle(t *testing.T) {
	const n, partitions = 8, 64
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("instance-%d", i))
	}
	id := func(i int) string { return fmt.Sprint("id", i) }
	before, after := assign(names, partitions, id), assign(names[:n-1], partitions, id)
	moved := 0
	for _, name := range names[:n-1] {
		for _, p := range before[name] {
			if !slices.Contains(after[name], p) {
				moved++
			}
		}
	}
	if limit := partitions / 3; moved > limit {
		t.Errorf("%d partitions moved between members that stayed, want at most %d", moved, limit)
	}
}

// TestAssignmentBySubscription: a member gets nothing of a topic that it does not read, and a topic without readers is
// nobody's.
func TestAssignmentBySubscription(t *testing.T) {
	got := rendezvous{}.AssignGroups([]kafka.GroupMember{
		{ID: "a", Topics: []string{"x"}, UserData: []byte("a")},
		{ID: "b", Topics: []string{"x", "y"}, UserData: []byte("b")},
	}, []kafka.Partition{{Topic: "x", ID: 0}, {Topic: "y", ID: 0}, {Topic: "y", ID: 1}, {Topic: "z", ID: 0}})
	if len(got["a"]["y"]) != 0 || !slices.Equal(got["b"]["y"], []int{0, 1}) {
		t.Errorf("topic y is dealt out as %v", got)
	}
	if len(got["a"]["z"])+len(got["b"]["z"]) != 0 || len(got["a"]["x"])+len(got["b"]["x"]) != 1 {
		t.Errorf("topics are dealt out as %v", got)
	}
}
