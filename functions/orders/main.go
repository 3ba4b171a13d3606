// Command orders works on the orders queue, whose messages point at orders.
package main

import (
	"fmt"
	"os"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
)

func main() {
	err := cloud.Start(os.Getenv, func(a *app.App) cloud.Handler { return cloud.SQS(a.Orders) })
	fmt.Fprintln(os.Stderr, "orders:", err)
	os.Exit(1)
}
