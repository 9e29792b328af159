package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/shared/devbroker"
)

func newBroker() *cobra.Command {
	var o options
	var listen, data string
	cmd := &cobra.Command{
		Use:   "broker --listen HOST:PORT --data DIR",
		Short: "Run the development broker: one process that speaks Kafka, for trying out and for tests",
		Long: `broker keeps topics under --data from one run to the next, and stamps records with its own time where a topic asks for it.
It has one node, no replicas and no access control: a Kafka for development. It prints "ready role=broker kafka=HOST:PORT".`,
		Args: func(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 0, 0) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := fromEnvironment(cmd, &o); err != nil {
				return err
			}
			if _, _, err := net.SplitHostPort(listen); err != nil {
				return usagef("--listen: %w", err)
			}
			b, err := devbroker.Start(devbroker.Config{Listen: listen, DataDir: data})
			if errors.Is(err, syscall.EADDRINUSE) {
				return fmt.Errorf("--listen %s: %w; give another port, or 0 for any", listen, err)
			}
			if err != nil {
				return err
			}
			defer b.Close()
			fmt.Fprintf(cmd.OutOrStdout(), "ready role=broker kafka=%s\n", b.Addr())
			<-cmd.Context().Done()
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "127.0.0.1:9092", "`HOST:PORT` to serve at; port 0 picks one")
	f.StringVar(&data, "data", "data/broker", "`DIR` of topics and records; empty = in memory")
	return cmd
}
