package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	trentapi "github.com/trent-kms/trent/internal/api/trent"
)

func statusCommand() *cobra.Command {
	var asJSON *bool
	c := &cobra.Command{
		Use: "status", Short: "Ask the server how it is", Args: cobra.NoArgs, Example: "  trent status --json",
		RunE: does(func(c *cobra.Command, _ []string) error {
			s, err := newClient()
			if err != nil {
				return err
			}
			var out trentapi.GetStatusResponse
			if err := s.call(c.Context(), "GetStatus", &trentapi.GetStatusRequest{}, &out); err != nil {
				return err
			}
			if out.Version == nil || out.Mode == nil || out.Store == nil || out.StartTime == nil || out.Now == nil || out.ClockOffset == nil || out.Ready == nil {
				return errStrange
			}
			if *asJSON {
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", out.AppendJSON(nil))
				return err
			}
			return printStatus(c, s.endpoint, &out)
		}),
	}
	asJSON = jsonFlag(c)
	return c
}

func printStatus(c *cobra.Command, endpoint string, s *trentapi.GetStatusResponse) error {
	regions := "any"
	if len(s.Regions) > 0 {
		regions = strings.Join(s.Regions, ", ")
	}
	w := tabwriter.NewWriter(c.OutOrStdout(), 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "endpoint\t%s\nversion\t%s\nmode\t%s\nstore\t%s\nregions\t%s\nstarted\t%s\ntime\t%s\nclock ahead\t%s\nready\t%t\n",
		endpoint, printable(*s.Version), printable(string(*s.Mode)), printable(*s.Store), printable(regions), s.StartTime.Format(time.RFC3339), s.Now.Format(time.RFC3339), printable(*s.ClockOffset), *s.Ready)
	return w.Flush()
}
