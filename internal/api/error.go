// Package api is what the packages generated from the API models are made of: AWS-shaped errors, constraint
// violations in AWS's wording, and the readers and writers of JSON, forms and XML of their codecs. The types themselves
// are in api/kms, api/iam, api/sts, api/organizations and api/trent.
package api

import "fmt"

// Error is an answer that the caller sees: a code, an HTTP status and a text, all AWS's. Message may be empty; AWS
// sends none for several codes. Make one with the constructor named for its code.
type Error struct {
	Code    string // "NotFoundException"
	Status  int    // HTTP status
	Message string
	Reason  string // what the model of some services adds to the code, as Organizations does; may be empty
	cause   error
	modeled bool
}

// Error returns the code, and the message if there is one.
func (e *Error) Error() string {
	if e.Message == "" {
		return e.Code
	}
	return e.Code + ": " + e.Message
}

// Unwrap returns the internal cause, for the log alone; it is never sent to a caller.
func (e *Error) Unwrap() error { return e.cause }

// WithCause returns a copy of e that carries cause for the log.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// WithReason returns a copy of e with a reason.
func (e *Error) WithReason(reason string) *Error {
	c := *e
	c.Reason = reason
	return &c
}

// Modeled reports whether e is an error of a service's own model, and not one that all services share.
func (e *Error) Modeled() bool { return e.modeled }

// ModeledError is NewError for the constructors generated from a model.
func ModeledError(code string, status int, format string, args ...any) *Error {
	e := NewError(code, status, format, args...)
	e.modeled = true
	return e
}

// NewError returns an Error. With no args format is the message itself, % and all.
func NewError(code string, status int, format string, args ...any) *Error {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return &Error{Code: code, Status: status, Message: format}
}
