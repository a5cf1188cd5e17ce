package api

import "errors"

// The errors that every operation of every service may answer, modeled by none (AWS KMS API Reference, Common Errors).
// KMS reports most of them with status 400 where the generic table of AWS says 403 or 404; SDKs go by the code.

// ValidationException says that a parameter breaks a constraint.
func ValidationException(format string, args ...any) *Error {
	return NewError("ValidationException", 400, format, args...)
}

// SerializationException says that the body is not JSON, or has a value of the wrong type.
func SerializationException(format string, args ...any) *Error {
	return NewError("SerializationException", 400, format, args...)
}

// AccessDeniedException says that no policy allows the call, or that one denies it.
func AccessDeniedException(format string, args ...any) *Error {
	return NewError("AccessDeniedException", 400, format, args...)
}

// UnknownOperationException says that the target names no operation. AWS sends no text.
func UnknownOperationException(format string, args ...any) *Error {
	return NewError("UnknownOperationException", 400, format, args...)
}

// ThrottlingException says that the caller's request quota is used up.
func ThrottlingException(format string, args ...any) *Error {
	return NewError("ThrottlingException", 400, format, args...)
}

// MissingAuthenticationTokenException says that the request is not signed.
func MissingAuthenticationTokenException(format string, args ...any) *Error {
	return NewError("MissingAuthenticationTokenException", 400, format, args...)
}

// IncompleteSignatureException says that the signature lacks a part.
func IncompleteSignatureException(format string, args ...any) *Error {
	return NewError("IncompleteSignatureException", 400, format, args...)
}

// InvalidSignatureException says that the signature is wrong, expired, or scoped to another Region or service.
func InvalidSignatureException(format string, args ...any) *Error {
	return NewError("InvalidSignatureException", 400, format, args...)
}

// UnrecognizedClientException says that the access key or the session token is not known.
func UnrecognizedClientException(format string, args ...any) *Error {
	return NewError("UnrecognizedClientException", 400, format, args...)
}

// ExpiredTokenException says that the session token has expired.
func ExpiredTokenException(format string, args ...any) *Error {
	return NewError("ExpiredTokenException", 400, format, args...)
}

// NotAuthorizedException says that the service keeps this for itself, as names that begin with alias/aws/.
func NotAuthorizedException(format string, args ...any) *Error {
	return NewError("NotAuthorizedException", 400, format, args...)
}

// InternalFailure says that the server failed where no service's own error fits.
func InternalFailure(format string, args ...any) *Error {
	return NewError("InternalFailure", 500, format, args...)
}

// ServiceUnavailable says that the server has too much to do just now.
func ServiceUnavailable(format string, args ...any) *Error {
	return NewError("ServiceUnavailable", 503, format, args...)
}

// RequestEntityTooLargeException says that the body is over the limit.
func RequestEntityTooLargeException(format string, args ...any) *Error {
	return NewError("RequestEntityTooLargeException", 413, format, args...)
}

// RequestTimeoutException says that the body came too slowly.
func RequestTimeoutException(format string, args ...any) *Error {
	return NewError("RequestTimeoutException", 408, format, args...)
}

// MalformedHttpRequestException says that the request is not what HTTP, or this protocol, expects.
func MalformedHttpRequestException(format string, args ...any) *Error {
	return NewError("MalformedHttpRequestException", 400, format, args...)
}

// From returns the *Error in err's tree. Any other error is our own failure: KMSInternalException with a fixed text,
// and err as its cause, for the log alone. From(nil) is nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return NewError("KMSInternalException", 500, "The request was rejected because of an internal error; it can be sent again.").WithCause(err)
}
