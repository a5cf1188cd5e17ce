package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// partBytes is how much of a snapshot one answer holds, as much as one request may (WriteSnapshot's constraint).
const partBytes = 512 << 10

// stateOperations replace, show and keep the whole state of a development server.
func (s *Service) stateOperations() []service.Operation {
	return []service.Operation{
		service.Define(service.Row[trentapi.CreateSnapshotRequest, trentapi.CreateSnapshotResponse, deployment]{
			Name: "CreateSnapshot", ReadOnly: true, Resolve: target[trentapi.CreateSnapshotRequest](s), Handle: developmentOnly(s, s.createSnapshot),
			LogAnswer: func(out *trentapi.CreateSnapshotResponse, _ deployment) []byte { return out.AppendAudit(nil) },
		}),
		service.Define(service.Row[trentapi.ReadSnapshotRequest, trentapi.ReadSnapshotResponse, deployment]{
			Name: "ReadSnapshot", ReadOnly: true, Resolve: target[trentapi.ReadSnapshotRequest](s), Handle: developmentOnly(s, s.readSnapshot),
		}),
		service.Define(service.Row[trentapi.ResetServerRequest, api.Empty, deployment]{
			Name: "ResetServer", Resolve: target[trentapi.ResetServerRequest](s), Handle: developmentOnly(s, s.resetServer),
		}),
		service.Define(service.Row[trentapi.RestoreSnapshotRequest, api.Empty, deployment]{
			Name: "RestoreSnapshot", Resolve: target[trentapi.RestoreSnapshotRequest](s), Handle: developmentOnly(s, s.restoreSnapshot),
		}),
		service.Define(service.Row[trentapi.WriteSnapshotRequest, api.Empty, deployment]{
			Name: "WriteSnapshot", Resolve: target[trentapi.WriteSnapshotRequest](s), Handle: developmentOnly(s, s.writeSnapshot),
		}),
	}
}

// handler is the last step of an operation here.
type handler[In, Out any] = func(context.Context, *service.Call, *In, deployment) (*Out, error)

// developmentOnly refuses in production: nobody may empty a server that keeps real keys, or carry their material away.
func developmentOnly[In, Out any](s *Service, handle func(context.Context, *In) (*Out, error)) handler[In, Out] {
	return func(ctx context.Context, _ *service.Call, in *In, _ deployment) (*Out, error) {
		if !s.Dev {
			return nil, api.NewError("UnsupportedOperationException", 400, "Only a development server can be reset, and makes and takes snapshots.")
		}
		return handle(ctx, in)
	}
}

func (s *Service) resetServer(ctx context.Context, _ *trentapi.ResetServerRequest) (*api.Empty, error) {
	return &api.Empty{}, s.Reset(ctx)
}

// createSnapshot puts a snapshot of this moment on the shelf.
func (s *Service) createSnapshot(ctx context.Context, _ *trentapi.CreateSnapshotRequest) (*trentapi.CreateSnapshotResponse, error) {
	records, err := s.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	data := EncodeSnapshot(records)
	if len(data) > MaxSnapshotBytes {
		return nil, api.ValidationException("The state is %d bytes long; a snapshot can be %d.", len(data), MaxSnapshotBytes)
	}
	return &trentapi.CreateSnapshotResponse{SnapshotId: new(s.Shelf.put(data)), Size: new(int32(len(data)))}, nil
}

func (s *Service) readSnapshot(_ context.Context, in *trentapi.ReadSnapshotRequest) (*trentapi.ReadSnapshotResponse, error) {
	data, err := s.Shelf.read(*in.SnapshotId)
	if err != nil {
		return nil, err
	}
	if int(*in.Offset) >= len(data) {
		return nil, api.ValidationException("The snapshot is %d bytes long.", len(data))
	}
	data = data[*in.Offset:]
	return &trentapi.ReadSnapshotResponse{Part: data[:min(len(data), partBytes)]}, nil
}

func (s *Service) writeSnapshot(_ context.Context, in *trentapi.WriteSnapshotRequest) (*api.Empty, error) {
	return &api.Empty{}, s.Shelf.write(*in.SnapshotId, int(*in.Offset), in.Part)
}

// restoreSnapshot makes what a snapshot holds the state. One that is not whole, or not usable, changes nothing.
func (s *Service) restoreSnapshot(ctx context.Context, in *trentapi.RestoreSnapshotRequest) (*api.Empty, error) {
	data, err := s.Shelf.read(*in.SnapshotId)
	if err != nil {
		return nil, err
	}
	if SnapshotID(data) != *in.SnapshotId {
		return nil, api.ValidationException("Snapshot %s is not complete: the server has %d bytes of it.", *in.SnapshotId, len(data))
	}
	records, err := DecodeSnapshot(data)
	if err == nil {
		err = checkClock(records)
	}
	if err == nil {
		err = s.Restore(ctx, records)
	}
	if errors.Is(err, ErrSnapshot) {
		return nil, api.ValidationException("%s", err.Error())
	}
	return &api.Empty{}, err
}

// checkClock refuses a clock that no server could begin with.
func checkClock(records []store.Put) error {
	for _, r := range records {
		if r.Key != clockKey {
			continue
		}
		if _, err := decodeOffset(r.Value); err != nil {
			return fmt.Errorf("%w: %w", ErrSnapshot, err)
		}
	}
	return nil
}
