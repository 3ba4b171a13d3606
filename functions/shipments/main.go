// Command shipments works on the shipments queue: it reads what changed in Cin7 Core, and compares both sides.
package main

import (
	"fmt"
	"os"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
)

func main() {
	err := cloud.Start(os.Getenv, func(a *app.App) cloud.Handler { return cloud.SQS(a.Shipments) }, "PUBLIC_URL")
	fmt.Fprintln(os.Stderr, "shipments:", err)
	os.Exit(1)
}
