package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
)

func serviceCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "service", Short: "Services that may use keys on behalf of others", Args: cobra.NoArgs,
		Long: `A registered service, such as an object store, signs with its own access key. It is the service principal of its
name in policies, and it may make requests on behalf of principals of the accounts that it is registered for: for those
kms:ViaService holds.`,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(registerServiceCommand(), deregisterServiceCommand(), listServicesCommand())
	return c
}

func registerServiceCommand() *cobra.Command {
	var accounts []string
	c := &cobra.Command{
		Use: "register NAME.amazonaws.com", Short: "Register a service and print its access key, once", Args: cobra.ExactArgs(1),
		RunE: does(func(c *cobra.Command, args []string) error {
			client, err := newClient()
			if err != nil {
				return err
			}
			var out trentapi.RegisterServiceResponse
			if err := client.call(c.Context(), "RegisterService", &trentapi.RegisterServiceRequest{ServicePrincipal: &args[0], Accounts: accounts}, &out); err != nil {
				return err
			}
			if out.AccessKeyId == nil || out.SecretAccessKey == nil {
				return errStrange
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "aws_access_key_id = %s\naws_secret_access_key = %s\n", printable(*out.AccessKeyId), printable(*out.SecretAccessKey))
			return err // the secret is told once
		}),
	}
	c.Flags().StringSliceVar(&accounts, "account", nil, "accounts for whose principals it may speak")
	return c
}

func deregisterServiceCommand() *cobra.Command {
	return &cobra.Command{
		Use: "deregister NAME.amazonaws.com", Short: "Forget a service; its access key works no more", Args: cobra.ExactArgs(1),
		RunE: does(func(c *cobra.Command, args []string) error {
			client, err := newClient()
			if err != nil {
				return err
			}
			return client.call(c.Context(), "DeregisterService", &trentapi.DeregisterServiceRequest{ServicePrincipal: &args[0]}, &api.Empty{})
		}),
	}
}

func listServicesCommand() *cobra.Command {
	var asJSON *bool
	c := &cobra.Command{
		Use: "list", Short: "List the registered services", Args: cobra.NoArgs,
		RunE: does(func(c *cobra.Command, _ []string) error {
			client, err := newClient()
			if err != nil {
				return err
			}
			var out trentapi.ListServicesResponse
			if err := client.call(c.Context(), "ListServices", &trentapi.ListServicesRequest{}, &out); err != nil {
				return err
			}
			if *asJSON {
				_, err := fmt.Fprintf(c.OutOrStdout(), "%s\n", out.AppendJSON(nil))
				return err
			}
			for _, s := range out.Services {
				if s.ServicePrincipal == nil || s.AccessKeyId == nil {
					return errStrange
				}
				if _, err := fmt.Fprintf(c.OutOrStdout(), "%s\t%s\t%s\n", printable(*s.ServicePrincipal), printable(*s.AccessKeyId), printable(fmt.Sprint(s.Accounts))); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	asJSON = jsonFlag(c)
	return c
}
