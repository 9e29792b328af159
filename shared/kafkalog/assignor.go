package kafkalog

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/segmentio/kafka-go"
)

// assignorName is the protocol under which members of a group find that they agree on the assignor. A change of its
// outcome needs another name, or old and new members would disagree.
const assignorName = "tidemark-rendezvous-1"

// rendezvous gives each partition to the member that ranks highest by a hash of partition and the member's stable name,
// with each topic shared out evenly. The outcome depends on the set of names only, so a member that is restarted under
// its name gets its partitions back, and one that joins or leaves moves few of the others'.
type rendezvous struct{ instance string }

// ProtocolName is what the members agree by.
func (r rendezvous) ProtocolName() string { return assignorName }

// UserData tells the other members our stable name.
func (r rendezvous) UserData() ([]byte, error) { return []byte(r.instance), nil }

// AssignGroups shares out all partitions of all topics.
func (r rendezvous) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	out := kafka.GroupMemberAssignments{}
	byTopic := map[string][]int{}
	for _, p := range partitions {
		byTopic[p.Topic] = append(byTopic[p.Topic], p.ID)
	}
	for _, m := range members {
		out[m.ID] = map[string][]int{}
	}
	for topic, ids := range byTopic {
		readers := slices.DeleteFunc(slices.Clone(members), func(m kafka.GroupMember) bool {
			return !slices.Contains(m.Topics, topic)
		})
		slices.SortFunc(readers, func(a, b kafka.GroupMember) int {
			return cmp.Or(bytes.Compare(a.UserData, b.UserData), cmp.Compare(a.ID, b.ID))
		})
		slices.Sort(ids)
		for i, owner := range share(topic, ids, readers) {
			out[readers[owner].ID][topic] = append(out[readers[owner].ID][topic], ids[i])
		}
	}
	return out
}

// share returns, for each partition, the index of its owner among members. Each member gets as many as another, or one
// more: the extra ones go to those that rank high for the partitions that are dealt last.
func share(topic string, ids []int, members []kafka.GroupMember) []int {
	if len(members) == 0 {
		return nil
	}
	least, extra := len(ids)/len(members), len(ids)%len(members)
	load := make([]int, len(members))
	owners := make([]int, len(ids))
	for i, id := range ids {
		best := -1
		for m := range members {
			full := load[m] > least || load[m] == least && extra == 0
			if !full && (best < 0 || rank(topic, id, members[m].UserData) > rank(topic, id, members[best].UserData)) {
				best = m
			}
		}
		if load[best] == least {
			extra--
		}
		load[best]++
		owners[i] = best
	}
	return owners
}

// rank is the hash that members compete with for a partition. SHA-256 needs no thought about its quality, and
// rebalances are rare.
func rank(topic string, partition int, instance []byte) uint64 {
	b := binary.BigEndian.AppendUint32(nil, uint32(partition))
	b = binary.BigEndian.AppendUint32(b, uint32(len(topic)))
	b = append(append(b, topic...), instance...)
	sum := sha256.Sum256(b)
	return binary.BigEndian.Uint64(sum[:])
}
