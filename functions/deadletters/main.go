// Command deadletters works on the messages that the queues gave up on.
package main

import (
	"fmt"
	"os"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
)

func main() {
	err := cloud.Start(os.Getenv, func(a *app.App) cloud.Handler { return cloud.SQS(a.DeadLetters) })
	fmt.Fprintln(os.Stderr, "deadletters:", err)
	os.Exit(1)
}
