package service

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/caller"
)

// The memory of a request goes on to somebody else's: nothing may go with it.
func TestNothingOfARequestStaysInItsMemory(t *testing.T) {
	p := New(Config{})
	x := &exchange{body: bytes.Repeat([]byte("secret"), 100)[:50]} // a body that was cut off: its rest is there too
	x.call = Call{Caller: caller.RootOf("111122223333", "AKIA"), Region: "us-east-1", RequestID: "id", Event: &x.event}
	x.event = audit.Event{
		RequestID: "id", ErrorCode: "E", ErrorMessage: "m", RequestParameters: []byte(`{"keyId":"k"}`), ResponseElements: []byte("{}"),
		AdditionalEventData: []byte("{}"), Caller: x.call.Caller, TLS: &audit.TLSDetails{},
		Resources: []audit.Resource{{ARN: "arn:aws:kms:us-east-1:111122223333:key/k"}, {ARN: "another"}}[:1],
	}
	body, resources := x.body, x.event.Resources
	p.release(x)
	if all := body[:cap(body)]; slices.ContainsFunc(all, func(b byte) bool { return b != 0 }) {
		t.Errorf("the body still holds %q", all)
	}
	if resources[0] != (audit.Resource{}) {
		t.Errorf("the resources still hold %+v", resources[0])
	}
	if len(x.body) != 0 || len(x.event.RequestParameters) != 0 || len(x.event.Resources) != 0 {
		t.Errorf("lengths %d, %d, %d; want 0", len(x.body), len(x.event.RequestParameters), len(x.event.Resources))
	}
	x.body, x.event.RequestParameters, x.event.Resources = nil, nil, nil
	if !reflect.DeepEqual(*x, exchange{}) {
		t.Errorf("still there: %+v", *x)
	}
}
