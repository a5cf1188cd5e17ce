package hsm

import (
	"encoding/binary"
	"slices"
)

// encodeContext returns the canonical form of an encryption context:
//
//	number of pairs (4) ‖ for each pair, in ascending byte order of the keys: length (4) ‖ key ‖ length (4) ‖ value
//
// Two contexts have one form only if they have the same pairs, for the form can be read back: the count and the lengths
// say where everything ends. Strings are taken byte for byte, without Unicode normalisation, as AWS compares them. nil
// and empty are the same.
func encodeContext(context map[string]string) []byte {
	var few [8]string // keeps the usual handful of keys off the heap
	keys := few[:0]
	size := 4
	for k, v := range context {
		keys = append(keys, k)
		size += 4 + len(k) + 4 + len(v)
	}
	slices.Sort(keys)
	out := binary.BigEndian.AppendUint32(make([]byte, 0, size), uint32(len(keys)))
	for _, k := range keys {
		out = appendString(out, k)
		out = appendString(out, context[k])
	}
	return out
}
