// Command schedule starts the sweep and the jobs when EventBridge Scheduler says so.
package main

import (
	"fmt"
	"os"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
)

func main() {
	err := cloud.Start(os.Getenv, func(a *app.App) cloud.Handler { return cloud.Raw(a.Schedule) })
	fmt.Fprintln(os.Stderr, "schedule:", err)
	os.Exit(1)
}
