package iam

import (
	"github.com/go-json-experiment/json"

	stsapi "github.com/trent-kms/trent/internal/api/sts"
)

// maxPackedBytes bounds the part of a session that its maker chooses the size of: policy, policy ARNs and tags, as the
// token has them. AWS keeps its own bound to itself. With it a token stays under 10 KiB, which clients and proxies take in
// a header.
const maxPackedBytes = 6 << 10

// packed is that part.
type packed struct {
	Policy     string   `json:"p,omitzero"`
	PolicyARNs []string `json:"pa,omitempty"`
	Tags       []Tag    `json:"tg,omitempty"`
	Transitive []string `json:"tt,omitempty"`
}

// packedSize returns how much of the space for policies and tags a session takes, in percent, rounded up; nil if it has
// neither.
func (x *session) packedSize() (*int32, error) {
	if x.Policy == "" && len(x.PolicyARNs) == 0 && len(x.Tags) == 0 {
		return nil, nil
	}
	b, err := json.Marshal(packed{x.Policy, x.PolicyARNs, x.Tags, x.Transitive})
	if err != nil {
		return nil, err
	}
	percent := int32((100*len(b) + maxPackedBytes - 1) / maxPackedBytes)
	switch {
	case percent <= 100:
		return &percent, nil
	case x.Policy == "" && len(x.PolicyARNs) == 0:
		return nil, stsapi.PackedPolicyTooLargeException("Packed size of session tags consumes %d%% of allotted space.", percent)
	}
	return nil, stsapi.PackedPolicyTooLargeException("Packed policy consumes %d%% of allotted space, please use smaller policy.", percent)
}
