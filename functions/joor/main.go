// Command joor works on the joor queue: it reads a tenant's customers in Cin7 Omni and its connections in JOOR, and
// sends JOOR what people, or their settings, want sent.
package main

import (
	"fmt"
	"os"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
)

func main() {
	err := cloud.Start(os.Getenv, func(a *app.App) cloud.Handler { return cloud.SQS(a.JOOR) })
	fmt.Fprintln(os.Stderr, "joor:", err)
	os.Exit(1)
}
