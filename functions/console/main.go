// Command console serves the pages and the JSON API.
package main

import (
	"fmt"
	"os"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
	"stockbridge/internal/workbook"
)

func main() {
	err := cloud.Start(os.Getenv, func(a *app.App) cloud.Handler { return cloud.HTTP(a.Console(workbook.Write)) },
		"PUBLIC_URL", "API_TOKEN_SHA256")
	fmt.Fprintln(os.Stderr, "console:", err)
	os.Exit(1)
}
