package main

import (
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"stockbridge/internal/match"
	"stockbridge/internal/match/matchtest"
	"stockbridge/internal/prose"
)

// matched is how many parties the lists have that are matched, and matchMemory what the process may take for it: what
// a function of 512 MB can spare.
const matched, matchMemory = 20_000, 256 << 20

// benchMatch measures how well two long lists are matched, and in what time and memory.
func benchMatch(_ context.Context, _ benchOptions) ([]figure, error) {
	var list []figure
	for _, c := range []matchtest.Case{matchtest.Traders(2026, matched), matchtest.Firms(2026, matched)} {
		debug.FreeOSMemory()
		before, err := statusMiB(os.Getpid(), "RssAnon:")
		if err != nil {
			return list, err
		}
		limit := debug.SetMemoryLimit(int64(before*(1<<20)) + matchMemory)
		most, stop := watchMemory(os.Getpid())
		begun := time.Now()
		result := match.Match(c.Ours, c.Theirs, match.Known{})
		took := time.Since(begun).Seconds()
		stop()
		debug.SetMemoryLimit(limit)
		v := c.Judge(result)
		lists := fmt.Sprintf("%s against %s of %s", prose.Count(len(c.Ours)), prose.Count(len(c.Theirs)), c.Name)
		list = append(list,
			figure{what: "match " + lists, got: took, goal: 10, unit: "s",
				note: fmt.Sprintf("%s of %s pairs offered", prose.Count(int(v.Offered*float64(len(c.Truth))+0.5)),
					prose.Count(len(c.Truth)))},
			figure{what: "its memory", got: most() - before, goal: matchMemory >> 20, unit: "MiB",
				note: "beyond that of the lists themselves"},
			figure{what: "its precision, of what is sure", got: 100 * v.Precision, goal: 99.5, unit: "%", atLeast: true,
				note: fmt.Sprintf("%d wrong", len(v.Wrong))},
			figure{what: "its recall, of what is sure", got: 100 * v.Recall, goal: 95, unit: "%", atLeast: true})
	}
	return list, nil
}
