package iam_test

import (
	"testing"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/internal/service"
)

// A service speaks for resources of the accounts that it is registered for, and of no other.
func TestServicesActForTheirAccountsResources(t *testing.T) {
	w := newWorld(t)
	const s3, sqs, none, third = "s3.amazonaws.com", "sqs.amazonaws.com", "rds.amazonaws.com", "777788889999"
	for principal, accounts := range map[string][]string{s3: {account}, sqs: {account, other}, none: nil} {
		if _, _, err := w.iam.RegisterService(t.Context(), w.clock.Now(), principal, accounts); err != nil {
			t.Fatal(err)
		}
	}
	const (
		bucket, queue, foreign = "arn:aws:s3:::bucket", "arn:aws:sqs:us-east-1:" + account + ":q", "arn:aws:sqs:us-east-1:" + other + ":q"
		notFor                 = " may not make requests for resources of this account."
		differ                 = " may not make requests for a resource that is not of the account that it names."
		noARN                  = " may not make requests for a resource whose ARN is malformed."
	)
	ran := 0
	for _, tt := range []struct{ principal, arn, account, refusal string }{
		{s3, "", account, ""},
		{s3, bucket, "", ""},
		{s3, bucket, account, ""},
		{s3, queue, "", ""},
		{s3, queue, account, ""},
		{s3, "", other, notFor},
		{s3, bucket, other, notFor},
		{s3, foreign, "", notFor},
		{s3, foreign, other, notFor},
		{s3, foreign, account, differ},
		{s3, queue, other, differ},
		{s3, "bucket", account, noARN},
		{s3, "arn:aws:s3:::", account, noARN},
		{s3, "arn:aws:iam::aws:policy/p", "", notFor},
		{s3, "", "*", notFor},
		{s3, "", account + "," + other, notFor},
		{s3, "arn:aws:sqs:us-east-1:*:q", "", notFor},
		{sqs, foreign, other, ""},
		{sqs, queue, "", ""},
		{sqs, foreign, account, differ},
		{sqs, bucket, third, notFor},
		{none, bucket, "", ""},
		{none, bucket, account, notFor},
		{"sns.amazonaws.com", queue, account, notFor}, // was forgotten while its request came
	} {
		ran++
		by := caller.Caller{Type: caller.Service, ARN: tt.principal, UserID: tt.principal}
		c, err := w.iam.Forward(t.Context(), &by, service.Forwarded{SourceARN: tt.arn, SourceAccount: tt.account})
		switch e := api.From(err); {
		case tt.refusal == "" && (err != nil || c.SourceARN != tt.arn || c.SourceAccount != tt.account || c.ARN != tt.principal || c.Type != caller.Service):
			t.Errorf("%s for %q of %q: %+v, %v", tt.principal, tt.arn, tt.account, c, err)
		case tt.refusal != "" && (e == nil || e.Code != "AccessDeniedException" || e.Message != tt.principal+tt.refusal):
			t.Errorf("%s for %q of %q: %v, want %s", tt.principal, tt.arn, tt.account, err, tt.refusal)
		}
	}
	if ran < 24 {
		t.Errorf("only %d rows", ran)
	}
}
