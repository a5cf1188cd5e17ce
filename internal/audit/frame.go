package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
)

// A line is the event's JSON object with one more member at its end:
//
//	{"eventVersion":…,"trent":{"sequence":42,"synced":40,"chain":"<64 hex digits>"}}⏎
//
// sequence counts from 1 over the whole log. synced is the last record that was known to be on disk when this line was
// written; it is what tells a torn tail from damage. chain is SHA-256 over the raw chain value of the record before
// (32 zero bytes before the first) and this line from its first byte through the quote before the chain's digits.
const (
	framePrefix = `,"trent":{"sequence":`
	frameSynced = `,"synced":`
	frameChain  = `,"chain":"`
	frameEnd    = `"}}`
	chainDigits = 2 * sha256.Size
	// maxLineBytes bounds a line, for readers; the bounds of an event's members keep it far below, but their number
	// (resources) has none.
	maxLineBytes = 32 << 20
)

// framer frames events one after another.
type framer struct {
	last   uint64 // sequence of the last record
	synced uint64 // last record known to be on disk
	chain  [sha256.Size]byte
	hash   hash.Hash
}

// newFramer frames the first record of a log.
func newFramer() framer { return framer{hash: sha256.New()} }

// append appends event as the next record's line to b.
func (f *framer) append(b, event []byte) []byte {
	f.last++
	start := len(b)
	b = append(b, event[:len(event)-1]...)
	b = append(b, framePrefix...)
	b = strconv.AppendUint(b, f.last, 10)
	b = append(b, frameSynced...)
	b = strconv.AppendUint(b, f.synced, 10)
	b = append(b, frameChain...)
	f.advance(b[start:])
	b = hex.AppendEncode(b, f.chain[:])
	b = append(b, frameEnd...)
	return append(b, '\n')
}

// advance makes chain the chain value of a record, given its line up to that value.
func (f *framer) advance(line []byte) {
	f.hash.Reset()
	f.hash.Write(f.chain[:])
	f.hash.Write(line)
	f.hash.Sum(f.chain[:0])
}

// frame is what the end of a line says.
type frame struct {
	sequence, synced uint64
	chain            [sha256.Size]byte
	hashed           int // bytes of the line under the chain hash
}

// parseFrame reads the end of a line without its line break. It looks at nothing else, so that it can also read the
// end of a line whose beginning is lost.
func parseFrame(line []byte) (frame, bool) {
	var f frame
	rest, ok := bytes.CutSuffix(line, []byte(frameEnd))
	if !ok || len(rest) < chainDigits {
		return frame{}, false
	}
	f.hashed = len(rest) - chainDigits
	if _, err := hex.Decode(f.chain[:], rest[f.hashed:]); err != nil || bytes.ContainsAny(rest[f.hashed:], "ABCDEF") {
		return frame{}, false
	}
	rest, ok = bytes.CutSuffix(rest[:f.hashed], []byte(frameChain))
	if !ok {
		return frame{}, false
	}
	if rest, f.synced, ok = cutNumber(rest, frameSynced); !ok {
		return frame{}, false
	}
	if _, f.sequence, ok = cutNumber(rest, framePrefix); !ok {
		return frame{}, false
	}
	return f, true
}

// cutNumber removes name and a number after it from the end of b.
func cutNumber(b []byte, name string) ([]byte, uint64, bool) {
	i := len(b)
	for i > 0 && len(b)-i < 20 && b[i-1] >= '0' && b[i-1] <= '9' {
		i--
	}
	n, err := strconv.ParseUint(string(b[i:]), 10, 64)
	rest, ok := bytes.CutSuffix(b[:i], []byte(name))
	return rest, n, ok && err == nil
}
