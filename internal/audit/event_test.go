package audit

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/caller"
)

// The shapes are those of the samples in the AWS KMS Developer Guide, "AWS KMS log entries" (2026), one per kind of
// record, for the root user.
func TestRecordsHaveTheShapeOfCloudTrails(t *testing.T) {
	const account = "111122223333"
	key := []Resource{{ARN: keyARN, AccountID: account, Type: "AWS::KMS::Key"}}
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.FixedZone("", 3600))
	common := Event{
		ID: "e5c6ec96-0b2d-4d3b-9f1e-1f1d5c1b2a3c", RequestID: "4f1ee0ee-1a2b-4c3d-8e9f-0a1b2c3d4e5f", Time: at,
		Source: "kms.amazonaws.com", Region: "us-west-2", Account: account,
		Caller: caller.RootOf(account, "AKIAIOSFODNN7EXAMPLE"), SourceIP: "192.0.2.0", UserAgent: "aws-cli/2.31",
	}
	const head = `"eventVersion": "1.11", "eventTime": "2026-01-02T02:04:05Z", "eventSource": "kms.amazonaws.com",
		"awsRegion": "us-west-2", "eventID": "e5c6ec96-0b2d-4d3b-9f1e-1f1d5c1b2a3c", "managementEvent": true,
		"eventCategory": "Management", "recipientAccountId": "111122223333", `
	const signed = `"userIdentity": {"type": "Root", "principalId": "111122223333",
			"arn": "arn:aws:iam::111122223333:root", "accountId": "111122223333", "accessKeyId": "AKIAIOSFODNN7EXAMPLE"},
		"sourceIPAddress": "192.0.2.0", "userAgent": "aws-cli/2.31", "eventType": "AwsApiCall",
		"requestID": "4f1ee0ee-1a2b-4c3d-8e9f-0a1b2c3d4e5f", `
	const onKey = `"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN + `"}]`

	tests := []struct {
		name string
		fill func(*Event)
		want string
	}{
		{"cryptographic operation", func(e *Event) {
			e.Name, e.ReadOnly, e.Resources = "Decrypt", true, key
			e.RequestParameters = []byte(`{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"a":"b"}}`)
			e.AdditionalEventData = []byte(`{"keyMaterialId":"96083e4f"}`)
		}, head + signed + onKey + `, "eventName": "Decrypt", "readOnly": true, "responseElements": null,
			"requestParameters": {"encryptionAlgorithm": "SYMMETRIC_DEFAULT", "encryptionContext": {"a": "b"}},
			"additionalEventData": {"keyMaterialId": "96083e4f"}`},

		{"change, over TLS", func(e *Event) {
			e.Name, e.Resources = "CreateAlias", append([]Resource{{
				ARN: "arn:aws:kms:us-west-2:111122223333:alias/app", AccountID: account, Type: "AWS::KMS::Alias",
			}}, key...)
			e.RequestParameters = []byte(`{"aliasName":"alias/app","targetKeyId":"1234abcd"}`)
			e.ResponseElements = []byte(`{"keyId":"` + keyARN + `"}`)
			e.TLS = &TLSDetails{Version: "TLSv1.3", CipherSuite: "TLS_AES_128_GCM_SHA256",
				KeyExchange: "X25519MLKEM768", HostHeader: "kms.us-west-2.amazonaws.com"}
		}, head + signed + `"eventName": "CreateAlias", "readOnly": false,
			"resources": [{"accountId": "111122223333", "type": "AWS::KMS::Alias",
				"ARN": "arn:aws:kms:us-west-2:111122223333:alias/app"},
				{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": "` + keyARN + `"}],
			"requestParameters": {"aliasName": "alias/app", "targetKeyId": "1234abcd"},
			"responseElements": {"keyId": "` + keyARN + `"},
			"tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256",
				"keyExchange": "X25519MLKEM768", "clientProvidedHostHeader": "kms.us-west-2.amazonaws.com"}`},

		{"failure before a key was known", func(e *Event) {
			e.Name, e.ReadOnly = "DescribeKey", true
			e.ErrorCode, e.ErrorMessage = "NotFoundException", "Alias arn:aws:kms:us-west-2:111122223333:alias/x is not found."
			e.RequestParameters = []byte(`{"keyId":"alias/x"}`)
		}, head + signed + `"eventName": "DescribeKey", "readOnly": true, "resources": [], "responseElements": null,
			"errorCode": "NotFoundException",
			"errorMessage": "Alias arn:aws:kms:us-west-2:111122223333:alias/x is not found.",
			"requestParameters": {"keyId": "alias/x"}`},

		{"event of the service itself", func(e *Event) {
			e.Name, e.EventType, e.RequestID, e.Resources = "RotateKey", ServiceEvent, "", key
			e.ServiceEventDetails = []byte(`{"keyId":"1234abcd","rotationType":"AUTOMATIC"}`)
		}, head + onKey + `, "userIdentity": {"accountId": "111122223333", "invokedBy": "AWS Internal"},
			"sourceIPAddress": "AWS Internal", "userAgent": "AWS Internal", "eventName": "RotateKey",
			"eventType": "AwsServiceEvent", "readOnly": false, "requestParameters": null, "responseElements": null,
			"serviceEventDetails": {"keyId": "1234abcd", "rotationType": "AUTOMATIC"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := common
			tt.fill(&e)
			if diff := cmp.Diff(object(t, []byte("{"+tt.want+"}")), object(t, e.AppendJSON(nil))); diff != "" {
				t.Errorf("record differs from the sample (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEachEventWithoutIDGetsItsOwn(t *testing.T) {
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[any]bool{}
	for range 1000 {
		id := object(t, decryptEvent().AppendJSON(nil))["eventID"].(string)
		if !uuid.MatchString(id) || seen[id] {
			t.Fatalf("eventID %s is no new random UUID", id)
		}
		seen[id] = true
	}
}

// hostile are texts that a caller could send to break a record or to disguise it.
var hostile = map[string]string{
	"quotes":            `","errorCode":null,"x":"`,
	"backslashes":       `\\\"\u0022\`,
	"line breaks":       "a\nb\r\nc\u0085d\u2028e\u2029f",
	"every ASCII":       allASCII(),
	"terminal commands": "\x1b[2J\x1b]0;title\x07\u009b31m\x7f",
	"right-to-left":     "user \u202egnp.exe\u2066\u2069",
	"invalid UTF-8":     "\xff\xfe\xc3(\xe2\x82\xf0\x9f\x98 ok",
	"surrogates":        "\xed\xa0\x80\xed\xbf\xbf",
	"long":              strings.Repeat("x", 1<<20),
	"long, wide":        "x" + strings.Repeat("é😀", 1<<18),
	"long, not UTF-8":   strings.Repeat("\x80", 1<<20),
	"a frame of ours":   `,"trent":{"sequence":1,"synced":0,"chain":"` + strings.Repeat("0", 64) + `"}}` + "\n",
	"NUL":               "\x00",
	"eight and more":    `12345678"2345678` + "\x1f" + `234567` + "\x7f" + `é345678\`,
	"emoji and accents": "ünïcödé 🔑 日本語",
}

func allASCII() string {
	var b strings.Builder
	for c := range byte(128) {
		b.WriteByte(c)
	}
	return b.String()
}

func TestHostileTextsStayInsideTheirStrings(t *testing.T) {
	for name, text := range hostile {
		t.Run(name, func(t *testing.T) {
			checkText(t, text)
			checkIdentity(t, text)
		})
	}
}

// callerOf is a caller of a kind whose every text is text.
func callerOf(kind caller.Type, text string) caller.Caller {
	return caller.Caller{
		Type: kind, Account: text, ARN: text, UserID: text, AccessKeyID: text, Name: text, Source: text, ID: text, Forwarder: text,
		SourceARN: text, SourceAccount: text, Session: &caller.Session{SourceIdentity: text, Provider: text},
	}
}

// kinds are all kinds of callers, and one that there is not.
var kinds = []caller.Type{caller.Root, caller.User, caller.Role, caller.Federated, caller.Service, caller.WebIdentity, ""}

// checkIdentity checks the records of callers of all kinds whose every text is text.
func checkIdentity(t *testing.T, text string) {
	t.Helper()
	for _, kind := range kinds {
		e := decryptEvent()
		e.Caller, e.EndpointID = callerOf(kind, text), text
		out := e.AppendJSON(nil)
		if i := strings.IndexFunc(string(out), hidden); i >= 0 {
			t.Fatalf("%s: record holds %q", kind, out[i:i+3])
		}
		if len(out) > maxCallBytes {
			t.Fatalf("%s: record has %d bytes", kind, len(out))
		}
		identity := object(t, out)["userIdentity"].(map[string]any)
		for _, member := range []string{"arn", "principalId", "invokedBy", "sourceArn"} {
			if got, there := identity[member]; there && got != string([]rune(cut(text))) {
				t.Errorf("%s: %s is %q, want %q", kind, member, got, cut(text))
			}
		}
	}
}

// checkText checks the records of an event whose every text and JSON string is text.
func checkText(t *testing.T, text string) {
	t.Helper()
	detail, err := json.Marshal(map[string]string{"k": text, text: "v"})
	if err != nil {
		t.Fatal(err)
	}
	e := decryptEvent()
	e.UserAgent, e.ErrorMessage, e.ErrorCode, e.SourceIP, e.Name, e.ID = text, text, text, text, text, text
	e.TLS = &TLSDetails{HostHeader: text}
	e.Resources = []Resource{{ARN: text}}
	e.RequestParameters = detail
	out := e.AppendJSON(nil)
	for _, r := range string(out) {
		if hidden(r) || r == utf8.RuneError && !strings.ContainsRune(text, utf8.RuneError) {
			t.Fatalf("record holds %q", r)
		}
	}
	if len(out) > maxCallBytes {
		t.Fatalf("record has %d bytes", len(out))
	}
	got := object(t, out)
	want := string([]rune(cut(text))) // each bad byte is one U+FFFD
	if len(cut(text)) > MaxTextBytes {
		t.Errorf("text of %d bytes kept", len(cut(text)))
	}
	for _, member := range []string{"userAgent", "sourceIPAddress", "eventName"} {
		if got[member] != want {
			t.Errorf("%s = %q, want %q", member, got[member], want)
		}
	}
	if host := got["tlsDetails"].(map[string]any)["clientProvidedHostHeader"]; host != want {
		t.Errorf("clientProvidedHostHeader = %q, want %q", host, want)
	}
	params := got["requestParameters"].(map[string]any)
	if len(appendEscapedJSON(nil, detail)) > MaxDetailBytes {
		if diff := cmp.Diff(map[string]any{"omitted": true, "originalSize": float64(len(detail))}, params); diff != "" {
			t.Errorf("requestParameters too large (-want +got):\n%s", diff)
		}
	} else if diff := cmp.Diff(object(t, detail), params); diff != "" {
		t.Errorf("requestParameters (-want +got):\n%s", diff)
	}
}

func TestDetailsWithLineBreaksStayOnOneLine(t *testing.T) {
	e := decryptEvent()
	e.RequestParameters = []byte("{\r\n\t\"keyId\" : \"alias/\u2028\x7f\u0085x\"\n}\n")
	out := e.AppendJSON(nil)
	if i := strings.IndexFunc(string(out), hidden); i >= 0 {
		t.Errorf("record holds %q", out[i:i+3])
	}
	want := map[string]any{"keyId": "alias/\u2028\x7f\u0085x"}
	if diff := cmp.Diff(want, object(t, out)["requestParameters"]); diff != "" {
		t.Errorf("requestParameters (-want +got):\n%s", diff)
	}
}

// maxCallBytes is the most that one call may write, as MaxDetailBytes promises.
const maxCallBytes = 512 << 10

// largestEvent has five details of exactly MaxDetailBytes, and texts that a caller chooses, of what grows most.
func largestEvent() *Event {
	e := decryptEvent()
	text := strings.Repeat("\x7f", 2*MaxTextBytes)
	e.UserAgent, e.ErrorMessage, e.ErrorCode, e.TLS = text, text, "ValidationException", &TLSDetails{HostHeader: text}
	e.Resources = []Resource{{ARN: text, AccountID: "111122223333", Type: "AWS::KMS::Key"}, {ARN: text}}
	e.RequestParameters = escapedDetail(MaxDetailBytes)
	e.ResponseElements, e.AdditionalEventData, e.ServiceEventDetails = e.RequestParameters, e.RequestParameters, e.RequestParameters
	e.Authorization, e.EndpointID, e.Caller = e.RequestParameters, text, callerOf(caller.Role, text)
	return e
}

// escapedDetail returns a detail of almost only U+007F that has size bytes when it is written.
func escapedDetail(size int) []byte {
	n := size - len(`{"k":""}`)
	return []byte(`{"k":"` + strings.Repeat("\x7f", n/6) + strings.Repeat("x", n%6) + `"}`)
}

func TestNoCallWritesMuch(t *testing.T) {
	e := largestEvent()
	out := e.AppendJSON(nil)
	if len(out) <= 5*MaxDetailBytes || len(out) > maxCallBytes-1<<10 { // the frame needs its part
		t.Errorf("the largest event has %d bytes", len(out))
	}
	if bytes.Contains(out, []byte("omitted")) {
		t.Error("a detail of exactly the limit is left out")
	}
	for name, detail := range map[string][]byte{
		"U+007F, a byte more":     escapedDetail(MaxDetailBytes + 1),
		"U+007F, small as it is":  escapedDetail(5 * MaxDetailBytes),
		"U+0085":                  []byte(`{"k":"` + strings.Repeat("\u0085", MaxDetailBytes/6) + `"}`),
		"U+2028":                  []byte(`{"k":"` + strings.Repeat("\u2028", MaxDetailBytes/6) + `"}`),
		"control characters":      []byte(`{"k":"` + strings.Repeat(`\u0001`, MaxDetailBytes/6) + `"}`), // as JSON has to write them
		"line breaks":             append(bytes.Repeat([]byte("\n"), MaxDetailBytes), "{}"...),
		"nothing to be escaped":   []byte(`{"k":"` + strings.Repeat("x", MaxDetailBytes) + `"}`),
		"bytes that are no UTF-8": []byte(`{"k":"` + strings.Repeat("\xff", MaxDetailBytes/6) + `"}`),
	} {
		e := decryptEvent()
		e.RequestParameters, e.ResponseElements, e.AdditionalEventData, e.ServiceEventDetails = detail, detail, detail, detail
		e.Authorization = detail
		out := e.AppendJSON(nil)
		want := map[string]any{"omitted": true, "originalSize": float64(len(detail))}
		for _, member := range []string{"requestParameters", "responseElements", "additionalEventData", "serviceEventDetails", "authorization"} {
			if diff := cmp.Diff(want, object(t, out)[member]); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%.300s", name, member, diff)
			}
		}
		if len(out) > 4<<10 {
			t.Errorf("%s: %d bytes", name, len(out))
		}
	}
}

func FuzzAppendJSON(f *testing.F) {
	for _, text := range hostile {
		f.Add(text[:min(len(text), 2000)])
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkText(t, text)
		checkIdentity(t, text)
	})
}

// object decodes a JSON object.
func object(t testing.TB, b []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatalf("%v in %.300s", err, b)
	}
	return m
}
