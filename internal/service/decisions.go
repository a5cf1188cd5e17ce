package service

import (
	"strconv"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/authz"
)

// appendDecisions writes what the audit record says of how a call was decided: for each access what it was and which policy
// decided it. After one that was denied there may be others, which were not decided any more.
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
	for i := len(decisions); i < len(accesses); i++ {
		b = append(api.AppendText(append(b, `{"action":`...), accesses[i].Action), `,"resource":`...)
		b = append(api.AppendText(b, accesses[i].Resource), `,"allowed":false,"undecided":true},`...)
	}
	b[len(b)-1] = ']'
	return b
}
