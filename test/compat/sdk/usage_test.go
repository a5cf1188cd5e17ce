package sdk

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// lastUsage is told of the last success, in this Region, over an orderly end of the server.
func (s *story) lastUsage(t *testing.T) {
	id := s.make(t, kms.CreateKeyInput{})
	ask := func() *kms.GetKeyLastUsageOutput {
		t.Helper()
		u := must(s.kms.GetKeyLastUsage(t.Context(), &kms.GetKeyLastUsageInput{KeyId: &id}))(t)
		if created := s.describe(t, id).CreationDate; *u.KeyId != id || !u.KeyCreationDate.Equal(*created) || !u.TrackingStartDate.Equal(*created) {
			t.Errorf("%+v, created %s", u, created)
		}
		return u
	}
	// Neither a refusal nor a dry run is use.
	_, err := s.kms.Sign(t.Context(), &kms.SignInput{KeyId: &id, Message: []byte("m"), SigningAlgorithm: types.SigningAlgorithmSpecEcdsaSha256})
	refused(t, err, "InvalidKeyUsageException", arn(id)+" key usage is ENCRYPT_DECRYPT which is not valid for Sign.")
	_, err = s.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: []byte("x"), DryRun: aws.Bool(true)})
	refused(t, err, "DryRunOperationException", dry)
	if u := ask().KeyLastUsage; u == nil || u.Operation != "" || u.Timestamp != nil {
		t.Errorf("never used: %+v", u)
	}
	must(s.kms.GenerateDataKey(t.Context(), &kms.GenerateDataKeyInput{KeyId: &id, KeySpec: types.DataKeySpecAes256}))(t)
	before := time.Now().Add(-time.Minute)
	used := must(s.kms.Encrypt(t.Context(), &kms.EncryptInput{KeyId: &id, Plaintext: []byte("x")}))(t)
	request, _ := middleware.GetRequestIDMetadata(used.ResultMetadata)
	check := func() {
		t.Helper()
		u := ask().KeyLastUsage
		if u.Operation != types.KeyLastUsageTrackingOperationEncrypt || u.Timestamp == nil || u.Timestamp.Before(before) || *u.KmsRequestId != request || len(*u.CloudTrailEventId) != 36 {
			t.Errorf("%+v, want request %s", u, request)
		}
	}
	check()
	if err := s.server.Stop(); err != nil {
		t.Fatal(err)
	}
	s.restart()
	check()
}
