package audit

import (
	"testing"
	"time"

	"github.com/trent-kms/trent/internal/caller"
)

const keyARN = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

// decryptEvent is an event of usual size.
func decryptEvent() *Event {
	return &Event{
		RequestID:           "12345126-30d5-4b28-98b9-9153da559963",
		Time:                time.Date(2026, 11, 22, 20, 45, 8, 999, time.UTC),
		Source:              "kms.amazonaws.com",
		Name:                "Decrypt",
		Region:              "us-west-2",
		Account:             "111122223333",
		Caller:              caller.RootOf("111122223333", "AKIAIOSFODNN7EXAMPLE"),
		SourceIP:            "192.0.2.0",
		UserAgent:           "aws-sdk-go-v2/1.47.7 ua/2.1 os/linux lang/go#1.26.8 md/GOOS#linux md/GOARCH#amd64 api/kms#1.62.4",
		RequestParameters:   []byte(`{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"Department":"Engineering","Project":"Alpha"}}`),
		AdditionalEventData: []byte(`{"keyMaterialId":"96083e4fb6dbc41d77578a213a6b6669c044dd4c143f96755a5c1ce5a60d1bcc"}`),
		ReadOnly:            true,
		Resources:           []Resource{{ARN: keyARN, AccountID: "111122223333", Type: "AWS::KMS::Key"}},
	}
}

// fillSegment fills one segment of the default size and begins the next one.
func fillSegment(t testing.TB, dir string) {
	t.Helper()
	w := writer{dir: dir, disk: osDisk{}, limit: DefaultSegmentBytes, framer: newFramer()}
	batch := make([][]byte, 1000)
	for i := range batch {
		batch[i] = decryptEvent().AppendJSON(nil)
	}
	for w.segment == nil || w.segment.size < DefaultSegmentBytes {
		if err := w.write(batch); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
}
