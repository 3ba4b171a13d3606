// Command catalog works on the catalog queue: it reads a tenant's reference data into the mirror, and sends alerts.
package main

import (
	"fmt"
	"os"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
)

func main() {
	err := cloud.StartMailing(os.Getenv, func(a *app.App) cloud.Handler { return cloud.SQS(a.Catalog) })
	fmt.Fprintln(os.Stderr, "catalog:", err)
	os.Exit(1)
}
