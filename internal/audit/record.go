package audit

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Record is what was written down of a call, read back: the members that say who asked for what, and how it was decided.
type Record struct {
	Time        time.Time      `json:"eventTime"`
	Source      string         `json:"eventSource"`
	Name        string         `json:"eventName"`
	Region      string         `json:"awsRegion"`
	SourceIP    string         `json:"sourceIPAddress"`
	UserAgent   string         `json:"userAgent"`
	RequestID   string         `json:"requestID"`
	EventType   string         `json:"eventType"`
	Account     string         `json:"recipientAccountId"`
	ErrorCode   string         `json:"errorCode"`
	Message     string         `json:"errorMessage"`
	EndpointID  string         `json:"vpcEndpointId"`
	Parameters  jsontext.Value `json:"requestParameters"`
	Response    jsontext.Value `json:"responseElements"`
	Additional  jsontext.Value `json:"additionalEventData"`
	TLS         jsontext.Value `json:"tlsDetails"`
	Identity    RecordIdentity `json:"userIdentity"`
	Defaults    []string       `json:"defaults"` // names of those parameters that were not sent
	Authorized  []Authorized   `json:"-"`
	Authorizing jsontext.Value `json:"authorization"`
}

// RecordIdentity is userIdentity (CloudTrail User Guide, "CloudTrail userIdentity element").
type RecordIdentity struct {
	Type          string `json:"type"`
	PrincipalID   string `json:"principalId"`
	ARN           string `json:"arn"`
	AccountID     string `json:"accountId"`
	AccessKeyID   string `json:"accessKeyId"`
	UserName      string `json:"userName"`
	InvokedBy     string `json:"invokedBy"`
	SourceARN     string `json:"sourceArn"`
	SourceAccount string `json:"sourceAccount"`
	// Session is nil for long-term credentials.
	Session *RecordSession `json:"sessionContext"`
}

// RecordSession is what is recorded of temporary credentials.
type RecordSession struct {
	Attributes struct {
		Created string `json:"creationDate"`
		MFA     string `json:"mfaAuthenticated"`
	} `json:"attributes"`
	Issuer struct {
		PrincipalID string `json:"principalId"`
		ARN         string `json:"arn"`
		UserName    string `json:"userName"`
	} `json:"sessionIssuer"`
	SourceIdentity string `json:"sourceIdentity"`
	WebIdentity    struct {
		Provider string `json:"federatedProvider"`
	} `json:"webIdFederationData"`
}

// Authorized is one decision of a call, as it was written down.
type Authorized struct {
	Action    string `json:"action"`
	Resource  string `json:"resource"`
	Allowed   bool   `json:"allowed"`
	Undecided bool   `json:"undecided,omitzero"` // something before it was denied
	Layer     string `json:"layer"`
	Policy    string `json:"policy"`
	Statement *int   `json:"statement"`
	Grant     string `json:"grant"`
}

// ParseRecord reads a line of the log.
func ParseRecord(line []byte) (*Record, error) {
	r := new(Record)
	if err := json.Unmarshal(line, r); err != nil {
		return nil, fmt.Errorf("audit: reading a record: %w", err)
	}
	if r.Authorizing.Kind() == '[' { // not an object that says that it was too long
		if err := json.Unmarshal(r.Authorizing, &r.Authorized); err != nil {
			return nil, fmt.Errorf("audit: reading a record's decisions: %w", err)
		}
	}
	return r, nil
}
