package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	trentapi "github.com/trent-kms/trent/internal/api/trent"
)

func clockCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "clock", Short: "Move a development server's time", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(&cobra.Command{
		Use: "advance DURATION", Short: "Move the server's time forward, for good: 30d, 12h, 90m", Args: cobra.ExactArgs(1),
		Example: "  trent clock advance 30d",
		RunE: does(func(c *cobra.Command, args []string) error {
			s, err := newClient()
			if err != nil {
				return err
			}
			var out trentapi.AdvanceClockResponse
			if err := s.call(c.Context(), "AdvanceClock", &trentapi.AdvanceClockRequest{Duration: &args[0]}, &out); err != nil {
				return err
			}
			if out.Now == nil {
				return errStrange
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), out.Now.UTC().Format(time.RFC3339))
			return err
		}),
	})
	return c
}
