// Command webhook receives the vendors' webhooks, by HTTP.
package main

import (
	"fmt"
	"os"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
)

func main() {
	err := cloud.Start(os.Getenv, func(a *app.App) cloud.Handler { return cloud.Webhook(a.Webhook()) })
	fmt.Fprintln(os.Stderr, "webhook:", err)
	os.Exit(1)
}
