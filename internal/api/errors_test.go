package api_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

func TestFrom(t *testing.T) {
	if got := api.From(nil); got != nil {
		t.Errorf("of nil: %v", got)
	}
	ours := kmsapi.NotFoundException("Key '%s' does not exist", "k")
	if got := api.From(fmt.Errorf("resolving: %w", ours)); got != ours {
		t.Errorf("of a wrapped error: %v", got)
	}
	if got := api.From(errors.Join(errors.New("x"), ours)); got != ours {
		t.Errorf("of a joined error: %v", got)
	}
	disk := errors.New("disk /dev/sda1 is full")
	got := api.From(disk)
	if got.Code != "KMSInternalException" || got.Status != 500 || got.Message == "" {
		t.Errorf("of our own failure: %d %v", got.Status, got)
	}
	if !errors.Is(got, disk) {
		t.Error("the cause is lost for the log")
	}
	if want := "The request was rejected because of an internal error; it can be sent again."; got.Message != want {
		t.Errorf("the text shows more than it should: %s", got.Message)
	}
}

func TestAMessageWithoutArgumentsIsNotAFormat(t *testing.T) {
	text := "100%s of %d"
	if got := kmsapi.TagException(text).Message; got != text {
		t.Errorf("got %s", got)
	}
}

// Statuses as KMS reports them; the generic table of AWS has others for some.
func TestStatusOfCommonErrors(t *testing.T) {
	for _, tt := range []struct {
		make   func(string, ...any) *api.Error
		code   string
		status int
	}{
		{api.AccessDeniedException, "AccessDeniedException", 400},
		{api.ExpiredTokenException, "ExpiredTokenException", 400},
		{api.IncompleteSignatureException, "IncompleteSignatureException", 400},
		{api.InternalFailure, "InternalFailure", 500},
		{api.InvalidSignatureException, "InvalidSignatureException", 400},
		{api.MalformedHttpRequestException, "MalformedHttpRequestException", 400},
		{api.MissingAuthenticationTokenException, "MissingAuthenticationTokenException", 400},
		{api.NotAuthorizedException, "NotAuthorizedException", 400},
		{api.RequestEntityTooLargeException, "RequestEntityTooLargeException", 413},
		{api.RequestTimeoutException, "RequestTimeoutException", 408},
		{api.SerializationException, "SerializationException", 400},
		{api.ThrottlingException, "ThrottlingException", 400},
		{api.UnknownOperationException, "UnknownOperationException", 400},
		{api.UnrecognizedClientException, "UnrecognizedClientException", 400},
		{api.ValidationException, "ValidationException", 400},
	} {
		if e := tt.make("x"); e.Code != tt.code || e.Status != tt.status || e.Message != "x" {
			t.Errorf("got %d %v, want %d %s", e.Status, e, tt.status, tt.code)
		}
	}
}
