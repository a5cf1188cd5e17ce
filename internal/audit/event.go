package audit

import (
	"strconv"
	"time"

	"github.com/trent-kms/trent/internal/caller"
)

// Bounds of what one event stores. The texts are cut at CloudTrail's limit (CloudTrail User Guide, record contents).
const (
	// MaxTextBytes bounds each text (user agent, error message, ARN …); longer ones are cut at a character.
	MaxTextBytes = 1 << 10
	// MaxDetailBytes bounds each JSON member as it is written, escapes included; a longer one is replaced by
	// {"omitted":true,"originalSize":n}. So no caller can make a request too large to be recorded, and all five members
	// with the texts that a caller chooses come to less than 512 KiB: a small request cannot fill the disk by being
	// written down.
	MaxDetailBytes = 64 << 10
)

// ServiceEvent is the EventType of what the service does by itself: a due rotation, a deletion, an expiry.
const ServiceEvent = "AwsServiceEvent"

// internalOrigin is where CloudTrail says that a service event came from.
const internalOrigin = "AWS Internal"

// Event is one CloudTrail record, filled as a request goes and written once at its end (CloudTrail User Guide, record
// contents; version 1.11). Empty texts of optional members are left out. It must hold no plaintext, ciphertext, key
// material, signature or grant token: the members of JSON type are the operation's own selection, never a body as it
// came.
type Event struct {
	ID        string        // eventID; "" is a fresh random UUID
	RequestID string        // x-amzn-RequestId of the answer
	Time      time.Time     // eventTime, written in UTC to the second
	Source    string        // eventSource: kms.amazonaws.com
	Name      string        // eventName: the operation
	Region    string        // awsRegion of the call
	Account   string        // recipientAccountId: the account whose log this is
	Caller    caller.Caller // userIdentity; not used for a ServiceEvent
	SourceIP  string        // sourceIPAddress
	UserAgent string
	TLS       *TLSDetails // nil on a plain connection

	ErrorCode    string // both "" on success, else those of the answer
	ErrorMessage string

	// Valid JSON in lowerCamelCase; nil is null, or no member for the last two.
	RequestParameters   []byte
	ResponseElements    []byte
	AdditionalEventData []byte
	ServiceEventDetails []byte
	// Defaults are the names of those request parameters that were not sent, and that conditions look at. A member of our own.
	Defaults []string
	// Authorization says how the call was decided: JSON, a member of our own beside CloudTrail's. nil leaves it out.
	Authorization []byte

	// EndpointID is the VPC endpoint that the request came through (vpcEndpointId); "" is left out.
	EndpointID string

	ReadOnly  bool
	Resources []Resource // keys and aliases the call touched, in the operation's order
	EventType string     // "" is AwsApiCall; or ServiceEvent
}

// Resource is a key or an alias that an event is about.
type Resource struct {
	ARN       string
	AccountID string
	Type      string // AWS::KMS::Key, AWS::KMS::Alias; "" is left out
}

// TLSDetails says how the caller's connection was protected.
type TLSDetails struct {
	Version     string // TLSv1.3
	CipherSuite string // TLS_AES_128_GCM_SHA256
	KeyExchange string // X25519MLKEM768; "" is left out
	HostHeader  string // clientProvidedHostHeader
}

// AppendJSON appends the event as one JSON object without line breaks, as AWS orders its members. Whatever the texts
// hold, the result is valid JSON with all control characters escaped. It is safe for concurrent use while nobody
// changes e; an event without ID gets another one at each call.
func (e *Event) AppendJSON(b []byte) []byte {
	service := e.EventType == ServiceEvent
	b = append(b, `{"eventVersion":"1.11","userIdentity":`...)
	b = e.appendIdentity(b, service)
	b = append(b, `,"eventTime":"`...)
	b = e.Time.UTC().AppendFormat(b, time.RFC3339) // the Z of UTC, no fraction
	b = append(b, '"')
	b = appendMember(b, "eventSource", e.Source)
	b = appendMember(b, "eventName", e.Name)
	b = appendMember(b, "awsRegion", e.Region)
	b = e.appendOrigin(b, service)
	b = appendOptional(b, "errorCode", e.ErrorCode)
	b = appendOptional(b, "errorMessage", e.ErrorMessage)
	b = appendDetail(b, "requestParameters", e.RequestParameters)
	b = appendDetail(b, "responseElements", e.ResponseElements)
	if len(e.AdditionalEventData) > 0 {
		b = appendDetail(b, "additionalEventData", e.AdditionalEventData)
	}
	b = appendOptional(b, "requestID", e.RequestID)
	b = e.appendID(b)
	b = append(b, `,"readOnly":`...)
	b = strconv.AppendBool(b, e.ReadOnly)
	b = e.appendResources(b)
	b = appendOptional(b, "vpcEndpointId", e.EndpointID)
	b = appendMember(b, "eventType", orDefault(e.EventType, "AwsApiCall"))
	b = append(b, `,"managementEvent":true`...)
	b = appendMember(b, "recipientAccountId", e.Account)
	if len(e.ServiceEventDetails) > 0 {
		b = appendDetail(b, "serviceEventDetails", e.ServiceEventDetails)
	}
	b = append(b, `,"eventCategory":"Management"`...)
	b = e.TLS.appendJSON(b)
	if len(e.Defaults) > 0 {
		b = append(b, `,"defaults":`...)
		b = appendTexts(b, e.Defaults)
	}
	if len(e.Authorization) > 0 {
		b = appendDetail(b, "authorization", e.Authorization)
	}
	return append(b, '}')
}

func (e *Event) appendOrigin(b []byte, service bool) []byte {
	if service {
		b = appendMember(b, "sourceIPAddress", internalOrigin)
		return appendMember(b, "userAgent", internalOrigin)
	}
	b = appendMember(b, "sourceIPAddress", e.SourceIP)
	return appendMember(b, "userAgent", e.UserAgent)
}

func (e *Event) appendID(b []byte) []byte {
	if e.ID != "" {
		return appendMember(b, "eventID", e.ID)
	}
	b = append(b, `,"eventID":"`...)
	return append(appendUUID(b), '"')
}

func (e *Event) appendResources(b []byte) []byte {
	b = append(b, `,"resources":[`...)
	for i, r := range e.Resources {
		if i > 0 {
			b = append(b, ',')
		}
		open := len(b)
		b = appendMember(b, "accountId", r.AccountID)
		b = appendOptional(b, "type", r.Type)
		b = appendMember(b, "ARN", r.ARN)
		b[open] = '{'
		b = append(b, '}')
	}
	return append(b, ']')
}

func (t *TLSDetails) appendJSON(b []byte) []byte {
	if t == nil {
		return b
	}
	b = append(b, `,"tlsDetails":`...)
	open := len(b)
	b = appendMember(b, "tlsVersion", t.Version)
	b = appendMember(b, "cipherSuite", t.CipherSuite)
	b = appendOptional(b, "keyExchange", t.KeyExchange)
	b = appendMember(b, "clientProvidedHostHeader", t.HostHeader)
	b[open] = '{'
	return append(b, '}')
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}
