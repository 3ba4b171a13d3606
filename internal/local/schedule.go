package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/app"
)

// jobNames are the jobs that have a schedule.
func jobNames() string { return strings.Join(slices.Sorted(maps.Keys(app.Schedules())), ", ") }

// jobTimes returns the intervals of the jobs, with those of -every. A job with 0 never starts by itself.
func jobTimes(every string, warn io.Writer) (map[string]time.Duration, error) {
	times := app.Schedules()
	for _, item := range splitList(every) {
		name, value, _ := strings.Cut(item, "=")
		if value == "0" {
			value = "0s"
		}
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 {
			return nil, fmt.Errorf("-every %s: not <job>=<duration>", item)
		}
		if _, ok := times[name]; !ok {
			fmt.Fprintf(warn, "warning: -every %s: there is no such job; there are %s\n", item, jobNames())
			continue
		}
		times[name] = d
	}
	return times, nil
}

// scheduleEvent returns what Scheduler sends: the template's Input with its
// placeholders filled in. id is that of the execution.
func scheduleEvent(job string, at time.Time, id string) []byte {
	payload, _ := json.Marshal(map[string]string{"job": job, "at": at.UTC().Format(time.RFC3339), "id": id})
	return payload
}

// tick starts a job every so often. The sweep is also started at once, since the
// messages in the queues of the process before this one are lost.
func (l *lambda) tick(ctx context.Context, job string, every time.Duration) {
	t := time.NewTicker(max(every, 50*time.Millisecond))
	defer t.Stop()
	for first := job == "orders"; ; first = false {
		at := time.Now()
		if !first {
			select {
			case <-ctx.Done():
				return
			case at = <-t.C:
			}
		}
		if _, err := l.invoke(ctx, "ScheduleFunction", scheduleEvent(job, at, newUUID())); err != nil {
			l.log.Warn("schedule", "job", job, "error", err.Error())
		}
	}
}

// fire starts a job of a running runner, as Scheduler would. -times starts it
// more than once, as Scheduler delivers at least once.
func fire(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("fire", flag.ContinueOnError)
	url := f.String("url", "http://127.0.0.1:8080", "the runner")
	at := f.String("at", "", "the scheduled time, RFC 3339; default now")
	token := f.String("token", defaultToken, "the runner's operator token")
	times := f.Int("times", 1, "how often the same event is delivered")
	if len(args) == 0 {
		return errors.New("usage: fire JOB [-at TIME] [-times N] [-url URL] [-token TOKEN]")
	}
	if err := f.Parse(args[1:]); err != nil {
		return err
	}
	when := time.Now()
	if *at != "" {
		var err error
		if when, err = time.Parse(time.RFC3339, *at); err != nil {
			return err
		}
	}
	payload := scheduleEvent(args[0], when, newUUID())
	c := client{base: *url, token: *token}
	for range *times {
		var answer json.RawMessage
		err := c.call(ctx, http.MethodPost, "/2015-03-31/functions/ScheduleFunction/invocations",
			json.RawMessage(payload), &answer)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, string(answer))
	}
	return nil
}
