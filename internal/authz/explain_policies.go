package authz

import (
	"iter"
	"strconv"

	"github.com/trent-kms/trent/policy"
)

// placed is a policy that has a say in an access, and where.
type placed struct {
	layer    Layer
	level    int    // of control policies: how far below the root; 0 otherwise
	name     string // as decisions have it
	document *policy.Policy
}

// id names what would have to be changed: a managed policy is one document, wherever it is attached.
func (p placed) id() string {
	if p.layer != Resource && isARN(p.name) {
		return p.name
	}
	return strconv.Itoa(int(p.layer)) + "/" + strconv.Itoa(p.level) + "/" + p.name
}

// text is the document's, "" for one that is to be made.
func (p placed) text() string {
	if p.document == nil {
		return ""
	}
	return p.document.Text()
}

// policies goes through all policies that are asked, in the order of the layers.
func (e *evaluation) policies() iter.Seq[placed] {
	return func(yield func(placed) bool) {
		for _, part := range []iter.Seq[placed]{e.controls, e.middle, e.personal} {
			for p := range part {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// controls are the policies of organizations.
func (e *evaluation) controls(yield func(placed) bool) {
	each := func(layer Layer, levels [][]Attached) bool {
		for n, level := range levels {
			for _, a := range level {
				if !yield(placed{layer, n, a.Name, a.Policy}) {
					return false
				}
			}
		}
		return true
	}
	if e.bindsCaller() && !each(ServiceControl, e.member.Services) {
		return
	}
	if e.bindsResource() {
		each(ResourceControl, e.owner.Resources)
	}
}

// middle are the policies of the endpoint and of the resource.
func (e *evaluation) middle(yield func(placed) bool) {
	if e.Endpoint != nil && e.Endpoint.Policy != nil && !yield(placed{layer: VPCEndpoint, document: e.Endpoint.Policy}) {
		return
	}
	if e.access.Policy != nil {
		yield(placed{layer: Resource, document: e.access.Policy})
	}
}

// personal are the policies of the caller.
func (e *evaluation) personal(yield func(placed) bool) {
	if id := e.Identity; id != nil {
		for _, a := range id.Policies {
			if !yield(placed{layer: IdentityBased, name: a.Name, document: a.Policy}) {
				return
			}
		}
		if id.Boundary != nil && !yield(placed{layer: Boundary, name: id.Boundary.Name, document: id.Boundary.Policy}) {
			return
		}
	}
	if !e.Caller.Limited() {
		return
	}
	session := e.Caller.Session
	if e.Identity != nil {
		for _, a := range e.Identity.Session {
			if a.Policy != session.Policy && !yield(placed{layer: SessionBased, name: a.Name, document: a.Policy}) {
				return
			}
		}
	}
	if session.Policy != nil {
		yield(placed{layer: SessionBased, document: session.Policy})
	}
}
