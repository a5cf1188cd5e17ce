package org

import (
	"github.com/trent-kms/trent/internal/api"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
)

// because notes the Reason that the model of ConstraintViolationException and InvalidInputException has.
func because(reason string, e *api.Error) error { return e.WithReason(reason) }

func constraint(reason, format string, args ...any) error {
	return because(reason, orgapi.ConstraintViolationException(format, args...))
}

func invalid(reason, format string, args ...any) error {
	return because(reason, orgapi.InvalidInputException(format, args...))
}

func notInUse() error {
	return orgapi.AWSOrganizationsNotInUseException("Your account is not a member of an organization.")
}

// notManagement is what member accounts are told of nearly everything.
func notManagement() error {
	return orgapi.AccessDeniedException("You don't have permissions to access this resource.")
}

func noAccount() error {
	return orgapi.AccountNotFoundException("You specified an account that doesn't exist.")
}

func noUnit() error {
	return orgapi.OrganizationalUnitNotFoundException("You specified an organizational unit that doesn't exist.")
}

func noParent() error {
	return orgapi.ParentNotFoundException("You specified parent that doesn't exist.")
}

func noPolicy() error {
	return orgapi.PolicyNotFoundException("You specified a policy that doesn't exist.")
}

func noTarget() error {
	return orgapi.TargetNotFoundException("You specified a target that doesn't exist.")
}

func immutable() error {
	return invalid("IMMUTABLE_POLICY", "You specified a policy that is managed by AWS and can't be modified.")
}
