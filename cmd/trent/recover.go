package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/trent-kms/trent/internal/api"
)

func recoverCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "recover", Short: "Ways back for whoever holds the server's data", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(recoverKeyPolicyCommand())
	return c
}

func recoverKeyPolicyCommand() *cobra.Command {
	var s settings
	var key, file string
	c := &cobra.Command{
		Use: "key-policy", Short: "Replace a key policy that has locked everybody out", Args: cobra.NoArgs,
		Example: "  trent recover key-policy --data-dir /var/lib/trent --key arn:aws:kms:eu-central-1:111122223333:key/…",
		Long: `Replace the policy of a key, whatever it allows. The server that uses the data directory must be stopped.

Without --policy the key gets the default policy, by which its account's root user and IAM policies decide.
The audit log gets a record (RecoverKeyPolicy) before anything changes.`,
		RunE: does(func(c *cobra.Command, _ []string) error {
			return recoverKeyPolicy(c.Context(), &s, key, file, c.ErrOrStderr())
		}),
	}
	f := c.Flags()
	f.StringVar(&key, "key", "", "ARN of the key")
	f.StringVar(&file, "policy", "", "file with the new policy")
	f.StringVar(&s.dataDir, "data-dir", "", "the server's data directory")
	f.StringVar(&s.store, "store", "", "the server's --store")
	f.StringVar(&s.rootKey, "root-key-file", "", "the server's --root-key-file")
	f.BoolVar(&s.dev, "dev", false, "the data is a development server's")
	return c
}

func recoverKeyPolicy(ctx context.Context, s *settings, key, file string, stderr io.Writer) error {
	if key == "" || s.dataDir == "" {
		return usage("recover key-policy needs --data-dir and --key")
	}
	// Nothing may be made here that is not there: no directory, no deployment.
	for _, path := range []string{s.dataDir, cmp.Or(s.rootKey, filepath.Join(s.dataDir, "root.key"))} {
		if _, err := os.Stat(path); err != nil {
			return &failure{err, "--data-dir and --root-key-file must be those of the server"}
		}
	}
	text := ""
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text = string(b)
	}
	harden()
	dir, err := openDataDir(s)
	if err != nil {
		return err
	}
	defer dir.close()
	if !s.dev {
		s.regions = []string{defaultRegion} // none is served
	}
	srv, err := s.open(ctx, dir, "", stderr, slog.New(slog.NewJSONHandler(stderr, nil)))
	if err != nil {
		return explain(err, s)
	}
	err = srv.RecoverKeyPolicy(ctx, key, text)
	if told := api.From(err); err != nil && told.Status < 500 {
		err = told
	}
	if err = errors.Join(err, srv.Close()); err != nil {
		return err
	}
	fmt.Fprintln(stderr, "trent: the key has its new policy; the audit log has a record of it (RecoverKeyPolicy)")
	return nil
}
