package service

import (
	"strconv"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/authz"
)

// appendDecisions writes what the audit record says of how a call was decided: for each access that was decided, the
// last being the one that was denied if any was, what it was and which policy decided it.
func appendDecisions(b []byte, accesses []authz.Access, decisions []authz.Decision) []byte {
	if len(decisions) == 0 {
		return b
	}
	b = append(b, '[')
	for i, d := range decisions {
		x := &accesses[i]
		b = append(api.AppendText(append(b, `{"action":`...), x.Action), `,"resource":`...)
		b = append(api.AppendText(b, x.Resource), `,"allowed":`...)
		b = append(strconv.AppendBool(b, d.Allowed), `,"layer":"`...)
		b = append(append(b, d.Layer.String()...), '"')
		if d.Policy != "" {
			b = api.AppendText(append(b, `,"policy":`...), d.Policy)
		}
		if d.Statement >= 0 {
			b = strconv.AppendInt(append(b, `,"statement":`...), int64(d.Statement), 10)
		}
		if d.Grant != "" {
			b = append(append(append(b, `,"grant":"`...), d.Grant...), '"')
		}
		b = append(b, '}', ',')
	}
	b[len(b)-1] = ']'
	return b
}
