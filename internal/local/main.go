// Command local runs everything on one machine with Go alone: the functions' own handlers behind AWS's event shapes,
// the embedded store, queues, a scheduler, the simulated vendors, and a demo tenant that trades.
//
//	go run ./internal/local [flags]      the runner (make run); -h lists the flags
//	go run ./internal/local invoke …     send one event through one function's real binary (make invoke)
//	go run ./internal/local event FILE   sign a webhook event as of now, and print it (make event)
//	go run ./internal/local events       write the files of events/ (make events)
//	go run ./internal/local seed         put a demo tenant into the store (make seed)
//	go run ./internal/local fire JOB     start a scheduled job of the runner by hand
//	go run ./internal/local build        make the functions' zips (make build)
//	go run ./internal/local sbom         say what they are made of: modules, versions, licenses (make sbom)
//	go run ./internal/local kills        the kill test (make kills)
//	go run ./internal/local bench        measure (make bench)
//
// Each command is a file that begins with its function. The runner (runner.go) is the same App as on AWS with other
// edges: lambda.go makes events as API Gateway, SQS and the Scheduler do, and passes them to package cloud's handlers;
// queue.go is SQS, with visibility timeout, delay, receive count, groups and dead letters; schedule.go is EventBridge
// Scheduler. This package writes events with structs of its own, after AWS's documentation, and the handlers read them
// with AWS's types, so that a wrong name does not cancel out.
//
// A test compares the runner with template.yaml: the same functions, routes, timeouts, queues and schedules. So what
// works here works there, as far as one machine can show; package tabletest shows what DynamoDB does. No function
// contains anything of this package.
//
// -speed divides every configured duration, so that an hour of waiting takes a minute. Instants, and the skew that a
// signature may have, stay real. Queues are in memory and forget everything when the process dies. Nothing is lost by
// that: the sweep wakes whatever is due.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := command(ctx, os.Args[1:], os.Getenv, os.Stdout)
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, getenv func(string) string, out io.Writer) error {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	switch name {
	case "invoke":
		return invoke(ctx, args[1:], getenv, out)
	case "event":
		return event(args[1:], out)
	case "events":
		return writeEvents(args[1:], out)
	case "seed":
		return seed(ctx, args[1:], getenv, out)
	case "fire":
		return fire(ctx, args[1:], out)
	case "build":
		return build(ctx, args[1:], out)
	case "sbom":
		return materials(ctx, args[1:], out)
	case "kills":
		return kills(ctx, args[1:], out)
	case "bench":
		return bench(ctx, args[1:], out)
	}
	o, err := parse(args, os.Stderr)
	if err != nil {
		return err
	}
	return run(ctx, o, getenv, out)
}
