package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/trent-kms/trent/internal/admin"
	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
)

func resetCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reset", Short: "Empty a development server, as if it had just started", Args: cobra.NoArgs,
		Long: `Empty a development server: all keys, aliases and grants are gone, its clock goes back to the real time, and the keys
of its seed file are made again.`,
		RunE: does(func(c *cobra.Command, _ []string) error {
			s, err := newClient()
			if err != nil {
				return err
			}
			return s.call(c.Context(), "ResetServer", &trentapi.ResetServerRequest{}, &api.Empty{})
		}),
	}
}

func snapshotCommand() *cobra.Command {
	return &cobra.Command{
		Use: "snapshot FILE", Short: "Write the whole state of a development server to a file", Args: cobra.ExactArgs(1),
		Example: "  trent snapshot before.trent",
		Long: `Write the whole state of a development server to a file that only its owner can read, in the place of one that is
there. Whoever has the file has all key material in it.`,
		RunE: does(func(c *cobra.Command, args []string) error {
			s, err := newClient()
			if err != nil {
				return err
			}
			data, err := s.fetchSnapshot(c.Context())
			if err != nil {
				return err
			}
			return writeDurably(args[0], data)
		}),
	}
}

func restoreCommand() *cobra.Command {
	return &cobra.Command{
		Use: "restore FILE", Short: "Make a snapshot the state of a development server", Args: cobra.ExactArgs(1),
		Example: "  trent restore before.trent",
		Long: `Make a snapshot the whole state of a development server, in the place of all that it has: the one that made the
snapshot or another. A file that is damaged changes nothing.`,
		RunE: does(func(c *cobra.Command, args []string) error {
			s, err := newClient()
			if err != nil {
				return err
			}
			data, err := readSnapshot(args[0])
			if err != nil {
				return err
			}
			return s.sendSnapshot(c.Context(), data)
		}),
	}
}

// fetchSnapshot lets the server make a snapshot and brings it here.
func (c *client) fetchSnapshot(ctx context.Context) ([]byte, error) {
	var made trentapi.CreateSnapshotResponse
	if err := c.call(ctx, "CreateSnapshot", &trentapi.CreateSnapshotRequest{}, &made); err != nil {
		return nil, err
	}
	if made.SnapshotId == nil || made.Size == nil || *made.Size < 0 || *made.Size > admin.MaxSnapshotBytes {
		return nil, errStrange
	}
	var data []byte
	for len(data) < int(*made.Size) {
		var out trentapi.ReadSnapshotResponse
		in := &trentapi.ReadSnapshotRequest{SnapshotId: made.SnapshotId, Offset: new(int32(len(data)))}
		if err := c.call(ctx, "ReadSnapshot", in, &out); err != nil {
			return nil, err
		}
		if len(out.Part) == 0 {
			return nil, errStrange
		}
		data = append(data, out.Part...)
	}
	if admin.SnapshotID(data) != *made.SnapshotId {
		return nil, errors.New("what came is not the snapshot that the server made")
	}
	return data, nil
}

// sendSnapshot takes a snapshot to the server and makes it the state.
func (c *client) sendSnapshot(ctx context.Context, data []byte) error {
	id := admin.SnapshotID(data)
	for at := 0; at < len(data); at += partBytes {
		in := &trentapi.WriteSnapshotRequest{SnapshotId: &id, Offset: new(int32(at)), Part: data[at:min(len(data), at+partBytes)]}
		if err := c.call(ctx, "WriteSnapshot", in, &api.Empty{}); err != nil {
			return err
		}
	}
	return c.call(ctx, "RestoreSnapshot", &trentapi.RestoreSnapshotRequest{SnapshotId: &id}, &api.Empty{})
}

// partBytes is how much of a snapshot one request takes along.
const partBytes = 512 << 10

// readSnapshot reads a file that is a whole snapshot, for one that is damaged need not travel.
func readSnapshot(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the snapshot: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, admin.MaxSnapshotBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the snapshot: %w", err)
	}
	if len(data) > admin.MaxSnapshotBytes {
		return nil, fmt.Errorf("%s is larger than any snapshot, %d bytes", path, admin.MaxSnapshotBytes)
	}
	if _, err := admin.DecodeSnapshot(data); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return data, nil
}
