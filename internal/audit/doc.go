// Package audit keeps the record of calls: CloudTrail-shaped events in an append-only, segmented log on local disk. A
// record is written before the answer of its call leaves, and a call whose record cannot be written fails.
//
// There is a record of each call that is signed by a known key for this service and a Region it serves, and whose
// operation this version of Trent has, whether the call succeeded or was refused. What is turned away before that leaves
// none: requests that are unsigned or wrongly signed, signed for another service or Region, too large, or malformed; and
// signed calls of operations that do not exist or are not built.
//
// A segment is a file of JSON objects, one a line, so jq, grep and CloudTrail tools read it as it is. Each object ends
// in a member of ours, "trent", with the record's sequence number, how far the log was on disk, and a hash that chains
// it to the record before it; docs/formats.md draws it. With these a torn tail, which a crash may leave and nobody was
// promised, is told apart from damage to records that were acknowledged: the one is cut, the other is refused.
package audit
