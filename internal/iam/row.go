package iam

import (
	"context"

	"github.com/trent-kms/trent/internal/api"
	"github.com/trent-kms/trent/internal/service"
)

// traits say what an operation does to what it acts on.
type traits uint8

const (
	reads  traits = 0
	writes traits = 1 << iota
	// creates is writes for what must not exist yet.
	creates
)

// define makes a row. Besides the operation's own steps, it has what all operations of IAM share: which sessions may not use
// it, and what of an answer the audit record shows, which the generated code knows.
func define[In, Out any, T service.Target, PIn interface {
	*In
	api.Input
}, POut interface {
	*Out
	api.Output
}](name string, is traits,
	resolve func(context.Context, *service.Call, *In) (T, error),
	check func(context.Context, *service.Call, *In, T) error,
	handle func(context.Context, *service.Call, *In, T) (*Out, error),
) service.Operation {
	row := service.Row[In, Out, T]{
		Name: name, ReadOnly: is == reads, Check: check, Handle: handle,
		Resolve: func(ctx context.Context, c *service.Call, in *In) (T, error) {
			if err := refuseSession(c); err != nil {
				var none T
				return none, err
			}
			return resolve(ctx, c, in)
		},
	}
	if is != reads {
		row.LogAnswer = func(out *Out, _ T) []byte { return POut(out).AppendAudit(nil) }
	}
	return service.Define[In, Out, T, PIn, POut](row)
}

// on makes the row of an operation on a user, a group, a role or a managed policy. ask says what the request names.
func on[In, Out any, PIn interface {
	*In
	api.Input
}, POut interface {
	*Out
	api.Output
}](s *Service, name string, is traits, k kind, ask func(*In) asked,
	handle func(context.Context, *service.Call, *In, *target) (*Out, error),
) service.Operation {
	resolve := func(ctx context.Context, c *service.Call, in *In) (*target, error) {
		return s.resolve(ctx, c, k, is, ask(in))
	}
	return define[In, Out, *target, PIn, POut](name, is, resolve, exists[In], handle)
}

// do is on for operations whose answer is empty.
func do[Out, In any, PIn interface {
	*In
	api.Input
}, POut interface {
	*Out
	api.Output
}](s *Service, name string, k kind, ask func(*In) asked, handle func(context.Context, *service.Call, *target) error) service.Operation {
	return on[In, Out, PIn, POut](s, name, writes, k, ask, func(ctx context.Context, c *service.Call, _ *In, t *target) (*Out, error) {
		return new(Out), handle(ctx, c, t)
	})
}

// all makes the row of an operation on the caller's account as a whole.
func all[In, Out any, PIn interface {
	*In
	api.Input
}, POut interface {
	*Out
	api.Output
}](name string, is traits, handle func(context.Context, *service.Call, *In, service.Own) (*Out, error)) service.Operation {
	return define[In, Out, service.Own, PIn, POut](name, is, service.NoResource[In]("iam:"+name), nil, handle)
}
