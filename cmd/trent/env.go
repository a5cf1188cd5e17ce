package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trent-kms/trent/internal/iam"
)

// Where a development server is when nobody says otherwise.
const (
	defaultListen   = "127.0.0.1:4599"
	defaultEndpoint = "http://" + defaultListen
	defaultRegion   = "us-east-1"
)

func envCommand() *cobra.Command {
	var endpoint string
	c := &cobra.Command{
		Use: "env", Short: "Print the lines that point a shell's AWS clients at the development server", Args: cobra.NoArgs,
		Example: `  eval "$(trent env)"`,
		RunE: does(func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(c.OutOrStdout(), `export AWS_ENDPOINT_URL=%s
export AWS_REGION=%s
export AWS_DEFAULT_REGION=%s
export AWS_ACCESS_KEY_ID=%s
export AWS_SECRET_ACCESS_KEY=%s
unset AWS_SESSION_TOKEN AWS_PROFILE
`, shellQuote(endpoint), defaultRegion, defaultRegion, iam.DevAccessKeyID, iam.DevSecret)
			return err
		}),
	}
	c.Flags().StringVar(&endpoint, "endpoint", defaultEndpoint, "where the server is")
	return c
}
