// Command catalog works on the jobs queue: reads the mirror of a tenant's reference data.
package main

import (
	"fmt"
	"os"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
)

func main() {
	err := cloud.Start(os.Getenv, func(a *app.App) cloud.Handler { return cloud.SQS(a.Catalog) })
	fmt.Fprintln(os.Stderr, "catalog:", err)
	os.Exit(1)
}
