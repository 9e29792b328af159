// Package compare holds samples of two generations of a view against each other, feature by feature, while events flow.
//
// Two rows can be compared when both hold the same events. That is known from their marks and their own last positions:
// in every partition that both views read, no event of the entity lies at or past where one of the two claims to be. A
// row that moves is read again; one that never rests is counted and not judged.
//
// Two generations of one revision must have equal states, byte for byte; of two revisions it is shown which features
// differ, and where. The package knows marks, rows and plans. It changes nothing and knows no journal.
package compare
